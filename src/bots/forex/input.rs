//! What somebody wrote to the bot.

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    Start,
    Help,
    Status,
    Stats,
    Last,
    /// The rest is for admins.
    Pause(Option<String>),
    Resume,
    Close(Option<String>),
    Strategy(Option<String>),
}

/// Letters of a reason that are kept; more are no reason.
const REASON: usize = 500;

impl Input {
    /// Of a text. What is no command asks for help.
    pub(super) fn read(text: &str) -> Self {
        let (command, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        // In groups a command names its bot: /help@gold_bot.
        let command = command.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let rest: String = rest.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect();
        let rest = (!rest.trim().is_empty()).then(|| rest.trim().to_owned());
        match command.as_str() {
            "/start" => Self::Start,
            "/status" => Self::Status,
            "/stats" => Self::Stats,
            "/last" => Self::Last,
            "/pause" => Self::Pause(rest),
            "/resume" => Self::Resume,
            "/close" => Self::Close(rest),
            "/strategy" => Self::Strategy(rest),
            _ => Self::Help,
        }
    }

    /// Whether it is for admins alone.
    pub(super) const fn is_for_admins(&self) -> bool {
        match self {
            Self::Pause(_) | Self::Resume | Self::Close(_) | Self::Strategy(_) => true,
            Self::Start | Self::Help | Self::Status | Self::Stats | Self::Last => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_what_follows_them() {
        let rest = |text: &str| Some(text.to_owned());
        for (text, input) in [
            ("/start s12", Input::Start),
            (" /STATUS ", Input::Status),
            ("/stats@gold_bot", Input::Stats),
            ("/pause", Input::Pause(None)),
            ("/pause \n the\u{7} news ", Input::Pause(rest("the  news"))),
            ("/close   \t ", Input::Close(None)),
            ("/strategy trend", Input::Strategy(rest("trend"))),
            ("status", Input::Help),
            ("", Input::Help),
        ] {
            assert_eq!(Input::read(text), input, "{text:?}");
        }
    }
}
