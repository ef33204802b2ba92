//! Conversations: one question after the other, kept in the log.

use aggregates::{
    Personal,
    campaign::Question,
    conversation::{BroadcastStep, CampaignStep, Command, Move, Open, Refusal, Topic},
};

use super::{
    Replies, admin, campaign_draft,
    input::{Choice, Input, choice_data},
    turn::{Turn, button, retry},
};
use crate::{
    executor::{SendError, Wish},
    integrations::telegram::Button,
    jobs::{Job, JobError},
};

/// Longest answer to a campaign's question, in characters.
const LONGEST_ANSWER: usize = 1_000;
/// Longest reason of a rejection, in characters.
const LONGEST_REASON: usize = 500;

/// What became of an input.
pub(super) enum Heard {
    /// It belonged to the conversation.
    Replies(Replies),
    /// It did not.
    Other(Input),
}

/// What an answer comes to.
enum Answer {
    /// It counts.
    Good(String),
    /// It does not; this is said, and the question stays.
    Wrong(String),
    /// The conversation is given up.
    Discard,
    /// The button belongs to another question.
    Old,
}

/// Takes an input as the answer to what is asked, if something is.
pub(super) async fn go_on(turn: &Turn<'_>, input: Input) -> Result<Heard, JobError> {
    let update = turn.update_id;
    let (moved, open) = look(turn).await?;
    if moved.is_some() {
        // Worked again after a crash: whatever it did stands, and is said again.
        return Ok(Heard::Replies(next(turn).await?.into()));
    }
    if !matches!(input, Input::Text(_) | Input::Choice(_)) {
        return Ok(Heard::Other(input));
    }
    let Some(open) = open else { return Ok(Heard::Other(input)) };
    let step = open.answers.reveal().len();
    let command = match interpret(turn, &open, step, &input).await? {
        Answer::Old => {
            let notice = Some(turn.texts.button_is_old());
            return Ok(Heard::Replies(Replies { jobs: vec![], notice }));
        }
        Answer::Wrong(said) => return Ok(Heard::Replies(again(turn, &open, step, said).into())),
        Answer::Good(answer) => {
            Command::Answer { step, answer: Personal::new(answer), telegram: turn.telegram(), update, at: turn.at }
        }
        Answer::Discard => Command::Cancel { update, at: turn.at },
    };
    match send(turn, "coupon-bot:answers", command).await {
        // Somebody else's process worked an update of this chat meanwhile.
        Ok(()) | Err(SendError::Refused(Refusal::NothingAsked | Refusal::OtherQuestion)) => {}
        Err(error) => return Err(retry(&error)),
    }
    Ok(Heard::Replies(next(turn).await?.into()))
}

/// What is said after an answer.
async fn next(turn: &Turn<'_>) -> Result<Vec<Job>, JobError> {
    let (moved, open) = look(turn).await?;
    match (open, moved) {
        (Some(open), _) => question(turn, &open, open.answers.reveal().len()).await,
        (None, Some(Move::Cancelled)) => Ok(turn.say(turn.texts.cancelled())),
        // What is finished is answered by what comes of it.
        (None, _) => Ok(vec![]),
    }
}

/// Begins to talk about something; answers the first question.
pub(super) async fn begin(turn: &Turn<'_>, topic: Topic) -> Result<Vec<Job>, JobError> {
    let command = Command::Begin { id: turn.app.clock.new_id(), topic, update: turn.update_id, at: turn.at };
    send(turn, "coupon-bot:beginnings", command).await.map_err(|error| retry(&error))?;
    match look(turn).await? {
        (_, Some(open)) => question(turn, &open, open.answers.reveal().len()).await,
        (_, None) => Ok(vec![]),
    }
}

/// Stops what is being talked about.
pub(super) async fn cancel(turn: &Turn<'_>) -> Result<Vec<Job>, JobError> {
    let command = Command::Cancel { update: turn.update_id, at: turn.at };
    send(turn, "coupon-bot:cancellations", command).await.map_err(|error| retry(&error))?;
    Ok(turn.say(match look(turn).await?.0 {
        Some(_) => turn.texts.cancelled(),
        None => turn.texts.nothing_to_cancel(),
    }))
}

/// Once for each update, even if it is worked again when others were worked since.
async fn send(turn: &Turn<'_>, source: &'static str, command: Command) -> Result<(), SendError<Refusal>> {
    let once = turn.once(source, &[]);
    let wish = Wish { command, cause: turn.cause(), once: Some(once), expected: None };
    turn.app.conversations.send(&turn.person.to_string(), wish).await.map(drop)
}

/// What this update did to the conversation, and what is being talked about.
async fn look(turn: &Turn<'_>) -> Result<(Option<Move>, Option<Open>), JobError> {
    let person = turn.person.to_string();
    let look =
        turn.app.conversations.look(&person, |talk, _, _| (talk.moved_by(turn.update_id), talk.open(turn.at).cloned()));
    let (moved, open) = look.await.map_err(|error| JobError::retry(&error))?;
    // Who is no admin any more is asked nothing of an admin.
    let open = open.filter(|open| matches!(open.topic, Topic::Submission { .. }) || turn.is_admin());
    Ok((moved, open))
}

