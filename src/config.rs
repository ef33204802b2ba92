//! The configuration: environment variables, read once.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;

use crate::{rate::Limits, secrets::Secret};

mod forex;
mod membership;
mod objects;

pub use forex::{Copywriter, Forex, Language};
pub use membership::{LinkModel, Membership};
pub use objects::{Bucket, Objects};

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// `DATABASE_URL`, or made from `DB_HOST` and its companions.
    At(Secret),
    /// None is named: a private one under this directory.
    Private {
        /// `PROMOSTACK_HOME`.
        home: PathBuf,
    },
}

/// Everything that is set from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// `BIND`: the address to listen on.
    pub bind: IpAddr,
    /// `PORT`.
    pub port: u16,
    /// `PUBLIC_URL`: where the world reaches this service; webhooks need it.
    pub public_url: Option<Url>,
    /// `REPLIT_DEPLOYMENT=1`: production. Cookies are for https only, the sandbox is refused.
    pub production: bool,
    /// `--sandbox`: integrations without a key have a twin.
    pub sandbox: bool,
    /// Where the database is.
    pub database: Database,
    /// Where uploaded and rendered files are kept.
    pub objects: Objects,
    /// `PROMOSTACK_PG_BIN`: where PostgreSQL's server binaries are, when not in a usual place.
    pub postgres_bin: Option<PathBuf>,
    /// `PATH`, for finding them.
    pub path: Option<std::ffi::OsString>,
    /// `ADMIN_PASSWORD`: of the admin `admin`.
    pub admin_password: Option<Secret>,
    /// `ENTRYLAB_API_KEY`: the partner site's key.
    pub entrylab_api_key: Option<Secret>,
    /// `TELEGRAM_BOT_TOKEN`: of the coupon bot.
    pub telegram_bot_token: Option<Secret>,
    /// `TELEGRAM_API_URL`: a Bot API server other than Telegram's own.
    pub telegram_api_url: Option<Url>,
    /// `TELEGRAM_ADMIN_IDS`: the Telegram user ids of admins, who see the bot's commands for them.
    pub telegram_admin_ids: Vec<i64>,
    /// `TELEGRAM_MESSAGES_PER_SECOND` and `TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT`.
    pub telegram_limits: Limits,
    /// The bot that posts signals.
    pub forex: Forex,
    /// Who finds words for it.
    pub copywriter: Copywriter,
    /// `STRIPE_SECRET_KEY`, or `STRIPE_SECRET`: for calls to Stripe.
    pub stripe_secret_key: Option<Secret>,
    /// `STRIPE_WEBHOOK_SECRET`: of our endpoint at Stripe; several, with commas between them, while it is replaced.
    pub stripe_webhook_secrets: Vec<Secret>,
    /// `STRIPE_API_URL`: a server other than Stripe's own.
    pub stripe_api_url: Option<Url>,
    /// `TWELVE_DATA_API_KEY`: for prices of gold.
    pub twelve_data_api_key: Option<Secret>,
    /// `TWELVE_DATA_API_URL`: a server other than Twelve Data's own.
    pub twelve_data_api_url: Option<Url>,
    /// Whether the market behind that address is the sandbox's, whose time is not the world's.
    pub market_is_replayed: bool,
    /// Who may be in the channels, and how they come in.
    pub membership: Membership,
    /// `JOB_LEASE_SECONDS`: how long a job stays with a process that died.
    pub job_lease: Duration,
    /// `SHUTDOWN_SECONDS`: how long a stopping process waits for what is under way.
    pub shutdown: Duration,
    /// `LOG_FORMAT`: `text` or `json`.
    pub log_json: bool,
}

/// A variable that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct ConfigError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it. Never its value: it may be a secret.
    pub reason: String,
}

