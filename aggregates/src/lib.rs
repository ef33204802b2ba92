//! What may happen: the aggregates of PromoStack.
//!
//! Everything here is pure: no clock, no randomness, no I/O, nothing async. A
//! command carries every fact needed to judge it, [`Decide::decide`] says yes
//! (events) or no (a refusal with a reason), and
//! [`Aggregate::apply`](cqrs_es::Aggregate::apply) folds events into state.

pub mod bot_user;
pub mod broadcast;
mod by_hand;
pub mod campaign;
pub mod code;
pub mod conversation;
mod decide;
mod fact;
pub mod guard;
mod instant;
pub mod member;
mod personal;
pub mod plan;
pub mod signal;
pub mod submission;
pub mod subscription;
pub mod template;
mod unique_code;

pub use bot_user::BotUser;
pub use broadcast::Broadcast;
pub use by_hand::{ByHand, InvalidByHand};
pub use campaign::Campaign;
pub use code::{Code, CodeText};
pub use conversation::Conversation;
pub use decide::{Decide, collect};
pub use fact::{Fact, UnreadableEvent};
pub use guard::Guard;
pub use member::Member;
pub use personal::{PersonId, Personal, TelegramUser};
pub use plan::Plan;
pub use signal::Signal;
pub use submission::Submission;
pub use subscription::Subscription;
pub use template::Template;
pub use unique_code::{CodeKey, NotUnique, UniqueCode};
