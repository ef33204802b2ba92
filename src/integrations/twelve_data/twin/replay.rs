//! What the sandbox's market replays, and how its time goes: once decided, the same for
//! all processes and after every restart.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use trading::{Candle, Price, calendar};

/// What is replayed, and how fast.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    source: String,
    origin_real: DateTime<Utc>,
    origin_market: DateTime<Utc>,
    /// Milliseconds of an open market in a second of the world.
    speed: i64,
    ends_at: Option<DateTime<Utc>>,
}

/// What a process is to replay. What is not said stays as it is, or is as usual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// What to replay.
    pub source: Option<Source>,
    /// The instant at the market with which it begins. Without it: of a seed, the last
    /// whole minute of the world's market; of a file, after a third of it, at most 20 days.
    pub begins: Option<DateTime<Utc>>,
    /// Minutes of an open market in one second of the world.
    pub speed: Option<f64>,
}

/// Where the candles come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// They are made of a seed.
    Seed(u64),
    /// They are real.
    File {
        /// Tells one content from another.
        hash: String,
        /// Of one minute, in order; at least one.
        candles: Vec<Candle>,
    },
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Seed(seed) => format!("{SEED}{seed}"),
            Self::File { hash, .. } => format!("file {hash}"),
        }
    }
}

const SEED: &str = "seed ";
/// What is made when nothing is said.
const USUAL_SEED: u64 = 1;
/// So fast, a quarter of an hour passes in a quarter of a second.
const USUAL_SPEED: f64 = 60.0;
/// The slowest and the fastest: a market day in a day, and in a second.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.016..=1_440.0;
/// How much of a file is history when nothing else is said, at most.
const WARM_UP: TimeDelta = TimeDelta::days(20);

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Nobody has begun one.
    #[error("no replay of the market has begun")]
    Missing,
    /// Another one has begun in this database.
    #[error(
        "this database replays another market ({kept}): take another one (PROMOSTACK_HOME, DATABASE_URL) for {wanted}"
    )]
    Other {
        /// Which.
        kept: String,
        /// Which was wanted.
        wanted: String,
    },
    /// A file without candles.
    #[error("there are no candles to replay")]
    Nothing,
    /// A speed that is none.
    #[error("the speed must be from 0.0167 to 1440 minutes of the market in a second")]
    Speed,
    /// A beginning that the file does not have.
    #[error("the replay must begin within the file's candles, {first} to {last}")]
    Begins {
        /// The first.
        first: DateTime<Utc>,
        /// The last.
        last: DateTime<Utc>,
    },
    /// The database said no.
    #[error("the replay of the market cannot be read or stored")]
    Database(#[from] sqlx::Error),
}

#[derive(FromRow)]
struct Row {
    source: String,
    origin_real: DateTime<Utc>,
    origin_market: DateTime<Utc>,
    speed: i64,
    ends_at: Option<DateTime<Utc>>,
}

impl Replay {
    /// Begins a replay, or goes on with the one that has begun; `real` is now in the world.
    ///
    /// # Errors
    /// [`ReplayError`], also when something else is replayed already.
    pub async fn open(pool: &PgPool, real: DateTime<Utc>, wanted: &Wanted) -> Result<Self, ReplayError> {
        if wanted.speed.is_some_and(|speed| !SPEEDS.contains(&speed)) {
            return Err(ReplayError::Speed);
        }
        let mut transaction = pool.begin().await?;
        // Several processes may start at once.
        sqlx::query("lock table sandbox.market in exclusive mode").execute(&mut *transaction).await?;
        let replay = match Self::find(&mut transaction).await? {
            Some(kept) => kept.go_on(real, wanted)?,
            None => Self::begin(&mut transaction, real, wanted).await?,
        };
        sqlx::query(
            "insert into sandbox.market (source, origin_real, origin_market, speed, ends_at) values ($1, $2, $3, $4, $5)
             on conflict (one) do update set origin_real = $2, origin_market = $3, speed = $4",
        )
        .bind(&replay.source)
        .bind(replay.origin_real)
        .bind(replay.origin_market)
        .bind(replay.speed)
        .bind(replay.ends_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(replay)
    }

    /// Where a recording ends; what is made of a seed does not.
    #[must_use]
    pub const fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.ends_at
    }

    /// The one that has begun.
    ///
    /// # Errors
    /// [`ReplayError::Missing`], or what the database says.
    pub async fn read(pool: &PgPool) -> Result<Self, ReplayError> {
        let mut connection = pool.acquire().await?;
        Self::find(&mut connection).await?.ok_or(ReplayError::Missing)
    }

    async fn find(connection: &mut PgConnection) -> Result<Option<Self>, sqlx::Error> {
        let row: Option<Row> =
            sqlx::query_as("select source, origin_real, origin_market, speed, ends_at from sandbox.market")
                .fetch_optional(connection)
                .await?;
        Ok(row.map(|row| Self {
            source: row.source,
            origin_real: row.origin_real,
            origin_market: row.origin_market,
            speed: row.speed,
            ends_at: row.ends_at,
        }))
    }

