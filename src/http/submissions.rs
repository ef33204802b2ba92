//! Answers to the questions of campaigns: seen, approved, rejected.

use aggregates::{Personal, submission::Command};
use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Query},
    payload::Json,
    types::Example,
};
use projections::{
    page::{Cursor, Key},
    submissions::{self, Filter, Row},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, BotUsersRead, Caller, CampaignsWrite},
    body::{Body, Fields, Input, text},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    mutation::{Changed, EXAMPLE_ID, IfMatch, changed, once},
    params::{At, cursor, shows, usual_limit, usual_wait},
    problem::{Answer as Result, Kind},
};
use crate::{app::App, executor::Wish, log::Once};

pub(super) struct Submissions(pub(super) App);

/// Where a submission stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum SubmissionStatus {
    /// Somebody has to look at it.
    Pending,
    /// It was approved; the coupon is about to be redeemed.
    Approved,
    /// The coupon was redeemed.
    Fulfilled,
    /// It was rejected.
    Rejected,
}

impl SubmissionStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Fulfilled => "fulfilled",
            Self::Rejected => "rejected",
        }
    }
}

/// A question and what somebody answered.
#[derive(Object)]
struct Answered {
    /// As it was asked.
    question: String,
    /// As it was answered.
    answer: String,
}

/// A person's answers to a campaign's questions.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Submission {
    /// Its id: the same for all that a person ever submits to a campaign.
    id: Uuid,
    /// Which campaign asked.
    campaign_id: Uuid,
    /// Who answered: their pseudonym.
    person: Uuid,
    /// Their Telegram user id.
    telegram_id: i64,
    /// Their first name.
    name: Option<String>,
    /// What they were asked and what they said, in order.
    answers: Vec<Answered>,
    /// `pending`, `approved` (the coupon is about to be redeemed), `fulfilled` (it is) or `rejected`.
    status: String,
    /// Why it was rejected; or, while it is pending again, why the coupon could not be redeemed.
    reason: Option<String>,
    /// The redemption that came of it.
    redemption: Option<Uuid>,
    /// When it was handed in.
    submitted_at: DateTime<Utc>,
    /// When somebody approved or rejected it.
    decided_at: Option<DateTime<Utc>>,
    /// Its version.
    version: i64,
}

impl Example for Submission {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID + 2),
            campaign_id: Uuid::from_u128(EXAMPLE_ID),
            person: Uuid::from_u128(0x5d1a_8e62_04b7_8c31_9f05_0193_5c2e_7b4a),
            telegram_id: 123_456_789,
            name: Some("Anna".to_owned()),
            answers: vec![Answered {
                question: "Which broker do you use?".to_owned(),
                answer: "Acme Markets".to_owned(),
            }],
            status: "pending".to_owned(),
            reason: None,
            redemption: None,
            submitted_at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            decided_at: None,
            version: 1,
        }
    }
}

impl From<Row> for Submission {
    fn from(row: Row) -> Self {
        let answers = row.answers.0.into_iter();
        Self {
            id: row.id,
            campaign_id: row.campaign_id,
            person: row.person,
            telegram_id: row.telegram_id,
            name: row.name,
            answers: answers.map(|said| Answered { question: said.question, answer: said.answer }).collect(),
            status: row.status,
            reason: row.reason,
            redemption: row.redemption,
            submitted_at: row.submitted_at,
            decided_at: row.decided_at,
            version: row.version,
        }
    }
}

/// A page of submissions.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct SubmissionPage {
    /// The submissions.
    items: Vec<Submission>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for SubmissionPage {
    fn example() -> Self {
        let cursor = Cursor { key: Key::Number(1042), id: Uuid::from_u128(EXAMPLE_ID + 2) };
        Self { items: vec![Submission::example()], next_cursor: Some(cursor.to_string()) }
    }
}

/// Why a submission is rejected.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct Rejection {
    /// For the person who handed it in: the bot tells them.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
}

impl Example for Rejection {
    fn example() -> Self {
        Self { reason: "The account number belongs to another broker.".to_owned() }
    }
}

impl Input for Rejection {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { reason: fields.required("reason", text)? })
    }
}

struct SubmissionTable;

impl Columns for SubmissionTable {
    const NAMES: &'static str =
        "id,campaign_id,person,telegram_id,name,status,reason,redemption,submitted_at,decided_at,answers";
    const EXAMPLE: &'static str = "01935c2e-7b4a-7c31-9f05-5d1a8e6204b9,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,\
                                   5d1a8e62-04b7-8c31-9f05-01935c2e7b4a,123456789,Anna,pending,,,\
                                   2027-01-15T09:00:00.000000Z,,\"Which broker do you use? Acme Markets\"";
}

fn row_line(row: &Row) -> String {
    let answers: Vec<String> = row.answers.iter().map(|said| format!("{} {}", said.question, said.answer)).collect();
    line(&[
        &row.id.to_string(),
        &row.campaign_id.to_string(),
        &row.person.to_string(),
        &row.telegram_id.to_string(),
        row.name.as_deref().unwrap_or_default(),
        &row.status,
        row.reason.as_deref().unwrap_or_default(),
        &maybe(row.redemption),
        &time(row.submitted_at),
        &maybe(row.decided_at.map(time)),
        &answers.join("\n"),
    ])
}

