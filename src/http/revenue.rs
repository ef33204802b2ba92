//! What subscriptions earn.

use aggregates::campaign::Currency;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use futures_util::stream;
use poem_openapi::{OpenApi, param::Query, payload::Json};
use projections::{
    page::Cursor,
    revenue::{self, FiguresError, Span},
};

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead},
    csv::{PIECE, Table, pieces},
    params::{cursor, instant, shows, usual_limit, usual_wait},
    problem::{Answer, Kind, Problem},
    revenue_json::{
        CurrencyMetrics, FailedPayment, FailedPaymentPage, FailedTable, RevenueMetrics, RevenueTable, failed_line,
        month_lines,
    },
};
use crate::app::App;

/// The most months in one answer: ten years.
const MOST_MONTHS: i32 = 120;
/// What is wrong with a time zone.
const ZONE: &str = "must be a name of the IANA time zone database, as in Europe/Berlin";

pub(super) struct Revenue(pub(super) App);

#[OpenApi(tag = "Tags::Subscriptions")]
impl Revenue {
    /// Show what subscriptions earn
    ///
    /// By the definitions of Stripe Billing, so that it can be compared with Stripe's own figures; computed from the log, for
    /// each currency by itself, as of now or of any past moment. Facts count from the instant at which they took effect at
    /// Stripe, even if they were learned of later.
    #[oai(path = "/telegram/revenue-metrics", method = "get", operation_id = "getRevenueMetrics")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn metrics(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// As of this instant; without it, now.
        at: Query<Option<DateTime<Utc>>>,
        /// Only this currency (ISO 4217); without it, all.
        currency: Query<Option<String>>,
        /// The first month, as in `2026-02`; without it, 11 months before the last one.
        from: Query<Option<String>>,
        /// The last month, at most 120 months in all; without it, the month of `at`.
        to: Query<Option<String>>,
        /// Whose calendar makes the months: a name of the IANA time zone database, as in `Europe/Berlin`. Without it, UTC.
        time_zone: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<RevenueMetrics>> {
        let asked = self.asked(at.0, currency.0, from.0, to.0, time_zone.0)?;
        shows(&self.0, "revenue", min_position.0, wait_ms.0).await?;
        Ok(Json(self.figures(asked).await?))
    }

    /// Export the months
    ///
    /// The `months` of `getRevenueMetrics`, as CSV.
    #[oai(path = "/telegram/revenue-metrics.csv", method = "get", operation_id = "exportRevenueMetrics")]
    async fn export(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// As of this instant; without it, now.
        at: Query<Option<DateTime<Utc>>>,
        /// Only this currency (ISO 4217); without it, all.
        currency: Query<Option<String>>,
        /// The first month, as in `2026-02`; without it, 11 months before the last one.
        from: Query<Option<String>>,
        /// The last month, at most 120 months in all; without it, the month of `at`.
        to: Query<Option<String>>,
        /// Whose calendar makes the months: a name of the IANA time zone database, as in `Europe/Berlin`. Without it, UTC.
        time_zone: Query<Option<String>>,
    ) -> Answer<Table<RevenueTable>> {
        let asked = self.asked(at.0, currency.0, from.0, to.0, time_zone.0)?;
        let lines: String = self.figures(asked).await?.currencies.iter().map(month_lines).collect();
        Ok(Table::named("revenue", stream::iter([Ok::<_, sqlx::Error>(lines)])))
    }

    /// List failed payments
    ///
    /// Invoices of which an attempt to collect them failed, and that are neither paid nor given up; those that have been open
    /// longest first.
    #[oai(path = "/telegram/revenue-metrics/failed-payments", method = "get", operation_id = "listFailedPayments")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn failed(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// As of this instant; without it, now.
        at: Query<Option<DateTime<Utc>>>,
        /// Only of this currency (ISO 4217).
        currency: Query<Option<String>>,
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
    ) -> Answer<Json<FailedPaymentPage>> {
        let (at, currency) = (self.at(at.0)?, self::currency(currency.0)?);
        let after = self::cursor(cursor.0.as_ref(), revenue::fits)?;
        shows(&self.0, "revenue", min_position.0, wait_ms.0).await?;
        let page = revenue::failed_payments(&self.0.pool, at, currency.as_deref(), after.as_ref(), limit.0).await?;
        Ok(Json(FailedPaymentPage {
            items: page.rows.into_iter().map(FailedPayment::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
        }))
    }

    /// Export failed payments
    ///
    /// All that match, in the order of `listFailedPayments`, as CSV.
    #[oai(
        path = "/telegram/revenue-metrics/failed-payments.csv",
        method = "get",
        operation_id = "exportFailedPayments"
    )]
    async fn export_failed(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// As of this instant; without it, now.
        at: Query<Option<DateTime<Utc>>>,
        /// Only of this currency (ISO 4217).
        currency: Query<Option<String>>,
    ) -> Answer<Table<FailedTable>> {
        let (at, currency) = (self.at(at.0)?, self::currency(currency.0)?);
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, currency) = (pool.clone(), currency.clone());
            async move {
                let page = revenue::failed_payments(&pool, at, currency.as_deref(), after.as_ref(), PIECE).await?;
                Ok::<_, sqlx::Error>((page.rows.iter().map(failed_line).collect(), page.next))
            }
        });
        Ok(Table::named("failed-payments", lines))
    }
}

