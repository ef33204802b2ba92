//! What a subscription tells, fact by fact. How to read a story: [`Story::tells`] sends a
//! wish and says by name what came of it.
use super::*;
use crate::{
    ByHand, PersonId,
    campaign::Currency,
    plan::{Every, Interval},
};

mod access;
mod cancel;
mod money;
mod order;
mod seat;

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub(super) fn day(day: i64) -> DateTime<Utc> {
    at(day * 86_400)
}

pub(super) fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

pub(super) fn vip() -> PlanRef {
    PlanRef { id: Uuid::from_u128(1), name: "VIP".to_owned(), channel: -100_123 }
}

pub(super) fn ids() -> StripeIds {
    StripeIds { subscription: "sub_1".to_owned(), customer: Some("cus_1".to_owned()) }
}

pub(super) fn account(n: i64) -> Account {
    Account { person: PersonId(Uuid::from_u128(n as u128)), telegram: Personal::new(n) }
}

pub(super) fn by_hand() -> ByHand {
    ByHand { by: Personal::new("root".to_owned()), reason: Personal::new("a good one".to_owned()) }
}

pub(super) fn email(name: &str) -> Personal<String> {
    Personal::new(format!("{name}@example.com"))
}

pub(super) fn item(minor: i64) -> Item {
    Item {
        price: "price_month".to_owned(),
        product: None,
        unit_minor: Some(minor),
        currency: eur(),
        every: Every { count: 1, interval: Interval::Month },
        quantity: 1,
        metered: false,
    }
}

/// 49.00 EUR a month, paid for days 0 to 30.
pub(super) fn contract(status: StripeStatus) -> Contract {
    Contract {
        status,
        livemode: true,
        started_at: day(0),
        period: Some(Period { start: day(0), end: day(30) }),
        cancel_at_period_end: false,
        cancel_at: None,
        canceled_at: None,
        ended_at: None,
        trial_end: None,
        cancellation: None,
        items: vec![item(4_900)],
        discounts: vec![],
        plan: Some(vip()),
    }
}

/// Paid for days `start` to `start + 30`.
pub(super) fn from_day(start: i64, status: StripeStatus) -> Contract {
    Contract { period: Some(Period { start: day(start), end: day(start + 30) }), ..contract(status) }
}

pub(super) fn carried(created: DateTime<Utc>) -> Seen {
    Seen::Carried { created, event: format!("evt_{}", created.timestamp()) }
}

pub(super) fn observe(contract: Contract, seen: Seen) -> Command {
    observe_with(contract, seen, Settings::default())
}

pub(super) fn observe_with(contract: Contract, seen: Seen, settings: Settings) -> Command {
    let at = seen.at();
    let observation = Observation { stripe: ids(), contract, email: None, account: None, seen };
    Command::Observe { observation: Box::new(observation), settings, at }
}

pub(super) fn grace(days: u16) -> Settings {
    Settings { grace_days: days, ..Settings::default() }
}

pub(super) fn invoice(id: &str, created: DateTime<Utc>, attempts: u32) -> InvoiceFacts {
    InvoiceFacts {
        id: id.to_owned(),
        paid_minor: 0,
        due_minor: 4_900,
        tax_minor: 0,
        currency: eur(),
        billing_reason: None,
        attempts,
        next_attempt_at: None,
        hosted_url: None,
        period: None,
        created,
        at: None,
    }
}

pub(super) fn paid(id: &str, created: DateTime<Utc>) -> Command {
    let invoice = Box::new(InvoiceFacts { paid_minor: 4_900, ..invoice(id, created, 1) });
    Command::Invoice { stripe: ids(), invoice, outcome: InvoiceOutcome::Paid, at: created }
}

pub(super) fn failed(id: &str, created: DateTime<Utc>, attempts: u32) -> Command {
    let invoice = Box::new(invoice(id, created, attempts));
    Command::Invoice { stripe: ids(), invoice, outcome: InvoiceOutcome::PaymentFailed, at: created }
}

/// A subscription, and all that happened to it.
#[derive(Default)]
pub(super) struct Story {
    pub(super) now: Subscription,
    pub(super) events: Vec<Event>,
}

impl Story {
    /// An active one, seen on day 0.
    pub(super) fn active() -> Self {
        let mut story = Self::default();
        story.send(observe(contract(StripeStatus::Active), carried(day(0))));
        story
    }

