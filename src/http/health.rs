//! Whether it works, for load balancers and for people.

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, OpenApi, payload::Json, types::Example};
use tokio::time::Duration;

use super::{
    Tags,
    problem::{Answer, Kind, Problem},
};
use crate::{
    app::{App, MIGRATIONS},
    feed,
    integrations::storage::Keeper,
};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A feed that is further behind than this is not well.
const LAG: f64 = 60.0;

pub(super) struct HealthApi(pub(super) App);

/// How well it is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[oai(rename_all = "snake_case")]
enum HealthStatus {
    /// All is well.
    Ok,
    /// It works, but not all of it.
    Degraded,
    /// It does not work.
    Unavailable,
}

/// What stands behind an integration.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum IntegrationStatus {
    /// The real service.
    Live,
    /// Its twin in the sandbox.
    Sandbox,
    /// It is not configured.
    Unavailable,
}

/// What keeps uploaded and rendered files.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum StorageKeeper {
    /// An S3-compatible service.
    S3,
    /// A folder of this machine.
    Folder,
}

/// How well the object storage is.
#[derive(Object)]
struct StorageHealth {
    /// What keeps the files.
    keeper: StorageKeeper,
    /// Whether a file could be written and read within the last half minute.
    status: HealthStatus,
}

/// How well the price of gold is known.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct MarketHealth {
    /// What stands behind it.
    source: IntegrationStatus,
    /// Whether gold is traded now; missing without a source.
    is_open: Option<bool>,
    /// Until when all candles are known, in the market's time, which in the sandbox is not the world's.
    complete_until: Option<DateTime<Utc>>,
    /// Whether more than five minutes of an open market are unknown. Nothing is decided then, which degrades it.
    is_stale: bool,
}

/// How far a feed has come.
#[derive(Object)]
struct FeedHealth {
    /// Its name.
    name: String,
    /// Events it has not consumed.
    lag_events: i64,
    /// Age of the oldest of them, in seconds.
    lag_seconds: f64,
}

/// How well everything is.
#[derive(Object)]
#[oai(example)]
struct Health {
    /// The worst of all below. A missing Telegram, a stale market or a storage that does not work degrades it.
    status: HealthStatus,
    /// The version of this program.
    version: String,
    /// Whether the database answers.
    database: HealthStatus,
    /// What stands behind the coupon bot.
    telegram: IntegrationStatus,
    /// What stands behind payments.
    stripe: IntegrationStatus,
    /// What stands behind the price of gold.
    market: MarketHealth,
    /// What keeps uploaded and rendered files.
    storage: StorageHealth,
    /// Feeds that are further behind than a minute degrade it.
    feeds: Vec<FeedHealth>,
}

impl Example for Health {
    fn example() -> Self {
        Self {
            status: HealthStatus::Ok,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database: HealthStatus::Ok,
            telegram: IntegrationStatus::Live,
            stripe: IntegrationStatus::Live,
            market: MarketHealth {
                source: IntegrationStatus::Live,
                is_open: Some(true),
                complete_until: DateTime::from_timestamp(1_800_000_000, 0),
                is_stale: false,
            },
            storage: StorageHealth { keeper: StorageKeeper::S3, status: HealthStatus::Ok },
            feeds: vec![FeedHealth { name: "campaigns".to_owned(), lag_events: 0, lag_seconds: 0.0 }],
        }
    }
}

/// It answers.
#[derive(Object)]
#[oai(example)]
struct Alive {
    /// Always `ok`.
    status: HealthStatus,
}

impl Example for Alive {
    fn example() -> Self {
        Self { status: HealthStatus::Ok }
    }
}

