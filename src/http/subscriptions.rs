//! Subscriptions: seen, and decided on by hand.

use aggregates::{
    ByHand, Personal,
    subscription::{Account, Command},
};
use chrono::{DateTime, Utc};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Query},
    payload::Json,
};
use projections::{
    page::{Cursor, Key},
    subscriptions::{self, Filter, Sort},
};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, Caller, SubscriptionsRead, SubscriptionsWrite},
    body::Body,
    csv::{PIECE, Table, pieces},
    mutation::{Changed, changed, etag, once, send_on},
    params::{At, cursor, instant, shows, usual_limit, usual_wait},
    problem::{Answer, Kind, Problem},
    subscription_json::{
        Extension, HandReason, Origin, SubscriptionSort, SubscriptionStatus, SubscriptionTable, TelegramSubscription,
        TelegramSubscriptionPage, Transfer,
    },
};
use crate::{app::App, executor::Wish};

pub(super) struct Subscriptions(pub(super) App);

#[derive(ApiResponse)]
#[allow(clippy::large_enum_variant, reason = "made to be sent at once")]
enum FoundSubscription {
    /// The subscription.
    #[oai(status = 200)]
    Found(
        Json<TelegramSubscription>,
        /// Its version, for If-Match.
        #[oai(header = "ETag")]
        String,
    ),
}

/// Which to list, as it was asked for.
struct Wanted {
    status: Option<SubscriptionStatus>,
    plan: Option<Uuid>,
    channel: Option<i64>,
    origin: Option<Origin>,
    currency: Option<String>,
    email: Option<String>,
    telegram_id: Option<i64>,
    ends_before: Option<DateTime<Utc>>,
}

impl Wanted {
    fn filter(self, now: DateTime<Utc>) -> Answer<Filter> {
        Ok(Filter {
            status: self.status.map(|status| (status.into(), now)),
            plan: self.plan,
            channel: self.channel,
            origin: self.origin.map(Origin::as_str),
            currency: self.currency.map(|currency| currency.to_ascii_uppercase()),
            email: self.email,
            telegram_id: self.telegram_id,
            customer: None,
            ends_before: instant("ends_before", self.ends_before)?,
        })
    }
}