async fn interpret(turn: &Turn<'_>, open: &Open, step: usize, input: &Input) -> Result<Answer, JobError> {
    let given = match input {
        Input::Choice(choice) if !choice.is_of(open.id) || choice.step != step => return Ok(Answer::Old),
        Input::Choice(choice) => Given::Button(choice.index),
        Input::Text(text) => Given::Text(text.trim()),
        _ => return Ok(Answer::Old),
    };
    Ok(match &open.topic {
        Topic::Submission { questions, .. } => match questions.get(step) {
            Some(question) => answer_to(turn, question, given),
            None => Answer::Old,
        },
        Topic::NewCampaign => match CampaignStep::ALL.get(step) {
            Some(step) => match campaign_draft::answer(*step, open.answers.reveal(), given, turn.at) {
                campaign_draft::Given::Good(answer) => Answer::Good(answer),
                campaign_draft::Given::Discard => Answer::Discard,
                campaign_draft::Given::Wrong => Answer::Wrong(turn.texts.campaign_step_wrong(*step).to_owned()),
            },
            None => Answer::Old,
        },
        Topic::Broadcast => match (BroadcastStep::ALL.get(step), given) {
            (Some(BroadcastStep::Text), Given::Text(text)) => match admin::letter(text) {
                Ok(_) => Answer::Good(text.to_owned()),
                Err(reason) => Answer::Wrong(turn.texts.broadcast_wrong(&short(&reason))),
            },
            (Some(BroadcastStep::Confirm), Given::Button(0)) => Answer::Good("send".to_owned()),
            (Some(BroadcastStep::Confirm), Given::Button(1)) => Answer::Discard,
            (Some(BroadcastStep::Confirm), Given::Text(_)) => Answer::Wrong(turn.texts.choose().to_owned()),
            _ => Answer::Old,
        },
        Topic::Rejection { .. } => match given {
            Given::Text(text) if text.chars().count() <= LONGEST_REASON => Answer::Good(text.to_owned()),
            Given::Text(_) => Answer::Wrong(turn.texts.reason_too_long().to_owned()),
            Given::Button(_) => Answer::Old,
        },
    })
}

/// As much of a reason as fits on a message: it quotes what it is about, which may be
/// all that an admin wrote.
fn short(reason: &str) -> String {
    const MOST: usize = 300;
    match reason.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// How a question was answered.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// With words.
    Text(&'a str),
    /// With a button, counted from 0.
    Button(usize),
}

fn answer_to(turn: &Turn<'_>, question: &Question, given: Given<'_>) -> Answer {
    let choices = &question.choices;
    let chosen = match given {
        Given::Button(index) => choices.get(index),
        Given::Text(text) => choices.iter().find(|choice| choice.to_lowercase() == text.to_lowercase()),
    };
    match (chosen, given) {
        (Some(choice), _) => Answer::Good(choice.clone()),
        (None, Given::Button(_)) => Answer::Old,
        (None, Given::Text(_)) if !choices.is_empty() => Answer::Wrong(turn.texts.choose().to_owned()),
        (None, Given::Text(text)) if text.chars().count() > LONGEST_ANSWER => {
            Answer::Wrong(turn.texts.too_long().to_owned())
        }
        (None, Given::Text(text)) => Answer::Good(text.to_owned()),
    }
}

/// The question that is asked now.
async fn question(turn: &Turn<'_>, open: &Open, step: usize) -> Result<Vec<Job>, JobError> {
    let (texts, buttons) = (turn.texts, buttons(turn, open, step));
    Ok(match &open.topic {
        Topic::Submission { questions, .. } => match questions.get(step) {
            Some(Question { text, .. }) => turn.ask(texts.question(step + 1, questions.len(), text), buttons),
            None => vec![],
        },
        Topic::NewCampaign => match CampaignStep::ALL.get(step) {
            Some(CampaignStep::Confirm) => turn.ask(campaign_draft::summary(open.answers.reveal(), texts), buttons),
            Some(step) => turn.ask(texts.campaign_step(*step), buttons),
            None => vec![],
        },
        Topic::Broadcast => match BroadcastStep::ALL.get(step) {
            Some(BroadcastStep::Text) => turn.say(texts.broadcast_text()),
            Some(BroadcastStep::Confirm) => {
                let (preview, recipients) = admin::preview(turn, open.answers.reveal()).await?;
                [preview, turn.ask(texts.broadcast_preview(recipients), buttons)].concat()
            }
            None => vec![],
        },
        Topic::Rejection { .. } => turn.say(texts.why_rejected()),
    })
}

/// What is said to an answer that is none, with all that is needed for another one.
fn again(turn: &Turn<'_>, open: &Open, step: usize, said: String) -> Vec<Job> {
    let said = match &open.topic {
        Topic::Submission { questions, .. } => match questions.get(step) {
            Some(question) => {
                format!("{said}\n\n{}", turn.texts.question(step + 1, questions.len(), &question.text))
            }
            None => said,
        },
        Topic::NewCampaign | Topic::Broadcast | Topic::Rejection { .. } => said,
    };
    turn.ask(said, buttons(turn, open, step))
}

/// The buttons below a question.
fn buttons(turn: &Turn<'_>, open: &Open, step: usize) -> Vec<Vec<Button>> {
    let texts = turn.texts;
    let labels: Vec<&str> = match &open.topic {
        Topic::Submission { questions, .. } => questions
            .get(step)
            .map(|question| question.choices.iter().map(String::as_str).collect())
            .unwrap_or_default(),
        Topic::NewCampaign => match CampaignStep::ALL.get(step) {
            Some(CampaignStep::Confirm) => texts.campaign_choices().to_vec(),
            Some(step) if campaign_draft::can_skip(*step) => vec![texts.skip()],
            _ => vec![],
        },
        Topic::Broadcast => match BroadcastStep::ALL.get(step) {
            Some(BroadcastStep::Confirm) => texts.broadcast_choices().to_vec(),
            _ => vec![],
        },
        Topic::Rejection { .. } => vec![],
    };
    let data = |index| choice_data(Choice::new(open.id, step, index));
    let buttons = labels.into_iter().enumerate().filter_map(|(index, label)| button(label, data(index)));
    buttons.map(|button| vec![button]).collect()
}
