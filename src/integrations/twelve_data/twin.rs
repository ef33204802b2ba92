//! A Twelve Data for the sandbox.
//!
//! It speaks the service's wire protocol as far as it is used here, so the client under
//! test is the client that goes live. Its candles are made of a seed or were in a file;
//! its time is that of a [`Replay`], and it tells nothing that lies after.

mod replay;

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use poem::{
    EndpointExt, IntoEndpoint, IntoResponse, Response, Route, get, handler,
    http::StatusCode,
    web::{Data, Json, Query},
};
use serde_json::{Value, json};
use sqlx::{FromRow, PgPool};
use trading::{Candle, Price, synthetic::Synthetic};

use super::wire::DATETIME;
use crate::clock::Clock;
pub use replay::{Replay, ReplayError, Source, Wanted};

/// The only thing it has a price of.
const SYMBOL: &str = "XAU/USD";
const MOST: i64 = super::MOST_CANDLES;

/// The twin. Cheap to clone; clones are the same twin.
#[derive(Clone)]
pub struct Twin {
    pool: PgPool,
    clock: Clock,
}

/// An answer of the service's that is no success.
struct Refusal(u16, String);

impl From<ReplayError> for Refusal {
    fn from(error: ReplayError) -> Self {
        Self(500, error.to_string())
    }
}

impl Twin {
    /// A twin over this database, in which a [`Replay`] has begun.
    #[must_use]
    pub const fn new(pool: PgPool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// What it serves, to be mounted under any prefix.
    pub fn routes(&self) -> impl IntoEndpoint<Endpoint: 'static> + use<> {
        Route::new().at("/time_series", get(time_series)).data(self.clone())
    }

    /// The candles that begin from `from` on and before `to`.
    async fn candles(
        &self,
        replay: &Replay,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Candle>, ReplayError> {
        if let Some(seed) = replay.seed() {
            return Ok(Synthetic::new(seed).candles(from, to).collect());
        }
        let rows: Vec<Row> = sqlx::query_as(
            "select opened_at, open, high, low, close, volume from sandbox.market_candle
              where opened_at >= $1 and opened_at < $2 order by opened_at",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Candle::from).collect())
    }

    async fn time_series(&self, query: &HashMap<String, String>) -> Result<Value, Refusal> {
        self.known(query)?;
        let text = |name: &str| query.get(name).map(String::as_str);
        if text("interval") != Some("1min") {
            return Err(Refusal(400, "**interval** must be 1min here.".to_owned()));
        }
        if !matches!(text("timezone"), Some("UTC")) {
            return Err(Refusal(400, "**timezone** must be UTC here.".to_owned()));
        }
        let most = match text("outputsize").map(str::parse) {
            None => 30,
            Some(Ok(most @ 1..=MOST)) => most,
            Some(_) => return Err(Refusal(400, "**outputsize** must be from 1 to 5000.".to_owned())),
        };
        let instant = |name: &str| match text(name) {
            None => Ok(None),
            Some(text) => read(text).map(Some).ok_or_else(|| Refusal(400, format!("**{name}** is no date."))),
        };
        let replay = Replay::read(&self.pool).await?;
        // What is still being made is not told, as it would tell what comes.
        let now = minute(replay.at(self.clock.now()));
        let end = instant("end_date")?.map_or(now, |end| now.min(end + TimeDelta::minutes(1)));
        let start = instant("start_date")?.unwrap_or(end - TimeDelta::days(7));
        let mut candles = self.candles(&replay, start, end).await?;
        candles.drain(..candles.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX)));
        if candles.is_empty() {
            let words = "No data is available on the specified dates. Try setting different start/end dates.";
            return Err(Refusal(400, words.to_owned()));
        }
        if text("order") != Some("ASC") {
            candles.reverse();
        }
        let values: Vec<Value> = candles.iter().map(shown).collect();
        let meta = json!({
            "symbol": SYMBOL, "interval": "1min", "currency_base": "Gold Spot", "currency_quote": "US Dollar",
            "type": "Physical Currency",
        });
        Ok(json!({ "meta": meta, "values": values, "status": "ok" }))
    }

    fn known(&self, query: &HashMap<String, String>) -> Result<(), Refusal> {
        match query.get("symbol").map(String::as_str) {
            Some(SYMBOL) => Ok(()),
            _ => Err(Refusal(404, "**symbol** or **figi** parameter is missing or invalid.".to_owned())),
        }
    }
}

#[handler]
async fn time_series(Data(twin): Data<&Twin>, query: Query<HashMap<String, String>>) -> Response {
    answer(twin.time_series(&query.0).await)
}

fn answer(answer: Result<Value, Refusal>) -> Response {
    let (status, body) = match answer {
        Ok(json) => (200, json),
        Err(Refusal(code, message)) => (code, json!({ "code": code, "message": message, "status": "error" })),
    };
    Json(body)
        .with_status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .with_header("api-credits-used", "1")
        .with_header("api-credits-left", "1000000")
        .into_response()
}

fn shown(candle: &Candle) -> Value {
    json!({
        "datetime": candle.opened_at.format(DATETIME).to_string(),
        "open": candle.open.fixed(5),
        "high": candle.high.fixed(5),
        "low": candle.low.fixed(5),
        "close": candle.close.fixed(5),
    })
}

fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}

/// A date, with or without the time of the day.
fn read(text: &str) -> Option<DateTime<Utc>> {
    let instant = NaiveDateTime::parse_from_str(text, DATETIME);
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN));
    instant.or_else(|_| date()).ok().map(|instant| instant.and_utc())
}

#[derive(FromRow)]
struct Row {
    opened_at: DateTime<Utc>,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i32,
}

impl From<Row> for Candle {
    fn from(row: Row) -> Self {
        Self {
            opened_at: row.opened_at,
            open: Price::from_units(row.open),
            high: Price::from_units(row.high),
            low: Price::from_units(row.low),
            close: Price::from_units(row.close),
            volume: row.volume.unsigned_abs(),
        }
    }
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}
