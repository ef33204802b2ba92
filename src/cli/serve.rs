use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use poem::{EndpointExt, IntoEndpoint, Route, endpoint::BoxEndpoint, listener::TcpAcceptor};
use reqwest::Url;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use trading::{Timeframe, csv::Zone};

use super::candles::{self, ZoneOptions};
use crate::{
    access::{self, AdminLogin},
    app::{App, Role},
    bots::{self, Bot},
    clock::Clock,
    config::Config,
    http,
    integrations::{
        http_client, stripe,
        telegram::{
            twin::{Twin, TwinLimits},
            update,
        },
        twelve_data::{
            self,
            twin::{Replay, Source, Wanted},
        },
    },
    retry::Backoff,
    secrets::{Secret, fingerprint, hex},
};

/// Serve.
#[derive(Args)]
pub(super) struct Serve {
    /// Give every integration that has no key a twin to play with
    #[arg(long)]
    pub(super) sandbox: bool,
    /// What this process does
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
    #[command(flatten)]
    market: ReplayOptions,
}

/// What the sandbox's market is. Without any of it, what the database replays already, or candles of seed 1.
#[derive(Args)]
struct ReplayOptions {
    /// Make the sandbox's candles of this seed
    #[arg(long, value_name = "NUMBER", requires = "sandbox")]
    seed: Option<u64>,
    /// Replay candles of one minute from this file in the sandbox
    #[arg(long, value_name = "FILE", requires = "sandbox", conflicts_with = "seed")]
    candles: Option<PathBuf>,
    #[command(flatten)]
    zone: ZoneOptions,
    /// Minutes of an open market that pass in a second: 60 by default; 0.0167 is the pace of the world
    #[arg(long, value_name = "MINUTES", requires = "sandbox")]
    speed: Option<f64>,
    /// Begin the sandbox's market at this instant, such as 2026-04-20T08:00:00Z
    #[arg(long, value_name = "INSTANT", requires = "sandbox")]
    market_from: Option<DateTime<Utc>>,
}

impl ReplayOptions {
    async fn wanted(&self) -> anyhow::Result<Wanted> {
        let source = match (&self.candles, self.seed) {
            (Some(path), _) => {
                let (path, zone) = (path.clone(), self.zone.zone());
                Some(tokio::task::spawn_blocking(move || from_file(&path, zone)).await??)
            }
            (None, seed) => seed.map(Source::Seed),
        };
        Ok(Wanted { source, begins: self.market_from, speed: self.speed })
    }
}

fn from_file(path: &Path, zone: Zone) -> anyhow::Result<Source> {
    let report = candles::read(path, zone)?;
    anyhow::ensure!(
        report.timeframe == Timeframe::M1,
        "only candles of one minute can be replayed; those of {} are of {} minutes",
        path.display(),
        report.timeframe.minutes()
    );
    anyhow::ensure!(
        !report.zone_is_doubtful(),
        "{} candles of {} lie where the market is closed, so its times are of another clock: name it with --offset or --server-time",
        report.closed,
        path.display(),
    );
    let mut content = Vec::with_capacity(report.candles.len() * 40);
    for candle in &report.candles {
        let at = candle.opened_at.timestamp();
        for number in [at, candle.open.units(), candle.high.units(), candle.low.units(), candle.close.units()] {
            content.extend_from_slice(&number.to_be_bytes());
        }
    }
    let hash = hex(&fingerprint(&[&content])[..8]);
    Ok(Source::File { hash, candles: report.candles })
}

/// The sandbox's bot token; its twin knows any.
const SANDBOX_TOKEN: &str = "1:sandbox";
/// The sandbox's forex bot, and its channel.
const SANDBOX_FOREX_TOKEN: &str = "2:sandbox";
const SANDBOX_FOREX_CHANNEL: i64 = -1_002_000_000_900;
/// The key and the webhook's secret in the sandbox; the twin takes any.
const SANDBOX_STRIPE_KEY: &str = "sk_test_sandbox";
const SANDBOX_STRIPE_WEBHOOK: &str = "whsec_sandbox";
const SANDBOX_TWELVE_DATA_KEY: &str = "sandbox";
/// Updates that Telegram delivers at a time.
const WEBHOOK_CONNECTIONS: u8 = 40;

