//! What people want from the bot, from what they write and press.

use aggregates::{UniqueCode, bot_user::Usage};
use uuid::Uuid;

/// What a person wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// `/start`, without a code.
    Start,
    /// `/stop`.
    Stop,
    /// `/help`, or a command there is not.
    Help,
    /// `/redeem`, without a code.
    WhichCode,
    /// `/validate`, without a code.
    WhichCodeToCheck,
    /// To redeem this code: with a command, a deep link or a button.
    Code(String),
    /// To check it.
    Check(String),
    /// A text: an answer when something is asked, a code otherwise.
    Text(String),
    /// `/campaigns`.
    Campaigns,
    /// `/mycoupons`.
    Coupons,
    /// The card of a coupon.
    Card(Uuid, Option<UniqueCode>),
    /// A button below a question.
    Choice(Choice),
    /// `/cancel`.
    Cancel,
    /// What only admins may.
    Admin(Wish),
    /// A button this program does not know.
    OldButton,
}

/// What only admins may want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// `/newcampaign`.
    NewCampaign,
    /// `/stats`.
    Stats,
    /// `/broadcast`.
    Broadcast,
    /// `/pause`: the campaign with this code, or one to be chosen.
    Pause(Option<String>),
    /// `/resume`.
    Resume(Option<String>),
    /// The button below the list.
    PauseThis(Uuid),
    /// The button below the list.
    ResumeThis(Uuid),
    /// The button below somebody's answers.
    Approve(Uuid, i64),
    /// The button below somebody's answers.
    Reject(Uuid, i64),
}

/// A button below a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The end of the conversation's id.
    conversation: u32,
    /// Which question, from 0.
    pub(super) step: usize,
    /// Which button, from 0.
    pub(super) index: usize,
}

impl Choice {
    pub(super) fn new(conversation: Uuid, step: usize, index: usize) -> Self {
        Self { conversation: tail(conversation), step, index }
    }

    /// Whether it belongs to this conversation.
    pub(super) fn is_of(&self, conversation: Uuid) -> bool {
        self.conversation == tail(conversation)
    }
}

fn tail(id: Uuid) -> u32 {
    // The random part of a UUIDv7.
    id.as_u128() as u32
}

/// The data of a button that redeems a code.
pub(super) fn redeem_data(code: &str) -> String {
    format!("redeem:{code}")
}

/// The data of a button that shows a card.
pub(super) fn card_data(campaign: Uuid, coupon: Option<UniqueCode>) -> String {
    match coupon {
        Some(UniqueCode { batch, index }) => format!("card:{}:{batch}.{index}", campaign.simple()),
        None => format!("card:{}", campaign.simple()),
    }
}

/// The data of a button below a question.
pub(super) fn choice_data(Choice { conversation, step, index }: Choice) -> String {
    format!("answer:{conversation:08x}:{step}:{index}")
}

/// The data of a button that pauses a campaign.
pub(super) fn pause_data(campaign: Uuid) -> String {
    format!("pause:{}", campaign.simple())
}

/// The data of a button that lets a campaign go on.
pub(super) fn resume_data(campaign: Uuid) -> String {
    format!("resume:{}", campaign.simple())
}

/// The data of a button that approves somebody's answers, as they are in this version.
pub(super) fn approve_data(submission: Uuid, version: i64) -> String {
    format!("approve:{}:{version}", submission.simple())
}

/// The data of a button that rejects them.
pub(super) fn reject_data(submission: Uuid, version: i64) -> String {
    format!("reject:{}:{version}", submission.simple())
}

impl Input {
    /// From what was written.
    pub(super) fn written(text: &str) -> Self {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let some = || (!rest.is_empty()).then(|| rest.to_owned());
        // In a command menu Telegram may add the bot's name: /start@promo_bot.
        let command = word.split('@').next().unwrap_or(word).to_lowercase();
        match command.as_str() {
            "/start" => some().map_or(Self::Start, Self::Code),
            // A deep link (t.me/<bot>?start=CODE) arrives as "/start CODE".
            "/redeem" => some().map_or(Self::WhichCode, Self::Code),
            "/validate" => some().map_or(Self::WhichCodeToCheck, Self::Check),
            "/stop" => Self::Stop,
            "/campaigns" => Self::Campaigns,
            "/mycoupons" => Self::Coupons,
            "/cancel" => Self::Cancel,
            "/newcampaign" => Self::Admin(Wish::NewCampaign),
            "/stats" => Self::Admin(Wish::Stats),
            "/broadcast" => Self::Admin(Wish::Broadcast),
            "/pause" => Self::Admin(Wish::Pause(some())),
            "/resume" => Self::Admin(Wish::Resume(some())),
            "" => Self::Help,
            _ if command.starts_with('/') => Self::Help,
            _ => Self::Text(text.to_owned()),
        }
    }

