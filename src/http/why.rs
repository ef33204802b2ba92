//! Why somebody is in a channel or out: the rules, and the events that led there.

use std::collections::BTreeSet;

use aggregates::{Fact, member};
use chrono::{DateTime, Utc};
use poem_openapi::{Object, OpenApi, param::Query, payload::Json, types::Example};
use projections::{members, subscriptions};
use uuid::Uuid;

use super::{
    Tags,
    auth::{Allowed, SubscriptionsRead},
    mutation::EXAMPLE_ID,
    params::{At, shows, usual_wait},
    problem::{Answer, Problem},
    why_words,
};
use crate::{
    app::App,
    log::{Recorded, Selection},
};

/// Events shown at the most.
const EVENTS: usize = 100;
/// Subscriptions and channels of one person looked at, at the most.
const THINGS: i64 = 20;

pub(super) struct Why(pub(super) App);

/// What a subscription says of somebody.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct WhySubscription {
    /// Its id.
    id: Uuid,
    /// The subscriber's address.
    email: Option<String>,
    /// The Telegram account that joined or is expected to.
    telegram_id: Option<i64>,
    /// What it is called.
    plan_name: Option<String>,
    /// Telegram's id of the channel it opens.
    channel: Option<i64>,
    /// Where it stands, as in `listTelegramSubscriptions`.
    status: String,
    /// Whether it gives access now.
    has_access: bool,
    /// By which rule, as in `listTelegramSubscriptions`.
    rule: String,
    /// The rule in words.
    because: String,
    /// Until when it gives access, if that ends without further news.
    until: Option<DateTime<Utc>>,
}

/// What is so of somebody in a channel.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct WhyChannel {
    /// Telegram's id of the channel.
    channel: i64,
    /// Their Telegram account.
    telegram_id: i64,
    /// Whether they should be in now.
    should_be_in: bool,
    /// By which rule, as in `listChannelMembers`.
    rule: String,
    /// The rule in words.
    because: String,
    /// The subscription that says so.
    subscription_id: Option<Uuid>,
    /// Until when they may be in, if that ends without further news.
    until: Option<DateTime<Utc>>,
    /// Whether they are in, as far as we know.
    is_in: bool,
    /// Since when they are in, or out.
    since: Option<DateTime<Utc>>,
    /// Since when they are about to be removed.
    removal_due_since: Option<DateTime<Utc>>,
    /// What Telegram said when it was tried last.
    removal_error: Option<String>,
}

/// An event that led there.
#[derive(Object)]
struct WhyEvent {
    /// Its place in the log: see `getEvent`.
    position: i64,
    /// When the log took it.
    recorded_at: DateTime<Utc>,
    /// What it happened to: `subscription/<id>` or `member/<channel>:<telegram_id>`.
    stream: String,
    /// Its type.
    r#type: String,
    /// What happened, in a sentence.
    words: String,
    /// Who wanted it, as in `listEvents`.
    actor: String,
}

/// Why somebody is in or out.
#[derive(Object)]
#[oai(example)]
struct Explanation {
    /// Their subscriptions, those that changed last first; at most 20.
    subscriptions: Vec<WhySubscription>,
    /// The channels they are in, were in, or could be; at most 20.
    channels: Vec<WhyChannel>,
    /// What happened to both, the newest first; at most 100.
    events: Vec<WhyEvent>,
}

impl Example for Explanation {
    fn example() -> Self {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default();
        let subscription = Uuid::from_u128(EXAMPLE_ID + 5);
        let (channel, telegram_id) = (-1_001_234_567_890, 123_456_789);
        Self {
            subscriptions: vec![WhySubscription {
                id: subscription,
                email: Some("anna@example.com".to_owned()),
                telegram_id: Some(telegram_id),
                plan_name: Some("VIP".to_owned()),
                channel: Some(channel),
                status: "ended".to_owned(),
                has_access: false,
                rule: "grace_over".to_owned(),
                because: why_words::rule("grace_over", false),
                until: None,
            }],
            channels: vec![WhyChannel {
                channel,
                telegram_id,
                should_be_in: false,
                rule: "grace_over".to_owned(),
                because: why_words::rule("grace_over", false),
                subscription_id: Some(subscription),
                until: None,
                is_in: false,
                since: Some(at(60)),
                removal_due_since: None,
                removal_error: None,
            }],
            events: vec![WhyEvent {
                position: 1042,
                recorded_at: at(60),
                stream: format!("member/{}", member::stream(channel, telegram_id)),
                r#type: "Removed".to_owned(),
                words: "They were removed: a payment is late, and is not waited for any longer.".to_owned(),
                actor: "system".to_owned(),
            }],
        }
    }
}

impl WhySubscription {
    fn at(row: subscriptions::Row, now: DateTime<Utc>) -> Self {
        let has_access = row.has_access(now);
        let rule = row.rule_at(now).to_owned();
        Self {
            id: row.id,
            status: row.status_at(now).to_owned(),
            email: row.email,
            telegram_id: row.telegram_id,
            plan_name: row.plan_name,
            channel: row.channel,
            because: why_words::rule(&rule, has_access),
            has_access,
            rule,
            until: row.ends_at.filter(|_| has_access),
        }
    }
}

