//! Problems: every answer that is not the wished one, as RFC 9457 has it.
//!
//! `type` is `/problems/<slug>`: stable, and served by this program, so that it
//! can be looked up wherever the program runs. Clients compare it as a text.

use std::{error::Error, fmt, sync::Arc};

use poem::{
    Response,
    error::ResponseError,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaResponses, Registry},
};
use serde::Serialize;
use uuid::Uuid;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($name:ident $status:ident $slug:literal $title:literal $detail:literal)*) => {
        /// All kinds of problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $title] $name,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The last part of its `type`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it is, in few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means and what to do, where the case at hand says nothing more exact.
            #[must_use]
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$name => $detail,)* }
            }
        }
    };
}

kinds! {
    InvalidInput BAD_REQUEST "invalid-input" "The request cannot be understood"
        "A part of the request is missing or has the wrong form; `errors` names it."
    NotAnUpdate BAD_REQUEST "not-an-update" "Not a Telegram update"
        "The body is not an update of the Bot API."
    Unauthenticated UNAUTHORIZED "unauthenticated" "Credentials are needed"
        "Send a token of POST /api/login or an API key as `Authorization: Bearer …`, or a key as `X-API-Key: …`. What was sent, if anything, is not valid or no longer."
    LoginFailed UNAUTHORIZED "login-failed" "The login failed"
        "The name or the password is wrong."
    WebhookSecret UNAUTHORIZED "webhook-secret" "Not from Telegram"
        "The header X-Telegram-Bot-Api-Secret-Token is missing or wrong."
    StripeSignature BAD_REQUEST "stripe-signature" "Not from Stripe"
        "The header Stripe-Signature is missing, not that of this body, or from another time."
    ScopeMissing FORBIDDEN "scope-missing" "The key does not allow this"
        "The API key lacks the scope that this operation needs."
    AdminNeeded FORBIDDEN "admin-needed" "Only an admin may do this"
        "API keys are managed by admins; no scope of a key allows it."
    CrossSite FORBIDDEN "cross-site-request" "Refused, as it may come from another site"
        "A request that changes something and is authenticated by cookie must come from this site: the browser says so in Sec-Fetch-Site or Origin. Programs use a bearer token or an API key."
    NotFound NOT_FOUND "not-found" "There is nothing here"
        "No resource has this path. The paths there are stand in /api/openapi.json."
    CampaignMissing NOT_FOUND "campaign-missing" "There is no such campaign"
        "No campaign has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    CodeUnknown NOT_FOUND "code-unknown" "There is no such code"
        "No campaign has this code. It may have a typing error, or its campaign may have ended."
    BatchMissing NOT_FOUND "batch-missing" "There is no such batch"
        "No batch has this number; or it was made a moment ago and this read model does not show it yet (see min_position)."
    RedemptionMissing NOT_FOUND "redemption-missing" "There is no such redemption"
        "No redemption has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    ReservationMissing NOT_FOUND "reservation-missing" "There is no such reservation"
        "No reservation has this id, or its time is over, or it was redeemed or cancelled."
    SubmissionMissing NOT_FOUND "submission-missing" "There is no such submission"
        "No submission has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    BroadcastMissing NOT_FOUND "broadcast-missing" "There is no such broadcast"
        "No broadcast has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    BotUserMissing NOT_FOUND "bot-user-missing" "Nobody has this id"
        "Nobody who ever wrote to the bot has this id; or they wrote a moment ago and this read model does not show them yet (see min_position)."
    TemplateMissing NOT_FOUND "template-missing" "There is no such template"
        "No template has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    StripeEventMissing NOT_FOUND "stripe-event-missing" "There is no such event of Stripe's"
        "No event with this id has come here."
    PlanMissing NOT_FOUND "plan-missing" "There is no such plan"
        "No plan has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    SubscriptionMissing NOT_FOUND "subscription-missing" "There is no such subscription"
        "No subscription has this id; or it was made a moment ago and this read model does not show it yet (see min_position)."
    StripeSubscriptionMissing NOT_FOUND "stripe-subscription-missing" "Stripe has no such subscription"
        "Stripe does not know a subscription with this id, or not in this account or mode."
    PortalMissing NOT_FOUND "portal-missing" "This way leads nowhere"
        "The address is not as it stands in the message, or is older than 30 days. The bot sends a new one with its next message."
    PaymentMissing NOT_FOUND "payment-missing" "There is no such payment"
        "Stripe knows no payment of a subscription by this, or nothing was paid yet."
    DriftMissing NOT_FOUND "drift-missing" "Nothing was compared yet"
        "No comparison has this id, or none was made yet: ask for one with POST /api/telegram/drift."
    SignalMissing NOT_FOUND "signal-missing" "There is no such signal"
        "No signal has this number; or it was opened a moment ago and this read model does not show it yet (see min_position)."
    NoCandles NOT_FOUND "no-candles" "There are no candles of that time"
        "The market of those minutes is not known here: import candles, or draw a signal of a time that is."
    EventMissing NOT_FOUND "event-missing" "There is no such event"
        "The log has no event at this position."
    JobMissing NOT_FOUND "job-missing" "There is no such job"
        "No job has this id (any more): a job that is done is deleted."
    KeyMissing NOT_FOUND "key-missing" "There is no such key"
        "No API key has this id."
    MethodNotAllowed METHOD_NOT_ALLOWED "method-not-allowed" "The resource does not have this method"
        "The header Allow says which methods it has."
    BodyTooSlow REQUEST_TIMEOUT "body-too-slow" "The body did not arrive in time"
        "The request's body has to arrive within 30 seconds."
    CampaignStatus CONFLICT "campaign-status" "The campaign's status does not allow this"
        "A campaign goes from draft to scheduled or active, between active and paused, from any of them to ended, and then to archived."
    CampaignExists CONFLICT "campaign-exists" "The campaign exists already"
        "A campaign has this id."
    CodeInUse CONFLICT "code-in-use" "The code is in use"
        "Another campaign runs under this code. End it, or give this one another code while it is a draft."
    CodeFixed CONFLICT "code-fixed" "The code can no longer change"
        "The code can be changed only in a draft."
    SubscriptionAmbiguous CONFLICT "subscription-ambiguous" "There are several"
        "The address has several subscriptions that have not ended: say which by `subscription_id`."
    StripeSilent SERVICE_UNAVAILABLE "stripe-silent" "Stripe could not be asked"
        "Stripe did not answer, or not as it should. Try again."
    CampaignNotStarted CONFLICT "campaign-not-started" "The campaign has not started"
        "It can be redeemed from starts_at on."
    CampaignOver CONFLICT "campaign-over" "The campaign is over"
        "It could be redeemed until ends_at."
    CampaignExhausted CONFLICT "campaign-exhausted" "The campaign is exhausted"
        "As many as total_limit have redeemed it."
    PersonLimit CONFLICT "person-limit" "The person's limit is reached"
        "The person has redeemed it as often as limit_per_person allows."
    NotHolder CONFLICT "not-holder" "The person was not given a coupon"
        "The campaign is for people to whom a coupon was published."
    BelowMinimum CONFLICT "below-minimum" "The purchase is too small"
        "`spend` must be given, in the currency of minimum_spend, and come to at least as much."
    OtherKindOfCode CONFLICT "other-kind-of-code" "The campaign has another kind of code"
        "A campaign has one shared code, or unique codes in batches, and not both."
    CodeUsed CONFLICT "code-used" "The code is used"
        "A unique code is good for one redemption, and this one is redeemed or reserved."
    CodeRevoked CONFLICT "code-revoked" "The code was revoked"
        "What was left of its batch was taken back."
    Unanswered CONFLICT "questions-unanswered" "The campaign's questions have to be answered first"
        "The bot asks them when it is sent the code, and an admin approves the answers."
    SubmissionStatus CONFLICT "submission-status" "The submission's status does not allow this"
        "A submission is pending until it is approved or rejected, and after an approval until its coupon is redeemed."
    NoCodeLeft CONFLICT "no-code-left" "No code is left to give away"
        "All codes of the campaign are published, used or revoked. Make another batch."
    ReservationOfAnother CONFLICT "reservation-of-another" "The reservation is somebody else's"
        "It was made for another person or for another code."
    ReleasedBefore CONFLICT "released-before" "The redemption was released before"
        "A redemption can be rolled back once."
    BroadcastStatus CONFLICT "broadcast-status" "The broadcast's status does not allow this"
        "A broadcast goes from draft or scheduled to sending, between sending and paused, and to completed; until then it can be cancelled."
    BroadcastExists CONFLICT "broadcast-exists" "The broadcast exists already"
        "A broadcast has this id."
    NothingUnconfirmed CONFLICT "nothing-unconfirmed" "Nothing is in doubt"
        "Of every recipient it is known what became of the message."
    TemplateExists CONFLICT "template-exists" "The template exists already"
        "A template has this id."
    TemplateArchived CONFLICT "template-archived" "The template is archived"
        "Campaigns that have it keep it, but no other can choose it, and it cannot be changed. Restore it first."
    PlanExists CONFLICT "plan-exists" "The plan exists already"
        "A plan has this id."
    PlanStatus CONFLICT "plan-status" "The plan's status does not allow this"
        "A plan is offered until it is retired, and then stays as it is."
    PriceTaken CONFLICT "price-taken" "A price stands for another plan"
        "A price at Stripe stands for one plan that is offered; `errors` names the other one."
    SubscriptionExists CONFLICT "subscription-exists" "The subscription exists already"
        "A subscription has this id, and is another one or is over."
    SubscriptionStatus CONFLICT "subscription-status" "The subscription's status does not allow this"
        "Only a subscription that gives access can do this."
    NotAtStripe CONFLICT "not-at-stripe" "The subscription is not at Stripe"
        "It was given by hand."
    NotEntitled CONFLICT "not-entitled" "Nothing gives them access"
        "No subscription of theirs gives access to the channel now."
    SubscriptionOfAnother CONFLICT "subscription-of-another" "The subscription is another person's"
        "Its place is taken by, or kept for, another Telegram account. It can be transferred."
    LinkUnknown CONFLICT "link-unknown" "The link is not the subscription's"
        "It was not made for this subscription, or another was made since."
    SignalOpen CONFLICT "signal-open" "A signal is open"
        "There is one open signal at a time. Wait until it has ended, or cancel it."
    SignalNotOpen CONFLICT "signal-not-open" "The signal is not open"
        "Only the signal that is open can be cancelled."
    MarketClosed CONFLICT "market-closed" "The market is closed"
        "Nothing is bought or sold until it opens."
    JobRunning CONFLICT "job-running" "The job is being worked"
        "A process is working this job right now; wait until it is done or has failed."
    KeyNameTaken CONFLICT "key-name-taken" "A key has this name"
        "Names of keys are never used twice, not even of revoked ones: the log names keys by them."
    PreconditionFailed PRECONDITION_FAILED "precondition-failed" "It has changed"
        "Its version is not the one in If-Match. Read it again, look at what changed, and send the change with its new ETag."
    BodyTooLarge PAYLOAD_TOO_LARGE "body-too-large" "The body is too large"
        "A body has at most 1 MiB."
    MediaType UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body has another media type"
        "The body must be JSON and its Content-Type application/json."
    InvalidTerms UNPROCESSABLE_ENTITY "invalid-terms" "The terms make no sense"
        "A term contradicts the rules or another term; `errors` names it."
    InvalidBroadcast UNPROCESSABLE_ENTITY "invalid-broadcast" "The broadcast makes no sense"
        "What is to be sent, or to whom, is against the rules, ours or Telegram's; `errors` names it."
    InvalidPicture UNPROCESSABLE_ENTITY "invalid-picture" "The picture is not accepted"
        "A picture is PNG, JPEG or SVG, whole, of 200 to 4,096 pixels each side, and draws nothing but itself: no scripts, no references to anything outside."
    InvalidLayout UNPROCESSABLE_ENTITY "invalid-layout" "The layout does not fit the picture"
        "A field leaves the picture or cannot be drawn; `errors` names it."
    InvalidLevels UNPROCESSABLE_ENTITY "invalid-levels" "The levels make no sense"
        "Stop, entry zone and targets must lie in this order in the direction of the signal, and the targets close 100 percent; `errors` names the level."
    InvalidSettings UNPROCESSABLE_ENTITY "invalid-settings" "The settings make no sense"
        "A setting is out of its bounds or contradicts another one; `errors` names it."
    LimitBelowRedeemed UNPROCESSABLE_ENTITY "limit-below-redeemed" "The limit is below what was redeemed"
        "total_limit cannot be less than the redemptions there already are."
    PromiseBroken UNPROCESSABLE_ENTITY "promise-broken" "The change would break what was promised"
        "Coupons that were issued and people who were counted hold the campaign to its terms; `errors` names the term."
    KeyReused UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key was used for another request"
        "Each request of its own needs an Idempotency-Key of its own."
    PositionUnknown UNPROCESSABLE_ENTITY "position-unknown" "The log has not come that far"
        "min_position is beyond the last event of the log; take it from Promostack-Position of an answer."
    Unstorable UNPROCESSABLE_ENTITY "unstorable" "It cannot be stored"
        "The database cannot hold a text of this request."
    PreconditionRequired PRECONDITION_REQUIRED "precondition-required" "If-Match is needed"
        "Send the ETag as you have seen it in If-Match, so that nobody's change is lost; or `*` to change it whatever it is."
    TooManyLogins TOO_MANY_REQUESTS "too-many-logins" "Too many failed logins"
        "Wait as long as Retry-After says."
    Internal INTERNAL_SERVER_ERROR "internal" "Something went wrong here"
        "The log of this program says what, under the id in `instance`."
    NoAdmin SERVICE_UNAVAILABLE "no-admin" "There is no admin"
        "Set ADMIN_PASSWORD and start again: it is the password of the admin `admin`."
    TelegramUnavailable SERVICE_UNAVAILABLE "telegram-unavailable" "Telegram is not configured"
        "Set TELEGRAM_BOT_TOKEN, or FOREX_BOT_TOKEN for the forex bot, or start with --sandbox."
    StripeUnavailable SERVICE_UNAVAILABLE "stripe-unavailable" "Stripe is not configured"
        "Set STRIPE_WEBHOOK_SECRET to the signing secret of the endpoint at Stripe, or start with --sandbox."
    MarketUnavailable SERVICE_UNAVAILABLE "market-unavailable" "The market is not configured"
        "Set TWELVE_DATA_API_KEY, or start with --sandbox."
    MarketStale SERVICE_UNAVAILABLE "market-stale" "The market is not known well enough"
        "Candles are missing, and nothing is decided on old prices. Try again when they are complete."
    StorageUnavailable SERVICE_UNAVAILABLE "storage-unavailable" "The object storage is away"
        "The picture cannot be written or read now. Nothing was changed; try again."
    DatabaseUnavailable SERVICE_UNAVAILABLE "database-unavailable" "The database is away"
        "Nothing was changed, or the same request under the same Idempotency-Key will tell. Try again."
    ReadModelBehind SERVICE_UNAVAILABLE "read-model-behind" "The read model is behind"
        "It does not show min_position yet. Try again, or wait longer (wait_ms)."
    Busy SERVICE_UNAVAILABLE "busy" "Too many changes at once"
        "Others changed the same thing each time. Nothing was changed; try again."
    Overloaded SERVICE_UNAVAILABLE "overloaded" "Too many requests at once"
        "Nothing was changed; try again."
    Stopping SERVICE_UNAVAILABLE "stopping" "This process is stopping"
        "Nothing was changed; another process will answer."
    NotReady SERVICE_UNAVAILABLE "not-ready" "Not ready"
        "The database cannot be reached or is not migrated yet."
}

