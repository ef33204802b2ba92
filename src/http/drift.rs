//! Whether Stripe, what is known here, and the channels fit together.

use chrono::{DateTime, Utc};
use futures_util::stream;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Query, payload::Json, types::Example};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead, SubscriptionsWrite},
    body::{Body, Fields, Input, flag},
    csv::{Columns, PIECE, Table, line, maybe},
    mutation::EXAMPLE_ID,
    params::usual_limit,
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    membership::drift::{self, Found, Run},
};

pub(super) struct Drift(pub(super) App);

/// Something that does not fit.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Finding {
    /// `in_and_should_not_be`, `out_and_may_be_in`, `presence_differs`, `strangers`, `cannot_look`, `not_answered`,
    /// `stripe_differs` or `missing_at_stripe`.
    kind: String,
    /// In which channel.
    channel: Option<i64>,
    /// Whom it concerns.
    telegram_id: Option<i64>,
    /// Which subscription.
    subscription_id: Option<Uuid>,
    /// In words.
    detail: String,
    /// Whether something was done about it.
    repaired: bool,
}

impl Example for Finding {
    fn example() -> Self {
        Self {
            kind: "in_and_should_not_be".to_owned(),
            channel: Some(-1_001_234_567_890),
            telegram_id: Some(1111),
            subscription_id: Some(Uuid::from_u128(EXAMPLE_ID)),
            detail: "is in the channel: canceled".to_owned(),
            repaired: false,
        }
    }
}

impl From<Found> for Finding {
    fn from(found: Found) -> Self {
        let Found { kind, channel, telegram_id, subscription, detail, repaired } = found;
        Self { kind, channel, telegram_id, subscription_id: subscription, detail, repaired }
    }
}

/// A comparison, and a page of what it found.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Report {
    /// The comparison.
    id: Uuid,
    /// Whether it was to repair what it found.
    repair: bool,
    /// Whether those of whom nothing is known were to be removed, too.
    strangers: bool,
    /// When it was asked for.
    started_at: DateTime<Utc>,
    /// When it was done, or given up; missing while it is under way.
    finished_at: Option<DateTime<Utc>>,
    /// Why it was given up before its end.
    failure: Option<String>,
    /// People Telegram was asked about.
    members_checked: i64,
    /// Subscriptions Stripe was asked about.
    subscriptions_checked: i64,
    /// What does not fit.
    items: Vec<Finding>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for Report {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(EXAMPLE_ID),
            repair: false,
            strangers: false,
            started_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap_or_default(),
            finished_at: DateTime::from_timestamp(1_800_000_060, 0),
            failure: None,
            members_checked: 412,
            subscriptions_checked: 398,
            items: vec![Finding::example()],
            next_cursor: None,
        }
    }
}

/// What to compare.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct Comparison {
    /// Whether to repair what is found: to take in what Stripe and Telegram say. Removals follow their usual rules.
    repair: bool,
    /// Whether a repair also removes those of whom nothing is known but that they are in. Without it they stay, as
    /// whoever runs the channel may have let them in.
    #[oai(default)]
    strangers: bool,
}

impl Example for Comparison {
    fn example() -> Self {
        Self { repair: true, strangers: false }
    }
}

impl Input for Comparison {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let strangers = fields.optional("strangers", flag).unwrap_or_default();
        let repair = fields.required("repair", flag)?;
        if strangers && !repair {
            fields.note("strangers", "are removed by a repair only");
            return None;
        }
        Some(Self { repair, strangers })
    }
}

/// A comparison was asked for.
#[derive(ApiResponse)]
enum Asked {
    /// It is under way. One that was under way before is answered if it does as much.
    #[oai(status = 202)]
    Asked(
        Json<AskedFor>,
        /// Where its report will be.
        #[oai(header = "Location")]
        String,
    ),
}

/// Which comparison.
#[derive(Object)]
#[oai(example)]
struct AskedFor {
    /// Its id.
    id: Uuid,
}