/// What figures are asked for.
struct Asked {
    at: DateTime<Utc>,
    currency: Option<String>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    time_zone: String,
}

impl Revenue {
    fn asked(
        &self,
        at: Option<DateTime<Utc>>,
        currency: Option<String>,
        from: Option<String>,
        to: Option<String>,
        time_zone: Option<String>,
    ) -> Answer<Asked> {
        Ok(Asked {
            at: self.at(at)?,
            currency: self::currency(currency)?,
            from: month("from", from)?,
            to: month("to", to)?,
            time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()),
        })
    }

    /// Now, or a moment before: nobody knows what comes.
    fn at(&self, at: Option<DateTime<Utc>>) -> Answer<DateTime<Utc>> {
        let now = self.0.clock.now();
        match instant("at", at)? {
            Some(at) if at > now => Err(Problem::input("at", "must not be in the future")),
            at => Ok(at.unwrap_or(now)),
        }
    }

    async fn figures(&self, asked: Asked) -> Answer<RevenueMetrics> {
        let Asked { at, currency, from, to, time_zone } = asked;
        let months = self.months(at, from, to, &time_zone).await?;
        // One snapshot, so that the figures fit each other.
        let mut snapshot = self.0.pool.begin_with("begin isolation level repeatable read read only").await?;
        let figures = revenue::figures(&mut snapshot, at, &months, currency.as_deref()).await.map_err(problem)?;
        snapshot.commit().await?;
        let currencies = figures.iter().map(CurrencyMetrics::new).collect::<Answer<_>>()?;
        Ok(RevenueMetrics { at, time_zone, currencies })
    }

    async fn months(
        &self,
        at: DateTime<Utc>,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        time_zone: &str,
    ) -> Answer<Vec<Span>> {
        let count = |from: NaiveDate, to: NaiveDate| {
            (to.year() - from.year()) * 12 + to.month0() as i32 - from.month0() as i32 + 1
        };
        let fits = |from: NaiveDate, to: NaiveDate| match count(from, to) {
            ..1 => Err(Problem::input("from", "must not be after to, nor after the month of at")),
            1..=MOST_MONTHS => Ok(()),
            _ => Err(Problem::input("from", format!("must be less than {MOST_MONTHS} months before to"))),
        };
        let read = async |from, to| revenue::months(&self.0.pool, time_zone, at, from, to).await;
        // PostgreSQL takes more for a time zone than has a name, and to look all names up takes it long.
        let plain = time_zone.contains('/') && !time_zone.contains(|c: char| c.is_ascii_digit());
        let sane = !time_zone.contains(char::is_control);
        if !sane || !(plain || revenue::is_time_zone(&self.0.pool, time_zone).await?) {
            return Err(Problem::input("time_zone", ZONE));
        }
        let last = match read(to.or(from), to).await {
            Ok(spans) => spans.last().map(|span| span.month),
            Err(error) if is_unknown_zone(&error) => return Err(Problem::input("time_zone", ZONE)),
            Err(error) => return Err(error.into()),
        };
        if let Some(from) = from {
            // Without any, `from` is after the month of `at`.
            fits(from, last.unwrap_or(NaiveDate::MIN))?;
        }
        let months = read(from, to).await?;
        if months.last().is_some_and(|last| last.start > at) {
            return Err(Problem::input("to", "must not be after the month of at"));
        }
        Ok(months)
    }
}

/// What PostgreSQL calls `invalid_parameter_value`.
fn is_unknown_zone(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "22023")
}

fn problem(error: FiguresError) -> Problem {
    match error {
        FiguresError::Database(error) => error.into(),
        error @ (FiguresError::Sum | FiguresError::Kind) => Problem::from(Kind::Internal).because(error),
    }
}

fn currency(given: Option<String>) -> Answer<Option<String>> {
    let read = |text: String| {
        let currency = Currency::new(&text).map_err(|error| Problem::input("currency", error.to_string()))?;
        Ok(currency.as_str().to_owned())
    };
    given.map(read).transpose()
}

/// The first day of a month.
fn month(name: &str, given: Option<String>) -> Answer<Option<NaiveDate>> {
    let read = |text: String| {
        let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.split_once('-').filter(|(year, month)| digits(year, 4) && digits(month, 2));
        let day = parts.and_then(|(year, month)| NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1));
        day.ok_or_else(|| Problem::input(name, "must be a month, as in 2026-02"))
    };
    given.map(read).transpose()
}
