//! What is wrong with a parameter, in our words: the library says it in those of its types.

/// The reason for people, of the library's. `values` are those that may be, where they
/// are listed.
pub(super) fn plain<'a>(reason: &str, values: impl FnOnce() -> Option<&'a str>) -> String {
    if let Some(limit) = reason.strip_prefix("verification failed. ") {
        return limit_in_words(limit).unwrap_or_else(|| "is not as the documentation says".to_owned());
    }
    if reason.ends_with("expects an input value.") {
        return "is required".to_owned();
    }
    // `failed to parse "a type": why`, with the outer type at the end.
    let Some((kind, why)) = reason.strip_prefix("failed to parse \"").and_then(|rest| rest.split_once("\": ")) else {
        return reason.to_owned();
    };
    if why.starts_with("Expect a valid enumeration value") {
        return values().map_or_else(
            || "must be one of the values that the documentation lists".to_owned(),
            |values| format!("must be one of {values}"),
        );
    }
    let kind = kind.trim_start_matches("optional_").replace('_', "(");
    let words = match kind.trim_end_matches(')') {
        kind if kind.starts_with("integer") && why.contains("too large") => "must be a smaller whole number",
        kind if kind.starts_with("integer") && why.contains("too small") => "must be a larger whole number",
        "integer(uint16" | "integer(uint32" | "integer(uint64" => "must be a whole number, 0 or more",
        kind if kind.starts_with("integer") => "must be a whole number",
        kind if kind.starts_with("number") => "must be a number",
        "string(date-time" => "must be an instant such as 2026-04-01T08:00:00Z",
        "string(date" | "string(naive-date" => "must be a day such as 2026-04-01",
        "string(uuid" => "must be a UUID",
        "boolean" => "must be true or false",
        _ => return reason.to_owned(),
    };
    words.to_owned()
}

/// `minimum(1, exclusive: false)` and the like.
fn limit_in_words(limit: &str) -> Option<String> {
    let (name, rest) = limit.split_once('(')?;
    let rest = rest.strip_suffix(')')?;
    let (number, is_exclusive) = match rest.split_once(", exclusive: ") {
        Some((number, exclusive)) => (number, exclusive == "true"),
        None => (rest, false),
    };
    Some(match (name, is_exclusive) {
        ("minimum", false) => format!("must be {number} or more"),
        ("minimum", true) => format!("must be more than {number}"),
        ("maximum", false) => format!("must be {number} or less"),
        ("maximum", true) => format!("must be less than {number}"),
        ("minLength", _) if number == "1" => "must not be empty".to_owned(),
        ("minLength", _) => format!("must have {number} characters or more"),
        ("maxLength", _) => format!("must have {number} characters or fewer"),
        ("pattern", _) => format!("must match {}", number.trim_matches('"')),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_ours() {
        for (reason, words) in [
            ("verification failed. minimum(1, exclusive: false)", "must be 1 or more"),
            ("verification failed. maximum(200, exclusive: false)", "must be 200 or less"),
            ("verification failed. maxLength(64)", "must have 64 characters or fewer"),
            (
                "failed to parse \"SignalStatus\": Expect a valid enumeration value. (occurred while parsing \"optional_SignalStatus\")",
                "must be one of waiting, closed",
            ),
            ("failed to parse \"integer(uint32)\": invalid digit found in string", "must be a whole number, 0 or more"),
            (
                "failed to parse \"integer_int64\": number too large to fit in target type",
                "must be a smaller whole number",
            ),
            (
                "failed to parse \"string_date-time\": premature end of input",
                "must be an instant such as 2026-04-01T08:00:00Z",
            ),
            (
                "failed to parse \"string_naive-date\": premature end of input (occurred while parsing \"optional_string_naive-date\")",
                "must be a day such as 2026-04-01",
            ),
            ("failed to parse \"string_uuid\": invalid character: found `N` at 0", "must be a UUID"),
            ("Type \"string\" expects an input value.", "is required"),
            ("must not be so", "must not be so"),
        ] {
            assert_eq!(plain(reason, || Some("waiting, closed")), words);
        }
    }
}
