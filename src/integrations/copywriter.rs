//! The copywriter: a language model behind an interface like that of OpenAI's chat
//! completions, which many services and local servers speak.
//!
//! What it writes is never trusted: see [`crate::bots::forex::words`]. There is no twin of
//! it; without a key, texts are the templates, in the sandbox as elsewhere.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::{CONTENT_LENGTH, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};

use crate::{config, secrets::Secret};

mod error;
#[cfg(test)]
mod tests;

pub use error::{CopywriterError, Outage};

/// Where it is unless told otherwise.
const OFFICIAL: &str = "https://api.openai.com/v1";
/// How long an answer may take: a signal's update does not wait for its wording.
const DEADLINE: Duration = Duration::from_secs(8);
/// Bytes of an answer that are read. One of ours has a few hundred.
const LONGEST: usize = 256 * 1024;
/// Tokens that an answer may have, with those that a reasoning model thinks in.
const TOKENS: u32 = 1_000;

/// One account's access to a model. Cheap to clone.
#[derive(Clone)]
pub struct Copywriter {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    key: Secret,
    model: String,
    deadline: Duration,
    http: reqwest::Client,
}

/// What is asked.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    max_completion_tokens: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

/// What is answered, as far as it is read.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Written,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

impl Copywriter {
    /// A client for the configured model; none without a key.
    #[must_use]
    pub fn new(config: &config::Copywriter, http: reqwest::Client) -> Option<Self> {
        let key = config.key.clone()?;
        let mut url = config.url.clone().unwrap_or_else(|| Url::parse(OFFICIAL).expect("a constant address"));
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["chat", "completions"]);
        }
        Some(Self { inner: Arc::new(Inner { url, key, model: config.model.clone(), deadline: DEADLINE, http }) })
    }

    /// The same client with another limit on the time an answer may take.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        let Inner { url, key, model, http, .. } = &*self.inner;
        let (url, key, model, http) = (url.clone(), key.clone(), model.clone(), http.clone());
        Self { inner: Arc::new(Inner { url, key, model, deadline, http }) }
    }

    /// Has a text written: `task` says what the model is and must keep to, `facts` what it is to
    /// write about. Asked once; whoever needs a text has another one ready.
    ///
    /// # Errors
    /// [`CopywriterError`]. None holds the key, what was asked, or words of the answer.
    pub async fn write(&self, task: &str, facts: &str) -> Result<String, CopywriterError> {
        let Inner { url, key, model, deadline, http } = &*self.inner;
        let messages = [Message { role: "system", content: task }, Message { role: "user", content: facts }];
        let request = Request { model, messages, max_completion_tokens: TOKENS };
        let no_answer =
            |error: reqwest::Error| CopywriterError::Unavailable { source: Outage::Network(error.without_url()) };
        // The limit holds until the last byte has come.
        let request = http.post(url.clone()).bearer_auth(key.reveal()).timeout(*deadline).json(&request);
        let mut response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let announced = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::with_capacity(announced.unwrap_or(0).min(LONGEST));
        while let Some(part) = response.chunk().await.map_err(no_answer)? {
            if body.len() + part.len() > LONGEST {
                return Err(CopywriterError::Unavailable { source: Outage::TooLong });
            }
            body.extend_from_slice(&part);
        }
        if !(200..300).contains(&status) {
            return Err(error::refused(status, after.map(Duration::from_secs), &body));
        }
        text(&body)
    }
}

/// The text of an answer that says it is complete.
fn text(body: &[u8]) -> Result<String, CopywriterError> {
    let completion: Completion = serde_json::from_slice(body).map_err(|error| CopywriterError::Unavailable {
        source: Outage::Unreadable { line: error.line(), column: error.column() },
    })?;
    let Some(choice) = completion.choices.into_iter().next() else { return Err(CopywriterError::Nothing) };
    if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(CopywriterError::Unfinished { reason: "refusal" });
    }
    match choice.finish_reason.as_deref() {
        // Some servers leave it out.
        None | Some("stop") => {}
        Some("length") => return Err(CopywriterError::Unfinished { reason: "length" }),
        Some("content_filter") => return Err(CopywriterError::Unfinished { reason: "content_filter" }),
        Some(_) => return Err(CopywriterError::Unfinished { reason: "another reason" }),
    }
    choice.message.content.filter(|content| !content.trim().is_empty()).ok_or(CopywriterError::Nothing)
}

impl fmt::Debug for Copywriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copywriter").field("model", &self.inner.model).finish_non_exhaustive()
    }
}