impl Kind {
    /// Its `type`.
    #[must_use]
    pub fn uri(self) -> String {
        format!("/problems/{}", self.slug())
    }
}

/// What is wrong with one part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field of the body (`terms.name`, or `body` itself), the parameter or the header.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An answer that is not the wished one.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What handlers come to.
pub(super) type Answer<T> = Result<T, Problem>;

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        let retry_after = (kind.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(match kind {
            Kind::NoAdmin | Kind::TelegramUnavailable | Kind::StripeUnavailable | Kind::MarketUnavailable => 60,
            Kind::MarketStale => 30,
            _ => 1,
        });
        Self { kind, detail: None, errors: vec![], retry_after, source: None }
    }
}

impl Problem {
    /// A part of the request that cannot be understood.
    pub(super) fn input(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::from(Kind::InvalidInput).with_error(field, reason)
    }

    pub(super) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn with_error(mut self, field: impl Into<String>, reason: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), reason: reason.into() });
        self
    }

    pub(super) fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    pub(super) fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What led to it; for our log only.
    pub(super) fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// As it is sent; `request` is the request's id.
    pub(super) fn respond(&self, request: Uuid) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            instance: String,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [FieldError],
        }
        let body = Body {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.as_deref().unwrap_or(self.kind.detail()),
            instance: format!("urn:uuid:{request}"),
            errors: &self.errors,
        };
        let mut response = Response::builder().status(self.kind.status()).content_type(MEDIA_TYPE);
        if let Some(seconds) = self.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        if self.kind == Kind::Unauthenticated {
            response = response.header(header::WWW_AUTHENTICATE, r#"Bearer realm="promostack""#);
        }
        if self.kind == Kind::LoginFailed {
            response = response.header(header::WWW_AUTHENTICATE, r#"Password realm="promostack""#);
        }
        if self.kind == Kind::WebhookSecret {
            response = response.header(header::WWW_AUTHENTICATE, r#"TelegramSecret realm="promostack""#);
        }
        // Strings and numbers only: it always serialises.
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title())
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.kind.status()
    }

    fn as_response(&self) -> Response {
        self.respond(Uuid::nil())
    }
}

/// Which problems an operation has is written into the document by
/// the module `document`, from what the operation takes.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![] }
    }

    fn register(_: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slugs_are_distinct_and_plain() {
        let slugs: HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for slug in slugs {
            assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{slug}");
        }
    }

    #[test]
    fn every_kind_is_an_error_that_says_what_to_do() {
        for kind in Kind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(!kind.title().ends_with('.') && kind.detail().ends_with('.'), "{kind:?}");
        }
    }
}
