use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use poem::{EndpointExt, IntoEndpoint, endpoint::BoxEndpoint, listener::TcpAcceptor};
use reqwest::Url;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{self, AdminLogin},
    app::{App, Role},
    bots,
    clock::Clock,
    config::Config,
    http,
    integrations::{
        http_client,
        telegram::{
            AllowedUpdate,
            twin::{Twin, TwinLimits},
        },
    },
    retry::Backoff,
    secrets::Secret,
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
}

/// The sandbox's bot token; its twin knows any.
const SANDBOX_TOKEN: &str = "1:sandbox";
/// The kinds of updates that the bot works.
const UPDATES: [AllowedUpdate; 3] = [AllowedUpdate::Message, AllowedUpdate::MyChatMember, AllowedUpdate::CallbackQuery];
/// Updates that Telegram delivers at a time.
const WEBHOOK_CONNECTIONS: u8 = 40;

impl Serve {
    pub(super) async fn run(self, mut config: Config, url: &str, place: &str) -> anyhow::Result<ExitCode> {
        let stop = stop_on_signals()?;
        let twin = if config.sandbox && config.telegram_bot_token.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the sandbox")?;
            let address = listener.local_addr()?;
            config.telegram_bot_token = Some(Secret::new(SANDBOX_TOKEN.to_owned()));
            config.telegram_api_url = Some(Url::parse(&format!("http://{address}"))?);
            Some(listener)
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
        let sandbox = match twin {
            Some(listener) => Some(start_twin(&app, listener, &stop, &mut side)?),
            None => None,
        };
        let mut running = app.start(self.role).await?;
        let web = if let Some(listener) = listener {
            let address = listener.local_addr()?;
            side.spawn(register_webhook(app.clone(), address, stop.clone()));
            println!("{}", banner(&app, address, &login, place, sandbox.is_some()));
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
fn start_twin(
    app: &App,
    listener: TcpListener,
    stop: &CancellationToken,
    side: &mut JoinSet<()>,
) -> anyhow::Result<BoxEndpoint<'static>> {
    let twin = Twin::new(app.pool.clone(), TwinLimits::default());
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

/// At every start, as Telegram may have been told something else meanwhile.
async fn register_webhook(app: App, address: SocketAddr, stop: CancellationToken) {
    let Some(telegram) = &app.telegram else { return };
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
    let url = webhook_address(base);
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
    loop {
        let registered = async {
            let secret = access::telegram_webhook_secret(&app).await?;
            telegram.register_webhook(&url, secret.reveal(), &UPDATES, WEBHOOK_CONNECTIONS).await?;
            bots::coupon::show_menu(&app).await?;
            anyhow::Ok(())
        };
        match registered.await {
            Ok(()) => return tracing::info!("Telegram delivers updates here"),
            Err(error) => tracing::warn!("the Telegram webhook is not registered: {error:#}"),
        }
        tokio::select! { () = tokio::time::sleep(backoff.wait()) => {} () = stop.cancelled() => return }
    }
}

/// Where the webhook is, under an address that may have a path of its own.
fn webhook_address(mut base: Url) -> Url {
    let path = format!("{}/api/telegram-webhook", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base.set_query(None);
    base.set_fragment(None);
    base
}

fn banner(app: &App, address: SocketAddr, login: &AdminLogin, place: &str, twin: bool) -> String {
    let url = format!("http://{address}");
    let mut lines = vec![
        format!("PromoStack is running{}.", if app.config.sandbox { " in the sandbox" } else { "" }),
        String::new(),
        format!("  API and its docs  {url}/api/docs"),
    ];
    if twin {
        lines.push(format!("  Talk to the bot   {url}/sandbox/telegram/"));
    }
    lines.push(format!("  Admin login       {}", login_in_words(login)));
    lines.push(format!("  PostgreSQL        {place}"));
    let telegram = match (&app.telegram, twin) {
        (_, true) => "sandbox twin (set TELEGRAM_BOT_TOKEN for the real one)",
        (Some(_), false) => "live",
        (None, false) => "unavailable: TELEGRAM_BOT_TOKEN is not set",
    };
    lines.push(format!("  Telegram          {telegram}"));
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
            assert_eq!(webhook_address(base.parse().unwrap()).as_str(), address);
        }
    }
}
