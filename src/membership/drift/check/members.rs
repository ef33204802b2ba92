//! Who is in a channel by what Telegram says, and who should be.

use std::time::Duration;

use aggregates::member;
use projections::duties;
use uuid::Uuid;

use super::{super::Kind, Check, PAGE};
use crate::{
    integrations::telegram::channel::{ChannelError, Remedy},
    jobs::{self, Job, JobError},
    membership::{
        call, retry,
        sync::{self, Seat},
        tell,
    },
};

/// Between two questions to Telegram: it answers about 30 a second, and people who
/// write to the bot go before this.
const PAUSE: Duration = Duration::from_millis(100);

impl Check<'_> {
    /// Everybody of whom something is known, and how many others there are. A channel in
    /// which the bot may not look is reported, and keeps the others waiting no longer.
    pub(super) async fn members(&mut self) -> Result<(), JobError> {
        let Some(telegram) = self.app.telegram.as_ref().filter(|_| !self.so_far.counted) else { return Ok(()) };
        loop {
            let page = duties::members_after(&self.app.pool, self.so_far.member, PAGE).await;
            let page = page.map_err(|error| JobError::retry(&error))?;
            if page.is_empty() {
                break;
            }
            for (channel, user) in page {
                self.so_far.member = Some((channel, user));
                if let Some(None) = self.so_far.inside.get(&channel) {
                    continue;
                }
                let seat = Seat { channel, user };
                if let Some(standing) = self.looked(seat, telegram.standing(channel, user).await).await? {
                    self.so_far.members_checked += 1;
                    // It has said so of people who were in a moment later.
                    if let Some(is_in) = standing.is_in() {
                        let known = self.so_far.inside.entry(channel).or_insert(Some(0));
                        *known = known.map(|known| known + u64::from(is_in));
                        self.member(seat, is_in).await?;
                    }
                    self.answered().await?;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        for (channel, known) in self.so_far.inside.clone() {
            let (Some(known), seat) = (known, Seat { channel, user: 0 }) else { continue };
            let Some(count) = self.looked(seat, telegram.member_count(channel).await).await? else { continue };
            // The owner and the bot are counted, too.
            let strangers = count.saturating_sub(known).saturating_sub(2);
            if strangers > 0 {
                let detail = format!(
                    "about {strangers} of {count} members came before the bot or by other links; nobody of them is \
                     ever removed by itself"
                );
                self.note(Kind::Strangers, Some(seat), None, &detail, false).await?;
            }
        }
        self.so_far.counted = true;
        self.answered().await
    }

    /// What Telegram showed; none where the bot may not look, or Telegram does not say,
    /// which is reported.
    async fn looked<T>(&mut self, seat: Seat, answer: Result<T, ChannelError>) -> Result<Option<T>, JobError> {
        let error = match answer {
            Ok(shown) => return Ok(Some(shown)),
            Err(error) => error,
        };
        let everybody = Some(Seat { user: 0, ..seat });
        match error.remedy() {
            Remedy::Wait(_) => return Err(call::failed(self.app, seat.channel, &error).await),
            Remedy::Rights | Remedy::Readdress(_) => {
                self.so_far.inside.insert(seat.channel, None);
                self.note(Kind::CannotLook, everybody, None, &error.to_string(), false).await?;
            }
            Remedy::None => self.note(Kind::NotAnswered, Some(seat), None, &error.to_string(), false).await?,
            Remedy::Retry => {
                self.note(Kind::NotAnswered, Some(seat), None, &error.to_string(), false).await?;
                self.silent(|| JobError::retry(&error))?;
            }
        }
        Ok(None)
    }

    async fn member(&mut self, seat: Seat, is_in: bool) -> Result<(), JobError> {
        let now = self.app.clock.now();
        let stream = member::stream(seat.channel, seat.user);
        let looked = self.app.members.look(&stream, |member, _, position| {
            (
                member.is_in(),
                member.should_be_in(now),
                member.removal().map(|_| position),
                member.has_been_in(),
                member.is_stranger(),
            )
        });
        let (known_in, verdict, removal, came, stranger) = looked.await.map_err(|error| JobError::retry(&error))?;
        if known_in != is_in {
            let detail = format!("is {} the channel, and was taken to be {}", place(is_in), place(known_in));
            let command = match is_in {
                true => member::Command::Join { link: None, at: now },
                false => member::Command::Leave { at: now },
            };
            let repaired = self.mend(seat, command).await?;
            if repaired && is_in {
                self.follow.extend(sync::came(self.app, seat, None).await?);
            }
            self.note(Kind::PresenceDiffers, Some(seat), verdict.subscription, &detail, repaired).await?;
        }
        match (is_in, verdict.is_in) {
            (true, false) => {
                let due = match (removal, stranger) {
                    (Some(_), _) => ", and is about to be removed",
                    (None, true) => "; whoever runs the channel may have let them in",
                    (None, false) => "",
                };
                let detail = format!("is in the channel: {}{due}", verdict.rule.as_str());
                let repaired = match removal {
                    Some(due) => self.remove_again(seat, due).await?,
                    None => {
                        self.mend(seat, member::Command::PlanRemoval { strangers: self.strangers, at: now }).await?
                    }
                };
                self.note(Kind::InAndShouldNotBe, Some(seat), verdict.subscription, &detail, repaired).await
            }
            // Who was invited and has not come yet is as they should be.
            (false, true) if came => {
                let detail = format!("is not in the channel and may be: {}", verdict.rule.as_str());
                let repaired = match verdict.subscription.filter(|_| self.repair) {
                    Some(subscription) => self.invite(subscription).await?,
                    None => false,
                };
                self.note(Kind::OutAndMayBeIn, Some(seat), verdict.subscription, &detail, repaired).await
            }
            _ => Ok(()),
        }
    }

    /// Has a link made for who has none; answers whether it is. Who has one can use it, and
    /// nothing else brings them in.
    async fn invite(&mut self, subscription: Uuid) -> Result<bool, JobError> {
        let stream = subscription.to_string();
        let looked = self.app.subscriptions.look(&stream, |subscription, _, _| subscription.link().is_some());
        let invited = looked.await.map_err(|error| JobError::retry(&error))?;
        if !invited {
            self.follow.push(Job::SyncSubscription { subscription, left: None });
        }
        Ok(!invited)
    }

    /// Has somebody removed whose removal is due and who is in all the same, if nobody is
    /// at it: the job that was to do it may be dead. Answers whether it will be done again.
    async fn remove_again(&mut self, seat: Seat, due: i64) -> Result<bool, JobError> {
        let job = Job::RemoveMember { seat, due };
        let waiting = jobs::is_waiting(&self.app.pool, &job).await.map_err(|error| JobError::retry(&error))?;
        if waiting || !self.repair {
            return Ok(false);
        }
        self.follow.push(job);
        Ok(true)
    }

    /// Sends what repairs something, if that is wished; answers whether anything came of it.
    async fn mend(&self, seat: Seat, command: member::Command) -> Result<bool, JobError> {
        if !self.repair {
            return Ok(false);
        }
        let done = tell(self.app, self.cause, seat, command).await.map_err(|error| retry(&error))?;
        Ok(!done.events.is_empty())
    }
}

const fn place(is_in: bool) -> &'static str {
    if is_in { "in" } else { "out of" }
}
