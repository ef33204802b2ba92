//! The log itself, for auditors: a selection, one event, or everything as it
//! happens.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use poem::web::sse;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Query},
    payload::{EventStream, Json},
    types::{Any, Example, ToJSON},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, EventsRead},
    csv::{Columns, PIECE, Table, line, pieces, time},
    mutation::EXAMPLE_ID,
    params::{At, instant, usual_limit},
    problem::{Answer, Kind, Problem},
    redemptions::Order,
};
use crate::{
    app::App,
    log::{LogError, Recorded, Selection},
    wake::Topic,
};

/// The largest position that JavaScript can hold.
const LARGEST: i64 = (1 << 53) - 1;
/// Events read at once for a stream; so many wait in memory for a slow client, and no more.
const AHEAD: i64 = 100;
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after this long and its client comes again, with credentials
/// that are judged again.
const LONGEST_STREAM: Duration = Duration::from_secs(15 * 60);

pub(super) struct Events {
    pub(super) app: App,
    pub(super) stop: CancellationToken,
}

/// An event as it stands in the log.
#[derive(Object)]
#[oai(example)]
struct Event {
    /// Its place in the one order of everything: gapless, from 1.
    position: i64,
    /// Its id.
    id: Uuid,
    /// When the log took it.
    recorded_at: DateTime<Utc>,
    /// The type of the aggregate it happened to.
    aggregate_type: String,
    /// Which one.
    aggregate_id: String,
    /// Its place in the stream of that aggregate: gapless, from 1.
    sequence: i64,
    /// What happened.
    r#type: String,
    /// In which version of its shape.
    version: String,
    /// The facts. Personal data stands under `personal`.
    payload: Any<serde_json::Value>,
    /// Who wanted it: `admin:<name>`, `key:<name>`, `person:<pseudonym>` or `system`.
    actor: String,
    /// Shared by all that follows from one first cause; of a request, its `X-Request-Id`.
    correlation: Uuid,
    /// The direct cause: `request:<id>`, `telegram-update:<id>`, `event:<position>` or `job:<id>`.
    causation: String,
}

impl Example for Event {
    fn example() -> Self {
        Self {
            position: 1042,
            id: Uuid::from_u128(EXAMPLE_ID + 2),
            recorded_at: DateTime::from_timestamp(1_800_003_600, 0).unwrap_or_default(),
            aggregate_type: "campaign".to_owned(),
            aggregate_id: Uuid::from_u128(EXAMPLE_ID).to_string(),
            sequence: 3,
            r#type: "Paused".to_owned(),
            version: "1".to_owned(),
            payload: Any(serde_json::json!({ "Paused": { "at": "2027-01-15T09:00:00Z" } })),
            actor: "admin:admin".to_owned(),
            correlation: Uuid::from_u128(EXAMPLE_ID + 3),
            causation: format!("request:{}", Uuid::from_u128(EXAMPLE_ID + 3)),
        }
    }
}

impl TryFrom<Recorded> for Event {
    type Error = serde_json::Error;

    fn try_from(event: Recorded) -> Result<Self, serde_json::Error> {
        Ok(Self {
            payload: Any(serde_json::from_str(&event.payload)?),
            position: event.position,
            id: event.id,
            recorded_at: event.recorded_at,
            aggregate_type: event.aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            r#type: event.event_type,
            version: event.event_version,
            actor: event.actor,
            correlation: event.correlation_id,
            causation: event.causation,
        })
    }
}

/// A page of events.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct EventPage {
    /// The events. A page may have fewer than `limit`, even none, and still not be the last one.
    items: Vec<Event>,
    /// The `cursor` of the next page; missing on the last one.
    next_cursor: Option<String>,
}

impl Example for EventPage {
    fn example() -> Self {
        Self { items: vec![Event::example()], next_cursor: Some("1042".to_owned()) }
    }
}

struct EventTable;

impl Columns for EventTable {
    const NAMES: &'static str = "position,id,recorded_at,aggregate_type,aggregate_id,sequence,type,version,payload,actor,\
                                 correlation,causation";
    const EXAMPLE: &'static str = "1042,01935c2e-7b4a-7c31-9f05-5d1a8e6204b9,2027-01-15T09:00:00.000000Z,campaign,\
                                   01935c2e-7b4a-7c31-9f05-5d1a8e6204b7,3,Paused,1,\
                                   \"{\"\"Paused\"\":{\"\"at\"\":\"\"2027-01-15T09:00:00Z\"\"}}\",admin:admin,\
                                   01935c2e-7b4a-7c31-9f05-5d1a8e6204ba,request:01935c2e-7b4a-7c31-9f05-5d1a8e6204ba";
}

