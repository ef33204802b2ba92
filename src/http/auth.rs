//! Who is calling, and whether they may: the first argument of every operation
//! that is not open to all.

use std::{marker::PhantomData, ops::Deref};

use poem::{Request, RequestBody, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use uuid::Uuid;

use super::{
    context::{Context, Inside},
    problem::{Answer, Kind, Problem},
};
use crate::{
    access::{Access, AccessError, Identity, Scope},
    log::Cause,
};

/// The cookie a login sets.
pub(super) const COOKIE: &str = "promostack_session";
/// Names of the security schemes in the document.
pub(super) const SCHEMES: [&str; 3] = ["Bearer", "ApiKey", "Session"];
/// Begins the pseudo scheme by which an operation tells the document its scope.
pub(super) const SCOPE_MARK: &str = "needs:";

/// What an operation needs of its caller.
pub(super) trait Need {
    /// `needs:` and a scope, `admin` or `login`, for the document.
    const MARK: &'static str;
    /// Whether this caller may.
    fn met(identity: &Identity) -> Answer<()>;
}

macro_rules! needs_scope {
    ($($name:ident $mark:literal)*) => {$(
        #[doc = concat!("Needs ", $mark)]
        pub(super) struct $name;
        impl Need for $name {
            const MARK: &'static str = concat!("needs:", $mark);
            fn met(identity: &Identity) -> Answer<()> {
                if identity.may(Scope::$name) {
                    return Ok(());
                }
                Err(Problem::from(Kind::ScopeMissing)
                    .with_detail(concat!("The API key lacks the scope ", $mark, ".")))
            }
        }
    )*};
}

needs_scope! {
    CampaignsRead "campaigns:read"
    CampaignsWrite "campaigns:write"
    CouponsRedeem "coupons:redeem"
    EventsRead "events:read"
    BotUsersRead "bot-users:read"
    BroadcastsRead "broadcasts:read"
    BroadcastsWrite "broadcasts:write"
    SubscriptionsRead "subscriptions:read"
    SubscriptionsWrite "subscriptions:write"
    SignalsRead "signals:read"
    SignalsWrite "signals:write"
    Operations "operations"
}

/// Needs an admin.
pub(super) struct Admin;
impl Need for Admin {
    const MARK: &'static str = "needs:admin";
    fn met(identity: &Identity) -> Answer<()> {
        match identity {
            Identity::Admin { .. } => Ok(()),
            Identity::Key { .. } => Err(Kind::AdminNeeded.into()),
        }
    }
}

/// Needs any valid credentials.
pub(super) struct Anyone;
impl Need for Anyone {
    const MARK: &'static str = "needs:login";
    fn met(_: &Identity) -> Answer<()> {
        Ok(())
    }
}

/// A caller who may do what needs `N`.
pub(super) struct Allowed<N>(Caller, PhantomData<N>);

/// A caller.
pub(super) struct Caller {
    pub(super) identity: Identity,
    request: Uuid,
}

impl Caller {
    pub(super) fn actor(&self) -> String {
        self.identity.actor()
    }

    /// Whether they may see whose Telegram account it is. Who may not knows people by
    /// their pseudonyms.
    pub(super) fn sees_people(&self) -> bool {
        self.identity.may(Scope::BotUsersRead)
    }

    /// Refuses to look for somebody by their Telegram account to who may not see it.
    pub(super) fn may_ask_for(&self, telegram_id: Option<i64>) -> Answer<()> {
        if telegram_id.is_none() { Ok(()) } else { BotUsersRead::met(&self.identity) }
    }

    /// Why events of this request happen.
    pub(super) fn cause(&self) -> Cause {
        Cause {
            actor: self.actor().into(),
            correlation: self.request,
            causation: format!("request:{}", self.request).into(),
        }
    }
}

impl<N> Deref for Allowed<N> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<'a, N: Need + Send> ApiExtractor<'a> for Allowed<N> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description, name, key_in, scheme| MetaSecurityScheme {
            ty,
            description: Some(description),
            name,
            key_in,
            scheme,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        let bearer = "A token of POST /api/login, or an API key.";
        registry.create_security_scheme(SCHEMES[0], scheme("http", bearer, None, None, Some("bearer")));
        let key = "An API key.";
        registry.create_security_scheme(SCHEMES[1], scheme("apiKey", key, Some("X-API-Key"), Some("header"), None));
        let cookie = "Set by POST /api/login. What changes something must then come from this site.";
        registry.create_security_scheme(SCHEMES[2], scheme("apiKey", cookie, Some(COOKIE), Some("cookie"), None));
    }

    fn security_schemes() -> Vec<&'static str> {
        SCHEMES.into_iter().chain([N::MARK]).collect()
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        let caller = caller(request).await?;
        N::met(&caller.identity)?;
        Ok(Self(caller, PhantomData))
    }
}

/// Who sent a request.
pub(super) async fn caller(request: &Request) -> Answer<Caller> {
    let context = Context::of(request)?;
    let identity = identity(request, &context.inside).await?.ok_or(Kind::Unauthenticated)?;
    Ok(Caller { identity, request: context.id })
}

async fn identity(request: &Request, inside: &Inside) -> Answer<Option<Identity>> {
    let access = &inside.access;
    if request.headers().contains_key(header::AUTHORIZATION) {
        let sent = request.header(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        let Some((_, credential)) = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Ok(None);
        };
        return Ok(bearer(access, credential.trim()).await?);
    }
    if let Some(key) = request.header("x-api-key") {
        return Ok(access.by_key(key.trim()).await?);
    }
    let Some(token) = cookie(request) else { return Ok(None) };
    let identity = access.by_token(&token).await?;
    if identity.is_some() && !request.method().is_safe() && !same_site(request, inside.origin.as_deref()) {
        return Err(Kind::CrossSite.into());
    }
    Ok(identity)
}

/// A token has three parts; a key we made has none, but one from the
/// configuration may look like anything.
async fn bearer(access: &Access, credential: &str) -> Result<Option<Identity>, AccessError> {
    if credential.split('.').count() == 3
        && let Some(identity) = access.by_token(credential).await?
    {
        return Ok(Some(identity));
    }
    access.by_key(credential).await
}

fn cookie(request: &Request) -> Option<String> {
    let cookies = request.headers().get_all(header::COOKIE);
    cookies
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// Whether the browser says that a page of ours sent it. Other sites can make a
/// browser send our cookie along, but not these headers.
fn same_site(request: &Request, ours: Option<&str>) -> bool {
    if let Some(site) = request.header("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = request.header(header::ORIGIN) else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == request.header(header::HOST) || ours == Some(origin)
}
