//! The HTTP entrance: the admin API, its document, the webhooks, health
//! and metrics.
//!
//! An operation translates a request to a command or shows a read model; there
//! are no rules here. Everything that goes wrong becomes a [`problem`].

mod auth;
mod batch_json;
mod batches;
mod body;
mod bot_users;
mod broadcast_json;
mod broadcasts;
mod campaign_json;
mod campaign_terms;
mod campaigns;
mod cards;
mod check_access;
mod context;
mod coupon_json;
mod coupons;
mod csv;
mod document;
mod drift;
mod edge;
mod events;
mod gold;
mod grant_json;
mod grants;
mod health;
mod keys;
mod layout_json;
mod login;
mod member_json;
mod members;
mod metrics;
mod miss_json;
mod misses;
mod mutation;
mod operations;
mod pages;
mod params;
mod parse_words;
mod paths;
mod plan_json;
mod plans;
mod portal;
pub mod problem;
mod progress;
mod publications;
mod recipients;
mod redemptions;
mod refunds;
mod refusal;
mod revenue;
mod revenue_json;
mod signal_bot;
mod signal_bot_json;
mod signal_by_hand_json;
mod signal_changes;
mod signal_config;
mod signal_config_json;
mod signal_json;
mod signal_names;
mod signal_readings_json;
mod signal_settings;
mod signal_statistics;
mod signal_statistics_json;
mod signal_words;
mod signals;
mod statistics;
mod stripe;
mod stripe_events;
mod submissions;
mod subscription_json;
mod subscriptions;
mod telegram;
mod template_json;
mod templates;
mod terms_json;
mod thin;
mod upload;
mod why;
mod why_words;

use std::sync::Arc;

use poem::{
    Endpoint, EndpointExt, IntoEndpoint, Response, Route, Server, endpoint::BoxEndpoint, get, listener::TcpAcceptor,
};
use poem_openapi::OpenApiService;
use tokio::{net::TcpListener, sync::OnceCell};
use tokio_util::sync::CancellationToken;

use crate::{access::Access, app::App};

#[derive(poem_openapi::Tags)]
enum Tags {
    /// Coupon campaigns, and who redeemed them.
    Campaigns,
    /// Codes: made, given away, redeemed, taken back.
    Coupons,
    /// How coupons look.
    Templates,
    /// Messages to many users of the bot.
    Broadcasts,
    /// Plans, subscriptions, and who is in which channel.
    Subscriptions,
    /// The gold market.
    Market,
    /// Signals, what they came to, and how they are made.
    Signals,
    /// Who uses the bot, and what for.
    BotUsers,
    /// Logging in, and keys for programs.
    Access,
    /// The log: everything that happened.
    Events,
    /// Feeds and jobs.
    Operations,
    /// What others call.
    Webhooks,
    /// Whether it works.
    Health,
}

const DESCRIPTION: &str = include_str!("http/description.md");

/// In groups: a tuple of services has a limit.
type Apis = (
    (campaigns::Campaigns, redemptions::Redemptions, statistics::Statistics, submissions::Submissions),
    (coupons::Coupons, batches::Batches, publications::Publications, misses::Misses),
    (cards::Cards, templates::Templates),
    (broadcasts::Broadcasts, recipients::Recipients, progress::Progress, bot_users::BotUsers),
    (plans::Plans, subscriptions::Subscriptions, check_access::CheckAccess, members::Members, why::Why),
    (grants::Grants, refunds::Refunds, portal::Portal, drift::Drift, revenue::Revenue, gold::Gold),
    (signals::Signals, signal_config::SignalConfig, signal_bot::SignalBot, signal_statistics::SignalStatistics),
    (events::Events, operations::Operations, login::Session, keys::Keys),
    (telegram::TelegramWebhook, stripe::StripeWebhook, stripe_events::StripeEvents, health::HealthApi),
);

