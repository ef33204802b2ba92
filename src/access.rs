//! Who may do what: admins with passwords, programs with keys.
//!
//! Credentials live in tables of their own and not in the log: the log is for
//! ever, and a password's hash should not be.

pub mod admins;
pub mod keys;
mod scope;
pub mod throttle;
pub mod tokens;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Duration;

use crate::{
    app::App,
    bot::Bot,
    clock::Clock,
    config::Config,
    secrets::{self, Secret},
};
pub use scope::Scope;

/// The admin that `ADMIN_PASSWORD` is the password of.
pub const ADMIN: &str = "admin";

/// Hashing takes about 20 MiB and a core each time, so no more than this at once.
const HASHING: usize = 2;
/// How long a login waits for its turn.
const HASHING_PATIENCE: Duration = Duration::from_secs(5);

/// Why access could not be judged or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The database said no.
    #[error("{operation} failed")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// So many logins wait that this one had no turn.
    #[error("too many logins at once")]
    Crowded,
    /// A name that is not 1 to 64 of `a-z0-9._-`.
    #[error("a name has 1 to 64 characters of a to z, 0 to 9, dot, underscore and hyphen")]
    Name,
    /// A password that is too short.
    #[error("a password has at least 8 characters")]
    Password,
    /// The name belongs to another key, perhaps a revoked one.
    #[error("a key of this name exists")]
    NameTaken,
}

pub(crate) fn database(operation: &'static str) -> impl Fn(sqlx::Error) -> AccessError {
    move |source| AccessError::Database { operation, source }
}

/// How an admin can log in, for whoever starts the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminLogin {
    /// As `admin`, with `ADMIN_PASSWORD`.
    Configured,
    /// As `admin`, with this password; the sandbox made it, and keeps it.
    Generated(Secret),
    /// With a password that was set before.
    Existing,
    /// Not at all: there is no admin.
    Nobody,
}

/// Makes the configured credentials valid. Done at every start; a second time
/// changes nothing.
///
/// # Errors
/// [`AccessError`].
pub async fn prepare(app: &App) -> Result<AdminLogin, AccessError> {
    if let Some(key) = &app.config.entrylab_api_key {
        // What the partner's site asks, and that it may give access to who bought there.
        let scopes = [Scope::CampaignsRead, Scope::SubscriptionsRead, Scope::SubscriptionsWrite];
        keys::register(&app.pool, &app.clock, "entrylab", key, &scopes).await?;
    }
    if let Some(password) = &app.config.admin_password {
        if !admins::verify(&app.pool, ADMIN, password).await? {
            admins::set_password(&app.pool, ADMIN, password).await?;
        }
        return Ok(AdminLogin::Configured);
    }
    if app.config.sandbox {
        let made = secrets::get_or_create(&app.pool, "sandbox_admin_password")
            .await
            .map_err(database("make the sandbox's password"))?;
        let password = Secret::new(secrets::hex(&made[..12]));
        if admins::create(&app.pool, ADMIN, &password).await? || admins::verify(&app.pool, ADMIN, &password).await? {
            return Ok(AdminLogin::Generated(password));
        }
    }
    Ok(if admins::any(&app.pool).await? { AdminLogin::Existing } else { AdminLogin::Nobody })
}

/// The secret that Telegram sends along with every update of the coupon bot.
///
/// # Errors
/// What the database says.
pub async fn telegram_webhook_secret(app: &App, bot: Bot) -> Result<Secret, sqlx::Error> {
    let key = secrets::get_or_create(&app.pool, "telegram-webhook").await?;
    Ok(Secret::new(secrets::hex(&secrets::keyed_hash(&key, bot.name()))))
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A person who logged in.
    Admin {
        /// The admin's name.
        name: Arc<str>,
    },
    /// A program with a key.
    Key {
        /// The key's name.
        name: Arc<str>,
        /// What the key allows.
        scopes: Arc<[Scope]>,
    },
}

