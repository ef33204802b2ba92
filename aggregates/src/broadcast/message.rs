//! What a broadcast says, and to whom.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What everybody gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The text, or the caption of the photo; marked up if `html`.
    pub text: String,
    /// Whether the text is Telegram's subset of HTML.
    #[serde(default)]
    pub html: bool,
    /// A photo above the text: an https address, or the `file_id` of one that Telegram has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
    /// Buttons below the text, in rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Vec<Button>>,
}

/// A button that opens a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// What it opens; https.
    pub url: String,
}

/// Who gets it: people who can and want to be written to, and of those the ones
/// who pass every filter. Fixed when the broadcast starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Only those who used the bot within so many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_within_days: Option<u32>,
    /// Only those who redeemed this campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Uuid>,
    /// Only those who hold a coupon of this campaign that is good for something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Uuid>,
    /// Only those whose client speaks this language: `pt` means `pt-br`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A broadcast that makes no sense, by the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// The field's name as in [`Message`] or [`Audience`].
    pub field: String,
    /// What is wrong with it, for the person who wrote it.
    pub reason: String,
}

fn wrong(field: impl Into<String>, reason: &str) -> Result<(), Invalid> {
    Err(Invalid { field: field.into(), reason: reason.to_owned() })
}

impl Message {
    /// Longest text as it is written, markup and all, in characters. (As it is
    /// shown it is shorter still: that is Telegram's rule and checked with the markup.)
    pub const SOURCE_LENGTH: usize = 16_384;
    /// Most rows of buttons, and most buttons in one.
    pub const BUTTONS: usize = 8;

    /// Checks what can be told without knowing Telegram's markup.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.text.trim().is_empty() {
            return wrong("text", "must not be empty");
        }
        if self.text.chars().count() > Self::SOURCE_LENGTH {
            return wrong("text", "must have at most 16384 characters, markup included");
        }
        if let Some(photo) = &self.photo {
            let file_id = photo.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !is_https(photo) && (!file_id || photo.is_empty() || photo.len() > 256) {
                return wrong("photo", "must be an https address or a file_id of Telegram");
            }
        }
        if self.buttons.len() > Self::BUTTONS {
            return wrong("buttons", "must be at most 8 rows");
        }
        for (row, buttons) in self.buttons.iter().enumerate() {
            if buttons.is_empty() || buttons.len() > Self::BUTTONS {
                return wrong(format!("buttons[{row}]"), "must have 1 to 8 buttons");
            }
            for (column, button) in buttons.iter().enumerate() {
                let field = |name: &str| format!("buttons[{row}][{column}].{name}");
                if button.text.trim().is_empty() || button.text.chars().count() > 64 {
                    return wrong(field("text"), "must have 1 to 64 characters");
                }
                if !is_https(&button.url) {
                    return wrong(field("url"), "must be an https address");
                }
            }
        }
        Ok(())
    }
}

/// Whether it is an https address with a host and nothing that an address cannot have.
fn is_https(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && text.len() <= 2_048 && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
    })
}

impl Audience {
    /// Checks the filters.
    ///
    /// # Errors
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.active_within_days.is_some_and(|days| !(1..=3_650).contains(&days)) {
            return wrong("active_within_days", "must be from 1 to 3650");
        }
        if let Some(language) = &self.language {
            let tag = language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !tag || !(2..=35).contains(&language.len()) {
                return wrong("language", "must be a language tag such as en or pt-br");
            }
        }
        Ok(())
    }
}
