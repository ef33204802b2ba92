//! Signals: seen, opened and ended by hand.

use aggregates::signal::{self, XAUUSD};
use charts::Mark;
use chrono::{DateTime, Utc};
use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::{Json, Payload},
    registry::{MetaSchema, MetaSchemaRef},
};
use projections::{
    page::Cursor,
    signals::{self, Filter, Step},
};
use trading::{Exit, Price};

use super::{
    Tags,
    auth::{Allowed, SignalsRead, SignalsWrite},
    body::Body,
    csv::{PIECE, Table, pieces},
    mutation::{etag, once},
    params::{At, cursor, instant, shows, usual_limit, usual_wait},
    problem::{Answer, Kind},
    signal_by_hand_json::NewSignal,
    signal_changes::{SignalOpened, SignalsChanged, opened, signals_changed},
    signal_json::{ForexSignal, ForexSignalPage, ForexSignalStory, SignalEvent, SignalTable},
    signal_names::{SignalDirection, SignalExit, SignalOwner, SignalSort, SignalStatus, TradingSession},
    subscription_json::HandReason,
    subscriptions::by_hand,
};
use crate::{
    app::App,
    executor::Wish,
    signals::{
        by_hand::{Wanted as WantedSignal, ending, opening},
        chart::{self, Chart},
        now,
    },
};

pub(super) struct Signals(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "made to be sent at once")]
enum FoundSignal {
    /// The signal.
    #[oai(status = 200)]
    Found(
        Json<ForexSignalStory>,
        /// The version of the instrument's stream after its last event.
        #[oai(header = "ETag")]
        String,
    ),
}

/// A picture (PNG).
struct ChartPicture(Vec<u8>);

impl Payload for ChartPicture {
    const CONTENT_TYPE: &'static str = "image/png";

    fn schema_ref() -> MetaSchemaRef {
        let example = Some("(a picture of 1,200 by 675 pixels)".into());
        MetaSchemaRef::Inline(Box::new(MetaSchema { example, ..MetaSchema::new_with_format("string", "binary") }))
    }
}