/// Who decides, and why.
pub(super) fn by_hand(caller: &Caller, reason: &str) -> ByHand {
    ByHand { by: Personal::new(caller.actor()), reason: Personal::new(reason.trim().to_owned()) }
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Subscriptions {
    /// List subscriptions
    ///
    /// A page of the subscriptions that match all filters. What time alone ends counts as ended from that moment on.
    /// Holds personal data.
    #[oai(path = "/telegram-subscriptions", method = "get", operation_id = "listTelegramSubscriptions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only subscriptions that stand so.
        status: Query<Option<SubscriptionStatus>>,
        /// Only subscriptions to the plan with this id.
        plan: Query<Option<Uuid>>,
        /// Only subscriptions that open the channel with this id.
        channel: Query<Option<i64>>,
        /// Only subscriptions that come from there.
        origin: Query<Option<Origin>>,
        /// Only subscriptions whose monthly amount is of this currency.
        #[oai(validator(pattern = "^[A-Za-z]{3}$"))]
        currency: Query<Option<String>>,
        /// Only subscriptions of this address; letter case does not matter.
        #[oai(validator(max_length = 254))]
        email: Query<Option<String>>,
        /// Only subscriptions of this Telegram account.
        telegram_id: Query<Option<i64>>,
        /// Only subscriptions that time alone ends before this instant.
        ends_before: Query<Option<DateTime<Utc>>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<SubscriptionSort>,
        /// How many at most.
        #[oai(default = "usual_limit", validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<i64>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<TelegramSubscriptionPage>> {
        let now = self.0.clock.now();
        let (sort, descending) = sort.0.column();
        let after = after(sort, cursor.0.as_deref())?;
        let wanted = Wanted {
            status: status.0,
            plan: plan.0,
            channel: channel.0,
            origin: origin.0,
            currency: currency.0,
            email: email.0,
            telegram_id: telegram_id.0,
            ends_before: ends_before.0,
        };
        let filter = wanted.filter(now)?;
        shows(&self.0, "subscriptions", min_position.0, wait_ms.0).await?;
        let page = subscriptions::list(&self.0.pool, &filter, sort, descending, after.as_ref(), limit.0).await?;
        Ok(Json(TelegramSubscriptionPage {
            items: page.rows.into_iter().map(|row| TelegramSubscription::at(row, now)).collect(),
            next_cursor: page.next.map(|cursor| format!("{}{cursor}", mark(sort))),
        }))
    }

    /// Export subscriptions
    ///
    /// All that match the filters of `listTelegramSubscriptions`, in the same order, as CSV, without the links. Holds
    /// personal data.
    #[oai(path = "/telegram-subscriptions.csv", method = "get", operation_id = "exportTelegramSubscriptions")]
    #[allow(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// Only subscriptions that stand so.
        status: Query<Option<SubscriptionStatus>>,
        /// Only subscriptions to the plan with this id.
        plan: Query<Option<Uuid>>,
        /// Only subscriptions that open the channel with this id.
        channel: Query<Option<i64>>,
        /// Only subscriptions that come from there.
        origin: Query<Option<Origin>>,
        /// Only subscriptions whose monthly amount is of this currency.
        #[oai(validator(pattern = "^[A-Za-z]{3}$"))]
        currency: Query<Option<String>>,
        /// Only subscriptions of this address; letter case does not matter.
        #[oai(validator(max_length = 254))]
        email: Query<Option<String>>,
        /// Only subscriptions of this Telegram account.
        telegram_id: Query<Option<i64>>,
        /// Only subscriptions that time alone ends before this instant.
        ends_before: Query<Option<DateTime<Utc>>>,
        /// What to sort by; `-` for descending.
        #[oai(default)]
        sort: Query<SubscriptionSort>,
    ) -> Answer<Table<SubscriptionTable>> {
        let now = self.0.clock.now();
        let (sort, descending) = sort.0.column();
        let wanted = Wanted {
            status: status.0,
            plan: plan.0,
            channel: channel.0,
            origin: origin.0,
            currency: currency.0,
            email: email.0,
            telegram_id: telegram_id.0,
            ends_before: ends_before.0,
        };
        let filter = wanted.filter(now)?;
        let pool = self.0.pool.clone();
        let lines = pieces(move |after: Option<Cursor>| {
            let (pool, filter) = (pool.clone(), filter.clone());
            async move {
                let page = subscriptions::list(&pool, &filter, sort, descending, after.as_ref(), PIECE).await?;
                let lines = page.rows.into_iter().map(|row| TelegramSubscription::at(row, now).line()).collect();
                Ok::<_, sqlx::Error>((lines, page.next))
            }
        });
        Ok(Table::named("telegram-subscriptions", lines))
    }

    /// Show a subscription
    ///
    /// With its ETag, which changes with everything that happens to it. Holds personal data.
    #[oai(path = "/telegram-subscriptions/:id", method = "get", operation_id = "getTelegramSubscription")]
    async fn show(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// The subscription's id.
        id: At<Uuid>,
        /// The position that the read model must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<FoundSubscription> {
        shows(&self.0, "subscriptions", min_position.0, wait_ms.0).await?;
        let row = subscriptions::find(&self.0.pool, id.0).await?.ok_or(Kind::SubscriptionMissing)?;
        let etag = etag(row.version);
        Ok(FoundSubscription::Found(Json(TelegramSubscription::at(row, self.0.clock.now())), etag))
    }

    /// Give a subscription more time
    ///
    /// It gives access until then at least, whatever else would end it before: a subscription that is over gives it
    /// again. It takes back a revocation, and lets pass the refunds and disputes there were. The last decision by hand
    /// counts.
    #[oai(path = "/telegram-subscriptions/:id/extend", method = "post", operation_id = "extendTelegramSubscription")]
    async fn extend(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The subscription's id.
        id: At<Uuid>,
        /// The ETag of the subscription as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Extension>,
    ) -> Answer<Changed> {
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Extend { until: body.value.until, by_hand, at: self.0.clock.now() };
        let request = Request { step: "extend", id: id.0, if_match: if_match.0, key: idempotency_key.0 };
        self.send(&caller, request, &body.canonical, command).await
    }

    /// Take a subscription's access away
    ///
    /// Whatever was paid: nothing is cancelled or refunded at Stripe. The person is removed from the channel, unless
    /// another subscription lets them stay.
    #[oai(path = "/telegram-subscriptions/:id/revoke", method = "post", operation_id = "revokeTelegramSubscription")]
    async fn revoke(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The subscription's id.
        id: At<Uuid>,
        /// The ETag of the subscription as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<Changed> {
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Revoke { by_hand, at: self.0.clock.now() };
        let request = Request { step: "revoke", id: id.0, if_match: if_match.0, key: idempotency_key.0 };
        self.send(&caller, request, &body.canonical, command).await
    }

    /// Give a subscription's access back
    ///
    /// Takes back a revocation, and lets pass the refunds and disputes there were. What is over by itself stays over.
    #[oai(path = "/telegram-subscriptions/:id/restore", method = "post", operation_id = "restoreTelegramSubscription")]
    async fn restore(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The subscription's id.
        id: At<Uuid>,
        /// The ETag of the subscription as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<HandReason>,
    ) -> Answer<Changed> {
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Restore { by_hand, at: self.0.clock.now() };
        let request = Request { step: "restore", id: id.0, if_match: if_match.0, key: idempotency_key.0 };
        self.send(&caller, request, &body.canonical, command).await
    }

    /// Give a subscription's place to another Telegram account
    ///
    /// The account before is removed from the channel, and the other gets a link of its own.
    ///
    /// Problems: subscription-status
    #[oai(
        path = "/telegram-subscriptions/:id/transfer",
        method = "post",
        operation_id = "transferTelegramSubscription"
    )]
    async fn transfer(
        &self,
        caller: Allowed<SubscriptionsWrite>,
        /// The subscription's id.
        id: At<Uuid>,
        /// The ETag of the subscription as you have seen it, or `*`. Required.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// See `draftCampaign`.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: Header<Option<String>>,
        body: Body<Transfer>,
    ) -> Answer<Changed> {
        let telegram = body.value.telegram_id;
        let to = Account { person: self.0.person_of_telegram(telegram).await?, telegram: Personal::new(telegram) };
        let by_hand = by_hand(&caller, &body.value.reason);
        let command = Command::Transfer { to, by_hand, at: self.0.clock.now() };
        let request = Request { step: "transfer", id: id.0, if_match: if_match.0, key: idempotency_key.0 };
        self.send(&caller, request, &body.canonical, command).await
    }
}

