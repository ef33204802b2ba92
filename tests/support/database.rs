//! A fresh database for each test, with the schema in it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use promostack::{app::MIGRATIONS, postgres::Settings};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};

/// A database that is dropped with this value.
pub struct Database {
    pub url: String,
    name: String,
    server: String,
}

/// The server to make databases on.
#[allow(clippy::disallowed_methods, reason = "tests have no Config to read it for them")]
pub fn server() -> String {
    std::env::var("DATABASE_URL").expect(
        "DATABASE_URL names a server to make databases on; script/test starts one, \
         and so does `target/debug/promostack postgres -- cargo nextest run`",
    )
}

/// Settings of a private cluster in tests.
#[allow(clippy::disallowed_methods, reason = "tests have no Config to read it for them")]
pub fn settings(home: std::path::PathBuf, durable: bool) -> Settings {
    Settings {
        home,
        durable,
        bin: std::env::var_os("PROMOSTACK_PG_BIN").map(Into::into),
        path: std::env::var_os("PATH"),
    }
}

impl Database {
    pub async fn fresh() -> Self {
        Self::fresh_on(&server()).await
    }

    pub async fn fresh_on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(server).await.unwrap();
        let template = template(server, &mut connection).await;
        connection.execute(format!("drop database if exists {name} with (force)").as_str()).await.unwrap();
        connection.execute(format!("create database {name} template {template}").as_str()).await.unwrap();
        connection.close().await.unwrap();
        Self { url: with_database(server, &name), name, server: server.to_owned() }
    }

    /// Connections as the program makes them.
    pub fn pool(&self) -> PgPool {
        let options = PgConnectOptions::from_str(&self.url).unwrap().options([("search_path", "public,read_models")]);
        sqlx::postgres::PgPoolOptions::new().max_connections(8).connect_lazy_with(options)
    }
}

/// A database that nobody connects to and that holds the schema and nothing else, made by
/// the first test that wants it: to copy it takes half of what the migrations take.
async fn template(server: &str, connection: &mut PgConnection) -> String {
    let mut hasher = DefaultHasher::new();
    MIGRATIONS.iter().for_each(|migration| migration.checksum.hash(&mut hasher));
    let name = format!("template_{:016x}", hasher.finish());
    let there = format!("select exists (select from pg_database where datname = '{name}')");
    let is_there = async |connection: &mut PgConnection| -> bool {
        sqlx::query_scalar(&there).fetch_one(connection).await.unwrap()
    };
    if is_there(connection).await {
        return name;
    }
    // One test makes it, and the others wait for that one.
    connection.execute("select pg_advisory_lock(7001)").await.unwrap();
    if !is_there(connection).await {
        let half = format!("{name}_half_made");
        connection.execute(format!("drop database if exists {half} with (force)").as_str()).await.unwrap();
        connection.execute(format!("create database {half}").as_str()).await.unwrap();
        let options = PgConnectOptions::from_str(&with_database(server, &half)).unwrap();
        let mut schema =
            PgConnection::connect_with(&options.options([("search_path", "public,read_models")])).await.unwrap();
        MIGRATIONS.run_direct(&mut schema).await.unwrap();
        schema.close().await.unwrap();
        connection.execute(format!("alter database {half} rename to {name}").as_str()).await.unwrap();
    }
    connection.execute("select pg_advisory_unlock(7001)").await.unwrap();
    name
}

/// The same server, another database.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = server.split_once('?').map_or((server, String::new()), |(a, q)| (a, format!("?{q}")));
    let (scheme, rest) = address.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap();
    format!("{scheme}://{host}/{name}{query}")
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // The server may be gone, which is as good.
                if let Ok(mut connection) = PgConnection::connect(&server).await {
                    let _ = connection.execute(format!("drop database if exists {name} with (force)").as_str()).await;
                }
            });
        });
        let _ = dropping.join();
    }
}
