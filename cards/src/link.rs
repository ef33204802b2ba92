//! Links that open a bot with a payload.

/// What cannot be made into a deep link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Telegram has no bot of such a name.
    #[error("bot_username: must have 5 to 32 of the characters A-Z, a-z, 0-9 and _")]
    BotUsername,
    /// Telegram would not hand the payload to the bot.
    #[error("payload: must have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -")]
    Payload,
}

/// The link that opens the bot `bot_username` (without `@`) and sends it
/// `/start payload` when the person presses Start.
///
/// The rules are those of <https://core.telegram.org/bots/features#deep-linking>:
/// a payload has up to 64 of the characters `A-Z a-z 0-9 _ -`.
///
/// # Errors
/// The name or the payload breaks them.
pub fn deep_link(bot_username: &str, payload: &str) -> Result<String, LinkError> {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    if !(5..=32).contains(&bot_username.len()) || !bot_username.bytes().all(word) {
        return Err(LinkError::BotUsername);
    }
    if !(1..=64).contains(&payload.len()) || !payload.bytes().all(|c| word(c) || c == b'-') {
        return Err(LinkError::Payload);
    }
    Ok(format!("https://t.me/{bot_username}?start={payload}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_what_telegram_reads() {
        let longest = "a".repeat(64);
        for (bot, payload, link) in [
            ("promo_stack_bot", "c-SUMMER_26", Ok("https://t.me/promo_stack_bot?start=c-SUMMER_26".to_owned())),
            ("a_bot", &longest, Ok(format!("https://t.me/a_bot?start={longest}"))),
            ("bot", "x", Err(LinkError::BotUsername)),
            (&"b".repeat(33), "x", Err(LinkError::BotUsername)),
            ("@promo_bot", "x", Err(LinkError::BotUsername)),
            ("promo-bot", "x", Err(LinkError::BotUsername)),
            ("бот_бот", "x", Err(LinkError::BotUsername)),
            ("promo_bot", "", Err(LinkError::Payload)),
            ("promo_bot", &"a".repeat(65), Err(LinkError::Payload)),
            ("promo_bot", "a b", Err(LinkError::Payload)),
            ("promo_bot", "a&b=c", Err(LinkError::Payload)),
            ("promo_bot", "купон", Err(LinkError::Payload)),
        ] {
            assert_eq!(deep_link(bot, payload), link, "{bot} {payload}");
        }
    }
}
