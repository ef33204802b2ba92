//! The world outside, each part in our own words: a live client, and where a whole
//! business has to be tried without it, a sandbox twin that speaks the same protocol.

use std::time::Duration;

pub mod copywriter;
pub mod storage;
pub mod stripe;
pub mod telegram;
pub mod twelve_data;

/// Builds the one HTTP client that all integrations share.
///
/// Every wait in it ends. It follows no redirect: the interfaces we call never
/// redirect, and some carry a secret in the address that would go along.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("promostack/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
        .pool_idle_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        // As a dependency turns both on: nothing we call needs HTTP/2, where one stalled connection stalls
        // all requests, and whom we trust is in the binary, not on the machine.
        .http1_only()
        .tls_built_in_native_certs(false)
        .build()
}
