//! The client.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde_json::Value;

use super::{
    error::{Outage, TwelveDataError},
    pace::Pace,
    wire::{self, DATETIME, Failure, Series},
};
use crate::{clock::Clock, retry::Backoff, secrets::Secret};

const LIVE: &str = "https://api.twelvedata.com";

/// The most candles in one answer
/// (<https://support.twelvedata.com/en/articles/5214728-getting-historical-data>).
pub const MOST_CANDLES: i64 = 5_000;
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Tries of one call; whoever asks every minute asks again.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Access to Twelve Data under one key. Cheap to clone; clones keep one pace.
#[derive(Clone)]
pub struct TwelveData {
    inner: Arc<Inner>,
}

struct Inner {
    base: Url,
    /// `apikey …`: in a header, as addresses get into logs.
    authorization: HeaderValue,
    http: reqwest::Client,
    clock: Clock,
    pace: Pace,
    patience: Duration,
}

impl TwelveData {
    /// A client with this key; `api_url` is the twin's address or that of a proxy, `None`
    /// the live service. A key that no header can carry is not accepted by anybody.
    #[must_use]
    pub fn new(key: &Secret, api_url: Option<Url>, http: reqwest::Client, clock: Clock) -> Self {
        let base = api_url.unwrap_or_else(|| Url::parse(LIVE).expect("a constant address"));
        let mut authorization = HeaderValue::from_str(&format!("apikey {}", key.reveal()))
            .unwrap_or(HeaderValue::from_static("apikey unusable"));
        authorization.set_sensitive(true);
        let pace = Pace::default();
        Self { inner: Arc::new(Inner { base, authorization, http, clock, pace, patience: PATIENCE }) }
    }

    /// The same client with another limit on the time one try may take.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        let Inner { base, authorization, http, clock, .. } = &*self.inner;
        let (base, authorization, http, clock) = (base.clone(), authorization.clone(), http.clone(), clock.clone());
        Self { inner: Arc::new(Inner { base, authorization, http, clock, pace: Pace::default(), patience }) }
    }

    /// The candles of one minute of a symbol, such as `XAU/USD`, that begin from `from` on and before `to`, in order; the
    /// last is still being made when `to` is not past. It costs a credit.
    ///
    /// When there are more than [`MOST_CANDLES`], the earliest are missing: ask for fewer
    /// minutes than that.
    ///
    /// # Errors
    /// [`TwelveDataError`].
    pub async fn time_series(
        &self,
        symbol: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Series, TwelveDataError> {
        let operation = "get time series";
        let (start, end) = (from.format(DATETIME).to_string(), to.format(DATETIME).to_string());
        let most = MOST_CANDLES.to_string();
        let query = [
            ("symbol", symbol),
            ("interval", "1min"),
            ("start_date", start.as_str()),
            ("end_date", end.as_str()),
            ("outputsize", most.as_str()),
            ("timezone", "UTC"),
            ("order", "ASC"),
            ("dp", "5"),
        ];
        let json = match self.get(operation, "time_series", &query).await {
            // Its way of saying that nothing was traded.
            Err(TwelveDataError::Rejected { code: 400 | 404, message, .. }) if message.starts_with("No data") => {
                return Ok(Series::default());
            }
            answer => answer?,
        };
        let mut series = wire::series(&json).map_err(|source| TwelveDataError::Unreadable { operation, source })?;
        // Whether it takes the bounds as part of the span depends on the plan and the interval.
        let wanted = |at: DateTime<Utc>| from <= at && at < to;
        series.candles.retain(|candle| wanted(candle.opened_at));
        series.refused.retain(|refused| refused.opened_at.is_none_or(wanted));
        Ok(series)
    }

    /// How long nobody may ask, as there are no credits; none when one may.
    pub(crate) fn closed_for(&self) -> Option<Duration> {
        self.inner.pace.closed_for()
    }

    async fn get(&self, operation: &'static str, path: &str, query: &[(&str, &str)]) -> Result<Value, TwelveDataError> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Some(after) = self.closed_for() {
                return Err(TwelveDataError::OutOfCredits { operation, after });
            }
            match self.attempt(operation, path, query).await {
                Err(TwelveDataError::Unavailable { .. }) if attempt < TRIES => {
                    tokio::time::sleep(backoff.wait()).await;
                }
                done => return done,
            }
        }
    }

    async fn attempt(
        &self,
        operation: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, TwelveDataError> {
        let inner = &*self.inner;
        let mut url = inner.base.clone();
        url.set_path(&format!("{}/{path}", inner.base.path().trim_end_matches('/')));
        let request = inner.http.get(url).query(query).header(AUTHORIZATION, inner.authorization.clone());
        let no_answer = |error: reqwest::Error| TwelveDataError::Unavailable {
            operation,
            source: Outage::Network(error.without_url()),
        };
        let response = request.timeout(inner.patience).send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let left = credits(response.headers(), "api-credits-left");
        let used = credits(response.headers(), "api-credits-used");
        let body = response.bytes().await.map_err(no_answer)?;
        let now = inner.clock.now();
        match left {
            Some(left) => inner.pace.left(left, now),
            None => inner.pace.used(used, now),
        }
        let json: Value = match serde_json::from_slice(&body) {
            Ok(json) => json,
            // Between us and Twelve Data stand machines that explain themselves in HTML.
            Err(_) if status == 429 => {
                return Err(TwelveDataError::OutOfCredits { operation, after: inner.pace.refused(false, now) });
            }
            Err(_) if status >= 300 => {
                return Err(TwelveDataError::Unavailable { operation, source: Outage::Status(status) });
            }
            Err(error) => {
                let source = Outage::NotJson { line: error.line(), column: error.column() };
                return Err(TwelveDataError::Unavailable { operation, source });
            }
        };
        let failure = match Failure::in_body(&json) {
            None if status < 300 => return Ok(json),
            None => Failure { code: status, message: "no reason given".to_owned() },
            Some(failure) => failure,
        };
        Err(match failure.code {
            429 => {
                let of_the_day = failure.message.contains("for the day");
                TwelveDataError::OutOfCredits { operation, after: inner.pace.refused(of_the_day, now) }
            }
            code @ (401 | 403) => TwelveDataError::Unauthorized { operation, code },
            code @ 400..=499 => TwelveDataError::Rejected { operation, code, message: failure.message },
            code => TwelveDataError::Unavailable { operation, source: Outage::Status(code) },
        })
    }
}

/// Credits of this minute.
fn credits(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

impl fmt::Debug for TwelveData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwelveData").field("base", &self.inner.base.origin()).finish_non_exhaustive()
    }
}