impl Example for AskedFor {
    fn example() -> Self {
        Self { id: Uuid::from_u128(EXAMPLE_ID) }
    }
}

struct FindingTable;

impl Columns for FindingTable {
    const NAMES: &'static str = "kind,channel,telegram_id,subscription_id,detail,repaired";
    const EXAMPLE: &'static str = "in_and_should_not_be,-1001234567890,1111,01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,\
        is in the channel: canceled,false";
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Drift {
    /// Show what does not fit
    ///
    /// The report of the last comparison of Stripe, of what is known here, and of the channels; or that of `run`. One is
    /// made every six hours, which only reports; see `compareChannels`.
    ///
    /// Problems: drift-missing
    #[oai(path = "/telegram/drift", method = "get", operation_id = "getDrift")]
    async fn show(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Of the comparison with this id.
        run: Query<Option<Uuid>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
    ) -> Answer<Json<Report>> {
        let run = self.run(run.0).await?;
        let after = match cursor.0.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(after)) if after > 0 => after,
            Some(_) => {
                return Err(Problem::input("cursor", "is not a cursor of this list; take next_cursor of a page"));
            }
        };
        let mut found = drift::found(&self.0, run.id, after, limit.0 + 1).await?;
        let most = usize::try_from(limit.0).unwrap_or(usize::MAX);
        let more = found.len() > most;
        found.truncate(most);
        Ok(Json(Report {
            id: run.id,
            repair: run.repair,
            strangers: run.strangers,
            started_at: run.started_at,
            finished_at: run.finished_at,
            failure: run.failure,
            members_checked: run.members_checked,
            subscriptions_checked: run.subscriptions_checked,
            next_cursor: found.last().filter(|_| more).map(|(number, _)| number.to_string()),
            items: found.into_iter().map(|(_, found)| found.into()).collect(),
        }))
    }

    /// Export what does not fit
    ///
    /// All that the last comparison found, or that of `run`, as CSV. Holds personal data.
    ///
    /// Problems: drift-missing
    #[oai(path = "/telegram/drift.csv", method = "get", operation_id = "exportDrift")]
    async fn export(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Of the comparison with this id.
        run: Query<Option<Uuid>>,
    ) -> Answer<Table<FindingTable>> {
        let run = self.run(run.0).await?.id;
        let app = self.0.clone();
        let lines = stream::try_unfold(Some(0), move |after: Option<i64>| {
            let app = app.clone();
            async move {
                let Some(after) = after else { return Ok::<_, sqlx::Error>(None) };
                let found = drift::found(&app, run, after, PIECE).await?;
                let next = found.last().map(|(number, _)| *number);
                let lines: String = found.iter().map(|(_, found)| row_line(found)).collect();
                Ok(next.map(|next| (lines, Some(next))))
            }
        });
        Ok(Table::named("drift", Box::pin(lines)))
    }

    /// Compare Stripe, what is known here, and the channels
    ///
    /// Asks Telegram about everybody who is known, and Stripe about every subscription; that takes a while, and
    /// `getDrift` shows what was found.
    #[oai(path = "/telegram/drift", method = "post", operation_id = "compareChannels")]
    async fn compare(&self, caller: Allowed<SubscriptionsWrite>, body: Body<Comparison>) -> Answer<Asked> {
        let Comparison { repair, strangers } = body.value;
        let id = drift::ask(&self.0, repair, strangers, caller.cause().correlation).await?;
        Ok(Asked::Asked(Json(AskedFor { id }), format!("/api/telegram/drift?run={id}")))
    }
}

impl Drift {
    async fn run(&self, id: Option<Uuid>) -> Answer<Run> {
        Ok(drift::run_of(&self.0, id).await?.ok_or(Kind::DriftMissing)?)
    }
}

fn row_line(found: &Found) -> String {
    let Found { kind, channel, telegram_id, subscription, detail, repaired } = found;
    line(&[
        kind,
        &maybe(channel.as_ref()),
        &maybe(telegram_id.as_ref()),
        &maybe(subscription.as_ref()),
        detail,
        &repaired.to_string(),
    ])
}
