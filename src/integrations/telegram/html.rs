//! Telegram's HTML: a few known tags, balanced, and nothing else.
//!
//! Read by the twin, which has to refuse what Telegram refuses, and before a text is
//! taken from an admin, who should hear of it at once and not from every recipient.
//!
//! The result is the text as a person sees it and the entities that say what was
//! formatted, with Telegram's own words where the markup is wrong.

use serde::Serialize;

use super::text::units;

/// A formatted stretch of a text, counted in UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    kind: &'static str,
    offset: usize,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_emoji_id: Option<String>,
}

struct Open<'a> {
    tag: &'a str,
    attributes: Vec<(String, String)>,
    offset: usize,
}

/// The text as it is shown, and what is formatted in it.
///
/// # Errors
/// Telegram's own words on what is wrong with the markup.
pub(crate) fn parse(source: &str) -> Result<(String, Vec<Entity>), String> {
    let mut text = String::with_capacity(source.len());
    let mut length = 0;
    let mut entities = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        match next {
            '<' if source[at..].starts_with("</") => {
                let end = tag_end(source, at).ok_or_else(|| unclosed("end", at))?;
                let tag = source[at + 2..end].trim_end();
                let Some(last) = open.pop() else {
                    return Err(format!("Unexpected end tag at byte offset {at}"));
                };
                if !tag.is_empty() && !tag.eq_ignore_ascii_case(last.tag) {
                    let expected = last.tag.to_ascii_lowercase();
                    return Err(format!(
                        "Unmatched end tag at byte offset {at}, expected \"</{expected}>\", found \"</{tag}>\""
                    ));
                }
                entities.extend(entity(&last, length));
                at = end + 1;
            }
            '<' => {
                let end = tag_end(source, at).ok_or_else(|| unclosed("start", at))?;
                let inside = &source[at + 1..end];
                let name_end = inside.find(|c: char| c.is_whitespace()).unwrap_or(inside.len());
                let (tag, attributes) = inside.split_at(name_end);
                let attributes = attributes_of(attributes)
                    .ok_or_else(|| format!("Unexpected end of attribute in tag \"{tag}\" at byte offset {at}"))?;
                let opened = Open { tag, attributes, offset: length };
                if kind(&opened).is_none() {
                    return Err(format!("Unsupported start tag \"{tag}\" at byte offset {at}"));
                }
                open.push(opened);
                at = end + 1;
            }
            '&' => {
                let (character, bytes) = reference(&source[at..]).unwrap_or(('&', 1));
                text.push(character);
                length += character.len_utf16();
                at += bytes;
            }
            _ => {
                let plain = source[at..].find(['<', '&']).unwrap_or(source.len() - at);
                let plain = &source[at..at + plain];
                text.push_str(plain);
                length += units(plain);
                at += plain.len();
            }
        }
    }
    match open.last() {
        Some(open) => {
            Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.tag.to_ascii_lowercase()))
        }
        None => {
            entities.sort_by_key(|entity| (entity.offset, usize::MAX - entity.length));
            Ok((text, entities))
        }
    }
}

fn unclosed(which: &str, at: usize) -> String {
    format!("Unclosed {which} tag at byte offset {at}")
}

/// The `>` that ends the tag at `at`; one in quotes does not.
fn tag_end(source: &str, at: usize) -> Option<usize> {
    let mut quote = None;
    for (i, c) in source[at..].char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at + i),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn attributes_of(mut source: &str) -> Option<Vec<(String, String)>> {
    let mut attributes = Vec::new();
    loop {
        source = source.trim_start();
        if source.is_empty() {
            return Some(attributes);
        }
        let end = source.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(source.len());
        let name = source[..end].to_ascii_lowercase();
        source = source[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = source.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next()?;
            let (raw, rest) = if quote == '"' || quote == '\'' {
                after[1..].split_once(quote)?
            } else {
                after.split_at(after.find(char::is_whitespace).unwrap_or(after.len()))
            };
            value = decoded(raw);
            source = rest;
        }
        if name.is_empty() {
            return None;
        }
        attributes.push((name, value));
    }
}

