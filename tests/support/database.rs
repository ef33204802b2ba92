//! A fresh database for each test.

use std::{
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use promostack::postgres::{Cluster, Settings};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};

/// A database that is dropped with this value.
pub struct Database {
    pub url: String,
    name: String,
    server: String,
}

/// The server to make databases on: the one DATABASE_URL names, or one of this
/// process's own that ends with it.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        #[allow(clippy::disallowed_methods, reason = "tests have no Config to read it for them")]
        std::env::var("DATABASE_URL").unwrap_or_else(|_| own_server())
    })
}

fn own_server() -> String {
    let (tell, told) = mpsc::channel();
    // PostgreSQL ends with the thread that started it, so this one stays.
    thread::spawn(move || {
        let home = std::env::temp_dir().join(format!("promostack-test-{}", std::process::id()));
        let cluster = Cluster::start(&settings(home, false)).unwrap();
        tell.send(cluster.url().to_owned()).unwrap();
        loop {
            thread::park();
        }
    });
    told.recv().expect("PostgreSQL for the tests starts")
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
        Self::fresh_on(server()).await
    }

    pub async fn fresh_on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(server).await.unwrap();
        connection.execute(format!("drop database if exists {name} with (force)").as_str()).await.unwrap();
        connection.execute(format!("create database {name}").as_str()).await.unwrap();
        connection.close().await.unwrap();
        Self { url: with_database(server, &name), name, server: server.to_owned() }
    }

    /// Connections as the program makes them.
    pub fn pool(&self) -> PgPool {
        let options = PgConnectOptions::from_str(&self.url).unwrap().options([("search_path", "public,read_models")]);
        sqlx::postgres::PgPoolOptions::new().max_connections(8).connect_lazy_with(options)
    }
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
