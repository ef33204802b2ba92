//! What is said when everything is up.

use std::net::SocketAddr;

use crate::{access::AdminLogin, app::App};

pub(super) fn banner(
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