#[OpenApi(tag = "Tags::Health")]
impl HealthApi {
    /// Show how well everything is
    ///
    /// Always 200, whatever is not well: for a status code, see `/api/health/ready`.
    #[oai(path = "/health", method = "get", operation_id = "getHealth")]
    async fn health(&self) -> Answer<Json<Health>> {
        let standings = tokio::time::timeout(PATIENCE, feed::standings(&self.0.pool));
        let (standings, storage_is_well, market) = tokio::join!(standings, self.0.storage.is_well(), self.market());
        let standings = match standings {
            Ok(Ok(standings)) => Some(standings),
            Ok(Err(_)) | Err(_) => None,
        };
        let telegram = match (&self.0.telegram, self.0.config.sandbox && self.0.config.telegram_api_url.is_some()) {
            (None, _) => IntegrationStatus::Unavailable,
            (Some(_), true) => IntegrationStatus::Sandbox,
            (Some(_), false) => IntegrationStatus::Live,
        };
        let config = &self.0.config;
        let stripe = match (config.stripe_webhook_secrets.is_empty(), config.sandbox && config.stripe_api_url.is_some())
        {
            (true, _) => IntegrationStatus::Unavailable,
            (false, true) => IntegrationStatus::Sandbox,
            (false, false) => IntegrationStatus::Live,
        };
        let storage = StorageHealth {
            keeper: match self.0.storage.keeper() {
                Keeper::S3 => StorageKeeper::S3,
                Keeper::Folder => StorageKeeper::Folder,
            },
            status: if storage_is_well { HealthStatus::Ok } else { HealthStatus::Unavailable },
        };
        let database = if standings.is_some() { HealthStatus::Ok } else { HealthStatus::Unavailable };
        let feeds = standings.unwrap_or_default();
        let behind = feeds.iter().any(|feed| feed.lag_seconds > LAG);
        let lacking = telegram == IntegrationStatus::Unavailable || market.is_stale;
        let status =
            if behind || lacking || !storage_is_well { HealthStatus::Degraded.max(database) } else { database };
        Ok(Json(Health {
            status,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database,
            telegram,
            stripe,
            market,
            storage,
            feeds: feeds
                .into_iter()
                .map(|feed| FeedHealth { name: feed.feed, lag_events: feed.lag_events, lag_seconds: feed.lag_seconds })
                .collect(),
        }))
    }

    /// Say whether the process lives
    ///
    /// It answers, so it does. That says nothing of the database or of anything else it needs.
    #[oai(path = "/health/live", method = "get", operation_id = "getLiveness")]
    async fn live(&self) -> Answer<Json<Alive>> {
        Ok(Json(Alive { status: HealthStatus::Ok }))
    }

    /// Say whether requests can be sent here
    ///
    /// They can when the database is reachable and migrated.
    ///
    /// Problems: not-ready
    #[oai(path = "/health/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self) -> Answer<Json<Alive>> {
        let wanted = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        // Not a checked query: the table is sqlx's own.
        let applied = sqlx::query_scalar::<_, Option<i64>>("select max(version) from _sqlx_migrations where success")
            .fetch_one(&self.0.pool);
        match tokio::time::timeout(PATIENCE, applied).await {
            Ok(Ok(Some(applied))) if applied >= wanted => Ok(Json(Alive { status: HealthStatus::Ok })),
            Ok(Ok(_)) => Err(Problem::from(Kind::NotReady).with_detail("The database is not migrated yet.")),
            Ok(Err(_)) | Err(_) => Err(Problem::from(Kind::NotReady).with_detail("The database does not answer.")),
        }
    }
}

impl HealthApi {
    async fn market(&self) -> MarketHealth {
        let Some(market) = &self.0.market else {
            let source = IntegrationStatus::Unavailable;
            return MarketHealth { source, is_open: None, complete_until: None, is_stale: false };
        };
        let source = if market.is_replayed() { IntegrationStatus::Sandbox } else { IntegrationStatus::Live };
        match tokio::time::timeout(PATIENCE, market.standing(&self.0)).await {
            Ok(Ok(standing)) => MarketHealth {
                source,
                is_open: Some(standing.is_open()),
                complete_until: standing.coverage.as_ref().map(|coverage| coverage.until),
                is_stale: standing.fresh().is_err(),
            },
            Ok(Err(_)) | Err(_) => MarketHealth { source, is_open: None, complete_until: None, is_stale: true },
        }
    }
}