impl IntoResponse for ChartPicture {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

#[derive(ApiResponse)]
enum Drawn {
    /// The chart.
    #[oai(status = 200)]
    Chart(ChartPicture),
}

/// Which to list, as it was asked for.
struct Wanted {
    status: Option<SignalStatus>,
    direction: Option<SignalDirection>,
    strategy: Option<SignalOwner>,
    exit: Option<SignalExit>,
    session: Option<TradingSession>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
}

impl Wanted {
    fn filter(self) -> Answer<Filter> {
        Ok(Filter {
            status: self.status.map(Into::into),
            direction: self.direction.map(Into::into),
            whose: self.strategy.map(Into::into),
            exit: self.exit.map(Into::into),
            session: self.session.map(Into::into),
            from: instant("from", self.from)?,
            to: instant("to", self.to)?,
        })
    }
}

#[OpenApi(tag = "Tags::Signals")]
impl Signals {
    /// List signals
    ///
    /// A page of the signals that match all filters.
    #[oai(path = "/forex-signals", method = "get", operation_id = "listForexSignals")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<SignalsRead>,
        /// Only signals that stand so.
        status: Query<Option<SignalStatus>>,
        /// Only signals that go this way.
        direction: Query<Option<SignalDirection>>,
        /// Only signals of this strategy, or those made by hand.
        strategy: Query<Option<SignalOwner>>,
        /// Only signals that ended so.
        exit: Query<Option<SignalExit>>,
        /// Only signals that were opened in these hours of the trading day.
        session: Query<Option<TradingSession>>,
        /// Only signals that were opened then or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Only signals that were opened before.
        to: Query<Option<DateTime<Utc>>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<SignalSort>,
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
    ) -> Answer<Json<ForexSignalPage>> {
        let order = sort.0.column();
        let after = self::cursor(cursor.0.as_ref(), |cursor| order.0.fits(cursor))?;
        let wanted = Wanted {
            status: status.0,
            direction: direction.0,
            strategy: strategy.0,
            exit: exit.0,
            session: session.0,
            from: from.0,
            to: to.0,
        };
        let filter = wanted.filter()?;
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        let page = signals::list(&self.0.pool, XAUUSD, &filter, order, after.as_ref(), limit.0).await?;
        Ok(Json(ForexSignalPage {
            items: page.rows.into_iter().map(ForexSignal::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export signals
    ///
    /// All that match the filters of `listForexSignals`, in the same order, as CSV; targets are in one cell, as
    /// `price:share` with spaces between them.
    #[oai(path = "/forex-signals.csv", method = "get", operation_id = "exportForexSignals")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export(
        &self,
        _caller: Allowed<SignalsRead>,
        /// Only signals that stand so.
        status: Query<Option<SignalStatus>>,
        /// Only signals that go this way.
        direction: Query<Option<SignalDirection>>,
        /// Only signals of this strategy, or those made by hand.
        strategy: Query<Option<SignalOwner>>,
        /// Only signals that ended so.
        exit: Query<Option<SignalExit>>,
        /// Only signals that were opened in these hours of the trading day.
        session: Query<Option<TradingSession>>,
        /// Only signals that were opened then or later.
        from: Query<Option<DateTime<Utc>>>,
        /// Only signals that were opened before.
        to: Query<Option<DateTime<Utc>>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<SignalSort>,
    ) -> Answer<Table<SignalTable>> {
        let order = sort.0.column();
        let wanted = Wanted {
            status: status.0,
            direction: direction.0,
            strategy: strategy.0,
            exit: exit.0,
            session: session.0,
            from: from.0,
            to: to.0,
        };
        let (pool, filter) = (self.0.pool.clone(), wanted.filter()?);
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = signals::list(&pool, XAUUSD, &filter, order, after.as_ref(), PIECE).await?;
                let lines = page.rows.into_iter().map(|row| ForexSignal::from(row).line()).collect();
                Ok::<_, sqlx::Error>((lines, page.next))
            }
        });
        Ok(Table::named("forex-signals", lines))
    }

    /// Show a signal
    ///
    /// With the settings it was made by, and all that happened to it, in words too.
    #[oai(path = "/forex-signals/:number", method = "get", operation_id = "getForexSignal")]
    async fn show(
        &self,
        _caller: Allowed<SignalsRead>,
        /// The signal's number.
        number: At<u32>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<FoundSignal> {
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        // One snapshot, so that the story is that of the signal as it is shown.
        let mut snapshot = self.0.pool.begin_with("begin isolation level repeatable read read only").await?;
        let row = signals::find(&mut *snapshot, XAUUSD, number.0).await?.ok_or(Kind::SignalMissing)?;
        let story = signals::story(&mut *snapshot, XAUUSD, number.0).await?;
        snapshot.commit().await?;
        let (etag, settings) = (etag(row.version), (&row.settings).into());
        let events = story.into_iter().map(SignalEvent::from).collect();
        Ok(FoundSignal::Found(Json(ForexSignalStory { signal: row.into(), settings, events }), etag))
    }

    /// Draw a signal
    ///
    /// The candles around it, its levels, and what happened to it: as it is posted when it has ended, or up to now.
    ///
    /// Problems: no-candles
    #[oai(path = "/forex-signals/:number/chart.png", method = "get", operation_id = "drawForexSignal")]
    async fn chart(
        &self,
        _caller: Allowed<SignalsRead>,
        /// The signal's number.
        number: At<u32>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Drawn> {
        shows(&self.0, "signals", min_position.0, wait_ms.0).await?;
        let row = signals::find(&self.0.pool, XAUUSD, number.0).await?.ok_or(Kind::SignalMissing)?;
        let story = signals::story(&self.0.pool, XAUUSD, number.0).await?;
        let chart = Chart {
            stream: row.instrument.clone(),
            number: row.number,
            timeframe: row.settings.timeframe,
            tick: row.settings.tick,
            opened_at: row.opened_at,
            levels: row.levels(),
            until: match row.closed_at {
                Some(closed_at) => closed_at,
                None => now(&self.0).await?,
            },
            marks: story.iter().filter_map(|step| mark(step, row.exit)).collect(),
            result: row.entered_at.and_then(|_| row.result()),
        };
        let picture = chart.draw(&self.0).await?.ok_or(Kind::NoCandles)?;
        Ok(Drawn::Chart(ChartPicture(picture)))
    }

    /// Open a signal by hand
    ///
    /// It is judged minute by minute as any other. There is one open signal at a time. One that does not wait is entered
    /// at the last price of the open market, which must lie in its entry zone; that price is its entry.
    ///
    /// Problems: invalid-levels, signal-open, market-closed, market-unavailable, market-stale
    #[oai(path = "/forex-signals", method = "post", operation_id = "openForexSignal")]
    async fn open(
        &self,
        caller: Allowed<SignalsWrite>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<NewSignal>,
    ) -> Answer<SignalOpened> {
        let once = once(&caller, idempotency_key.0, &["POST", "/api/forex-signals", &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.signals.answered(once).await?
        {
            // The price is that of the first time.
            return opened(&done);
        }
        let tick = self.0.signals.look(XAUUSD, |signal, _, _| signal.settings().tick).await?;
        let levels = body.value.levels(tick);
        let NewSignal { waits, expires_at, reason, .. } = body.value;
        // What makes no sense needs no market to be refused.
        levels.check().map_err(signal::Refusal::from)?;
        let wanted = WantedSignal { levels, waits, expires_at };
        let command = opening(&self.0, wanted, by_hand(&caller, &reason)).await?;
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        opened(&self.0.signals.send(XAUUSD, wish).await?)
    }

    /// End a signal by hand
    ///
    /// What the market did so far is judged first, so that a stop that was hit is not undone. Then what is left of the
    /// position is closed at the last price of the open market. One that still waits is taken back, whatever the market
    /// does.
    ///
    /// Problems: signal-not-open, market-closed, market-unavailable, market-stale
    #[oai(path = "/forex-signals/:number/cancel", method = "post", operation_id = "cancelForexSignal")]
    async fn cancel(
        &self,
        caller: Allowed<SignalsWrite>,
        /// The signal's number.
        number: At<u32>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<SignalsChanged> {
        let number = number.0;
        let once = once(&caller, idempotency_key.0, &["cancel signal", &number.to_string(), &body.canonical])?;
        if let Some(once) = &once
            && let Some(done) = self.0.signals.answered(once).await?
        {
            // The price is that of the first time.
            return signals_changed(&done);
        }
        if self.0.signals.look(XAUUSD, |signal, _, _| !(1..=signal.last()).contains(&number)).await? {
            return Err(Kind::SignalMissing.into());
        }
        let command = ending(&self.0, number, by_hand(&caller, &body.value.reason)).await?;
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        signals_changed(&self.0.signals.send(XAUUSD, wish).await?)
    }
}

/// What a chart shows of what happened.
fn mark(step: &Step, exit: Option<Exit>) -> Option<charts::Event> {
    let mark = match step.event.as_str() {
        "TargetHit" => Mark::Target(u8::try_from(step.target?).ok()?),
        "StopMoved" => Mark::StopMoved,
        "Closed" => chart::end(exit?)?,
        _ => return None,
    };
    Some(charts::Event { at: chart::last_minute(step.at), price: Price::from_units(step.price?), mark })
}
