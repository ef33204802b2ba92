//! Counts what an XML text has before it is parsed.
//!
//! This is not a parser: it only has to see every tag that the parser would
//! see, in one pass, without memory.

use super::SvgError;

const MOST_ELEMENTS: usize = 10_000;
const MOST_ATTRIBUTES: usize = 100;
const DEEPEST: usize = 64;

/// For the parser: elements, and texts and comments between them.
pub(super) const MOST_NODES: u32 = 4 * MOST_ELEMENTS as u32;

/// Checks that there is no document type, no instruction, and no excess of
/// elements, attributes and depth.
///
/// # Errors
/// The first of them.
pub(super) fn scan(text: &str) -> Result<(), SvgError> {
    let mut rest = text;
    let (mut elements, mut depth) = (0, 0_usize);
    while let Some(start) = rest.find('<') {
        let declaration = start == 0 && rest.len() == text.len();
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after(comment, "-->");
        } else if let Some(data) = rest.strip_prefix("![CDATA[") {
            rest = after(data, "]]>");
        } else if rest.starts_with('!') {
            return Err(SvgError::Doctype);
        } else if let Some(instruction) = rest.strip_prefix('?') {
            let (content, following) = instruction.split_once("?>").unwrap_or((instruction, ""));
            check_instruction(content, declaration)?;
            rest = following;
        } else if let Some(end) = rest.strip_prefix('/') {
            depth = depth.saturating_sub(1);
            rest = after(end, ">");
        } else {
            elements += 1;
            if elements > MOST_ELEMENTS {
                return Err(SvgError::Elements { most: MOST_ELEMENTS });
            }
            let (tag, following) = tag(rest);
            if attributes(tag) > MOST_ATTRIBUTES {
                return Err(SvgError::Attributes { most: MOST_ATTRIBUTES });
            }
            if !tag.ends_with('/') {
                depth += 1;
                if depth > DEEPEST {
                    return Err(SvgError::Depth { most: DEEPEST });
                }
            }
            rest = following;
        }
    }
    Ok(())
}

/// The XML declaration is no instruction, if it comes first and names UTF-8.
fn check_instruction(content: &str, first: bool) -> Result<(), SvgError> {
    let name = content.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
    if !first || name != "xml" {
        return Err(SvgError::Instruction { name: super::rules::quoted(name) });
    }
    let lower = content.to_ascii_lowercase();
    match lower.split_once("encoding") {
        Some((_, value)) if !value.contains("utf-8") && !value.contains("us-ascii") => Err(SvgError::Encoding),
        _ => Ok(()),
    }
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// What is up to the bracket that ends a tag, and what follows. A bracket in
/// an attribute's value is not it.
fn tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (&text[..at], &text[at + 1..]),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    (text, "")
}

/// Every attribute has an equals sign outside of quotes.
fn attributes(tag: &str) -> usize {
    let (mut quote, mut count) = (None, 0);
    for byte in tag.bytes() {
        match (quote, byte) {
            (None, b'=') => count += 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    count
}