    async fn begin(connection: &mut PgConnection, real: DateTime<Utc>, wanted: &Wanted) -> Result<Self, ReplayError> {
        let source = wanted.source.clone().unwrap_or(Source::Seed(USUAL_SEED));
        let name = source.name();
        let speed = milliseconds(wanted.speed.unwrap_or(USUAL_SPEED));
        let Source::File { candles, .. } = source else {
            let now = real.duration_trunc(TimeDelta::minutes(1)).unwrap_or(real);
            let origin_market = calendar::next_open(wanted.begins.unwrap_or(now));
            return Ok(Self { source: name, origin_real: real, origin_market, speed, ends_at: None });
        };
        let (Some(first), Some(last)) = (candles.first(), candles.last()) else { return Err(ReplayError::Nothing) };
        let (first, last) = (first.opened_at, last.opened_at);
        let begins = wanted.begins.unwrap_or(first + WARM_UP.min((last - first) / 3));
        if !(first..=last).contains(&begins) {
            return Err(ReplayError::Begins { first, last });
        }
        for chunk in candles.chunks(10_000) {
            let units = |price: fn(&Candle) -> Price| chunk.iter().map(|c| price(c).units()).collect::<Vec<_>>();
            sqlx::query(
                "insert into sandbox.market_candle (opened_at, open, high, low, close, volume)
                 select * from unnest($1::timestamptz[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[])",
            )
            .bind(chunk.iter().map(|candle| candle.opened_at).collect::<Vec<_>>())
            .bind(units(|candle| candle.open))
            .bind(units(|candle| candle.high))
            .bind(units(|candle| candle.low))
            .bind(units(|candle| candle.close))
            .bind(chunk.iter().map(|c| i32::try_from(c.volume).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        let ends_at = Some(last + TimeDelta::minutes(1));
        Ok(Self { source: name, origin_real: real, origin_market: calendar::next_open(begins), speed, ends_at })
    }

    /// With another speed the market goes on from where it is.
    fn go_on(self, real: DateTime<Utc>, wanted: &Wanted) -> Result<Self, ReplayError> {
        if let Some(source) = wanted.source.as_ref().map(Source::name).filter(|source| *source != self.source) {
            return Err(ReplayError::Other { kept: self.source, wanted: source });
        }
        Ok(match wanted.speed.map(milliseconds) {
            Some(speed) if speed != self.speed => {
                let origin_market = self.at(real);
                Self { origin_real: real, origin_market, speed, ..self }
            }
            _ => self,
        })
    }

    /// The market's time at an instant of the world. It jumps over the hours in which the
    /// market is closed, and stands still before the beginning and after the end.
    #[must_use]
    pub fn at(&self, real: DateTime<Utc>) -> DateTime<Utc> {
        let now = calendar::after_open_time(self.origin_market, self.open_time_in(real - self.origin_real));
        self.ends_at.map_or(now, |ends_at| now.min(ends_at))
    }

    /// How much time of an open market passes in a time of the world.
    #[must_use]
    pub fn open_time_in(&self, real: TimeDelta) -> TimeDelta {
        // A century at the highest speed.
        const MOST: i64 = 3_200_000_000_000_000;
        let real = real.num_microseconds().map_or(MOST, |real| real.clamp(0, MOST));
        let open = i128::from(real) * i128::from(self.speed) / 1_000;
        TimeDelta::microseconds(i64::try_from(open).unwrap_or(i64::MAX).min(MOST))
    }

    /// The market's time when the replay began, or when its speed was changed last.
    #[must_use]
    pub const fn origin(&self) -> DateTime<Utc> {
        self.origin_market
    }

    /// Names what is replayed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The seed, if candles are made of one.
    pub(super) fn seed(&self) -> Option<u64> {
        self.source.strip_prefix(SEED)?.parse().ok()
    }

    /// Minutes of an open market that pass in a second of the world.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed as f64 / MILLISECONDS
    }
}

/// Of a minute.
const MILLISECONDS: f64 = 60_000.0;

/// Milliseconds of the market in a second, of minutes in one.
fn milliseconds(minutes: f64) -> i64 {
    // Within a millisecond of the pace of the world it is meant to be that.
    (minutes * MILLISECONDS).round() as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "what cannot be read ends the test")]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn its_time_jumps_over_closed_hours_and_stops_at_the_end() {
        let replay = Replay {
            source: "seed 1".to_owned(),
            origin_real: at("2030-01-01T00:00:00Z"),
            origin_market: at("2026-05-29T20:00:00Z"),
            speed: 3_600_000,
            ends_at: Some(at("2026-06-01T01:00:00Z")),
        };
        let after = |milliseconds| replay.at(replay.origin_real + TimeDelta::milliseconds(milliseconds));
        assert_eq!(after(-5_000), at("2026-05-29T20:00:00Z"));
        assert_eq!(after(500), at("2026-05-29T20:30:00Z"));
        // Friday 17:00 in New York is Sunday 18:00 at once.
        assert_eq!(after(1_000), at("2026-05-31T22:00:00Z"));
        assert_eq!(after(2_000), at("2026-05-31T23:00:00Z"));
        assert_eq!(after(100_000_000), at("2026-06-01T01:00:00Z"));
        assert_eq!(replay.open_time_in(TimeDelta::seconds(10)), TimeDelta::minutes(600));
        // Another speed goes on from there; another market does not.
        let real = replay.origin_real + TimeDelta::seconds(2);
        let faster = replay.clone().go_on(real, &Wanted { speed: Some(120.0), ..Wanted::default() }).unwrap();
        assert_eq!(faster.at(real), replay.at(real));
        assert_eq!(faster.at(real + TimeDelta::milliseconds(500)), at("2026-06-01T00:00:00Z"));
        let other = Wanted { source: Some(Source::Seed(2)), ..Wanted::default() };
        assert!(matches!(replay.go_on(real, &other), Err(ReplayError::Other { .. })));
    }
}