impl Identity {
    /// As it is written on events: `admin:anna`, `key:entrylab`.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Admin { name } => format!("admin:{name}"),
            Self::Key { name, .. } => format!("key:{name}"),
        }
    }

    /// Whether it may do what needs this scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        match self {
            Self::Admin { .. } => true,
            Self::Key { scopes, .. } => scopes.contains(&scope),
        }
    }
}

/// Judges credentials. One for each process; two of them need not agree for
/// longer than [`keys::REMEMBERED`].
pub struct Access {
    pool: PgPool,
    clock: Clock,
    signing_key: OnceCell<Vec<u8>>,
    keys: keys::Remembered,
    hashing: Semaphore,
}

/// How a login ended.
#[derive(Debug)]
pub enum Login {
    /// A token for the next hours.
    Welcome {
        /// To be sent as a bearer token.
        token: Secret,
        /// When it ends.
        expires_at: DateTime<Utc>,
    },
    /// The name or the password is wrong.
    Wrong,
    /// Too many failures; come back after this long.
    Throttled {
        /// How long.
        wait: Duration,
    },
    /// There is no admin to log in as.
    NoAdmin,
}

impl Access {
    /// A judge over the app's database.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self {
            pool: app.pool.clone(),
            clock: app.clock.clone(),
            signing_key: OnceCell::new(),
            keys: keys::Remembered::default(),
            hashing: Semaphore::new(HASHING),
        }
    }

    /// Logs an admin in. `address` is where the attempt comes from.
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn login(&self, name: &str, password: &Secret, address: &str) -> Result<Login, AccessError> {
        // An impossible name is not kept: it may be a password typed into the wrong box.
        let subject = if admins::check_name(name).is_ok() { name } else { "?" };
        if let Some(wait) = throttle::attempt(&self.pool, subject, address).await? {
            return Ok(Login::Throttled { wait });
        }
        let known = {
            let _turn = tokio::time::timeout(HASHING_PATIENCE, self.hashing.acquire())
                .await
                .map_err(|_| AccessError::Crowded)?
                .map_err(|_| AccessError::Crowded)?;
            admins::verify(&self.pool, name, password).await?
        };
        if !known {
            return Ok(if admins::any(&self.pool).await? { Login::Wrong } else { Login::NoAdmin });
        }
        throttle::forget(&self.pool, subject, address).await?;
        let Some(generation) = admins::logged_in(&self.pool, name).await? else { return Ok(Login::Wrong) };
        let (token, expires_at) = tokens::issue(self.signing_key().await?, &self.clock, name, generation)?;
        Ok(Login::Welcome { token, expires_at })
    }

    /// Who a token was given to; none when it is not valid (any more).
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn by_token(&self, token: &str) -> Result<Option<Identity>, AccessError> {
        let Some(claims) = tokens::read(self.signing_key().await?, &self.clock, token) else { return Ok(None) };
        let generation = admins::generation(&self.pool, &claims.sub).await?;
        Ok((generation == Some(claims.generation)).then(|| Identity::Admin { name: claims.sub.into() }))
    }

    /// Whose key this is; none when it is nobody's (any more).
    ///
    /// # Errors
    /// [`AccessError`].
    pub async fn by_key(&self, key: &str) -> Result<Option<Identity>, AccessError> {
        self.keys.identity(&self.pool, key).await
    }

    /// Forgets what was remembered about keys: one of them was revoked.
    pub fn forget_keys(&self) {
        self.keys.forget();
    }

    async fn signing_key(&self) -> Result<&[u8], AccessError> {
        let key = self.signing_key.get_or_try_init(|| secrets::get_or_create(&self.pool, "jwt")).await;
        key.map(Vec::as_slice).map_err(database("read the signing key"))
    }
}

/// Whether cookies must go over https only.
#[must_use]
pub fn secure_cookies(config: &Config) -> bool {
    config.production || config.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
}