fn decoded(raw: &str) -> String {
    let mut value = String::new();
    let mut at = 0;
    while let Some(next) = raw[at..].chars().next() {
        let (character, bytes) = reference(&raw[at..]).unwrap_or((next, next.len_utf8()));
        value.push(character);
        at += bytes;
    }
    value
}

/// The character a reference such as `&lt;` or `&#60;` stands for, and its length.
fn reference(source: &str) -> Option<(char, usize)> {
    let body = source.strip_prefix('&')?;
    let (name, _) = body.split_once(';').filter(|(name, _)| name.len() <= 10)?;
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?).filter(|c| *c != '\0')?
        }
    };
    Some((character, name.len() + 2))
}

fn kind(open: &Open<'_>) -> Option<&'static str> {
    Some(match open.tag.to_ascii_lowercase().as_str() {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "code" => "code",
        "pre" => "pre",
        "a" => "text_link",
        "tg-spoiler" => "spoiler",
        "span" if attribute(open, "class") == Some("tg-spoiler") => "spoiler",
        "tg-emoji" => "custom_emoji",
        "blockquote" if attribute(open, "expandable").is_some() => "expandable_blockquote",
        "blockquote" => "blockquote",
        _ => return None,
    })
}

fn attribute<'a>(open: &'a Open<'_>, name: &str) -> Option<&'a str> {
    open.attributes.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

/// `None` for what Telegram shows as plain text: nothing, or a link that leads nowhere.
fn entity(open: &Open<'_>, end: usize) -> Option<Entity> {
    let kind = kind(open)?;
    let mut entity = Entity {
        kind,
        offset: open.offset,
        length: end - open.offset,
        url: None,
        language: None,
        custom_emoji_id: None,
    };
    match kind {
        "text_link" => {
            let url = reqwest::Url::parse(attribute(open, "href")?).ok()?;
            let known = matches!(url.scheme(), "http" | "https" | "tg" | "ton" | "mailto");
            entity.url = Some(url.to_string()).filter(|_| known);
            entity.url.as_ref()?;
        }
        "custom_emoji" => {
            entity.custom_emoji_id = Some(attribute(open, "emoji-id")?.to_owned());
        }
        "pre" => {
            entity.language = attribute(open, "language").map(str::to_owned);
        }
        _ => {}
    }
    (entity.length > 0).then_some(entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_becomes_entities() {
        let (text, entities) = parse("😀 <b>bold <i>both</i></b> 1 &lt; 2 &amp; &#65;&unknown;").unwrap();
        assert_eq!(text, "😀 bold both 1 < 2 & A&unknown;");
        let seen: Vec<_> = entities.iter().map(|e| (e.kind, e.offset, e.length)).collect();
        assert_eq!(seen, [("bold", 3, 9), ("italic", 8, 4)]);
    }

    #[test]
    fn links_keep_their_address_if_they_have_a_safe_one() {
        let (_, entities) = parse(r#"<a href="https://example.com/?a=1&amp;b=2">x</a>"#).unwrap();
        assert_eq!(entities[0].url.as_deref(), Some("https://example.com/?a=1&b=2"));
        let (text, entities) = parse(r#"<a href="javascript:alert(1)">x</a>"#).unwrap();
        assert_eq!((text.as_str(), entities.len()), ("x", 0));
    }

    #[test]
    fn wrong_markup_is_named_as_telegram_names_it() {
        for (source, reason) in [
            ("<b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            ("<b>x</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\""),
            ("<p>x</p>", "Unsupported start tag \"p\" at byte offset 0"),
            ("1 < 2", "Unclosed start tag at byte offset 2"),
            ("é <b", "Unclosed start tag at byte offset 3"),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            ("<span>x</span>", "Unsupported start tag \"span\" at byte offset 0"),
        ] {
            assert_eq!(parse(source).unwrap_err(), reason, "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(source in "(<|>|/|&|;|#|x|=|\"|'|b|a href| |é|😀){0,24}") {
            if let Ok((text, entities)) = parse(&source) {
                for entity in entities {
                    proptest::prop_assert!(entity.offset + entity.length <= units(&text));
                }
            }
        }

        #[test]
        fn escaped_text_comes_back(source in ".*") {
            let escaped = source.replace('&', "&amp;").replace('<', "&lt;");
            proptest::prop_assert_eq!(parse(&escaped).unwrap().0, source);
        }
    }
}