fn event_line(event: &Recorded) -> String {
    line(&[
        &event.position.to_string(),
        &event.id.to_string(),
        &time(event.recorded_at),
        &event.aggregate_type,
        &event.aggregate_id,
        &event.sequence.to_string(),
        &event.event_type,
        &event.event_version,
        &event.payload,
        &event.actor,
        &event.correlation_id.to_string(),
        &event.causation,
    ])
}

/// What to list, as it was asked for.
struct Wanted {
    stream: Option<String>,
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    event_type: Option<String>,
    actor: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    order: Order,
}

impl Wanted {
    fn selection(self) -> Answer<Selection> {
        let mut selection = Selection {
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            event_type: self.event_type,
            actor: self.actor,
            since: instant("since", self.since)?,
            until: instant("until", self.until)?,
            newest_first: self.order == Order::Desc,
        };
        if let Some(stream) = self.stream {
            if selection.aggregate_type.is_some() || selection.aggregate_id.is_some() {
                return Err(Problem::input("stream", "cannot be given together with aggregate_type or aggregate_id"));
            }
            let (kind, id) = stream
                .split_once('/')
                .ok_or_else(|| Problem::input("stream", "must be <aggregate_type>/<aggregate_id>"))?;
            selection.aggregate_type = Some(kind.to_owned());
            selection.aggregate_id = Some(id.to_owned());
        }
        Ok(selection)
    }
}

fn in_order() -> Order {
    Order::Asc
}

fn read_event(event: Recorded) -> Answer<Event> {
    event.try_into().map_err(|error: serde_json::Error| Problem::from(Kind::Internal).because(error))
}

#[OpenApi(tag = "Tags::Events")]
impl Events {
    /// List events
    ///
    /// A page of the events that match all filters. Looking for rare events in a long log takes several pages, some of
    /// them empty: go on while there is a `next_cursor`.
    #[oai(path = "/events", method = "get", operation_id = "listEvents")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<EventsRead>,
        /// Only of this stream: `<aggregate_type>/<aggregate_id>`, such as `campaign/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7`.
        stream: Query<Option<String>>,
        /// Only of this type of aggregate.
        aggregate_type: Query<Option<String>>,
        /// Only of the aggregate with this id.
        aggregate_id: Query<Option<String>>,
        /// Only events of this type, such as `Redeemed`.
        r#type: Query<Option<String>>,
        /// Only by this actor, such as `admin:admin`.
        actor: Query<Option<String>>,
        /// Only recorded at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only recorded before this instant.
        until: Query<Option<DateTime<Utc>>>,
        /// In which order.
        #[oai(default = "in_order")]
        order: Query<Order>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Json<EventPage>> {
        let wanted = Wanted {
            stream: stream.0,
            aggregate_type: aggregate_type.0,
            aggregate_id: aggregate_id.0,
            event_type: r#type.0,
            actor: actor.0,
            since: since.0,
            until: until.0,
            order: order.0,
        };
        let selection = wanted.selection()?;
        let after = cursor.0.as_deref().map(|text| position("cursor", text)).transpose()?;
        let page = self.app.log.select(&selection, after, limit.0).await?;
        Ok(Json(EventPage {
            items: page.events.into_iter().map(read_event).collect::<Answer<_>>()?,
            next_cursor: page.next.map(|next| next.to_string()),
        }))
    }