    pub(super) fn granted(until: Option<DateTime<Utc>>) -> Self {
        let mut story = Self::default();
        story.send(grant(until));
        story
    }

    pub(super) fn send(&mut self, command: Command) -> Vec<Event> {
        let events = self.now.decide(&command).unwrap();
        for event in &events {
            self.now.apply(event.clone());
        }
        self.events.extend(events.clone());
        events
    }

    /// Sends a wish, and says by name what came of it.
    pub(super) fn tells(&mut self, command: Command) -> String {
        use cqrs_es::DomainEvent;
        let names: Vec<_> = self.send(command).iter().map(DomainEvent::event_type).collect();
        names.join(" ")
    }

    pub(super) fn refuses(&self, command: &Command) -> Refusal {
        self.now.decide(command).unwrap_err()
    }

    /// The last monthly amount that was told, in cents; `-1`: that it is nothing.
    fn told_mrr(&self) -> Option<i64> {
        self.events.iter().rev().find_map(|event| match event {
            Event::MrrChanged { after, .. } => Some(after.map_or(-1, |mrr| mrr::to_minor(mrr.micros.into()))),
            _ => None,
        })
    }
}

pub(super) fn grant(until: Option<DateTime<Utc>>) -> Command {
    Command::Grant { plan: vip(), email: Some(email("anna")), account: None, until, by_hand: by_hand(), at: day(0) }
}

#[test]
fn the_same_id_at_stripe_is_the_same_stream_for_ever() {
    // Changing this loses every subscription there is.
    let expected = "c3df8ae5-a1e7-59f6-ac4a-9b839a4b4fd2";
    assert_eq!(stripe_subscription_stream("sub_1").to_string(), expected);
    assert_ne!(stripe_subscription_stream("sub_1"), stripe_subscription_stream("sub_2"));
}

#[test]
fn a_word_of_stripe_that_is_new_to_us_is_kept_as_it_is() {
    for word in
        ["incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused", "new"]
    {
        let status = StripeStatus::of(word);
        assert_eq!(status == StripeStatus::Unknown(word.to_owned()), word == "new");
        let stored = serde_json::to_value(&status).unwrap();
        assert_eq!(stored, word);
        assert_eq!(serde_json::from_value::<StripeStatus>(stored).unwrap(), status);
    }
}

#[test]
fn a_life_from_the_first_payment_to_the_last() {
    let mut story = Story::default();
    let incomplete = observe(contract(StripeStatus::Incomplete), carried(at(0)));
    assert_eq!(story.tells(incomplete), "Observed Started");
    assert_eq!(story.now.status(), Some(Status::Pending));
    let active = observe(contract(StripeStatus::Active), carried(at(1)));
    assert_eq!(story.tells(active), "Observed Activated MrrChanged");
    assert_eq!(story.told_mrr(), Some(4_900));
    assert_eq!(story.tells(paid("in_1", day(0))), "InvoicePaid");
    let renewed = observe(from_day(30, StripeStatus::Active), carried(day(30)));
    assert_eq!(story.tells(renewed), "Observed Renewed");
    assert_eq!(story.tells(failed("in_3", day(60), 1)), "PaymentFailed");
    let late = observe_with(from_day(60, StripeStatus::PastDue), carried(day(60)), grace(3));
    assert_eq!(story.tells(late), "Observed PastDue");
    assert_eq!(story.tells(failed("in_3", day(60), 2)), "PaymentFailed");
    assert_eq!(story.tells(paid("in_3", day(60))), "InvoicePaid");
    let recovered = observe_with(from_day(60, StripeStatus::Active), carried(day(62)), grace(3));
    assert_eq!(story.tells(recovered), "Observed Recovered");
    let cancelling =
        Contract { cancel_at_period_end: true, canceled_at: Some(day(63)), ..from_day(60, StripeStatus::Active) };
    let planned = observe_with(cancelling.clone(), carried(day(63)), grace(3));
    assert_eq!(story.tells(planned), "Observed CancelPlanned");
    let resumed = observe_with(from_day(60, StripeStatus::Active), carried(day(64)), grace(3));
    assert_eq!(story.tells(resumed), "Observed CancelWithdrawn");
    story.send(observe_with(cancelling.clone(), carried(day(65)), grace(3)));
    assert_eq!(story.told_mrr(), Some(4_900), "what is paid until its end is revenue until then");
    let over = Contract { status: StripeStatus::Canceled, ended_at: Some(day(90)), ..cancelling };
    let ended = observe_with(over, carried(day(90)), grace(3));
    assert_eq!(story.tells(ended), "Observed Ended MrrChanged");
    assert_eq!(story.told_mrr(), Some(-1));
    assert_eq!(story.now.stage(), Some(Stage::Ended { reason: EndReason::Canceled, at: day(90) }));
}

