//! A Stripe that is not ours: localstripe, on loopback. It speaks the shape of 2017.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

const VERSION: &str = "1.15.10";
pub const KEY: &str = "sk_test_12345";
pub const SECRET: &str = "whsec_of-localstripe";

/// On loopback, and with its memory to itself: its own command does neither.
const START: &str = "
import sys
from aiohttp import web
from localstripe import resources, server
resources.store.dump_to_disk = lambda *_: None
web.run_app(server.app, host='127.0.0.1', port=int(sys.argv[1]), print=None)
";

/// Installs it once, for all runs; `script/test` has done so before.
fn installed() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("localstripe-{VERSION}"));
    if !place.exists() {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("localstripe-{}", std::process::id()));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
        let package = format!("localstripe=={VERSION}");
        let status = Command::new("python3").args(pip).arg(&fresh).arg(package).status();
        assert!(status.is_ok_and(|status| status.success()), "localstripe needs python3 with pip, and PyPI");
        // Another run may have been faster.
        if std::fs::rename(&fresh, &place).is_err() {
            std::fs::remove_dir_all(&fresh).unwrap();
        }
    }
    place
}

/// It, until dropped.
pub struct Localstripe {
    child: Child,
    /// For STRIPE_API_URL.
    pub base: String,
    client: reqwest::Client,
}

impl Drop for Localstripe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Localstripe {
    pub async fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new("python3")
            .args(["-c", START, &port.to_string()])
            .env("PYTHONPATH", installed())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = promostack::integrations::http_client().unwrap();
        let started = Self { child, base: format!("http://127.0.0.1:{port}"), client };
        for _ in 0..600 {
            if started.client.get(&started.base).send().await.is_ok() {
                return started;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("localstripe does not start");
    }

    pub async fn made(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(KEY).form(form);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        // Its settings are answered with nothing.
        serde_json::from_str(&body).unwrap_or_default()
    }
}

/// The id of an object.
pub fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

impl Localstripe {
    /// A customer who can pay.
    pub async fn customer(&self, email: &str) -> String {
        let customer = self.made("/v1/customers", &[("email", email)]).await;
        let card = [
            ("type", "card"),
            ("card[number]", "4242424242424242"),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2050"),
            ("card[cvc]", "123"),
        ];
        let method = self.made("/v1/payment_methods", &card).await;
        let attach = format!("/v1/payment_methods/{}/attach", id(&method));
        self.made(&attach, &[("customer", id(&customer))]).await;
        let default = [("invoice_settings[default_payment_method]", id(&method))];
        self.made(&format!("/v1/customers/{}", id(&customer)), &default).await;
        id(&customer).to_owned()
    }

    /// The plan `vip`, 49 euros a month.
    pub async fn plan(&self) {
        let plan =
            [("id", "vip"), ("amount", "4900"), ("currency", "eur"), ("interval", "month"), ("product[name]", "VIP")];
        self.made("/v1/plans", &plan).await;
    }
}
