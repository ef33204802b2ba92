//! The little of CSS that an SVG may use.

use super::SvgError;

/// Longest style sheet, all together, in bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// Most selectors times elements: each is held against each.
pub(super) const MOST_MATCHES: usize = 4_000_000;

/// Checks a style sheet: rules only, for elements, classes and ids without
/// regard to where they are, because that is judged in time exponential in the
/// depth. What clips or masks has to be an attribute, where it can be weighed.
/// Returns how many selectors there are.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_sheet(sheet: &str) -> Result<usize, SvgError> {
    let wrong = |reason| Err(SvgError::Style { reason });
    if sheet.len() > LONGEST {
        return wrong("at most 16 KiB of style sheets are accepted");
    }
    let mut count = 0;
    let mut rest = &*without_comments(sheet);
    while let Some((selectors, following)) = rest.split_once('{') {
        let Some((declarations, following)) = following.split_once('}') else {
            return wrong("a rule does not end");
        };
        check_text(selectors)?;
        for selector in selectors.split(',').map(str::trim) {
            count += 1;
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '#' | '-' | '_' | '*');
            if !selector.chars().all(plain) {
                return wrong("only selectors of an element, class or id are accepted");
            }
        }
        for (name, _) in check_declarations(declarations)? {
            if matches!(&*name, "clip-path" | "mask") {
                return wrong("clip-path and mask must be attributes of the elements");
            }
        }
        rest = following;
    }
    if rest.trim().is_empty() { Ok(count) } else { wrong("there is something outside of rules, such as @import") }
}

/// The names and values of declarations.
///
/// # Errors
/// They could load or hide something, or draw without end.
pub(super) fn check_declarations(text: &str) -> Result<Vec<(String, &str)>, SvgError> {
    check_text(text)?;
    let declared: Vec<_> = text
        .split(';')
        .filter_map(|declaration| declaration.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    if declared.iter().any(|(name, value)| name == "filter" && *value != "none") {
        return Err(SvgError::Style { reason: "filters are not accepted" });
    }
    Ok(declared)
}

fn check_text(text: &str) -> Result<(), SvgError> {
    if text.contains(['@', '\\', '{', '}', '<']) || text.contains("/*") {
        return Err(SvgError::Style { reason: "@rules, escapes and comments within rules are not accepted" });
    }
    check_urls(text).then_some(()).ok_or_else(|| SvgError::Reference { name: "style".to_owned() })
}

/// Whether every `url(…)` in it is of the kind `url(#id)`.
pub(super) fn check_urls(text: &str) -> bool {
    fragments(text).iter().all(Option::is_some)
}

/// The ids that are referred to with `url(#id)`; none for an `url(…)` of
/// another kind.
pub(super) fn fragments(text: &str) -> Vec<Option<&str>> {
    let lower = text.to_ascii_lowercase();
    let urls = lower.match_indices("url").filter(|(at, _)| lower[at + 3..].trim_start().starts_with('('));
    let ids = urls.map(|(at, _)| {
        let inside = text[at + 3..].trim_start().strip_prefix('(')?;
        let (inside, _) = inside.split_once(')')?;
        let inside = inside.trim().trim_matches(['"', '\'']).trim();
        inside.strip_prefix('#').filter(|id| !id.is_empty())
    });
    ids.collect()
}

fn without_comments(sheet: &str) -> String {
    let mut kept = String::with_capacity(sheet.len());
    let mut rest = sheet;
    while let Some((before, comment)) = rest.split_once("/*") {
        // Something between, so that what was apart stays apart.
        kept.extend([before, " "]);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}
