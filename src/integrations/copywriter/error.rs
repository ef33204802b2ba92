//! What can go wrong when a text is asked for.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// Why no text came.
#[derive(Debug, Error)]
pub enum CopywriterError {
    /// Too many requests for now.
    #[error("the copywriter is busy")]
    Busy {
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// The account has nothing left to pay with.
    #[error("the copywriter's quota is used up")]
    Quota,
    /// The key is wrong, or may not use this model.
    #[error("the copywriter does not accept the key (status {status})")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
    },
    /// The request is wrong, as when there is no such model.
    #[error("the copywriter rejected the request with status {status}{}", code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Rejected {
        /// 300 to 499.
        status: u16,
        /// Its code for it, such as `model_not_found`.
        code: Option<String>,
    },
    /// No usable answer.
    #[error("the copywriter gave no usable answer")]
    Unavailable {
        /// What came instead.
        source: Outage,
    },
    /// It stopped before the end, or would not write.
    #[error("the copywriter did not finish: {reason}")]
    Unfinished {
        /// Its own word for it.
        reason: &'static str,
    },
    /// It wrote nothing.
    #[error("the copywriter wrote nothing")]
    Nothing,
}

/// What came instead of an answer.
#[derive(Debug, Error)]
pub enum Outage {
    /// No connection, a broken one, or no whole answer by the deadline.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// It, or something on the way, failed.
    #[error("answered with status {0}")]
    Status(u16),
    /// It said yes, but not in the form of a completion.
    #[error("the answer cannot be read (line {line}, column {column})")]
    Unreadable {
        /// Where in the answer.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// It does not end.
    #[error("the answer is too long")]
    TooLong,
}

#[derive(Deserialize, Default)]
struct Failure {
    #[serde(default)]
    error: Described,
}

#[derive(Deserialize, Default)]
struct Described {
    #[serde(default)]
    code: Option<serde_json::Value>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// What an answer with this status means.
pub(super) fn refused(status: u16, after: Option<Duration>, body: &[u8]) -> CopywriterError {
    let Failure { error } = serde_json::from_slice(body).unwrap_or_default();
    // Some servers have numbers for codes. Only a word of their own making is kept, never a sentence.
    let code = error.code.and_then(|code| code.as_str().map(str::to_owned)).or(error.kind);
    let is_word = |word: &String| word.len() <= 60 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let code = code.filter(is_word);
    match status {
        429 if code.as_deref() == Some("insufficient_quota") => CopywriterError::Quota,
        429 => CopywriterError::Busy { after },
        401 | 403 => CopywriterError::Unauthorized { status },
        300..=499 => CopywriterError::Rejected { status, code },
        _ => CopywriterError::Unavailable { source: Outage::Status(status) },
    }
}