impl Config {
    /// Reads the configuration through `variable`, which is the environment.
    /// An empty variable counts as none.
    ///
    /// # Errors
    /// The first variable that makes no sense.
    pub fn read(sandbox: bool, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name: &'static str| variable(name).filter(|value| !value.trim().is_empty());
        let secret = |name| text(name).map(Secret::new);
        let home = || PathBuf::from(text("PROMOSTACK_HOME").unwrap_or("./.promostack".to_owned()));
        let config = Self {
            bind: parsed("BIND", text("BIND"), "an IP address")?.unwrap_or([127, 0, 0, 1].into()),
            port: parsed("PORT", text("PORT"), "a port from 0 to 65535")?.unwrap_or(5000),
            public_url: web_address("PUBLIC_URL", text("PUBLIC_URL"))?,
            production: match text("REPLIT_DEPLOYMENT").as_deref() {
                Some("1" | "true") => true,
                None | Some("0" | "false") => false,
                Some(_) => return Err(wrong("REPLIT_DEPLOYMENT", "must be 1 or 0")),
            },
            sandbox,
            database: database(home, text)?,
            objects: Objects::read(home(), text)?,
            postgres_bin: text("PROMOSTACK_PG_BIN").map(Into::into),
            path: variable("PATH").map(Into::into),
            admin_password: secret("ADMIN_PASSWORD"),
            entrylab_api_key: secret("ENTRYLAB_API_KEY"),
            telegram_bot_token: secret("TELEGRAM_BOT_TOKEN"),
            telegram_api_url: web_address("TELEGRAM_API_URL", text("TELEGRAM_API_URL"))?,
            telegram_admin_ids: ids("TELEGRAM_ADMIN_IDS", text)?,
            telegram_limits: Limits {
                in_all: rate("TELEGRAM_MESSAGES_PER_SECOND", text, 30.0)?,
                per_chat: rate("TELEGRAM_MESSAGES_PER_SECOND_AND_CHAT", text, 1.0)?,
            },
            forex: Forex::read(text)?,
            copywriter: Copywriter::read(text)?,
            stripe_secret_key: secret("STRIPE_SECRET_KEY").or_else(|| secret("STRIPE_SECRET")),
            stripe_webhook_secrets: webhook_secrets("STRIPE_WEBHOOK_SECRET", text)?,
            stripe_api_url: web_address("STRIPE_API_URL", text("STRIPE_API_URL"))?,
            twelve_data_api_key: secret("TWELVE_DATA_API_KEY"),
            twelve_data_api_url: web_address("TWELVE_DATA_API_URL", text("TWELVE_DATA_API_URL"))?,
            market_is_replayed: false,
            membership: Membership::read(text)?,
            job_lease: seconds("JOB_LEASE_SECONDS", text, 30.0)?,
            shutdown: seconds("SHUTDOWN_SECONDS", text, 20.0)?,
            log_json: match text("LOG_FORMAT").as_deref() {
                None | Some("text") => false,
                Some("json") => true,
                Some(_) => return Err(wrong("LOG_FORMAT", "must be text or json")),
            },
        };
        if config.production && config.sandbox {
            return Err(wrong("REPLIT_DEPLOYMENT", "is 1 (production), where --sandbox is refused"));
        }
        if let Some(password) = &config.admin_password
            && password.reveal().chars().count() < 8
        {
            return Err(wrong("ADMIN_PASSWORD", "must have at least 8 characters"));
        }
        if let Some(key) = &config.entrylab_api_key
            && key.reveal().chars().count() < 16
        {
            return Err(wrong("ENTRYLAB_API_KEY", "must have at least 16 characters"));
        }
        if let Some(key) = &config.twelve_data_api_key
            && !key.reveal().bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(wrong("TWELVE_DATA_API_KEY", "must be as Twelve Data shows it, letters and digits"));
        }
        Ok(config)
    }
}

fn wrong(variable: &'static str, reason: &str) -> ConfigError {
    ConfigError { variable, reason: reason.to_owned() }
}

fn parsed<T: std::str::FromStr>(
    name: &'static str,
    value: Option<String>,
    wanted: &str,
) -> Result<Option<T>, ConfigError> {
    value.map(|value| value.trim().parse().map_err(|_| wrong(name, &format!("must be {wanted}")))).transpose()
}

fn web_address(name: &'static str, value: Option<String>) -> Result<Option<Url>, ConfigError> {
    let url: Option<Url> = parsed(name, value, "a web address such as https://example.com")?;
    match url {
        Some(url) if !matches!(url.scheme(), "http" | "https") => Err(wrong(name, "must begin with http or https")),
        url => Ok(url),
    }
}

/// User ids, with commas or spaces between them.
fn ids(name: &'static str, text: impl Fn(&'static str) -> Option<String>) -> Result<Vec<i64>, ConfigError> {
    let text = text(name).unwrap_or_default();
    text.split([',', ' ', ';'])
        .filter(|id| !id.is_empty())
        .map(|id| id.parse::<i64>().ok().filter(|id| *id > 0))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(name, "must be user ids of Telegram, such as 123456789, with commas between them"))
}

/// Secrets, with commas or spaces between them.
fn webhook_secrets(
    name: &'static str,
    text: impl Fn(&'static str) -> Option<String>,
) -> Result<Vec<Secret>, ConfigError> {
    let text = text(name).unwrap_or_default();
    text.split([',', ' '])
        .filter(|secret| !secret.is_empty())
        .map(|secret| match secret.len() {
            12.. => Ok(Secret::new(secret.to_owned())),
            _ => Err(wrong(
                name,
                "must be as Stripe shows it, whsec_…; several with commas between them, each of at least 12 characters",
            )),
        })
        .collect()
}

fn rate(name: &'static str, text: impl Fn(&'static str) -> Option<String>, usual: f64) -> Result<f64, ConfigError> {
    match parsed::<f64>(name, text(name), "a number of messages a second")? {
        None => Ok(usual),
        Some(rate) if (0.01..=1e6).contains(&rate) => Ok(rate),
        Some(_) => Err(wrong(name, "must be from 0.01 to 1000000")),
    }
}