impl WhyChannel {
    fn at(row: members::Row, now: DateTime<Utc>) -> Self {
        let should_be_in = row.should_be_in_at(now);
        let rule = row.rule_at(now).to_owned();
        Self {
            channel: row.channel,
            telegram_id: row.user_id,
            because: why_words::rule(&rule, should_be_in),
            should_be_in,
            rule,
            subscription_id: row.subscription,
            until: row.runs_out_at.filter(|_| should_be_in),
            is_in: row.is_in,
            since: row.since,
            removal_due_since: row.removal_due_since,
            removal_error: row.removal_error,
        }
    }
}

/// Who is asked about.
enum Who {
    Email(String),
    Telegram(i64),
}

impl Who {
    fn read(text: &str) -> Answer<Self> {
        let text = text.trim();
        if text.contains('@') && text.len() <= 254 && !text.contains('\0') {
            return Ok(Self::Email(text.to_owned()));
        }
        let id = text.parse().ok().filter(|id| *id > 0);
        id.map(Self::Telegram)
            .ok_or_else(|| Problem::input("who", "must be an e-mail address or a user's id in Telegram"))
    }
}

#[OpenApi(tag = "Tags::Subscriptions")]
impl Why {
    /// Explain why somebody is in or out
    ///
    /// What each of their subscriptions says and why, what follows for each channel, and the events that led there, in
    /// words. Of somebody of whom nothing is known, all lists are empty. Holds personal data.
    #[oai(path = "/telegram/why/:who", method = "get", operation_id = "explainTelegramAccess")]
    async fn explain(
        &self,
        _caller: Allowed<SubscriptionsRead>,
        /// An e-mail address, or a user's id in Telegram.
        who: At<String>,
        /// The position that the read models must have reached: `Promostack-Position` of an earlier answer.
        #[oai(validator(minimum(value = "0")))]
        min_position: Query<Option<i64>>,
        /// How long to wait for `min_position`, in milliseconds.
        #[oai(default = "usual_wait", validator(maximum(value = "30000")))]
        wait_ms: Query<u64>,
    ) -> Answer<Json<Explanation>> {
        let who = Who::read(&who.0)?;
        shows(&self.0, "subscriptions", min_position.0, wait_ms.0).await?;
        shows(&self.0, "members", min_position.0, wait_ms.0).await?;
        let (now, pool) = (self.0.clock.now(), &self.0.pool);
        let (mut found, mut users) = match &who {
            Who::Email(email) => (subscriptions::of_email(pool, email, THINGS).await?, BTreeSet::new()),
            Who::Telegram(id) => (subscriptions::of_telegram(pool, *id, THINGS).await?, BTreeSet::from([*id])),
        };
        users.extend(found.iter().filter_map(|row| row.telegram_id));
        let users: Vec<i64> = users.into_iter().collect();
        let channels = members::of_users(pool, &users, THINGS).await?;

        let mut events = vec![];
        for row in &channels {
            events.extend(self.events("member", member::stream(row.channel, row.user_id)).await?);
        }
        // A subscription that was theirs once may be another's now, and still say why they are out.
        let known: BTreeSet<Uuid> = found.iter().map(|row| row.id).collect();
        let mut others = BTreeSet::new();
        for event in &events {
            if let Fact::Member(
                member::Event::Entitled { subscription, .. } | member::Event::Disentitled { subscription, .. },
            ) = event.fact()?
                && !known.contains(&subscription)
            {
                others.insert(subscription);
            }
        }
        let others: Vec<Uuid> = others.into_iter().collect();
        found.extend(subscriptions::of_ids(pool, &others, THINGS).await?);
        for row in &found {
            events.extend(self.events("subscription", row.id.to_string()).await?);
        }
        events.sort_by_key(|event| std::cmp::Reverse(event.position));
        events.truncate(EVENTS);
        Ok(Json(Explanation {
            subscriptions: found.into_iter().map(|row| WhySubscription::at(row, now)).collect(),
            channels: channels.into_iter().map(|row| WhyChannel::at(row, now)).collect(),
            events: events.into_iter().map(told).collect::<Answer<_>>()?,
        }))
    }
}

impl Why {
    /// The newest events of a stream.
    async fn events(&self, kind: &str, id: String) -> Answer<Vec<Recorded>> {
        let selection = Selection {
            aggregate_type: Some(kind.to_owned()),
            aggregate_id: Some(id),
            newest_first: true,
            ..Selection::default()
        };
        Ok(self.0.log.select(&selection, None, EVENTS as i64).await?.events)
    }
}

fn told(event: Recorded) -> Answer<WhyEvent> {
    let words = match event.fact()? {
        Fact::Subscription(fact) => why_words::of_subscription(&fact),
        Fact::Member(fact) => why_words::of_member(&fact),
        // Nothing else is in those streams.
        Fact::Plan(_)
        | Fact::Campaign(_)
        | Fact::Code(_)
        | Fact::BotUser(_)
        | Fact::Broadcast(_)
        | Fact::Guard(_)
        | Fact::Conversation(_)
        | Fact::Submission(_)
        | Fact::Template(_)
        | Fact::Signal(_) => String::new(),
    };
    Ok(WhyEvent {
        position: event.position,
        recorded_at: event.recorded_at,
        stream: format!("{}/{}", event.aggregate_type, event.aggregate_id),
        r#type: event.event_type,
        words,
        actor: event.actor,
    })
}
