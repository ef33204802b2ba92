//! What Stripe sent, for whoever has to find out what became of a payment.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object, OpenApi,
    param::Query,
    payload::Json,
    types::{Any, Example},
};

use super::{
    Tags,
    auth::{Admin, Allowed},
    csv::{Columns, PIECE, Table, line, maybe, pieces, time},
    params::{At, instant, usual_limit},
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::App,
    stripe::events::{self, Filter, Row},
};

pub(super) struct StripeEvents(pub(super) App);

/// An event that Stripe sent.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct StripeEvent {
    /// Stripe's id of it; of a body that is no event, `sha256:` and its hash.
    id: String,
    /// What happened, in Stripe's words; empty for a body that is no event.
    r#type: String,
    /// When it happened.
    created: Option<DateTime<Utc>>,
    /// The version of Stripe's API that shaped it.
    api_version: Option<String>,
    /// Whether it is about real money.
    livemode: bool,
    /// When it came here.
    received_at: DateTime<Utc>,
    /// What came of it; missing until it is worked.
    outcome: Option<String>,
    /// When it was worked.
    worked_at: Option<DateTime<Utc>>,
}

impl Example for StripeEvent {
    fn example() -> Self {
        Self {
            id: "evt_1TnXk2LkdIwHu7ix0Qz".to_owned(),
            r#type: "invoice.paid".to_owned(),
            created: DateTime::from_timestamp(1_800_003_600, 0),
            api_version: Some("2026-09-30.endive".to_owned()),
            livemode: true,
            received_at: DateTime::from_timestamp(1_800_003_601, 0).unwrap_or_default(),
            outcome: Some("invoice in_1TnXk1LkdIwHu7ix3bA: paid (fetched)".to_owned()),
            worked_at: DateTime::from_timestamp(1_800_003_602, 0),
        }
    }
}

impl From<Row> for StripeEvent {
    fn from(row: Row) -> Self {
        let Row { id, position: _, kind, created, api_version, livemode, received_at, outcome, worked_at } = row;
        Self { id, r#type: kind, created, api_version, livemode, received_at, outcome, worked_at }
    }
}

/// A page of events.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct StripeEventPage {
    /// The events.
    items: Vec<StripeEvent>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for StripeEventPage {
    fn example() -> Self {
        Self { items: vec![StripeEvent::example()], next_cursor: Some("1042".to_owned()) }
    }
}

/// An event with its body.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct WholeStripeEvent {
    /// What is known of it.
    event: StripeEvent,
    /// The body, if it is JSON. It may hold personal data.
    payload: Option<Any<serde_json::Value>>,
    /// The body, if it is none; what is no UTF-8 in it is replaced.
    text: Option<String>,
}

impl Example for WholeStripeEvent {
    fn example() -> Self {
        let payload = serde_json::json!({
            "id": "evt_1TnXk2LkdIwHu7ix0Qz", "object": "event", "type": "invoice.paid",
            "data": { "object": { "id": "in_1TnXk1LkdIwHu7ix3bA", "object": "invoice" } },
        });
        Self { event: StripeEvent::example(), payload: Some(Any(payload)), text: None }
    }
}

struct StripeEventTable;

impl Columns for StripeEventTable {
    const NAMES: &'static str = "id,type,created,api_version,livemode,received_at,outcome,worked_at";
    const EXAMPLE: &'static str = "evt_1TnXk2LkdIwHu7ix0Qz,invoice.paid,2027-01-15T09:00:00.000000Z,\
                                   2026-09-30.endive,true,2027-01-15T09:00:01.000000Z,\
                                   invoice in_1TnXk1LkdIwHu7ix3bA: paid (fetched),2027-01-15T09:00:02.000000Z";
}

fn row_line(row: &Row) -> String {
    line(&[
        &row.id,
        &row.kind,
        &maybe(row.created.map(time)),
        &maybe(row.api_version.as_ref()),
        &row.livemode.to_string(),
        &time(row.received_at),
        &maybe(row.outcome.as_ref()),
        &maybe(row.worked_at.map(time)),
    ])
}

#[OpenApi(tag = "Tags::Operations")]
impl StripeEvents {
    /// List events of Stripe's
    ///
    /// As they came through the webhook; the latest first.
    #[oai(path = "/stripe/events", method = "get", operation_id = "listStripeEvents")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<Admin>,
        /// Only of this type.
        r#type: Query<Option<String>>,
        /// Only with an outcome that begins so.
        outcome: Query<Option<String>>,
        /// Only those that are worked, or only those that are not.
        worked: Query<Option<bool>>,
        /// Only received at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only received before this instant.
        until: Query<Option<DateTime<Utc>>>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Json<StripeEventPage>> {
        let filter = filter(r#type.0, outcome.0, worked.0, since.0, until.0)?;
        let before = match &cursor.0 {
            Some(text) => match text.parse::<i64>().ok().filter(|position| *position > 0) {
                Some(position) => Some(position),
                None => {
                    return Err(Problem::input("cursor", "is not a cursor of this list; take next_cursor of a page"));
                }
            },
            None => None,
        };
        let (rows, next) = events::list(&self.0.pool, &filter, before, limit.0).await?;
        Ok(Json(StripeEventPage {
            items: rows.into_iter().map(StripeEvent::from).collect(),
            next_cursor: next.map(|position| position.to_string()),
        }))
    }

    /// Export events of Stripe's
    ///
    /// All that match the filters, the latest first, as CSV.
    #[oai(path = "/stripe/events.csv", method = "get", operation_id = "exportStripeEvents")]
    async fn export(
        &self,
        _caller: Allowed<Admin>,
        /// Only of this type.
        r#type: Query<Option<String>>,
        /// Only with an outcome that begins so.
        outcome: Query<Option<String>>,
        /// Only those that are worked, or only those that are not.
        worked: Query<Option<bool>>,
        /// Only received at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only received before this instant.
        until: Query<Option<DateTime<Utc>>>,
    ) -> Answer<Table<StripeEventTable>> {
        let filter = filter(r#type.0, outcome.0, worked.0, since.0, until.0)?;
        let pool = self.0.pool.clone();
        let lines = pieces(move |before: Option<i64>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let (rows, next) = events::list(&pool, &filter, before, PIECE).await?;
                Ok::<_, sqlx::Error>((rows.iter().map(row_line).collect(), next))
            }
        });
        Ok(Table::named("stripe-events", lines))
    }

    /// Show an event of Stripe's
    ///
    /// With its body as it came. Bodies hold addresses and names of customers.
    ///
    /// Problems: stripe-event-missing
    #[oai(path = "/stripe/events/:id", method = "get", operation_id = "getStripeEvent")]
    async fn show(
        &self,
        _caller: Allowed<Admin>,
        /// Stripe's id of the event.
        id: At<String>,
    ) -> Answer<Json<WholeStripeEvent>> {
        let found = events::find(&self.0.pool, &id.0).await?;
        let (row, body) = found.ok_or(Kind::StripeEventMissing)?;
        let payload: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let text = payload.is_none().then(|| String::from_utf8_lossy(&body).into_owned());
        Ok(Json(WholeStripeEvent { event: row.into(), payload: payload.map(Any), text }))
    }
}

fn filter(
    kind: Option<String>,
    outcome: Option<String>,
    worked: Option<bool>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
) -> Answer<Filter> {
    Ok(Filter { kind, outcome, worked, since: instant("since", since)?, until: instant("until", until)? })
}