fn service(app: &App, access: &Arc<Access>, stop: &CancellationToken) -> OpenApiService<Apis, ()> {
    let campaigns = (
        campaigns::Campaigns(app.clone()),
        redemptions::Redemptions(app.clone()),
        statistics::Statistics(app.clone()),
        submissions::Submissions(app.clone()),
    );
    let coupons = (
        coupons::Coupons(app.clone()),
        batches::Batches(app.clone()),
        publications::Publications(app.clone()),
        misses::Misses(app.clone()),
    );
    let cards = (cards::Cards(app.clone()), templates::Templates(app.clone()));
    let people = (
        broadcasts::Broadcasts(app.clone()),
        recipients::Recipients(app.clone()),
        progress::Progress { app: app.clone(), stop: stop.clone() },
        bot_users::BotUsers(app.clone()),
    );
    let access_to_channels = (
        plans::Plans(app.clone()),
        subscriptions::Subscriptions(app.clone()),
        check_access::CheckAccess(app.clone()),
        members::Members(app.clone()),
        why::Why(app.clone()),
    );
    let inside = (
        events::Events { app: app.clone(), stop: stop.clone() },
        operations::Operations(app.clone()),
        login::Session { app: app.clone(), access: access.clone() },
        keys::Keys { app: app.clone(), access: access.clone() },
    );
    let outside = (
        telegram::TelegramWebhook { app: app.clone(), secret: OnceCell::new(), forex_secret: OnceCell::new() },
        stripe::StripeWebhook(app.clone()),
        stripe_events::StripeEvents(app.clone()),
        health::HealthApi(app.clone()),
    );
    let channels = (
        grants::Grants(app.clone()),
        refunds::Refunds(app.clone()),
        portal::Portal(app.clone()),
        drift::Drift(app.clone()),
        revenue::Revenue(app.clone()),
        gold::Gold(app.clone()),
    );
    let signals = (
        signals::Signals(app.clone()),
        signal_config::SignalConfig(app.clone()),
        signal_bot::SignalBot(app.clone()),
        signal_statistics::SignalStatistics(app.clone()),
    );
    let apis = (campaigns, coupons, cards, people, access_to_channels, channels, signals, inside, outside);
    OpenApiService::new(apis, "PromoStack", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server("/")
        .url_prefix("/api")
}

/// The OpenAPI document, as it is published.
#[must_use]
pub fn document(app: &App) -> String {
    let service = service(app, &Arc::new(Access::new(app)), &CancellationToken::new());
    // Made of texts and numbers: it always serialises.
    serde_json::to_string_pretty(&document::finish(&service.spec())).unwrap_or_default() + "\n"
}

/// Everything that is served. `sandbox` is mounted at `/sandbox`;
/// streams end at `stop`.
pub fn endpoint(
    app: &App,
    sandbox: Option<BoxEndpoint<'static>>,
    stop: &CancellationToken,
) -> impl Endpoint<Output = Response> + 'static {
    let access = Arc::new(Access::new(app));
    let service = service(app, &access, stop);
    let spec = service.spec();
    let document = document::finish(&spec);
    let paths = paths::Paths::in_document(&document);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    let docs = pages::docs(&service.scalar_html(), &spec, &text);
    let mut route = Route::new()
        .at("/", get(pages::fixed(pages::HTML, pages::welcome())))
        .at("/metrics", get(metrics::metrics))
        .at("/problems/:slug", get(pages::problem))
        .at("/api/openapi.json", get(pages::fixed("application/json", text)))
        .at("/api/docs", get(pages::fixed(pages::HTML, docs)))
        .nest("/api", service.into_endpoint());
    if let Some(sandbox) = sandbox {
        route = route.nest("/sandbox", sandbox);
    }
    let inside = Arc::new(context::Inside::new(app, &access));
    edge::Edge { inner: route.map_to_response(), inside, paths }
}

/// Serves until `stop`; then accepts no more and finishes what is under way,
/// for as long as the configuration allows.
///
/// # Errors
/// What the operating system says of the listener.
pub async fn serve(
    app: App,
    listener: TcpListener,
    sandbox: Option<BoxEndpoint<'static>>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let patience = app.config.shutdown;
    let endpoint = endpoint(&app, sandbox, &stop);
    Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?)
        .run_with_graceful_shutdown(endpoint, stop.cancelled_owned(), Some(patience))
        .await
}
