//! Access that is given and taken away, as it comes in and goes out.

use aggregates::{
    Subscription,
    subscription::{Access, is_email},
};
use chrono::{DateTime, Utc};
use poem_openapi::{ApiResponse, Enum, Object, payload::Json, types::Example};
use serde_json::Value;
use uuid::Uuid;

use super::{
    body::{Fields, Input, id, instant, text},
    mutation::EXAMPLE_ID,
};

/// Whom to give access to.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct Grant {
    /// Their e-mail address, by which `checkAccess` finds them.
    #[oai(nullable)]
    pub(super) email: Option<String>,
    /// Their user id in Telegram, if it is known: nobody else can join then.
    #[oai(nullable, validator(minimum(value = "1")))]
    pub(super) telegram_id: Option<i64>,
    /// The subscription at Stripe by which they pay. Without it, access is given by hand.
    #[oai(nullable)]
    pub(super) stripe_subscription_id: Option<String>,
    /// The plan that is given by hand. Not with a subscription at Stripe, whose prices say which plan it is.
    #[oai(nullable)]
    pub(super) plan_id: Option<Uuid>,
    /// Until when it is given by hand; without it, until it is cancelled.
    #[oai(nullable)]
    pub(super) until: Option<DateTime<Utc>>,
    /// Why, for who asks later; 1 to 500 characters.
    #[oai(nullable)]
    pub(super) reason: Option<String>,
}

impl Example for Grant {
    fn example() -> Self {
        Self {
            email: Some("ann@example.com".to_owned()),
            telegram_id: None,
            stripe_subscription_id: Some("sub_1TnXk0LkdIwHu7ixYc".to_owned()),
            plan_id: None,
            until: None,
            reason: None,
        }
    }
}

/// The same, as it was read.
pub(super) struct Granting {
    pub(super) email: Option<String>,
    pub(super) telegram_id: Option<i64>,
    pub(super) by: By,
    pub(super) reason: Option<String>,
}

pub(super) enum By {
    Stripe(String),
    Hand { plan: Uuid, until: Option<DateTime<Utc>> },
}

impl Input for Granting {
    type Document = Grant;

    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.optional("email", email);
        let telegram_id = fields.optional("telegram_id", |value| {
            value.as_i64().filter(|id| *id > 0).ok_or_else(|| "must be a user's id in Telegram".to_owned())
        });
        let stripe = fields.optional("stripe_subscription_id", stripe_id);
        let plan = fields.optional("plan_id", id);
        let until = fields.optional("until", instant);
        let reason = fields.optional("reason", text);
        if email.is_none() && telegram_id.is_none() && !fields.is_wrong(&["email", "telegram_id"]) {
            fields.note("email", "must be given, or telegram_id");
        }
        if fields.is_wrong(&["stripe_subscription_id", "plan_id"]) {
            return None;
        }
        let by = match (stripe, plan) {
            (Some(stripe), None) if until.is_none() => By::Stripe(stripe),
            (None, Some(plan)) => By::Hand { plan, until },
            (Some(_), None) => {
                fields.note("until", "must not be given with stripe_subscription_id: Stripe says until when");
                return None;
            }
            _ => {
                fields.note("plan_id", "must be given, or stripe_subscription_id, and not both");
                return None;
            }
        };
        Some(Self { email, telegram_id, by, reason })
    }
}

fn email(value: Value) -> Result<String, String> {
    let text = text(value)?.trim().to_owned();
    if is_email(&text) {
        return Ok(text);
    }
    Err("must be an e-mail address".to_owned())
}

fn stripe_id(value: Value) -> Result<String, String> {
    let text = text(value)?;
    // Nothing that would mean something in the path of a request.
    let plain = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if text.len() <= 255 && text.strip_prefix("sub_").is_some_and(plain) {
        return Ok(text);
    }
    Err("must be the id of a subscription at Stripe, such as sub_1TnXk0".to_owned())
}

