//! The application: the only place where its parts meet.

use std::{
    ops::Deref,
    str::FromStr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aggregates::{
    BotUser, Broadcast, Campaign, Code, CodeKey, Conversation, Decide, Guard, Member, PersonId, Plan, Signal,
    Submission, Subscription, Template,
};
use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::OnceCell, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    broadcasts::sender::Sender,
    cards::Drawer,
    clock::Clock,
    config::Config,
    coupons::Batches,
    executor::{Executor, LoadTask, Loader},
    feed::{self, Consumer, Feed, FeedError},
    integrations::{
        copywriter::Copywriter,
        storage::{Storage, StorageError},
        stripe::Stripe,
        telegram::{BotIdentity, Telegram},
        twelve_data::TwelveData,
    },
    jobs::worker::Worker,
    log::{Log, LogTask},
    market::Market,
    membership::access_table::AccessTable,
    metrics::Metrics,
    retry::Backoff,
    secrets::{self, Secret},
    signals::watch::Watch,
    stripe::inbox::{Inbox, InboxTask},
    timers,
    wake::Wake,
};

/// The migrations, in the binary.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!();
    // A newer program may have migrated the database and be followed by this one again.
    migrations.set_ignore_missing(true);
    migrations
});

/// How long a start waits for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(30);

/// The parts of one installation on one database. Cheap to clone; there is no
/// other state, so two apps on two databases run in one process.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What an [`App`] is made of.
pub struct Parts {
    /// As it was read.
    pub config: Config,
    /// Time and ids.
    pub clock: Clock,
    /// Connections for everything but the append.
    pub pool: PgPool,
    /// How to make another connection.
    pub options: PgConnectOptions,
    /// The log.
    pub log: Log,
    /// Commands on campaigns.
    pub campaigns: Executor<Campaign>,
    /// Commands on shared codes.
    pub codes: Executor<Code>,
    /// Commands on people who use the bot.
    pub bot_users: Executor<BotUser>,
    /// Commands on broadcasts.
    pub broadcasts: Executor<Broadcast>,
    /// Commands on what counts against people who try codes.
    pub guards: Executor<Guard>,
    /// Commands on what the bot and people talk about.
    pub conversations: Executor<Conversation>,
    /// Commands on the answers to the questions of campaigns.
    pub submissions: Executor<Submission>,
    /// Commands on templates of cards.
    pub templates: Executor<Template>,
    /// Commands on plans.
    pub plans: Executor<Plan>,
    /// Commands on subscriptions.
    pub subscriptions: Executor<Subscription>,
    /// Commands on who is in a channel; streams are called as [`aggregates::member::stream`] has it.
    pub members: Executor<Member>,
    /// Commands on the signals of instruments; streams are called as the instrument, such as
    /// [`aggregates::signal::XAUUSD`].
    pub signals: Executor<Signal>,
    /// Who has access, by e-mail address: what is asked on each page view of a partner.
    pub access_table: AccessTable,
    /// The coupon bot's client; none without a token.
    pub telegram: Option<Telegram>,
    /// The forex bot's client; none without a token.
    pub forex: Option<Telegram>,
    /// Who finds words for the forex bot; none without a key.
    pub copywriter: Option<Copywriter>,
    /// Stripe's client; none without a key.
    pub stripe: Option<Stripe>,
    /// Where Stripe's webhooks are kept.
    pub stripe_inbox: Inbox,
    /// The gold market; none without a key for its prices.
    pub market: Option<Market>,
    /// Shows it to the signals.
    pub watch: Watch,
    /// Uploaded and rendered files.
    pub storage: Storage,
    /// Who the coupon bot is, once it was asked.
    pub bot: OnceCell<BotIdentity>,
    /// Draws coupons.
    pub drawer: Drawer,
    /// What is known of batches of codes.
    pub batches: Batches,
    /// Wake-ups.
    pub wake: Wake,
    /// For Prometheus.
    pub metrics: Arc<Metrics>,
    started: AtomicBool,
    tasks: std::sync::Mutex<Option<(LogTask, LoadTask, InboxTask)>>,
    person_key: OnceCell<Vec<u8>>,
    code_key: OnceCell<CodeKey>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers HTTP: the API and the webhooks.
    Web,
    /// Works feeds, jobs and timers.
    Work,
    /// Both.
    All,
}

impl Role {
    /// Whether it answers HTTP.
    #[must_use]
    pub const fn web(self) -> bool {
        matches!(self, Self::Web | Self::All)
    }

    /// Whether it works feeds, jobs and timers.
    #[must_use]
    pub const fn work(self) -> bool {
        matches!(self, Self::Work | Self::All)
    }
}

