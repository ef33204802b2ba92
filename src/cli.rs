//! The `promostack` command: one verb a file.

mod admin;
mod backtest;
mod candles;
mod jobs;
mod migrate;
mod openapi;
mod postgres;
mod rebuild;
mod serve;
mod stripe;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use clap::{Parser, Subcommand};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    app::App,
    clock::Clock,
    config::{Config, Database},
    postgres::{Cluster, Settings},
};

/// Coupon campaigns, trading signals and paid access for a Telegram community, on one event log.
#[derive(Parser)]
#[command(name = "promostack", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve the API and the webhooks, and work feeds, jobs and timers
    Serve(serve::Serve),
    /// Bring the database to this version's schema
    Migrate,
    /// Make a read model again from the log, beside the live one
    Rebuild(rebuild::Rebuild),
    /// List jobs; retry or drop those that failed for good
    Jobs(jobs::Jobs),
    /// Catch up with Stripe
    Stripe(stripe::Stripe),
    /// Take in candles from a file
    Candles(candles::Candles),
    /// Test a strategy on the past
    Backtest(Box<backtest::Backtest>),
    /// Manage admins
    Admin(admin::Admin),
    /// Print the OpenAPI document
    Openapi,
    /// Run a command with the private PostgreSQL, such as `promostack postgres -- pg_dump`
    Postgres(postgres::Postgres),
}

/// How often the main thread looks after the private PostgreSQL.
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let sandbox = matches!(&cli.verb, Verb::Serve(serve) if serve.sandbox);
    #[allow(clippy::disallowed_methods, reason = "the environment is read here, once")]
    let config = match Config::read(sandbox, |name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => return complain(&error.into()),
    };
    log_to_stderr(&config);
    match run(cli.verb, config) {
        Ok(code) => code,
        Err(error) => complain(&error),
    }
}

fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("promostack: {error:#}");
    ExitCode::FAILURE
}

/// Prints to a reader that may have seen enough (`| head`).
fn print(text: &str) -> std::io::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written,
    }
}

fn log_to_stderr(config: &Config) {
    // sqlx says at "info" every notice of the server; teloxide and hyper are chatty.
    let mut filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn,reqwest=warn,poem=warn"));
    // What these say quotes pictures that others upload, line breaks and all.
    for quoting in ["usvg=off", "resvg=off", "fontdb=off", "roxmltree=off"] {
        if let Ok(directive) = quoting.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let registry = tracing_subscriber::registry().with(filter);
    if config.log_json {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).init();
    } else {
        let colours = std::io::stderr().is_terminal();
        registry.with(fmt::layer().with_target(false).with_ansi(colours).with_writer(std::io::stderr)).init();
    }
}

fn run(verb: Verb, config: Config) -> anyhow::Result<ExitCode> {
    if let Verb::Openapi = verb {
        return openapi::run(config);
    }
    let verb = match verb {
        Verb::Backtest(verb) if !verb.needs_database() => return verb.run_on_file(),
        Verb::Candles(verb) if !verb.needs_database() => return verb.run_dry(),
        verb => verb,
    };
    let (url, cluster) = match &config.database {
        Database::At(url) => (url.reveal().to_owned(), None),
        Database::Private { home } => {
            let makes_one = matches!(verb, Verb::Serve(_) | Verb::Migrate | Verb::Postgres(_));
            anyhow::ensure!(
                makes_one || home.join("postgres").exists(),
                "there is no database in {}; set PROMOSTACK_HOME or DATABASE_URL, or run `promostack serve` first",
                home.display()
            );
            let settings = Settings {
                home: home.clone(),
                durable: true,
                bin: config.postgres_bin.clone(),
                path: config.path.clone(),
            };
            let cluster = Cluster::start(&settings)?;
            if let Some(note) = cluster.note() {
                tracing::info!("{note}");
            }
            (cluster.url().to_owned(), Some(cluster))
        }
    };
    if let Verb::Postgres(verb) = verb {
        return verb.run(&url, cluster);
    }
    let place = Place::of(cluster.as_ref());
    // The private PostgreSQL is a child of this thread and dies with it, so this
    // thread stays to look after it and everything else runs on another.
    let (done, finished) = mpsc::channel();
    thread::Builder::new().name("main-async".to_owned()).spawn(move || {
        let _ = done.send(in_runtime(verb, config, &url, place));
    })?;
    let mut cluster = cluster;
    let result = loop {
        match finished.recv_timeout(LOOK_AFTER) {
            Ok(result) => break result,
            Err(mpsc::RecvTimeoutError::Timeout) => look_after(cluster.as_mut()),
            Err(mpsc::RecvTimeoutError::Disconnected) => break Err(anyhow::anyhow!("the program panicked")),
        }
    };
    if let Some(cluster) = cluster {
        cluster.stop()?;
    }
    result
}

fn look_after(cluster: Option<&mut Cluster>) {
    match cluster.map(Cluster::restart_if_dead) {
        None | Some(Ok(false)) => {}
        Some(Ok(true)) => tracing::warn!("the private PostgreSQL had died and runs again"),
        Some(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the private PostgreSQL does not start");
        }
    }
}

/// Where the database is, in words.
struct Place(String);

impl Place {
    fn of(cluster: Option<&Cluster>) -> Self {
        Self(match cluster {
            None => "from DATABASE_URL or DB_HOST".to_owned(),
            Some(cluster) => {
                let shared = if cluster.owned() { "" } else { ", run by another promostack process" };
                format!("private, in {}{shared}", cluster.data_dir().display())
            }
        })
    }
}

fn in_runtime(verb: Verb, config: Config, url: &str, place: Place) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let app = |config| App::build(config, url, Clock::system());
        match verb {
            Verb::Serve(verb) => verb.run(config, url, &place.0).await,
            Verb::Migrate => migrate::run(&app(config)?).await,
            Verb::Rebuild(verb) => verb.run(&app(config)?).await,
            Verb::Jobs(verb) => verb.run(&app(config)?).await,
            Verb::Admin(verb) => verb.run(&app(config)?).await,
            Verb::Stripe(verb) => verb.run(&app(config)?).await,
            Verb::Candles(verb) => verb.run(&app(config)?).await,
            Verb::Backtest(verb) => verb.run(&app(config)?).await,
            Verb::Openapi | Verb::Postgres(_) => unreachable!("needs no runtime"),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