#[test]
fn a_trial_is_access_without_revenue_until_it_is_paid() {
    let mut story = Story::default();
    let trial = Contract { trial_end: Some(day(7)), ..contract(StripeStatus::Trialing) };
    assert_eq!(story.tells(observe(trial, carried(day(0)))), "Observed Started Activated");
    assert_eq!(story.now.access(day(1)), Access::In { until: None, rule: Rule::Trialing });
    assert_eq!(story.now.mrr(), None);
    let converted = Contract { trial_end: Some(day(7)), ..from_day(7, StripeStatus::Active) };
    assert_eq!(story.tells(observe(converted, carried(day(7)))), "Observed TrialConverted MrrChanged");
    let mut story = Story::default();
    story.send(observe(contract(StripeStatus::Trialing), carried(day(0))));
    assert_eq!(story.tells(observe(contract(StripeStatus::Paused), carried(day(7)))), "Observed Ended");
    let resumed = observe(contract(StripeStatus::Active), carried(day(9)));
    assert_eq!(story.tells(resumed), "Observed Reactivated MrrChanged");
}

#[test]
fn an_upgrade_tells_the_plan_and_the_amount_before_and_after() {
    let mut story = Story::active();
    let gold = PlanRef { name: "Gold".to_owned(), ..vip() };
    let upgraded = Contract { items: vec![item(9_900)], plan: Some(gold.clone()), ..contract(StripeStatus::Active) };
    let events = story.send(observe(upgraded.clone(), carried(day(3))));
    let party = Party { plan: Some(gold), ..Party::default() };
    assert_eq!(
        events[1..],
        [
            Event::PlanChanged { party: party.clone(), from: Some(vip()), at: day(3) },
            Event::MrrChanged {
                party,
                before: Some(Mrr { currency: eur(), micros: 4_900_000_000 }),
                after: Some(Mrr { currency: eur(), micros: 9_900_000_000 }),
                effective: day(3),
                at: day(3),
            },
        ]
    );
    let half = Contract { discounts: vec![Discount::Percent { basis_points: 5_000 }], ..upgraded };
    assert_eq!(story.tells(observe(half, carried(day(4)))), "Observed MrrChanged");
    assert_eq!(story.told_mrr(), Some(4_950));
}

#[test]
fn what_is_imported_is_revenue_since_it_began() {
    let mut story = Story::default();
    let old = Contract { trial_end: Some(day(-83)), started_at: day(-90), ..contract(StripeStatus::Active) };
    story.send(observe(old, Seen::Fetched { at: day(5) }));
    let effective = story.events.iter().find_map(|event| match event {
        Event::MrrChanged { effective, .. } => Some(*effective),
        _ => None,
    });
    assert_eq!(effective, Some(day(-83)));
    let mut story = Story::default();
    let over = Contract { ended_at: Some(day(-9)), ..contract(StripeStatus::Canceled) };
    assert_eq!(story.tells(observe(over, Seen::Fetched { at: day(5) })), "Observed Started Ended");
    assert!(matches!(story.events.last(), Some(Event::Ended { was: None, ended_at, .. }) if *ended_at == day(-9)));
}

#[test]
fn what_is_sent_again_is_no_news_and_what_is_late_is_history() {
    let mut story = Story::active();
    let renewed = observe(from_day(30, StripeStatus::Active), carried(day(30)));
    story.send(renewed.clone());
    assert_eq!(story.tells(renewed), "");
    // What is late is history, once.
    let late = observe(contract(StripeStatus::PastDue), carried(day(29)));
    assert_eq!(story.tells(late.clone()), "Learned");
    assert_eq!(story.tells(late), "");
    // A fetch knows better than an event of its second, and need not say so twice.
    let fetched = |second| {
        observe(from_day(30, StripeStatus::Active), Seen::Fetched { at: day(30) + TimeDelta::seconds(second) })
    };
    assert_eq!(story.tells(fetched(0)), "Observed");
    assert_eq!(story.tells(fetched(60)), "");
    assert_eq!(story.tells(observe(contract(StripeStatus::PastDue), carried(day(30)))), "");
    assert_eq!(story.tells(observe(from_day(30, StripeStatus::PastDue), carried(day(31)))), "Observed Lapsed Ended");
}