    /// Export events
    ///
    /// All that match the filters of `listEvents` and are there when it comes to them, as CSV; the payload is JSON.
    #[oai(path = "/events.csv", method = "get", operation_id = "exportEvents")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export(
        &self,
        _caller: Allowed<EventsRead>,
        /// Only of this stream: `<aggregate_type>/<aggregate_id>`, such as `campaign/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7`.
        stream: Query<Option<String>>,
        /// Only of this type of aggregate.
        aggregate_type: Query<Option<String>>,
        /// Only of the aggregate with this id.
        aggregate_id: Query<Option<String>>,
        /// Only events of this type, such as `Redeemed`.
        r#type: Query<Option<String>>,
        /// Only by this actor, such as `admin:admin`.
        actor: Query<Option<String>>,
        /// Only recorded at or after this instant.
        since: Query<Option<DateTime<Utc>>>,
        /// Only recorded before this instant.
        until: Query<Option<DateTime<Utc>>>,
        /// In which order.
        #[oai(default = "in_order")]
        order: Query<Order>,
    ) -> Answer<Table<EventTable>> {
        let wanted = Wanted {
            stream: stream.0,
            aggregate_type: aggregate_type.0,
            aggregate_id: aggregate_id.0,
            event_type: r#type.0,
            actor: actor.0,
            since: since.0,
            until: until.0,
            order: order.0,
        };
        let selection = wanted.selection()?;
        let log = self.app.log.clone();
        let lines = pieces(move |after: Option<i64>| {
            let (log, selection) = (log.clone(), selection.clone());
            async move {
                let page = log.select(&selection, after, PIECE).await?;
                Ok::<_, LogError>((page.events.iter().map(event_line).collect(), page.next))
            }
        });
        Ok(Table::named("events", lines))
    }

    /// Show an event
    ///
    /// By its position in the log.
    ///
    /// Problems: event-missing
    #[oai(path = "/events/:position", method = "get", operation_id = "getEvent")]
    async fn show(
        &self,
        _caller: Allowed<EventsRead>,
        /// The event's position.
        #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740991")))]
        position: At<i64>,
    ) -> Answer<Json<Event>> {
        let event = self.app.log.at(position.0).await?.ok_or(Kind::EventMissing)?;
        Ok(Json(read_event(event)?))
    }

    /// Follow the log
    ///
    /// Server-sent events: each has its position as `id`, its type as `event` and the event as `data`. Begins after
    /// `Last-Event-ID` (which browsers send when they come again), else after `after`, else with what happens from now on.
    /// Nothing is left out and nothing sent twice. A comment every 15 seconds shows that the stream lives; it ends after 15
    /// minutes, and when the process stops: come again.
    #[oai(path = "/events/stream", method = "get", operation_id = "followEvents")]
    async fn follow(
        &self,
        _caller: Allowed<EventsRead>,
        /// The position of the last event that was seen.
        #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740991")))]
        after: Query<Option<i64>>,
        /// The same, as browsers send it; it counts more than `after`.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Answer<EventStream<BoxStream<'static, Event>>> {
        let after = match (last_event_id.0, after.0) {
            (Some(text), _) => position("Last-Event-ID", &text)?,
            (None, Some(after)) => after,
            (None, None) => self.app.log.last_position().await?,
        };
        let events = tail(self.app.clone(), after)
            .take_until(self.stop.clone().cancelled_owned())
            .take_until(tokio::time::sleep(LONGEST_STREAM));
        let as_sent = |event: Event| {
            sse::Event::message(event.to_json_string()).id(event.position.to_string()).event_type(event.r#type)
        };
        Ok(EventStream::new(events.boxed()).to_event(as_sent).keep_alive(HEARTBEAT))
    }
}

fn position(field: &str, text: &str) -> Answer<i64> {
    let number = text.parse().ok().filter(|number| (0..=LARGEST).contains(number));
    number.ok_or_else(|| Problem::input(field, "must be the position of an event"))
}

/// Everything after a position, as it happens. Reads on only when all that was
/// read before has been sent.
fn tail(app: App, after: i64) -> impl Stream<Item = Event> + Send {
    struct Tail {
        app: App,
        after: i64,
        read: VecDeque<Recorded>,
        wake: watch::Receiver<u64>,
    }
    let wake = app.wake.of(Topic::Events);
    stream::unfold(Tail { app, after, read: VecDeque::new(), wake }, |mut tail| async move {
        loop {
            if let Some(next) = tail.read.pop_front() {
                tail.after = next.position;
                return Event::try_from(next).ok().map(|event| (event, tail));
            }
            tail.wake.mark_unchanged();
            match tail.app.log.read(tail.after, AHEAD).await {
                Ok(events) if events.is_empty() => tail.wake.changed().await.ok()?,
                Ok(events) => tail.read = events.into(),
                // The client comes again, and then learns what is wrong.
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a stream of events ends early");
                    return None;
                }
            }
        }
    })
}
