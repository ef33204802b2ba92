//! What a conversation was about is done when it is finished, and who answered a
//! campaign's questions hears what became of it.

use aggregates::{Fact, conversation, submission};
use projections::Event;

use super::Reaction;
use crate::jobs::{Job, NewJob};

pub(super) struct FinishConversation;

impl Reaction for FinishConversation {
    fn name(&self) -> &'static str {
        "finish-conversation"
    }

    fn react(&self, event: &Event) -> Vec<NewJob> {
        let job = match &event.fact {
            Fact::Conversation(conversation::Event::Finished { id, topic, answers, telegram, .. }) => {
                Job::ConversationFinished {
                    conversation: *id,
                    person: event.stream.clone(),
                    topic: topic.clone(),
                    answers: answers.reveal().clone(),
                    telegram: telegram.reveal().clone(),
                }
            }
            Fact::Conversation(
                conversation::Event::Began { .. }
                | conversation::Event::Answered { .. }
                | conversation::Event::Cancelled { .. },
            ) => return vec![],
            Fact::Submission(submission::Event::Approved { submitted, .. }) => Job::FulfilSubmission {
                submission: event.stream.clone(),
                position: event.position,
                submitted: submitted.clone(),
            },
            Fact::Submission(submission::Event::Rejected { submitted, reason, .. }) => Job::RejectSubmission {
                campaign: submitted.campaign,
                telegram: submitted.telegram.reveal().clone(),
                reason: reason.reveal().clone(),
            },
            Fact::Submission(submission::Event::Submitted { submitted, .. }) => Job::ShowSubmission {
                submission: event.stream.clone(),
                version: event.sequence,
                submitted: submitted.clone(),
            },
            Fact::Submission(submission::Event::Failed { reason, .. }) => Job::ShowFailedSubmission {
                submission: event.stream.clone(),
                version: event.sequence,
                reason: reason.clone(),
            },
            Fact::Submission(submission::Event::Fulfilled { .. })
            | Fact::Campaign(_)
            | Fact::Code(_)
            | Fact::BotUser(_)
            | Fact::Broadcast(_)
            | Fact::Guard(_)
            | Fact::Template(_)
            | Fact::Plan(_)
            | Fact::Subscription(_)
            | Fact::Member(_)
            | Fact::Signal(_) => return vec![],
        };
        vec![NewJob::because_of(event, job)]
    }
}