impl Serve {
    pub(super) async fn run(self, mut config: Config, url: &str, place: &str) -> anyhow::Result<ExitCode> {
        let stop = stop_on_signals()?;
        let stripe_twin = if config.sandbox && config.stripe_secret_key.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the sandbox")?;
            let address = listener.local_addr()?;
            config.stripe_secret_key = Some(Secret::new(SANDBOX_STRIPE_KEY.to_owned()));
            config.stripe_api_url = Some(Url::parse(&format!("http://{address}"))?);
            if config.stripe_webhook_secrets.is_empty() {
                config.stripe_webhook_secrets = vec![Secret::new(SANDBOX_STRIPE_WEBHOOK.to_owned())];
            }
            Some(listener)
        } else {
            None
        };
        let twin = if config.sandbox && config.telegram_bot_token.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the sandbox")?;
            let address = listener.local_addr()?;
            config.telegram_bot_token = Some(Secret::new(SANDBOX_TOKEN.to_owned()));
            config.telegram_api_url = Some(Url::parse(&format!("http://{address}"))?);
            if config.forex.token.is_none() {
                config.forex.token = Some(Secret::new(SANDBOX_FOREX_TOKEN.to_owned()));
                config.forex.channel = config.forex.channel.or(Some(SANDBOX_FOREX_CHANNEL));
            }
            Some(listener)
        } else {
            None
        };
        let market_twin = if config.sandbox && config.twelve_data_api_key.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the sandbox")?;
            let address = listener.local_addr()?;
            config.twelve_data_api_key = Some(Secret::new(SANDBOX_TWELVE_DATA_KEY.to_owned()));
            config.twelve_data_api_url = Some(Url::parse(&format!("http://{address}"))?);
            config.market_is_replayed = true;
            Some((listener, self.market.wanted().await?))
        } else {
            None
        };
        let app = App::build(config, url, Clock::system())?;
        let login = tokio::select! {
            prepared = async { app.prepare().await?; anyhow::Ok(access::prepare(&app).await?) } => prepared?,
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
        };
        // Not before it can answer.
        let listener = match self.role.web() {
            true => Some(listen(&app.config).await?),
            false => None,
        };
        let mut side = JoinSet::new();
        let twins = (twin.is_some(), stripe_twin.is_some());
        let mut sandbox = Route::new();
        if let Some(listener) = twin {
            sandbox = sandbox.nest("/telegram", start_twin(&app, listener, &stop, &mut side).await?);
        }
        if let Some(twin) = stripe_twin {
            let door = listener.as_ref().map(TcpListener::local_addr).transpose()?;
            sandbox = sandbox.nest("/stripe", start_stripe_twin(&app, twin, door, &stop, &mut side).await?);
        }
        if let Some((listener, wanted)) = market_twin {
            start_market_twin(&app, listener, &wanted, &mut side).await?;
        }
        let sandbox = (twins != (false, false)).then(|| sandbox.map_to_response().boxed());
        let mut running = app.start(self.role).await?;
        let web = if let Some(listener) = listener {
            let address = listener.local_addr()?;
            for bot in [Bot::Coupon, Bot::Forex] {
                side.spawn(register_webhook(app.clone(), bot, address, stop.clone()));
            }
            println!("{}", banner(&app, address, &login, place, twins));
            Some(tokio::spawn(http::serve(app.clone(), listener, sandbox, stop.clone())))
        } else {
            println!("PromoStack is working (feeds, jobs, timers). PostgreSQL: {place}.");
            None
        };
        // A process with a dead loop would go on looking well: it ends, and whoever runs it starts another.
        let broken = tokio::select! {
            () = stop.cancelled() => false,
            () = running.broken() => true,
        };
        // No new requests and no new jobs from here on; what is under way is finished side by side.
        stop.cancel();
        running.stop.cancel();
        if let Some(web) = web {
            web.await??;
        }
        running.stop().await;
        side.shutdown().await;
        app.pool.close().await;
        anyhow::ensure!(!broken, "a loop of this process broke; the log says why");
        Ok(ExitCode::SUCCESS)
    }
}

async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(config.bind, config.port);
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; is PORT {} in use?", config.port))
}

/// The first signal asks everything to finish; the second ends the process.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        for count in 1.. {
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
            if count > 1 {
                tracing::warn!("stopped at once");
                std::process::exit(130);
            }
            tracing::info!("stopping: finishing what is under way; a second signal stops at once");
            stopping.cancel();
        }
    });
    Ok(stop)
}