    /// From the data of the button that was pressed.
    pub(super) fn pressed(data: &str) -> Self {
        Self::read_press(data).unwrap_or(Self::OldButton)
    }

    fn read_press(data: &str) -> Option<Self> {
        let (what, rest) = data.split_once(':')?;
        Some(match what {
            "redeem" if !rest.is_empty() => Self::Code(rest.to_owned()),
            "card" => {
                let (campaign, coupon) = rest.split_once(':').map_or((rest, None), |(id, coupon)| (id, Some(coupon)));
                let coupon = match coupon {
                    Some(coupon) => {
                        let (batch, index) = coupon.split_once('.')?;
                        Some(UniqueCode { batch: batch.parse().ok()?, index: index.parse().ok()? })
                    }
                    None => None,
                };
                Self::Card(campaign.parse().ok()?, coupon)
            }
            "answer" => {
                let mut parts = rest.split(':');
                let conversation = u32::from_str_radix(parts.next()?, 16).ok()?;
                let (step, index) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                Self::Choice(Choice { conversation, step, index })
            }
            "pause" => Self::Admin(Wish::PauseThis(rest.parse().ok()?)),
            "resume" => Self::Admin(Wish::ResumeThis(rest.parse().ok()?)),
            "approve" | "reject" => {
                let (submission, version) = rest.split_once(':')?;
                let (submission, version) = (submission.parse().ok()?, version.parse().ok()?);
                Self::Admin(match what {
                    "approve" => Wish::Approve(submission, version),
                    _ => Wish::Reject(submission, version),
                })
            }
            _ => return None,
        })
    }

    /// What it counts as.
    pub(super) const fn usage(&self) -> Usage {
        match self {
            Self::Start => Usage::Start,
            Self::Stop => Usage::Stop,
            Self::Help => Usage::Help,
            Self::WhichCode => Usage::Redeem,
            Self::WhichCodeToCheck | Self::Check(_) => Usage::Validate,
            Self::Code(_) | Self::Text(_) => Usage::Code,
            Self::Campaigns => Usage::Campaigns,
            Self::Coupons => Usage::Coupons,
            Self::Card(..) => Usage::Card,
            Self::Choice(_) => Usage::Answer,
            Self::Cancel => Usage::Cancel,
            Self::Admin(_) => Usage::Admin,
            Self::OldButton => Usage::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_people_write() {
        let text = |text: &str| Input::Text(text.to_owned());
        let code = |code: &str| Input::Code(code.to_owned());
        for (written, wanted) in [
            ("/start", Input::Start),
            ("/start@promo_bot", Input::Start),
            ("/START GOLD10", code("GOLD10")),
            ("/redeem", Input::WhichCode),
            ("/redeem   gold10 ", code("gold10")),
            ("/validate gold10", Input::Check("gold10".to_owned())),
            (" gold10\n", text("gold10")),
            ("/stop", Input::Stop),
            ("/Stop@promo_bot please", Input::Stop),
            ("/pause", Input::Admin(Wish::Pause(None))),
            ("/pause GOLD10", Input::Admin(Wish::Pause(Some("GOLD10".to_owned())))),
            ("/help", Input::Help),
            ("/whatever now", Input::Help),
            ("", Input::Help),
            ("hello there", text("hello there")),
        ] {
            assert_eq!(Input::written(written), wanted, "{written:?}");
        }
    }

    #[test]
    fn understands_its_own_buttons_and_no_others() {
        let campaign = Uuid::from_u128(u128::MAX);
        let coupon = UniqueCode { batch: 1_048_575, index: u32::MAX };
        let choice = Choice::new(campaign, 9, 7);
        for (data, wanted) in [
            (redeem_data("ABCD"), Input::Code("ABCD".to_owned())),
            (card_data(campaign, None), Input::Card(campaign, None)),
            (card_data(campaign, Some(coupon)), Input::Card(campaign, Some(coupon))),
            (choice_data(choice), Input::Choice(choice)),
            (pause_data(campaign), Input::Admin(Wish::PauseThis(campaign))),
            (resume_data(campaign), Input::Admin(Wish::ResumeThis(campaign))),
            (approve_data(campaign, i64::MAX), Input::Admin(Wish::Approve(campaign, i64::MAX))),
            (reject_data(campaign, 1), Input::Admin(Wish::Reject(campaign, 1))),
        ] {
            assert!(data.len() <= 64, "{data}");
            assert_eq!(Input::pressed(&data), wanted);
        }
        for data in ["", "x", "card:", "card:1:2", "answer:::", "answer:1:-1:0", "redeem:", "pause:all", "open:1"] {
            assert_eq!(Input::pressed(data), Input::OldButton, "{data}");
        }
    }
}
