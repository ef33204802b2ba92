//! Candles in PostgreSQL, and how far they are complete.

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt};
use sqlx::PgPool;
use trading::{Candle, Price};

/// From when until when everything the source has is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Which market it is: [`LIVE`], or what the sandbox replays.
    pub source: String,
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub until: DateTime<Utc>,
}

/// The [`Coverage::source`] of the world's market.
pub const LIVE: &str = "live";

/// Why candles were not kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// They are of another market than those that are there.
    #[error(
        "the candles in this database are of another market ({kept}), and are not mixed with those of this one ({offered})"
    )]
    OtherSource {
        /// Of those that are there.
        kept: String,
        /// Of those that were to be kept.
        offered: String,
    },
    /// The database said no.
    #[error("candles could not be stored")]
    Database(#[from] sqlx::Error),
}

/// Keeps candles of one minute that are all the source has of the span `covered`; answers
/// how many were new.
///
/// A candle that is there stays as it is, whatever the source says now: something may have
/// been decided on it, and whoever looks into that has to find it again. `covered` extends
/// the [`coverage`] where the two meet; candles apart from it are kept without.
///
/// # Errors
/// [`StoreError`]; nothing is kept then.
pub async fn store(pool: &PgPool, instrument: &str, candles: &[Candle], covered: &Coverage) -> Result<u64, StoreError> {
    let mut transaction = pool.begin().await?;
    // Locks the row, so that two processes extend it one after the other.
    let kept = sqlx::query_scalar!(
        "insert into candle_coverage as kept (instrument, source, covered_from, covered_until) values ($1, $2, $3, $4) \
         on conflict (instrument) do update set \
            covered_from = case when $3 <= kept.covered_until and $4 >= kept.covered_from \
                                then least(kept.covered_from, $3) else kept.covered_from end, \
            covered_until = case when $3 <= kept.covered_until and $4 >= kept.covered_from \
                                 then greatest(kept.covered_until, $4) else kept.covered_until end \
         returning source",
        instrument,
        covered.source,
        covered.from,
        covered.until,
    )
    .fetch_one(&mut *transaction)
    .await?;
    if kept != covered.source {
        return Err(StoreError::OtherSource { kept, offered: covered.source.clone() });
    }
    let mut new = 0;
    for chunk in candles.chunks(CHUNK) {
        let units = |price: fn(&Candle) -> Price| chunk.iter().map(|candle| price(candle).units()).collect::<Vec<_>>();
        let opened_at: Vec<_> = chunk.iter().map(|candle| candle.opened_at).collect();
        let volume: Vec<_> = chunk.iter().map(|candle| i32::try_from(candle.volume).unwrap_or(i32::MAX)).collect();
        let inserted = sqlx::query!(
            "insert into candles (instrument, opened_at, open, high, low, close, volume) \
             select $1, * from unnest($2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[]) \
             on conflict do nothing",
            instrument,
            &opened_at,
            &units(|candle| candle.open),
            &units(|candle| candle.high),
            &units(|candle| candle.low),
            &units(|candle| candle.close),
            &volume,
        )
        .execute(&mut *transaction)
        .await?;
        new += inserted.rows_affected();
    }
    transaction.commit().await?;
    Ok(new)
}

/// Candles in one statement.
const CHUNK: usize = 10_000;

/// How far the candles of an instrument are complete; none when there are none.
///
/// # Errors
/// What the database says.
pub async fn coverage(pool: &PgPool, instrument: &str) -> Result<Option<Coverage>, sqlx::Error> {
    sqlx::query_as!(
        Coverage,
        r#"select source, covered_from as "from", covered_until as "until" from candle_coverage where instrument = $1"#,
        instrument,
    )
    .fetch_optional(pool)
    .await
}

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

/// The candles that begin from `from` on and before `to`, in order: for hours or weeks of
/// them; years are [streamed](stream).
///
/// # Errors
/// What the database says.
pub async fn read(
    pool: &PgPool,
    instrument: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Candle>, sqlx::Error> {
    stream(pool, instrument, from, to).try_collect().await
}

/// As [`read`], one after the other.
pub fn stream<'a>(
    pool: &'a PgPool,
    instrument: &'a str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> impl Stream<Item = Result<Candle, sqlx::Error>> + 'a {
    sqlx::query_as!(
        Row,
        "select opened_at, open, high, low, close, volume from candles \
          where instrument = $1 and opened_at >= $2 and opened_at < $3 order by opened_at",
        instrument,
        from,
        to,
    )
    .fetch(pool)
    .map_ok(Candle::from)
}

/// The last candles, so many of them at most, in order.
///
/// # Errors
/// What the database says.
pub async fn last(pool: &PgPool, instrument: &str, count: i64) -> Result<Vec<Candle>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select opened_at, open, high, low, close, volume from candles where instrument = $1 order by opened_at desc limit $2",
        instrument,
        count,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().rev().map(Candle::from).collect())
}

/// The last candle; none when there are none.
///
/// # Errors
/// What the database says.
pub async fn latest(pool: &PgPool, instrument: &str) -> Result<Option<Candle>, sqlx::Error> {
    Ok(last(pool, instrument, 1).await?.pop())
}
