//! Who redeemed a code is told so.

use aggregates::{
    Fact,
    campaign::{self, Source},
};
use projections::Event;

use super::Reaction;
use crate::jobs::{Job, NewJob};

pub(super) struct ConfirmRedemption;

impl Reaction for ConfirmRedemption {
    fn name(&self) -> &'static str {
        "confirm-redemption"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        match &event.fact {
            Fact::Campaign(campaign::Event::Redeemed {
                number,
                telegram: Some(telegram),
                coupon,
                source: Source::Bot,
                ..
            }) => {
                let user = telegram.reveal();
                vec![NewJob::because_of(
                    event,
                    Job::ConfirmRedemption {
                        campaign: event.stream.clone(),
                        number: *number,
                        coupon: *coupon,
                        chat_id: user.id,
                        language: user.language.clone(),
                    },
                )]
            }
            Fact::Campaign(
                campaign::Event::Drafted { .. }
                | campaign::Event::TermsChanged { .. }
                | campaign::Event::Scheduled { .. }
                | campaign::Event::Activated { .. }
                | campaign::Event::Paused { .. }
                | campaign::Event::Resumed { .. }
                | campaign::Event::Ended { .. }
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
