//! From an answer of the Bot API to a value or to an error that says what to do.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{ChatNumber, Outage, TelegramError};

/// The wait when Telegram says "too many" but not for how long.
const DEFAULT_DELAY: u64 = 5;

/// Refusals with status 400 that are about the recipient and not about the message.
/// (With 403 every refusal is.)
const RECIPIENT: [&str; 6] = [
    "chat not found",
    "user not found",
    "user is deactivated",
    "group is deactivated",
    "peer_id_invalid",
    "input_user_deactivated",
];

/// Refusals with status 400 of what would have been right earlier.
const LATE: [&str; 4] = ["query is too old", "query id is invalid", "message to edit not found", "message_id_invalid"];

#[derive(Deserialize)]
struct Success<T> {
    result: T,
}

#[derive(Deserialize, Default)]
struct Failure {
    #[serde(default)]
    description: String,
    error_code: Option<u16>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

pub(super) fn read<T: DeserializeOwned>(operation: &'static str, status: u16, body: &[u8]) -> Result<T, TelegramError> {
    if (200..300).contains(&status) && says_ok(body) {
        return match serde_json::from_slice::<Success<T>>(body) {
            Ok(success) => Ok(success.result),
            Err(error) => Err(unreadable(operation, &error)),
        };
    }
    // Between us and Telegram stand machines that explain themselves in HTML.
    let failure: Failure = serde_json::from_slice(body).unwrap_or_default();
    let code = failure.error_code.unwrap_or(status);
    let reason = || {
        let words: String = failure.description.chars().take(200).collect();
        if words.is_empty() { format!("status {code} without a reason") } else { words }
    };
    if let (400, Some(to)) = (code, failure.parameters.migrate_to_chat_id) {
        return Err(TelegramError::Moved { operation, to: ChatNumber(to) });
    }
    Err(match code {
        429 => TelegramError::RetryAfter {
            operation,
            delay: Duration::from_secs(failure.parameters.retry_after.unwrap_or(DEFAULT_DELAY)),
        },
        403 => TelegramError::RecipientGone { operation, reason: reason() },
        400 if contains(&failure.description, &RECIPIENT) => {
            TelegramError::RecipientGone { operation, reason: reason() }
        }
        400 if contains(&failure.description, &LATE) => TelegramError::TooLate { operation, reason: reason() },
        400..=499 => TelegramError::Rejected { operation, reason: reason() },
        // Only Telegram itself speaks so; a gateway on the way says it in HTML, or in JSON of another shape.
        500..=599 if failure.error_code.is_some() => {
            TelegramError::Unavailable { operation, source: Outage::Failed(code) }
        }
        _ => TelegramError::Unavailable { operation, source: Outage::Status(code) },
    })
}

fn says_ok(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        ok: bool,
    }
    serde_json::from_slice::<Head>(body).is_ok_and(|head| head.ok)
}

/// Whether a refusal says that the message is as it was to become.
pub(super) fn says_unchanged(reason: &str) -> bool {
    contains(reason, &["message is not modified"])
}

/// Whether a refusal says that the message is none that the bot may edit.
pub(super) fn says_not_ours(reason: &str) -> bool {
    contains(reason, &["message can't be edited", "message_author_required"])
}

fn contains(description: &str, phrases: &[&str]) -> bool {
    let description = description.to_ascii_lowercase();
    phrases.iter().any(|phrase| description.contains(phrase))
}

