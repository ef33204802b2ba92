//! A database for the run, dropped afterwards.

use std::{path::PathBuf, sync::Mutex};

use promostack::{
    clock::Clock,
    postgres::{Cluster, Settings},
};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// The server to measure on: the one that DATABASE_URL names, or a private one
/// of this run, durable as in production.
#[allow(clippy::disallowed_methods, reason = "a benchmark has no configuration but its environment")]
fn server() -> String {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return url;
    }
    let mut private = PRIVATE.lock().expect("nobody panicked while starting it");
    private.get_or_insert_with(Private::start).cluster.url().to_owned()
}

static PRIVATE: Mutex<Option<Private>> = Mutex::new(None);

/// Stops the private server, if there is one.
pub(crate) fn stop() {
    if let Some(private) = PRIVATE.lock().expect("nobody panicked while starting it").take() {
        private.cluster.stop().expect("the private PostgreSQL stops");
        std::fs::remove_dir_all(private.home).expect("its directory goes with it");
    }
}

/// A private server, and where it lives.
struct Private {
    cluster: Cluster,
    home: PathBuf,
}

impl Private {
    #[allow(clippy::disallowed_methods, reason = "a benchmark has no configuration but its environment")]
    fn start() -> Self {
        let home = std::env::temp_dir().join(format!("promostack-bench-{}", std::process::id()));
        let settings = Settings { home: home.clone(), durable: true, bin: None, path: std::env::var_os("PATH") };
        Self { cluster: Cluster::start(&settings).expect("a private PostgreSQL starts"), home }
    }
}

/// A migrated database that is dropped with this value.
pub(crate) struct Database {
    address: String,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let address = server();
        let server: PgConnectOptions = address.parse().expect("it is the URL of a PostgreSQL");
        let name = format!("bench_{}", Clock::system().new_id().simple());
        let mut connection = PgConnection::connect_with(&server).await.expect("the server answers");
        execute(&mut connection, &format!("create database {name}")).await;
        let database = Self { address, server, name };
        sqlx::migrate!().run_direct(&mut database.connect().await).await.expect("the migrations run");
        database
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// Its address, for an app.
    #[allow(dead_code, reason = "not every bench has an app")]
    pub(crate) fn url(&self) -> String {
        let mut url = reqwest::Url::parse(&self.address).expect("it is a URL");
        url.set_path(&self.name);
        url.into()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.options()).await.expect("the database is there")
    }

    /// A pool on a schema, with patience enough for a thousand who wait.
    pub(crate) async fn pool(&self, schema: &str, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .min_connections(connections)
            .max_connections(connections)
            .acquire_timeout(std::time::Duration::from_secs(60))
            .connect_with(self.options().options([("search_path", schema)]))
            .await
            .expect("the database is there")
    }

    /// Runs statements without parameters.
    pub(crate) async fn run(&self, statements: &str) {
        execute(&mut self.connect().await, statements).await;
    }

    /// Puts events of a hundred running campaigns into an empty log.
    pub(crate) async fn fill(&self, events: i64) {
        let mut connection = self.connect().await;
        sqlx::query(include_str!("fill.sql")).bind(events).execute(&mut connection).await.expect("the log is filled");
        execute(&mut connection, "analyze events").await;
        execute(&mut connection, "checkpoint").await;
    }

    /// A transaction that began, has an id and a snapshot, and does not end.
    pub(crate) async fn open_transaction(&self) -> PgConnection {
        let mut connection = self.connect().await;
        execute(&mut connection, "begin isolation level repeatable read; select txid_current()").await;
        connection
    }
}

async fn execute(connection: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(statements).execute(connection).await.expect("the server does as it is told");
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("drop database {} with (force)", self.name));
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
