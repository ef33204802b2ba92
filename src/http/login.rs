//! Logging in and out.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use poem::{Request, web::RemoteAddr};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, payload::Json, types::Example};
use serde_json::Value;

use super::{
    Tags,
    auth::{Allowed, Anyone, COOKIE},
    body::{Body, Fields, Input, text},
    problem::{Answer, Kind, Problem},
};
use crate::{
    access::{self, Access, Identity},
    app::App,
    secrets::Secret,
};

pub(super) struct Session {
    pub(super) app: App,
    pub(super) access: std::sync::Arc<Access>,
}

/// Name and password.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
struct Credentials {
    /// The admin's name; `admin` when it is not given.
    #[oai(nullable, validator(max_length = 200))]
    name: Option<String>,
    /// The admin's password.
    #[oai(validator(min_length = 1, max_length = 1000))]
    password: String,
}

impl Example for Credentials {
    fn example() -> Self {
        Self { name: Some("admin".to_owned()), password: "correct horse battery staple".to_owned() }
    }
}

fn short(limit: usize) -> impl Fn(Value) -> Result<String, String> {
    move |value| {
        text(value).and_then(|text| match text.chars().count() {
            0 => Err("must not be empty".to_owned()),
            length if length > limit => Err(format!("must have at most {limit} characters")),
            _ => Ok(text),
        })
    }
}

impl Input for Credentials {
    type Document = Self;

    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.optional("name", short(200));
        let password = fields.required("password", short(1000));
        Some(Self { name, password: password? })
    }
}

/// A token.
#[derive(Object)]
#[oai(example)]
struct Token {
    /// To be sent as `Authorization: Bearer …`.
    token: String,
    /// Until when it is good, unless the password changes before.
    expires_at: DateTime<Utc>,
}

impl Example for Token {
    fn example() -> Self {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl";
        Self { token: token.to_owned(), expires_at: DateTime::from_timestamp(1_800_086_400, 0).unwrap_or_default() }
    }
}

#[derive(ApiResponse)]
enum LoggedIn {
    /// Logged in.
    #[oai(status = 200)]
    LoggedIn(
        Json<Token>,
        /// The same token for the browser: HttpOnly, SameSite=Strict.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[derive(ApiResponse)]
enum LoggedOut {
    /// The cookie is gone.
    #[oai(status = 204)]
    LoggedOut(
        /// Takes the cookie away.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

/// What kind of caller.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum CallerKind {
    /// A person who logged in.
    Admin,
    /// A program with a key.
    Key,
}

/// Who is calling.
#[derive(Object)]
#[oai(example)]
struct Me {
    /// The name of the admin or of the key.
    name: String,
    /// Which of the two.
    kind: CallerKind,
    /// As written on events.
    actor: String,
    /// What the caller may do. Admins may also manage keys.
    scopes: Vec<String>,
}

impl Example for Me {
    fn example() -> Self {
        Self {
            name: "entrylab".to_owned(),
            kind: CallerKind::Key,
            actor: "key:entrylab".to_owned(),
            scopes: vec!["campaigns:read".to_owned()],
        }
    }
}

#[OpenApi(tag = "Tags::Access")]
impl Session {
    /// Log in
    ///
    /// Answers a token that is good for 24 hours, or until the admin's password changes. Five failures of a name from one
    /// address within 15 minutes are enough.
    ///
    /// Problems: login-failed, too-many-logins, no-admin, overloaded
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        request: &Request,
        /// Name and password.
        body: Body<Credentials>,
    ) -> Answer<LoggedIn> {
        let Credentials { name, password } = body.value;
        let name = name.as_deref().unwrap_or(access::ADMIN);
        match self.access.login(name, &Secret::new(password), &address(request)).await? {
            access::Login::Welcome { token, expires_at } => {
                let seconds = (expires_at - self.app.clock.now()).num_seconds();
                let cookie = self.cookie(token.reveal(), seconds);
                Ok(LoggedIn::LoggedIn(Json(Token { token: token.reveal().to_owned(), expires_at }), cookie))
            }
            access::Login::Wrong => Err(Kind::LoginFailed.into()),
            access::Login::NoAdmin => Err(Kind::NoAdmin.into()),
            access::Login::Throttled { wait } => {
                Err(Problem::from(Kind::TooManyLogins).with_retry_after(wait.as_secs() + 1))
            }
        }
    }

    /// Log out
    ///
    /// Takes the cookie away. A token that was copied elsewhere stays good until it expires or the password changes.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self) -> Answer<LoggedOut> {
        Ok(LoggedOut::LoggedOut(self.cookie("", 0)))
    }

    /// Show who is calling
    ///
    /// And what the credentials allow.
    #[oai(path = "/me", method = "get", operation_id = "getCaller")]
    async fn me(&self, caller: Allowed<Anyone>) -> Answer<Json<Me>> {
        let (name, kind) = match &caller.identity {
            Identity::Admin { name } => (name, CallerKind::Admin),
            Identity::Key { name, .. } => (name, CallerKind::Key),
        };
        let scopes = access::Scope::ALL.into_iter().filter(|scope| caller.identity.may(*scope));
        Ok(Json(Me {
            name: name.to_string(),
            kind,
            actor: caller.actor(),
            scopes: scopes.map(|scope| scope.as_str().to_owned()).collect(),
        }))
    }
}

impl Session {
    fn cookie(&self, value: &str, seconds: i64) -> String {
        let secure = if access::secure_cookies(&self.app.config) { "; Secure" } else { "" };
        format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
    }
}

/// Where a request comes from. When it comes from a proxy of our own network,
/// that is the last address the proxy noted: the ones before it are hearsay.
fn address(request: &Request) -> String {
    let RemoteAddr(remote) = request.remote_addr();
    let Some(peer) = remote.as_socket_addr().map(std::net::SocketAddr::ip) else { return "-".to_owned() };
    let near = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    let noted = request.header("x-forwarded-for").and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    noted.filter(|_| near).unwrap_or(peer).to_string()
}