/// Only the place: the error's own text would quote the answer.
fn unreadable(operation: &'static str, error: &serde_json::Error) -> TelegramError {
    let source = Outage::Unreadable { line: error.line(), column: error.column() };
    TelegramError::Unavailable { operation, source }
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn failed(status: u16, body: &str) -> TelegramError {
        read::<IgnoredAny>("sendMessage", status, body.as_bytes()).unwrap_err()
    }

    fn refused(code: u16, description: &str) -> TelegramError {
        failed(code, &format!(r#"{{"ok":false,"error_code":{code},"description":"{description}"}}"#))
    }

    #[test]
    fn a_result_is_read_whatever_else_the_answer_holds() {
        let body = br#"{"ok":true,"result":7,"new_in_bot_api_12":[]}"#;
        assert_eq!(read::<i32>("getMe", 200, body).unwrap(), 7);
    }

    #[test]
    fn too_many_requests_tell_the_delay() {
        let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 3","parameters":{"retry_after":3}}"#;
        let error = failed(429, body);
        assert!(matches!(error, TelegramError::RetryAfter { delay, .. } if delay.as_secs() == 3));
        assert!(error.is_transient() && !error.may_have_been_delivered());
        assert!(matches!(failed(429, "<html>"), TelegramError::RetryAfter { delay, .. } if delay.as_secs() == 5));
    }

    #[test]
    fn a_recipient_out_of_reach_is_final_and_not_our_mistake() {
        for (code, description) in [
            (403, "Forbidden: bot was blocked by the user"),
            (403, "Forbidden: user is deactivated"),
            (403, "Forbidden: a phrase not yet invented"),
            (400, "Bad Request: chat not found"),
            (400, "Bad Request: PEER_ID_INVALID"),
        ] {
            let error = refused(code, description);
            assert!(
                matches!(&error, TelegramError::RecipientGone { reason, .. } if reason == description),
                "{error:?}"
            );
            assert!(!error.is_transient());
        }
    }

    #[test]
    fn what_comes_too_late_is_final_and_not_our_mistake() {
        for description in [
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
            "Bad Request: message to edit not found",
            "Bad Request: MESSAGE_ID_INVALID",
        ] {
            let error = refused(400, description);
            assert!(matches!(&error, TelegramError::TooLate { reason, .. } if reason == description), "{error:?}");
            assert!(!error.is_transient() && !error.may_have_been_delivered());
        }
        assert!(says_unchanged("Bad Request: message is not modified: specified new message content and so on"));
        assert!(!says_unchanged("Bad Request: message can't be edited"));
    }

    #[test]
    fn a_group_that_became_a_supergroup_tells_its_new_number() {
        let body = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001234}}"#;
        let error = failed(400, body);
        assert!(matches!(error, TelegramError::Moved { to: ChatNumber(-1_001_234), .. }), "{error:?}");
        assert!(!error.is_transient() && !error.may_have_been_delivered());
        assert!(!format!("{error} {error:?}").contains("1234"));
    }

    #[test]
    fn other_refusals_are_ours() {
        for (code, description) in
            [(400, "Bad Request: message text is empty"), (401, "Unauthorized"), (404, "Not Found"), (409, "Conflict")]
        {
            let error = refused(code, description);
            assert!(matches!(error, TelegramError::Rejected { .. }), "{error:?}");
            assert!(!error.is_transient());
        }
        assert_eq!(failed(404, "nginx").to_string(), "Telegram sendMessage: rejected: status 404 without a reason");
    }

    #[test]
    fn a_failure_of_theirs_is_worth_another_try() {
        let own_words = refused(500, "Internal Server Error");
        assert!(own_words.is_transient() && !own_words.may_have_been_delivered(), "{own_words:?}");
        for error in [
            failed(502, "<html>Bad Gateway</html>"),
            failed(200, "<html>Welcome to the hotel network</html>"),
            failed(302, ""),
            failed(200, r#"{"ok":true}"#),
        ] {
            assert!(matches!(error, TelegramError::Unavailable { .. }), "{error:?}");
            assert!(error.is_transient() && error.may_have_been_delivered());
        }
    }

    #[test]
    fn an_unreadable_answer_is_not_quoted() {
        let error = read::<i32>("getMe", 200, br#"{"ok":true,"result":"private"}"#).unwrap_err();
        assert!(!format!("{error:?}").contains("private"));
    }
}
