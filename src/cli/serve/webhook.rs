//! Telling Telegram where it delivers updates.

use std::{net::SocketAddr, time::Duration};

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::{
    access,
    app::App,
    bots::{self, Bot},
    integrations::telegram::update,
    retry::Backoff,
};

/// Updates that Telegram delivers at a time.
const WEBHOOK_CONNECTIONS: u8 = 40;

/// At every start, as Telegram may have been told something else meanwhile.
pub(super) async fn register_webhook(app: App, bot: Bot, address: SocketAddr, stop: CancellationToken) {
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