/// Why an app could not be built or started.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address of the database is not one.
    #[error("the database address cannot be read")]
    Address(#[source] sqlx::Error),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Http(#[source] reqwest::Error),
    /// The settings of the object storage make none.
    #[error("the object storage cannot be set up")]
    Storage(#[source] StorageError),
    /// No connection within the time a start waits.
    #[error("the database cannot be reached")]
    Connect(#[source] sqlx::Error),
    /// It is older than 15.
    #[error("PostgreSQL 15 or newer is needed; the server is {0}")]
    TooOld(String),
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migrate(#[source] MigrateError),
    /// Feeds or timers could not be registered.
    #[error("feeds could not be registered")]
    Feeds(#[from] FeedError),
    /// Feeds or timers could not be registered.
    #[error("timers could not be registered")]
    Timers(#[source] sqlx::Error),
}

impl App {
    /// Puts the parts together. Nothing happens: no connection, no task.
    ///
    /// # Errors
    /// [`AppError::Address`], [`AppError::Http`] or [`AppError::Storage`].
    pub fn build(config: Config, database_url: &str, clock: Clock) -> Result<Self, AppError> {
        let options = PgConnectOptions::from_str(database_url)
            .map_err(AppError::Address)?
            .application_name("promostack")
            // What acknowledged means must not depend on how the server was set up: a commit is
            // durable, and `append_events` sees what was committed while it waited for its lock.
            .options([
                ("search_path", "public,read_models"),
                ("synchronous_commit", "on"),
                // (A space in a value is escaped.)
                ("default_transaction_isolation", r"read\ committed"),
                // To compile a query takes the server as long as it takes to answer thousands of ours.
                ("jit", "off"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(24)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(options.clone());
        let metrics = Arc::new(Metrics::default());
        let wake = Wake::default();
        let (log, log_task) = Log::new(pool.clone(), options.clone(), wake.clone(), metrics.clone());
        let (loader, load_task) = Loader::new(pool.clone());
        let bus = Bus { log: &log, loader: &loader, pool: &pool, clock: &clock, metrics: &metrics };
        let http = crate::integrations::http_client().map_err(AppError::Http)?;
        let storage = Storage::open(&config.objects, http.clone()).map_err(AppError::Storage)?;
        let bot = |token: &Secret| Telegram::new(token.reveal(), config.telegram_api_url.clone(), http.clone());
        let telegram = config.telegram_bot_token.as_ref().map(bot);
        let forex = config.forex.token.as_ref().map(bot);
        let copywriter = Copywriter::new(&config.copywriter, http.clone());
        let stripe = config
            .stripe_secret_key
            .as_ref()
            .map(|key| Stripe::new(key.clone(), config.stripe_api_url.clone(), http.clone()));
        let market = config.twelve_data_api_key.as_ref().map(|key| {
            let client = TwelveData::new(key, config.twelve_data_api_url.clone(), http, clock.clone());
            Market::new(client, config.market_is_replayed)
        });
        let (stripe_inbox, inbox_task) = Inbox::new(options.clone(), wake.clone());
        Ok(Self(Arc::new(Parts {
            campaigns: bus.executor(),
            codes: bus.executor(),
            bot_users: bus.executor(),
            broadcasts: bus.executor(),
            guards: bus.executor(),
            conversations: bus.executor(),
            submissions: bus.executor(),
            templates: bus.executor(),
            plans: bus.executor(),
            subscriptions: bus.executor(),
            members: bus.executor(),
            signals: bus.executor(),
            access_table: AccessTable::default(),
            config,
            clock,
            pool,
            options,
            log,
            telegram,
            forex,
            copywriter,
            stripe,
            stripe_inbox,
            market,
            watch: Watch::default(),
            storage,
            bot: OnceCell::new(),
            drawer: Drawer::default(),
            batches: Batches::default(),
            wake,
            metrics,
            started: AtomicBool::new(false),
            tasks: std::sync::Mutex::new(Some((log_task, load_task, inbox_task))),
            person_key: OnceCell::new(),
            code_key: OnceCell::new(),
        })))
    }

    /// Migrates and starts the loops of a role. A second start does nothing.
    ///
    /// # Errors
    /// [`AppError`]; nothing runs then.
    pub async fn start(&self, role: Role) -> Result<Running, AppError> {
        let stop = CancellationToken::new();
        let mut background = JoinSet::new();
        let mut working = JoinSet::new();
        if self.started.swap(true, Ordering::SeqCst) {
            return Ok(Running { stop, working, background });
        }
        self.prepare().await.inspect_err(|_| self.started.store(false, Ordering::SeqCst))?;
        let tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some((log_task, load_task, inbox_task)) = tasks {
            background.spawn(inbox_task.run());
            background.spawn(log_task.run());
            background.spawn(load_task.run());
        }
        let (wake, options) = (self.wake.clone(), self.options.clone());
        background.spawn(async move { wake.run(options).await });
        if role.web() {
            let (app, stop) = (self.clone(), stop.clone());
            working.spawn(async move { app.access_table.follow(&app, stop).await });
        }
        if role.work() {
            for consumer in Consumer::all() {
                let feed = Feed {
                    consumer,
                    pool: self.pool.clone(),
                    wake: self.wake.clone(),
                    metrics: self.metrics.clone(),
                    clock: self.clock.clone(),
                };
                working.spawn(feed.run(stop.clone()));
            }
            for worker in Worker::all(self) {
                working.spawn(worker.run(stop.clone(), self.config.shutdown));
            }
            if let Some(sender) = Sender::new(self) {
                working.spawn(sender.run(stop.clone(), self.config.shutdown));
            }
            working.spawn(timers::run(self.clone(), stop.clone()));
        }
        Ok(Running { stop, working, background })
    }

    /// Waits for the database, migrates it, and makes feeds and timers known.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn prepare(&self) -> Result<(), AppError> {
        let deadline = tokio::time::Instant::now() + DATABASE_PATIENCE;
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let version = self.server_version().await;
            match version {
                Ok((number, text)) if number < 150_000 => return Err(AppError::TooOld(text)),
                Ok(_) => break,
                Err(error) if tokio::time::Instant::now() > deadline => return Err(AppError::Connect(error)),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "waiting for the database");
                    tokio::time::sleep(backoff.wait()).await;
                }
            }
        }
        MIGRATIONS.run(&self.pool).await.map_err(AppError::Migrate)?;
        feed::register(&self.pool).await?;
        timers::register(&self.pool).await.map_err(AppError::Timers)
    }

    /// Asked on a connection of its own: the pool would hide why there is none.
    async fn server_version(&self) -> Result<(i32, String), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        sqlx::query_as("select current_setting('server_version_num')::int, current_setting('server_version')")
            .fetch_one(&mut connection)
            .await
    }

    /// The pseudonym of a Telegram user.
    ///
    /// # Errors
    /// What the database says when the key is read for the first time.
    pub async fn person_of_telegram(&self, user_id: i64) -> Result<PersonId, sqlx::Error> {
        self.person(&format!("telegram:{user_id}")).await
    }

    /// The pseudonym of a customer of another system, by the name it has there.
    ///
    /// # Errors
    /// What the database says when the key is read for the first time.
    pub async fn person_of_customer(&self, customer: &str) -> Result<PersonId, sqlx::Error> {
        self.person(&format!("customer:{customer}")).await
    }

    /// The stream of a person's answers to a campaign's questions.
    ///
    /// # Errors
    /// What the database says when the key is read for the first time.
    pub async fn submission(&self, campaign: Uuid, person: PersonId) -> Result<Uuid, sqlx::Error> {
        Ok(self.person(&format!("submission:{campaign}:{person}")).await?.0)
    }

    async fn person(&self, identity: &str) -> Result<PersonId, sqlx::Error> {
        let key = self.person_key.get_or_try_init(|| secrets::get_or_create(&self.pool, "person")).await?;
        Ok(secrets::pseudonym(key, identity))
    }

    /// The key that unique codes are made with.
    ///
    /// # Errors
    /// What the database says when it is read for the first time.
    pub async fn code_key(&self) -> Result<&CodeKey, sqlx::Error> {
        let make = async || Ok(CodeKey::new(&secrets::get_or_create(&self.pool, "codes").await?));
        self.code_key.get_or_try_init(make).await
    }
}

/// What all executors of an app share.
struct Bus<'a> {
    log: &'a Log,
    loader: &'a Loader,
    pool: &'a PgPool,
    clock: &'a Clock,
    metrics: &'a Arc<Metrics>,
}

impl Bus<'_> {
    fn executor<A: Decide>(&self) -> Executor<A> {
        let Self { log, loader, pool, clock, metrics } = *self;
        Executor::new(log.clone(), loader.clone(), pool.clone(), clock.clone(), metrics.clone())
    }
}

/// The loops of a started [`App`].
pub struct Running {
    /// Cancel it to stop them.
    pub stop: CancellationToken,
    working: JoinSet<()>,
    background: JoinSet<()>,
}

impl Running {
    /// Returns when a loop has ended that should not have: it panicked.
    pub async fn broken(&mut self) {
        tokio::select! {
            Some(_) = self.working.join_next() => {}
            Some(_) = self.background.join_next() => {}
            else => std::future::pending().await,
        }
    }

    /// Stops: feeds finish their batch, jobs are finished or given back.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.working.join_next().await.is_some() {}
        // Whoever waited for the log has had its answer by now.
        self.background.shutdown().await;
    }
}