/// Serves the twin on its own loopback port, where the client reaches it, and
/// answers its routes to be shown beside the API.
async fn start_twin(
    app: &App,
    listener: TcpListener,
    stop: &CancellationToken,
    side: &mut JoinSet<()>,
) -> anyhow::Result<BoxEndpoint<'static>> {
    let twin = Twin::new(app.pool.clone(), TwinLimits::default());
    if let Some(token) = &app.config.telegram_bot_token {
        twin.expect(token.reveal()).await?;
    }
    let token = app.config.forex.token.as_ref();
    // The number of a bot is the first part of its token.
    let bot = token.and_then(|token| token.reveal().split(':').next()?.parse().ok());
    if let Some((bot, channel)) = bot.zip(app.config.forex.channel) {
        twin.open_channel(bot, channel, "Gold signals").await?;
    }
    let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
    let routes = twin.routes();
    side.spawn(async move {
        if let Err(error) = server.run(routes).await {
            tracing::error!(%error, "the sandbox stopped");
        }
    });
    let http = http_client()?;
    let (delivering, stop) = (twin.clone(), stop.clone());
    side.spawn(async move { delivering.deliver(http, stop.cancelled()).await });
    Ok(twin.routes().into_endpoint().map_to_response().boxed())
}

/// As for Telegram; webhooks come to `door`, this process's own, if it has one.
async fn start_stripe_twin(
    app: &App,
    listener: TcpListener,
    door: Option<SocketAddr>,
    stop: &CancellationToken,
    side: &mut JoinSet<()>,
) -> anyhow::Result<BoxEndpoint<'static>> {
    let twin = stripe::twin::Twin::new(app.pool.clone(), app.clock.clone());
    if let Some(door) = door {
        let base = match &app.config.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{door}"),
        };
        twin.show_pages_at(&Url::parse(&format!("{base}/sandbox/stripe"))?);
    }
    let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
    let routes = twin.routes();
    side.spawn(async move {
        if let Err(error) = server.run(routes).await {
            tracing::error!(%error, "the sandbox stopped");
        }
    });
    if let (Some(door), Some(secret)) = (door, app.config.stripe_webhook_secrets.first()) {
        let url = Url::parse(&format!("http://{door}/api/stripe/webhook"))?;
        twin.deliver_to(&url, secret.reveal(), stripe::twin::Shape::Basil).await?;
    }
    let http = http_client()?;
    let (delivering, stop) = (twin.clone(), stop.clone());
    side.spawn(async move { delivering.deliver(http, stop.cancelled()).await });
    Ok(twin.routes().into_endpoint().map_to_response().boxed())
}

/// As for Telegram; nobody but the client needs its routes.
async fn start_market_twin(
    app: &App,
    listener: TcpListener,
    wanted: &Wanted,
    side: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let replay = Replay::open(&app.pool, app.clock.now(), wanted).await?;
    tracing::info!(source = replay.source(), speed = replay.speed(), "the sandbox's market is replayed");
    let twin = twelve_data::twin::Twin::new(app.pool.clone(), app.clock.clone());
    let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
    side.spawn(async move {
        if let Err(error) = server.run(twin.routes()).await {
            tracing::error!(%error, "the sandbox stopped");
        }
    });
    Ok(())
}

/// At every start, as Telegram may have been told something else meanwhile.
async fn register_webhook(app: App, bot: Bot, address: SocketAddr, stop: CancellationToken) {
    let client = match bot {
        Bot::Coupon => &app.telegram,
        Bot::Forex => &app.forex,
    };
    let Some(telegram) = client else { return };
    let base = match (&app.config.public_url, app.config.sandbox) {
        (Some(url), _) => url.clone(),
        (None, true) => match Url::parse(&format!("http://{address}")) {
            Ok(url) => url,
            Err(_) => return,
        },
        (None, false) => {
            tracing::warn!("PUBLIC_URL is not set: Telegram cannot be told where to deliver updates");
            return;
        }
    };
    let url = webhook_address(base, bot);
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
    loop {
        let registered = async {
            let secret = access::telegram_webhook_secret(&app, bot).await?;
            telegram.register_webhook(&url, secret.reveal(), &update::WANTED, WEBHOOK_CONNECTIONS).await?;
            match bot {
                Bot::Coupon => bots::coupon::show_menu(&app).await?,
                Bot::Forex => bots::forex::show_menu(&app).await?,
            }
            anyhow::Ok(())
        };
        match registered.await {
            Ok(()) => return tracing::info!(bot = bot.name(), "Telegram delivers updates here"),
            Err(error) => {
                tracing::warn!(bot = bot.name(), "the Telegram webhook is not registered: {error:#}");
            }
        }
        tokio::select! { () = tokio::time::sleep(backoff.wait()) => {} () = stop.cancelled() => return }
    }
}

