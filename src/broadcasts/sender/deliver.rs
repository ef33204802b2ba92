//! Sending to one recipient, and what follows from what came of it.

use std::{sync::Arc, time::Duration};

use aggregates::{PersonId, broadcast::Command};
use tokio::time::Instant;

use super::{OUTAGE, Sender, Weather};
use crate::{
    broadcasts::recipients::{self, Claimed, Outcome, State},
    integrations::telegram::{OutgoingMessage, TelegramError},
    jobs::{self, Job, NewJob},
    rate,
    retry::Backoff,
    wake::Topic,
};

/// Calls before a recipient counts as failed. With the waits, about two hours.
const MAX_TRIES: i32 = 15;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// So many refusals in a row are not the recipients' fault: the broadcast is paused.
const REFUSALS: u32 = 20;
/// How often a sender tries to write down what came of a call.
const OUTCOME_TRIES: u32 = 10;

impl Sender {
    /// Sends to one recipient and writes down what came of it.
    pub(super) async fn deliver(self: Arc<Self>, recipient: Claimed, message: Option<OutgoingMessage>) {
        let _in_hand = InHand { sender: self.clone(), recipient: recipient.id };
        let pool = &self.app.pool;
        match recipients::mark_sending(pool, self.id, recipient.id, self.lease()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a recipient could not be marked");
                return;
            }
        }
        let began = self.app.clock.now();
        let outcome = match &message {
            Some(message) => match self.telegram.send_message(message).await {
                Ok(id) => Outcome {
                    state: State::Sent,
                    message_id: Some(id.0),
                    error: None,
                    after: Duration::ZERO,
                    counts: true,
                },
                Err(error) => self.outcome(&recipient, &error).await,
            },
            None => failed("an address in the message cannot be read".to_owned()),
        };
        self.app.metrics.broadcast_messages.with_label_values(&[outcome.state.as_str()]).inc();
        self.note(&recipient, &outcome).await;
        let follows = match outcome.state {
            State::Gone => vec![NewJob {
                job: Job::BotUserBlocked { person: PersonId(recipient.person), at: began },
                correlation: recipient.broadcast,
                causation: format!("broadcast:{}", recipient.broadcast),
            }],
            _ => vec![],
        };
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        for _ in 0..OUTCOME_TRIES {
            match recipients::record(pool, self.id, recipient.id, &outcome, &follows).await {
                Ok(()) => {
                    if !follows.is_empty() {
                        self.app.wake.up(Topic::Jobs);
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "what came of a message was not kept");
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
    }

    /// What an error means for the recipient.
    async fn outcome(&self, recipient: &Claimed, error: &TelegramError) -> Outcome {
        let reason = jobs::chain(error);
        match error {
            TelegramError::RetryAfter { delay, .. } => {
                if let Err(error) = rate::pause(&self.app.pool, *delay).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Telegram's wish to wait was not kept");
                    self.weather().quiet_until = Instant::now() + *delay;
                }
                again(reason, *delay, false)
            }
            TelegramError::RecipientGone { .. } => Outcome { state: State::Gone, ..failed(reason) },
            TelegramError::TooLate { .. } | TelegramError::Moved { .. } | TelegramError::Rejected { .. } => {
                failed(reason)
            }
            TelegramError::Unavailable { .. } if error.may_have_been_delivered() => {
                Outcome { state: State::Unconfirmed, ..failed(reason) }
            }
            TelegramError::Unavailable { .. } if recipient.tries + 1 >= MAX_TRIES => failed(reason),
            TelegramError::Unavailable { .. } => {
                let tries = u32::try_from(recipient.tries).unwrap_or_default() + 1;
                again(reason, Backoff::after(tries, FIRST_WAIT, LONGEST_WAIT), true)
            }
        }
    }

    /// Learns from what came of a message: in an outage only a few are tried
    /// and perhaps lost, and a message that nobody can get is not tried on everybody.
    async fn note(&self, recipient: &Claimed, outcome: &Outcome) {
        let refusals = {
            let mut weather = self.weather();
            match outcome.state {
                State::Sent => *weather = Weather::fair(),
                State::Unconfirmed | State::Pending if outcome.counts => {
                    weather.failures += 1;
                    if weather.failures >= OUTAGE {
                        let wait = weather.backoff.wait();
                        weather.quiet_until = weather.quiet_until.max(Instant::now() + wait);
                    }
                }
                State::Failed => weather.refusals += 1,
                State::Unconfirmed | State::Pending | State::Sending | State::Gone => {}
            }
            weather.refusals
        };
        if outcome.state == State::Failed && refusals >= REFUSALS {
            self.weather().refusals = 0;
            tracing::error!(broadcast = %recipient.broadcast, "Telegram refuses everything: the broadcast is paused");
            let command = Command::Pause { at: self.app.clock.now() };
            if let Err(error) = self.send(recipient.broadcast, command).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the broadcast was not paused");
            }
        }
    }
}

fn failed(reason: String) -> Outcome {
    Outcome { state: State::Failed, message_id: None, error: Some(reason), after: Duration::ZERO, counts: true }
}

fn again(reason: String, after: Duration, counts: bool) -> Outcome {
    Outcome { state: State::Pending, after, counts, ..failed(reason) }
}

/// Ends the extension of a recipient's lease, however the work on it ends.
struct InHand {
    sender: Arc<Sender>,
    recipient: i64,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.sender.held().remove(&self.recipient);
    }
}
