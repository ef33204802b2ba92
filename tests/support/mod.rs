//! The harness: a database of its own for each test, real `promostack`
//! processes, and Telegram's twin as the judge of what people got to see.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test target uses its part; a harness that fails must panic"
)]

pub mod balancer;
pub mod database;
pub mod localstripe;
pub mod members;
pub mod pictures;
pub mod process;
pub mod s3;
pub mod signals;
pub mod steps;
pub mod stripe;
pub mod telegram;
pub mod transcript;

use std::time::Duration;

pub use balancer::Balancer;
pub use database::Database;
pub use process::Process;
use promostack::integrations::telegram::twin::TwinLimits;
pub use telegram::Telegram;

/// Long enough for a busy machine; a wait that ends well ends sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `check` answers, looking again and again; panics with `what` after a minute.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until nothing is left of what `left` counts, for as long as less and less is: a busy
/// machine has its time. Panics with `what` after a minute without progress.
pub async fn used_up(what: &str, mut left: impl AsyncFnMut() -> i64) {
    let (mut fewest, mut end) = (i64::MAX, tokio::time::Instant::now() + PATIENCE);
    loop {
        match left().await {
            0 => return,
            left if left < fewest => (fewest, end) = (left, tokio::time::Instant::now() + PATIENCE),
            left => assert!(tokio::time::Instant::now() < end, "waited in vain for {what}: {left} are left"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One installation: a database, Telegram, a load balancer, and the processes.
pub struct World {
    pub telegram: Telegram,
    pub balancer: Balancer,
    pub pool: sqlx::PgPool,
    pub database: Database,
}

impl World {
    pub async fn new() -> Self {
        Self::on(Database::fresh().await).await
    }

    /// With a Telegram that enforces limits.
    pub async fn with_limits(limits: TwinLimits) -> Self {
        Self::put_together(Database::fresh().await, limits).await
    }

    /// A world on a database that is there, migrated here so that the twin can work before any process does.
    pub async fn on(database: Database) -> Self {
        Self::put_together(database, TwinLimits::NONE).await
    }

    async fn put_together(database: Database, limits: TwinLimits) -> Self {
        let pool = database.pool();
        promostack::app::MIGRATIONS.run(&pool).await.unwrap();
        let telegram = Telegram::serve(pool.clone(), limits).await;
        Self { telegram, balancer: Balancer::serve().await, pool, database }
    }

    /// Starts a process of this installation. The balancer does not know it yet.
    pub async fn process(&self) -> Process {
        self.process_with(&[]).await
    }

    pub async fn process_with(&self, more: &[(&str, &str)]) -> Process {
        let mut environment = vec![
            ("DATABASE_URL", self.database.url.as_str()),
            ("TELEGRAM_BOT_TOKEN", telegram::TOKEN),
            ("TELEGRAM_API_URL", &self.telegram.url),
            ("PUBLIC_URL", &self.balancer.url),
        ];
        environment.extend_from_slice(more);
        let process = Process::start(&environment).await;
        eventually("the webhook to be registered", async || {
            process.output.lock().unwrap().contains("Telegram delivers updates here").then_some(())
        })
        .await;
        process
    }

    /// What the bot wrote to somebody.
    pub async fn bot_said(&self, user: i64) -> Vec<String> {
        let messages = self.telegram.messages(user).await;
        messages
            .iter()
            .filter(|message| message["from"] == "bot")
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Everything is worked: no update on its way, no job left, no feed behind. A busy
    /// machine has its time, as long as less and less is left.
    pub async fn settled(&self) {
        let mut end = tokio::time::Instant::now() + PATIENCE;
        let mut fewest = usize::MAX;
        loop {
            let left: Result<Vec<String>, _> = sqlx::query_scalar(
                "select 'update ' || update_id from sandbox.telegram_delivery where delivered_at is null
                 union all
                 select format('job %s %s tries %s due in %s locked for %s: %s', id, kind, attempts, run_at - now(),
                               locked_until - now(), last_error) from jobs where dead_at is null
                 union all
                 select format('feed %s at %s', feed, position) from checkpoints
                  where position < (select coalesce(max(position), 0) from events)",
            )
            .fetch_all(&self.pool)
            .await;
            match left {
                Ok(left) if left.is_empty() => return,
                Ok(left) if left.len() < fewest => {
                    fewest = left.len();
                    end = tokio::time::Instant::now() + PATIENCE;
                }
                left if tokio::time::Instant::now() > end => {
                    panic!("waited in vain for all work to be done: {left:#?}")
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// What an auditor checks of any log.
    pub async fn audit(&self) {
        let (count, first, last): (i64, i64, i64) =
            sqlx::query_as("select count(*), coalesce(min(position), 1), coalesce(max(position), 0) from events")
                .fetch_one(&self.pool)
                .await
                .unwrap();
        assert_eq!((first, last), (1, count), "positions are gapless");
        let wrong: i64 = sqlx::query_scalar(
            "select count(*) from (
                select sequence <> row_number() over (partition by aggregate_type, aggregate_id order by position)
                       or recorded_at < lag(recorded_at) over (order by position) as wrong from events) e where wrong",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        assert_eq!(wrong, 0, "streams are gapless and in order, times never run back");
    }
}