/// What all decisions by hand have in common.
struct Request {
    step: &'static str,
    id: Uuid,
    if_match: Option<String>,
    key: Option<String>,
}

impl Subscriptions {
    async fn send(
        &self,
        caller: &Allowed<SubscriptionsWrite>,
        request: Request,
        body: &str,
        command: Command,
    ) -> Answer<Changed> {
        let if_match = request.if_match.ok_or(Problem::from(Kind::PreconditionRequired))?;
        let id = request.id.to_string();
        let once = once(caller, request.key, &[request.step, &id, &if_match, body])?;
        let wish = Wish { command, cause: caller.cause(), once, expected: None };
        changed(&send_on(&self.0.subscriptions, &id, &if_match, wish).await?)
    }
}

/// What a cursor of this list begins with: each of its orders goes by a time, so that the
/// time alone would fit all of them.
const fn mark(sort: Sort) -> &'static str {
    match sort {
        Sort::CreatedAt => "",
        Sort::UpdatedAt => "u",
        Sort::EndsAt => "z",
    }
}

/// Where the page begins that a cursor stands for.
fn after(sort: Sort, given: Option<&str>) -> Answer<Option<Cursor>> {
    let text = given.map(|given| given.strip_prefix(mark(sort)).unwrap_or_default().to_owned());
    self::cursor(text.as_ref(), |cursor| matches!(cursor.key, Key::Time(_)))
}
