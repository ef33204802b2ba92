//! The bot that posts signals, and who finds the words for it.

use reqwest::Url;

use super::{ConfigError, parsed, web_address, wrong};
use crate::secrets::Secret;

/// Settings of the bot that posts signals.
#[derive(Debug, Clone, Default)]
pub struct Forex {
    /// `FOREX_BOT_TOKEN`: of the bot.
    pub token: Option<Secret>,
    /// `FOREX_CHANNEL_ID`: where signals are posted.
    pub channel: Option<i64>,
    /// `FOREX_PROTECT=1`: what is posted cannot be forwarded or saved.
    pub protect: bool,
    /// `FOREX_LANGUAGE`: of the channel.
    pub language: Language,
}

/// A language that the channel can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `ru`.
    Russian,
}

/// Who is asked for words.
#[derive(Debug, Clone)]
pub struct Copywriter {
    /// `AI_INTEGRATIONS_OPENAI_API_KEY`.
    pub key: Option<Secret>,
    /// `AI_INTEGRATIONS_OPENAI_BASE_URL`: a service other than OpenAI's own, up to and with `/v1`.
    pub url: Option<Url>,
    /// `COPYWRITER_MODEL`.
    pub model: String,
}

impl Forex {
    pub(super) fn read(text: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            token: text("FOREX_BOT_TOKEN").map(Secret::new),
            channel: parsed("FOREX_CHANNEL_ID", text("FOREX_CHANNEL_ID"), "a channel's id, such as -1001234567890")?,
            protect: match text("FOREX_PROTECT").as_deref() {
                None | Some("0" | "false") => false,
                Some("1" | "true") => true,
                Some(_) => return Err(wrong("FOREX_PROTECT", "must be 1 or 0")),
            },
            language: match text("FOREX_LANGUAGE").as_deref() {
                None | Some("en") => Language::English,
                Some("ru") => Language::Russian,
                Some(_) => return Err(wrong("FOREX_LANGUAGE", "must be en or ru")),
            },
        })
    }
}

impl Copywriter {
    pub(super) fn read(text: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let name = "AI_INTEGRATIONS_OPENAI_BASE_URL";
        Ok(Self {
            key: text("AI_INTEGRATIONS_OPENAI_API_KEY").map(Secret::new),
            url: web_address(name, text(name))?,
            model: text("COPYWRITER_MODEL").unwrap_or_else(|| "gpt-4o-mini".to_owned()),
        })
    }
}