#[OpenApi(tag = "Tags::Campaigns")]
impl Submissions {
    /// List submissions
    ///
    /// What people answered to the questions of campaigns, those who wait longest first. Holds personal data.
    #[oai(path = "/submissions", method = "get", operation_id = "listSubmissions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Only to the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only in this status.
        status: Query<Option<SubmissionStatus>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Result<Json<SubmissionPage>> {
        let after = self::cursor(cursor.0.as_ref(), |cursor| matches!(cursor.key, Key::Number(_)))?;
        shows(&self.0, "submissions", min_position.0, wait_ms.0).await?;
        let filter = Filter { campaign: campaign.0, person: person.0, status: status.0.map(SubmissionStatus::as_str) };
        let page = submissions::list(&self.0.pool, &filter, after.as_ref(), limit.0).await?;
        Ok(Json(SubmissionPage {
            items: page.rows.into_iter().map(Submission::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export submissions
    ///
    /// All that match the filters, as CSV; the answers are in one cell, a line each. Holds personal data.
    #[oai(path = "/submissions.csv", method = "get", operation_id = "exportSubmissions")]
    async fn export(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// Only to the campaign with this id.
        campaign: Query<Option<Uuid>>,
        /// Only by the person with this pseudonym.
        person: Query<Option<Uuid>>,
        /// Only in this status.
        status: Query<Option<SubmissionStatus>>,
    ) -> Result<Table<SubmissionTable>> {
        let filter = Filter { campaign: campaign.0, person: person.0, status: status.0.map(SubmissionStatus::as_str) };
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = submissions::list(&pool, &filter, after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(row_line).collect(), page.next))
            }
        });
        Ok(Table::named("submissions", lines))
    }

    /// Show a submission
    ///
    /// Holds personal data.
    #[oai(path = "/submissions/:id", method = "get", operation_id = "getSubmission")]
    async fn show(
        &self,
        _caller: Allowed<BotUsersRead>,
        /// The submission's id.
        id: At<Uuid>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Result<Json<Submission>> {
        shows(&self.0, "submissions", min_position.0, wait_ms.0).await?;
        let row = submissions::find(&self.0.pool, id.0).await?.ok_or(Kind::SubmissionMissing)?;
        Ok(Json(row.into()))
    }

    /// Approve a submission
    ///
    /// The coupon is redeemed for the person, and the bot tells them. If it cannot be redeemed (the campaign is
    /// exhausted meanwhile, say), the submission is pending again, with the reason.
    ///
    /// Problems: submission-missing, submission-status
    #[oai(path = "/submissions/:id/approve", method = "post", operation_id = "approveSubmission")]
    async fn approve(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The submission's id.
        id: At<Uuid>,
        /// The `version` that you have seen, in quotes: nothing is decided if it has another by now. Without it, what there
        /// is is decided on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
    ) -> Result<Changed> {
        let id = id.0.to_string();
        let parts: Vec<&str> = ["approve", &id].into_iter().chain(if_match.0.as_deref()).collect();
        let once = once(&caller, idempotency_key.0, &parts)?;
        let command = Command::Approve { at: self.0.clock.now() };
        self.decide(&caller, &id, if_match.0.as_deref(), once, command).await
    }

    /// Reject a submission
    ///
    /// The bot tells the person why; they can submit again.
    ///
    /// Problems: submission-missing, submission-status
    #[oai(path = "/submissions/:id/reject", method = "post", operation_id = "rejectSubmission")]
    async fn reject(
        &self,
        caller: Allowed<CampaignsWrite>,
        /// The submission's id.
        id: At<Uuid>,
        /// The `version` that you have seen, in quotes: nothing is decided if it has another by now. Without it, what there
        /// is is decided on.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Rejection>,
    ) -> Result<Changed> {
        let id = id.0.to_string();
        let parts = ["reject", &id, &body.canonical];
        let parts: Vec<&str> = parts.into_iter().chain(if_match.0.as_deref()).collect();
        let once = once(&caller, idempotency_key.0, &parts)?;
        let reason = Personal::new(body.value.reason.trim().to_owned());
        let command = Command::Reject { reason, at: self.0.clock.now() };
        self.decide(&caller, &id, if_match.0.as_deref(), once, command).await
    }
}

impl Submissions {
    /// Decides on a submission, on the version that was seen if one is named.
    async fn decide(
        &self,
        caller: &Caller,
        id: &str,
        if_match: Option<&str>,
        once: Option<Once>,
        command: Command,
    ) -> Result<Changed> {
        let wanted = if_match.map(|text| IfMatch::read("If-Match", text)).transpose()?;
        if let Some(once) = &once
            && let Some(done) = self.0.submissions.answered(once).await?
        {
            return changed(&done);
        }
        let expected = match wanted {
            None | Some(IfMatch::Any) => None,
            Some(tags) => {
                let version = self.0.submissions.look(id, |_, version, _| version).await?;
                if !tags.contains(version) {
                    return Err(Kind::PreconditionFailed.into());
                }
                Some(version)
            }
        };
        let wish = Wish { command, cause: caller.cause(), once, expected };
        changed(&self.0.submissions.send(id, wish).await?)
    }
}
