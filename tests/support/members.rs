//! Subscriptions and members as commands, for tests that begin behind what makes them.

use aggregates::{
    ByHand, Decide, Personal,
    campaign::Currency,
    member,
    plan::{Every, Interval, PlanRef},
    subscription::{
        Account, Command, Contract, InvoiceFacts, InvoiceOutcome, Item, Link, LinkKind, Observation, Period, Rule,
        Seen, Settings, StripeIds, StripeStatus,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use promostack::{
    app::App,
    executor::{Done, Executor, Wish},
    log::Cause,
};
use uuid::Uuid;

pub const CHANNEL: i64 = -1_001_234_567_890;

pub async fn send<A: Decide>(executor: &Executor<A>, id: &str, command: A::Command) -> Done<A> {
    let cause = Cause { actor: "test".into(), correlation: Uuid::from_u128(7), causation: "test".into() };
    executor.send(id, Wish { command, cause, once: None, expected: None }).await.unwrap()
}

pub fn vip() -> PlanRef {
    PlanRef { id: Uuid::from_u128(0x0193_5c2e_7b4a_7c31_9f05_5d1a_8e62_04bb), name: "VIP".to_owned(), channel: CHANNEL }
}

pub async fn account(app: &App, telegram: i64) -> Account {
    Account { person: app.person_of_telegram(telegram).await.unwrap(), telegram: Personal::new(telegram) }
}

pub fn by_hand(reason: &str) -> ByHand {
    ByHand { by: Personal::new("root".to_owned()), reason: Personal::new(reason.to_owned()) }
}

pub fn grant(email: &str, account: Option<Account>, until: Option<DateTime<Utc>>, at: DateTime<Utc>) -> Command {
    let email = Some(Personal::new(email.to_owned()));
    Command::Grant { plan: vip(), email, account, until, by_hand: by_hand("=a friend"), at }
}

/// 49.00 EUR a month, paid for the month that began a day ago.
pub fn contract(status: StripeStatus, now: DateTime<Utc>) -> Contract {
    let start = now - TimeDelta::days(1);
    let item = Item {
        price: "price_month".to_owned(),
        product: None,
        unit_minor: Some(4_900),
        currency: Currency::new("EUR").unwrap(),
        every: Every { count: 1, interval: Interval::Month },
        quantity: 1,
        metered: false,
    };
    Contract {
        status,
        livemode: true,
        started_at: start,
        period: Some(Period { start, end: start + TimeDelta::days(30) }),
        cancel_at_period_end: false,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        trial_end: None,
        cancellation: None,
        items: vec![item],
        discounts: vec![],
        plan: Some(vip()),
    }
}

pub fn ids(name: &str) -> StripeIds {
    StripeIds { subscription: format!("sub_{name}"), customer: Some(format!("cus_{name}")) }
}

/// What Stripe says of `name`'s subscription, asked now.
pub fn observe(name: &str, contract: Contract, grace_days: u16, now: DateTime<Utc>) -> Command {
    let observation = Observation {
        stripe: ids(name),
        contract,
        email: Some(Personal::new(format!("{name}@example.com"))),
        account: None,
        seen: Seen::Fetched { at: now },
    };
    let settings = Settings { grace_days, ..Settings::default() };
    Command::Observe { observation: Box::new(observation), settings, at: now }
}

pub fn invoice(name: &str, id: &str, outcome: InvoiceOutcome, now: DateTime<Utc>) -> Command {
    let invoice = InvoiceFacts {
        id: id.to_owned(),
        paid_minor: if outcome == InvoiceOutcome::Paid { 4_900 } else { 0 },
        due_minor: 4_900,
        tax_minor: 0,
        currency: Currency::new("EUR").unwrap(),
        billing_reason: Some("subscription_cycle".to_owned()),
        attempts: 1,
        next_attempt_at: None,
        hosted_url: None,
        period: None,
        created: now,
        at: None,
    };
    Command::Invoice { stripe: ids(name), invoice: Box::new(invoice), outcome, at: now }
}

pub fn link(name: &str, at: DateTime<Utc>) -> Command {
    let link = Link {
        url: Personal::new(format!("https://t.me/+{name}")),
        name: format!("VIP {name}"),
        kind: LinkKind::JoinRequest,
        channel: Some(CHANNEL),
        expires: None,
    };
    Command::IssueLink { link, at }
}

pub fn entitle(subscription: Uuid, version: i64, until: Option<DateTime<Utc>>, at: DateTime<Utc>) -> member::Command {
    member::Command::Entitle { subscription, version, until, rule: Rule::ManualGrant, at }
}

/// A plan that was changed, subscriptions of every kind, and members with every fate.
pub async fn some_of_all(app: &App) {
    use aggregates::plan;
    let now = app.clock.now();
    let terms = plan::Terms {
        name: "VIP".to_owned(),
        prices: vec!["price_month".to_owned()],
        every: Every { count: 1, interval: Interval::Month },
        channel: CHANNEL,
    };
    let plan = vip().id.to_string();
    send(&app.plans, &plan, plan::Command::Define { terms, at: now }).await;
    let prices = ["price_month", "price_year"].map(str::to_owned).to_vec();
    let change = plan::Command::Change { name: "=Gold".to_owned(), prices, channel: CHANNEL, at: now };
    send(&app.plans, &plan, change).await;

    let granted = Uuid::from_u128(0x0193_5c2e_7b4a_7c31_9f05_5d1a_8e62_04bc);
    let wishes = [
        grant("=Gift@example.com", Some(account(app, 501).await), Some(now + TimeDelta::days(3)), now),
        link("gift", now),
        Command::Join {
            account: account(app, 501).await,
            link: Some(Personal::new("https://t.me/+gift".to_owned())),
            at: now,
        },
        Command::Extend { until: now + TimeDelta::days(9), by_hand: by_hand("more"), at: now },
    ];
    for wish in wishes {
        send(&app.subscriptions, &granted.to_string(), wish).await;
    }
    let mut trial = contract(StripeStatus::Trialing, now);
    trial.trial_end = Some(now + TimeDelta::days(7));
    let mut leaving = contract(StripeStatus::Active, now);
    leaving.cancel_at_period_end = true;
    let contracts = [
        ("paid", contract(StripeStatus::Active, now)),
        ("late", contract(StripeStatus::PastDue, now)),
        ("trial", trial),
        ("leaving", leaving),
        ("gone", contract(StripeStatus::Canceled, now)),
    ];
    for (name, contract) in contracts {
        let id = aggregates::subscription::stripe_subscription_stream(&format!("sub_{name}")).to_string();
        send(&app.subscriptions, &id, observe(name, contract, 5, now)).await;
        send(&app.subscriptions, &id, invoice(name, &format!("in_{name}"), InvoiceOutcome::Paid, now)).await;
    }

    let join = |link: Option<&str>| member::Command::Join { link: link.map(str::to_owned), at: now };
    let member = |user| member::stream(CHANNEL, user);
    send(&app.members, &member(501), entitle(granted, 1, Some(now + TimeDelta::days(9)), now)).await;
    send(&app.members, &member(501), join(Some("VIP gift"))).await;
    // Somebody who came by a link and may not stay; removed, and told so once more.
    let out = member::Command::Disentitle { subscription: granted, version: 2, rule: Rule::Missing, at: now };
    for user in [502, 503] {
        send(&app.members, &member(user), join(Some("VIP gift"))).await;
        send(&app.members, &member(user), out.clone()).await;
    }
    let fail = member::Command::FailRemoval { error: "not enough rights".to_owned(), at: now };
    send(&app.members, &member(502), fail).await;
    send(&app.members, &member(503), member::Command::ConfirmRemoval { at: now }).await;
    send(&app.members, &member(504), member::Command::Whitelist { by_hand: by_hand("an old friend"), at: now }).await;
}