fn seconds(
    name: &'static str,
    text: impl Fn(&'static str) -> Option<String>,
    usual: f64,
) -> Result<Duration, ConfigError> {
    match parsed::<f64>(name, text(name), "a number of seconds")?.unwrap_or(usual) {
        seconds if (0.5..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(wrong(name, "must be from 0.5 to 3600 seconds")),
    }
}

fn database(
    home: impl Fn() -> PathBuf,
    text: impl Fn(&'static str) -> Option<String>,
) -> Result<Database, ConfigError> {
    if let Some(url) = text("DATABASE_URL") {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("DATABASE_URL", "must begin with postgres:// or postgresql://"));
        }
        return Ok(Database::At(Secret::new(url)));
    }
    let Some(host) = text("DB_HOST") else {
        for name in ["DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"] {
            if text(name).is_some() {
                return Err(wrong(name, "means nothing without DB_HOST"));
            }
        }
        return Ok(Database::Private { home: home() });
    };
    let mut url = Url::parse("postgres://localhost/promostack").expect("a constant address");
    let set = |result: Result<(), ()>, name| result.map_err(|()| wrong(name, "makes no database address"));
    set(url.set_host(Some(&host)).map_err(drop), "DB_HOST")?;
    set(url.set_port(parsed("DB_PORT", text("DB_PORT"), "a port")?), "DB_PORT")?;
    set(url.set_username(&text("DB_USER").unwrap_or("postgres".to_owned())), "DB_USER")?;
    set(url.set_password(text("DB_PASSWORD").as_deref()), "DB_PASSWORD")?;
    url.set_path(&text("DB_NAME").unwrap_or("promostack".to_owned()));
    Ok(Database::At(Secret::new(url.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(false, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn needs_nothing() {
        let config = read(&[("PORT", ""), ("DATABASE_URL", " ")]).unwrap();
        assert_eq!(config.port, 5000);
        assert_eq!(config.database, Database::Private { home: "./.promostack".into() });
    }

    #[test]
    fn names_the_variable_and_keeps_its_value_to_itself() {
        for (variable, value) in [
            ("PORT", "70000"),
            ("BIND", "localhost"),
            ("PUBLIC_URL", "ftp://secret"),
            ("DATABASE_URL", "mysql://secret"),
            ("ADMIN_PASSWORD", "secret"),
            ("TELEGRAM_MESSAGES_PER_SECOND", "0"),
            ("SPACES_REGION", "secret"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_secrets_1,secret"),
            ("STRIPE_API_URL", "secret"),
            ("TWELVE_DATA_API_KEY", "secret key"),
            ("JOB_LEASE_SECONDS", "NaN"),
            ("FOREX_CHANNEL_ID", "@secret"),
            ("FOREX_LANGUAGE", "secret"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn prints_no_secret() {
        let config = read(&[
            ("DATABASE_URL", "postgres://u:hunter22@h/d"),
            ("ADMIN_PASSWORD", "hunter22"),
            ("TELEGRAM_BOT_TOKEN", "1:hunter22"),
            ("ENTRYLAB_API_KEY", "hunter22hunter22"),
            ("SPACES_ACCESS_KEY", "hunter22"),
            ("SPACES_SECRET_KEY", "hunter22"),
            ("SPACES_BUCKET", "promo"),
            ("STRIPE_SECRET", "sk_live_hunter22"),
            ("FOREX_BOT_TOKEN", "2:hunter22"),
            ("AI_INTEGRATIONS_OPENAI_API_KEY", "sk-hunter22"),
            ("TWELVE_DATA_API_KEY", "hunter22"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_hunter22, whsec_hunter23"),
        ])
        .unwrap();
        assert_eq!(config.stripe_webhook_secrets.len(), 2);
        assert!(config.stripe_secret_key.is_some());
        assert!(!format!("{config:?}").contains("hunter"));
    }

    #[test]
    fn makes_an_address_of_db_host() {
        let config = read(&[("DB_HOST", "db.internal"), ("DB_PASSWORD", "p@ss/word"), ("DB_NAME", "shop")]).unwrap();
        let Database::At(url) = config.database else { panic!() };
        assert_eq!(url.reveal(), "postgres://postgres:p%40ss%2Fword@db.internal/shop");
    }
}
