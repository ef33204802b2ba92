//! A campaign that ended, or a draft that wants another code, lets go of its code.

use aggregates::{CodeText, Fact, campaign};
use projections::Event;

use super::Reaction;
use crate::jobs::{Job, NewJob};

pub(super) struct ReleaseCode;

impl Reaction for ReleaseCode {
    fn name(&self) -> &'static str {
        "release-code"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let release = |code: &CodeText| {
            vec![NewJob::because_of(event, Job::ReleaseCode { campaign: event.stream.clone(), code: code.clone() })]
        };
        match &event.fact {
            Fact::Campaign(
                campaign::Event::Ended { code: Some(code), .. }
                | campaign::Event::TermsChanged { released: Some(code), .. },
            ) => release(code),
            Fact::Campaign(
                campaign::Event::Drafted { .. }
                | campaign::Event::TermsChanged { released: None, .. }
                | campaign::Event::Scheduled { .. }
                | campaign::Event::Activated { .. }
                | campaign::Event::Paused { .. }
                | campaign::Event::Resumed { .. }
                | campaign::Event::Ended { code: None, .. }
                | campaign::Event::Archived { .. }
                | campaign::Event::CardDesigned { .. }
                | campaign::Event::BatchMinted { .. }
                | campaign::Event::BatchImported { .. }
                | campaign::Event::BatchRevoked { .. }
                | campaign::Event::Published { .. }
                | campaign::Event::Reserved { .. }
                | campaign::Event::ReservationEnded { .. }
                | campaign::Event::Redeemed { .. }
                | campaign::Event::Released { .. },
            )
            | Fact::Code(_)
            | Fact::BotUser(_)
            | Fact::Broadcast(_)
            | Fact::Guard(_)
            | Fact::Conversation(_)
            | Fact::Submission(_)
            | Fact::Template(_)
            | Fact::Plan(_)
            | Fact::Subscription(_)
            | Fact::Member(_)
            | Fact::Signal(_) => vec![],
        }
    }
}