/// Access that was given.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(super) struct Granted {
    /// The subscription.
    pub(super) subscription_id: Uuid,
    /// Whether it gives access now.
    pub(super) has_access: bool,
    /// By which rule, or why not.
    pub(super) rule: String,
    /// Until when, if it ends by itself.
    pub(super) until: Option<DateTime<Utc>>,
    /// The link into the channel, for this person only. Missing when they have joined, and while it is being made.
    pub(super) invite_link: Option<String>,
    /// Whether somebody has joined by it.
    pub(super) joined: bool,
}

impl Example for Granted {
    fn example() -> Self {
        Self {
            subscription_id: Uuid::from_u128(EXAMPLE_ID),
            has_access: true,
            rule: "active_paid".to_owned(),
            until: None,
            invite_link: Some("https://t.me/+Zm9vYmFyYmF6cXV4".to_owned()),
            joined: false,
        }
    }
}

/// Access was given, or is about to be.
#[derive(ApiResponse)]
pub(super) enum GrantAnswer {
    /// It is given. The answer to a repeated request shows what is so now.
    #[oai(status = 200)]
    Done(Json<Granted>),
    /// It is given, and the link is not made yet: Telegram is slow, or the bot lacks a right. Look at `Location`, or ask
    /// again.
    #[oai(status = 202)]
    Underway(
        Json<Granted>,
        /// Where the subscription is shown.
        #[oai(header = "Location")]
        String,
    ),
}

/// When to cancel.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum When {
    /// When what is paid is over.
    AtPeriodEnd,
    /// At once. Nothing is paid back.
    Now,
}

/// What to cancel.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct Cancel {
    /// The subscription.
    #[oai(nullable)]
    pub(super) subscription_id: Option<Uuid>,
    /// Or the address of the subscriber, if they have one subscription that can be cancelled: also one that gives no
    /// access any more, while Stripe goes on collecting.
    #[oai(nullable)]
    pub(super) email: Option<String>,
    /// When.
    pub(super) when: When,
    /// Why; 1 to 500 characters.
    pub(super) reason: String,
}

impl Example for Cancel {
    fn example() -> Self {
        Self {
            subscription_id: Some(Uuid::from_u128(EXAMPLE_ID)),
            email: None,
            when: When::AtPeriodEnd,
            reason: "asked by e-mail".to_owned(),
        }
    }
}

/// The same, as it was read.
pub(super) struct Cancelling {
    pub(super) subscription: Option<Uuid>,
    pub(super) email: Option<String>,
    pub(super) when: When,
    pub(super) reason: String,
}

impl Input for Cancelling {
    type Document = Cancel;

    fn read(fields: &mut Fields) -> Option<Self> {
        let subscription = fields.optional("subscription_id", id);
        let email = fields.optional("email", email);
        let when = fields.required("when", |value| match value.as_str() {
            Some("at_period_end") => Ok(When::AtPeriodEnd),
            Some("now") => Ok(When::Now),
            _ => Err("must be at_period_end or now".to_owned()),
        });
        let reason = fields.required("reason", text);
        if subscription.is_some() == email.is_some() {
            fields.note("subscription_id", "must be given, or email, and not both");
            return None;
        }
        Some(Self { subscription, email, when: when?, reason: reason? })
    }
}

impl Granted {
    /// What a subscription gives at a time.
    pub(super) fn new(id: Uuid, subscription: &Subscription, now: DateTime<Utc>) -> Self {
        let (has_access, until, rule) = match subscription.access(now) {
            Access::In { until, rule } => (true, until, rule),
            Access::Out { rule } => (false, None, rule),
        };
        Self {
            subscription_id: id,
            has_access,
            rule: rule.as_str().to_owned(),
            until,
            invite_link: subscription.link().map(|link| link.url.reveal().clone()),
            joined: subscription.joined().is_some(),
        }
    }
}
