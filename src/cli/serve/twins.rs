//! The twins of the sandbox, each served on a loopback port of its own.

use std::net::SocketAddr;

use poem::{EndpointExt, IntoEndpoint, endpoint::BoxEndpoint, listener::TcpAcceptor};
use reqwest::Url;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    integrations::{
        http_client, stripe,
        telegram::twin::{Twin, TwinLimits},
        twelve_data::{
            self,
            twin::{Replay, Wanted},
        },
    },
};

/// Serves the twin on its own loopback port, where the client reaches it, and
/// answers its routes to be shown beside the API.
pub(super) async fn start_twin(
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
pub(super) async fn start_stripe_twin(
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
pub(super) async fn start_market_twin(
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
