mod banner;
mod replay;
mod twins;
mod webhook;

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use poem::{EndpointExt, Route};
use reqwest::Url;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    access,
    app::{App, Role},
    bots::Bot,
    clock::Clock,
    config::Config,
    http,
    secrets::Secret,
};
use banner::banner;
use replay::ReplayOptions;
use twins::{start_market_twin, start_stripe_twin, start_twin};
use webhook::register_webhook;

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

/// The sandbox's bot token; its twin knows any.
const SANDBOX_TOKEN: &str = "1:sandbox";
/// The sandbox's forex bot, and its channel.
const SANDBOX_FOREX_TOKEN: &str = "2:sandbox";
const SANDBOX_FOREX_CHANNEL: i64 = -1_002_000_000_900;
/// The key and the webhook's secret in the sandbox; the twin takes any.
const SANDBOX_STRIPE_KEY: &str = "sk_test_sandbox";
const SANDBOX_STRIPE_WEBHOOK: &str = "whsec_sandbox";
const SANDBOX_TWELVE_DATA_KEY: &str = "sandbox";

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