#[test]
fn an_older_account_fills_in_who_it_is() {
    let mut story = Story::active();
    let Command::Observe { mut observation, settings, at } =
        observe(contract(StripeStatus::Trialing), carried(day(-1)))
    else {
        unreachable!("it is what the helper makes")
    };
    observation.email = Some(email("anna"));
    observation.account = Some(account(7));
    assert_eq!(story.tells(Command::Observe { observation, settings, at }), "Identified Learned AccessChanged");
    assert_eq!(story.now.party(), Party { email: Some(email("anna")), account: Some(account(7)), plan: Some(vip()) });
    assert_eq!(story.now.access(day(0)), Access::In { until: None, rule: Rule::ActivePaid });
    let identify = |name: &str, created| Command::Identify {
        stripe: ids(),
        email: Some(email(name)),
        account: None,
        seen: carried(created),
        by_hand: None,
        at: day(9),
    };
    assert_eq!(story.tells(identify("older", day(-2))), "");
    assert_eq!(story.tells(identify("newer", day(2))), "Identified");
    assert_eq!(story.tells(identify("newer", day(2))), "");
    assert_eq!(story.now.party().email, Some(email("newer")));
}

#[test]
fn who_it_is_for_by_hand_outweighs_whatever_stripe_says() {
    let identify = |name: &str, who: i64, seen, by_hand| Command::Identify {
        stripe: ids(),
        email: Some(email(name)),
        account: Some(account(who)),
        seen,
        by_hand,
        at: day(1),
    };
    let mut story = Story::active();
    story.send(identify("payer", 7, Seen::Fetched { at: day(2) }, None));
    let given = identify("granted", 8, Seen::Fetched { at: day(1) }, Some(by_hand()));
    assert_eq!(story.tells(given.clone()), "Identified AccessChanged");
    assert_eq!(story.tells(given), "");
    assert_eq!(story.tells(identify("payer", 7, Seen::Fetched { at: day(3) }, None)), "");
    assert_eq!(story.tells(identify("payer", 7, carried(day(4)), None)), "");
    let mut later = observe(from_day(30, StripeStatus::Active), carried(day(30)));
    if let Command::Observe { observation, .. } = &mut later {
        (observation.email, observation.account) = (Some(email("payer")), Some(account(7)));
    }
    assert_eq!(story.tells(later), "Observed Renewed");
    let Party { email: address, account: who, .. } = story.now.party();
    assert_eq!((address, who), (Some(email("granted")), Some(account(8))));
    assert_eq!(story.tells(identify("again", 8, Seen::Fetched { at: day(5) }, Some(by_hand()))), "Identified");
    assert_eq!(story.now.party().email, Some(email("again")));
}

#[test]
fn what_no_one_would_send_is_refused_by_field() {
    let story = Story::default();
    let wrong = |change: fn(&mut Observation)| {
        let Command::Observe { mut observation, settings, at } =
            observe(contract(StripeStatus::Active), carried(day(0)))
        else {
            unreachable!("it is what the helper makes")
        };
        change(&mut observation);
        story.refuses(&Command::Observe { observation, settings, at })
    };
    assert_eq!(wrong(|o| o.stripe.subscription.clear()), Refusal::invalid("subscription"));
    assert_eq!(wrong(|o| o.stripe.customer = Some("cus\0".to_owned())), Refusal::invalid("customer"));
    assert_eq!(wrong(|o| o.contract.items[0].every.count = 0), Refusal::invalid("items"));
    assert_eq!(wrong(|o| o.email = Some(Personal::new("no address".to_owned()))), Refusal::invalid("email"));
    assert_eq!(wrong(|o| o.contract.status = StripeStatus::Unknown("x\0".to_owned())), Refusal::invalid("status"));
    assert_eq!(story.refuses(&Command::Lapse { at: day(0) }), Refusal::Missing);
    assert_eq!(Story::granted(None).refuses(&paid("in_1", day(0))), Refusal::NotAtStripe);
}
