//! A database of its own for a test, and what a process does with one.

use std::sync::Arc;

use promostack::{
    clock::Clock,
    executor::{Executor, Loader},
    log::{Append, Cause, Log, LogTask, NewEvent, StreamName},
    metrics::Metrics,
    wake::Wake,
};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A migrated database that is dropped with this value.
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let server = server();
        let name = format!("log_test_{}", Clock::system().new_id().simple());
        let mut connection = PgConnection::connect_with(&server).await.expect("the server answers");
        sqlx::query(&format!("create database {name}")).execute(&mut connection).await.expect("may create databases");
        let database = Self { server, name };
        let mut connection = PgConnection::connect_with(&database.options()).await.expect("the database is there");
        sqlx::migrate!().run_direct(&mut connection).await.expect("the migrations run");
        database
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// A connection that no process knows of.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.options()).await.expect("the database is there")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("drop database {} with (force)", self.name));
        // On a thread of its own, because the test's runtime may be the one that is stopping.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect_with(&server).await?;
                sqlx::query(&statement).execute(&mut connection).await.map(|_| ())
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("{}: {error}", self.name);
        }
    }
}

/// Where tests may create databases.
#[allow(clippy::disallowed_methods, reason = "a test has no configuration but its environment")]
fn server() -> PgConnectOptions {
    std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a server on which databases may be created")
        .parse()
        .expect("it is a PostgreSQL URL")
}

/// What one process has of the log. Stops with this value.
pub(crate) struct Process {
    pub(crate) log: Log,
    pub(crate) pool: PgPool,
    loader: Loader,
    pub(crate) metrics: Arc<Metrics>,
    tasks: JoinSet<()>,
}

/// The name under which the server knows the connections that append.
pub(crate) const APPENDER: &str = "appender";

impl Process {
    pub(crate) async fn start(database: &Database) -> Self {
        Self::start_over(database, database.options()).await
    }

    /// A process that appends over connections of its own kind.
    pub(crate) async fn start_over(database: &Database, appender: PgConnectOptions) -> Self {
        let (mut process, task) = Self::new(database, appender).await;
        process.tasks.spawn(task.run());
        process
    }

    /// A process whose appender does not run yet: what is queued before it
    /// does is one batch.
    pub(crate) async fn stopped(database: &Database) -> (Self, LogTask) {
        Self::new(database, database.options()).await
    }

    async fn new(database: &Database, appender: PgConnectOptions) -> (Self, LogTask) {
        let metrics = Arc::new(Metrics::default());
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_with(database.options())
            .await
            .expect("the database is there");
        let appender = appender.application_name(APPENDER);
        let (log, task) = Log::new(pool.clone(), appender, Wake::default(), metrics.clone());
        let (loader, load_task) = Loader::new(pool.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(load_task.run());
        (Self { log, pool, loader, metrics, tasks }, task)
    }

    pub(crate) fn executor<A: aggregates::Decide>(&self) -> Executor<A> {
        Executor::new(self.log.clone(), self.loader.clone(), self.pool.clone(), Clock::system(), self.metrics.clone())
    }
}

/// The aggregate type of appends that no aggregate decided.
pub(crate) const KIND: &str = "thing";

/// An append of `events` events without meaning.
pub(crate) fn append(stream: &str, next: i64, events: usize) -> Append {
    Append {
        stream: StreamName { kind: KIND, id: stream.into() },
        next,
        events: (0..events).map(|n| event(&format!(r#"{{"n":{n}}}"#))).collect(),
        cause: cause("tester"),
        once: None,
        refusal: None,
    }
}

pub(crate) fn event(payload: &str) -> NewEvent {
    NewEvent {
        id: Clock::system().new_id(),
        name: "Happened".to_owned(),
        version: "1".to_owned(),
        payload: payload.to_owned(),
    }
}

pub(crate) fn cause(actor: &str) -> Cause {
    Cause { actor: actor.into(), correlation: Uuid::nil(), causation: "test".into() }
}