/// Where the webhook is, under an address that may have a path of its own.
fn webhook_address(mut base: Url, bot: Bot) -> Url {
    let end = match bot {
        Bot::Coupon => "telegram-webhook",
        Bot::Forex => "forex-telegram-webhook",
    };
    let path = format!("{}/api/{end}", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base.set_query(None);
    base.set_fragment(None);
    base
}

fn banner(
    app: &App,
    address: SocketAddr,
    login: &AdminLogin,
    place: &str,
    (twin, stripe_twin): (bool, bool),
) -> String {
    let url = format!("http://{address}");
    let mut lines = vec![
        format!("PromoStack is running{}.", if app.config.sandbox { " in the sandbox" } else { "" }),
        String::new(),
        format!("  API and its docs  {url}/api/docs"),
    ];
    if twin {
        lines.push(format!("  Talk to the bot   {url}/sandbox/telegram/"));
    }
    if stripe_twin {
        lines.push(format!("  Play Stripe       {url}/sandbox/stripe/"));
    }
    lines.push(format!("  Admin login       {}", login_in_words(login)));
    lines.push(format!("  PostgreSQL        {place}"));
    let telegram = match (&app.telegram, twin) {
        (_, true) => "sandbox twin (set TELEGRAM_BOT_TOKEN for the real one)",
        (Some(_), false) => "live",
        (None, false) => "unavailable: TELEGRAM_BOT_TOKEN is not set",
    };
    lines.push(format!("  Telegram          {telegram}"));
    let forex = match (&app.forex, app.config.forex.channel, twin) {
        (Some(_), Some(_), true) => "sandbox twin: `Gold signals` is its channel",
        (Some(_), Some(_), false) => "live",
        (Some(_), None, _) => "answers only: FOREX_CHANNEL_ID is not set",
        (None, ..) => "unavailable: FOREX_BOT_TOKEN is not set",
    };
    lines.push(format!("  Signals           {forex}"));
    let stripe = match (&app.stripe, stripe_twin, app.config.stripe_webhook_secrets.is_empty()) {
        (_, true, _) => "sandbox twin (set STRIPE_SECRET_KEY for the real one)",
        (Some(_), false, false) => "live",
        (Some(_), false, true) => "calls only: STRIPE_WEBHOOK_SECRET is not set",
        (None, false, false) => "webhooks only: STRIPE_SECRET_KEY is not set",
        (None, false, true) => "unavailable: STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET are not set",
    };
    lines.push(format!("  Stripe            {stripe}"));
    let market = match &app.market {
        Some(market) if market.is_replayed() => "sandbox twin (set TWELVE_DATA_API_KEY for the real one)",
        Some(_) => "live",
        None => "unavailable: TWELVE_DATA_API_KEY is not set",
    };
    lines.push(format!("  Gold              {market}"));
    lines.push(format!("  Files             {}", app.storage));
    lines.join("\n")
}

fn login_in_words(login: &AdminLogin) -> String {
    match login {
        AdminLogin::Configured => "admin, with ADMIN_PASSWORD".to_owned(),
        AdminLogin::Generated(password) => format!("admin / {}", password.reveal()),
        AdminLogin::Existing => "as set before".to_owned(),
        AdminLogin::Nobody => "none yet: set ADMIN_PASSWORD, or run `promostack admin set-password <name>`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_webhook_is_under_the_public_address() {
        for (base, address) in [
            ("https://example.com", "https://example.com/api/telegram-webhook"),
            ("https://example.com:8443/", "https://example.com:8443/api/telegram-webhook"),
            ("https://example.com/promo", "https://example.com/promo/api/telegram-webhook"),
            ("https://example.com/a/promo/?x=1#y", "https://example.com/a/promo/api/telegram-webhook"),
        ] {
            assert_eq!(webhook_address(base.parse().unwrap(), Bot::Coupon).as_str(), address);
            let forex = webhook_address(base.parse().unwrap(), Bot::Forex);
            assert_eq!(forex.as_str(), address.replace("/telegram-", "/forex-telegram-"));
        }
    }
}
