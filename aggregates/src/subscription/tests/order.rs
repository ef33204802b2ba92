//! However the news comes, it comes to the same.
use proptest::{prelude::*, sample::Index};

use super::*;

/// A subscription at Stripe that is lived through, and the webhooks it makes.
struct Life {
    contract: Contract,
    now: i64,
    settings: Settings,
    invoices: u32,
    attempts: u32,
    invoiced: i64,
    charge: Option<(i64, i64)>,
    disputed: Option<DisputeStatus>,
    webhooks: Vec<Command>,
}

impl Life {
    /// Every step is a choice and how many seconds it takes: none, often.
    fn lived(settings: Settings, steps: &[(u8, u8)], pause: i64) -> Self {
        let mut life = Self {
            contract: contract(StripeStatus::Incomplete),
            now: 0,
            settings,
            invoices: 0,
            attempts: 0,
            invoiced: 0,
            charge: None,
            disputed: None,
            webhooks: vec![],
        };
        life.tell();
        for (choice, seconds) in steps {
            life.now += i64::from(seconds % 4) * i64::from(seconds / 4) * 7_000 + pause;
            life.step(*choice);
        }
        life
    }

    /// Ids do not sort by time, as Stripe's do not.
    fn event(&self) -> Seen {
        let number = (self.webhooks.len() as u32).wrapping_mul(2_654_435_761);
        Seen::Carried { created: at(self.now), event: format!("evt_{number:08x}") }
    }

    fn tell(&mut self) {
        self.webhooks.push(observe_with(self.contract.clone(), self.event(), self.settings));
    }

    fn bill(&mut self, outcome: InvoiceOutcome) {
        let paid_minor = if outcome == InvoiceOutcome::Paid { 4_900 } else { 0 };
        let id = format!("in_{}", self.invoices);
        let known = invoice(&id, at(self.invoiced), self.attempts);
        let invoice = Box::new(InvoiceFacts { paid_minor, at: Some(at(self.now)), ..known });
        self.webhooks.push(Command::Invoice { stripe: ids(), invoice, outcome, at: at(self.now) });
    }

    fn pay(&mut self) {
        self.contract.status = StripeStatus::Active;
        self.attempts += 1;
        self.tell();
        self.bill(InvoiceOutcome::Paid);
        self.charge = Some((self.now, 0));
    }

    fn next_invoice(&mut self) {
        (self.invoices, self.attempts, self.invoiced) = (self.invoices + 1, 0, self.now);
    }

    fn next_period(&mut self) {
        self.contract.period = Some(Period { start: at(self.now), end: at(self.now + 2_592_000) });
        self.next_invoice();
    }

    fn fail(&mut self) {
        self.attempts += 1;
        self.contract.status = StripeStatus::PastDue;
        self.tell();
        self.bill(InvoiceOutcome::PaymentFailed);
    }

    fn step(&mut self, choice: u8) {
        use StripeStatus::{Active, Canceled, Incomplete, PastDue, Trialing, Unpaid};
        match (choice % 16, &self.contract.status) {
            (_, Canceled) | (0..=3, Unpaid) => {}
            (0, Incomplete) => {
                self.contract.status = Trialing;
                self.contract.trial_end = Some(at(self.now + 604_800));
                self.tell();
            }
            (0..=3, Incomplete) => self.pay(),
            (0..=2, Trialing | Active) => {
                self.next_period();
                self.pay();
            }
            (3, Trialing | Active) => {
                self.next_period();
                self.fail();
                self.bill(InvoiceOutcome::ActionRequired);
            }
            (0, PastDue) => self.fail(),
            (1, PastDue) => {
                self.contract.status = Unpaid;
                self.tell();
            }
            (2..=3, PastDue) => self.pay(),
            (4..=5, _) => {
                self.contract.cancel_at_period_end = true;
                self.contract.canceled_at = Some(at(self.now));
                self.tell();
            }
            (6..=7, _) => {
                self.contract.cancel_at_period_end = false;
                self.contract.canceled_at = None;
                self.tell();
            }
            (8, _) => {
                self.contract.status = Canceled;
                self.contract.canceled_at = Some(at(self.now));
                self.contract.ended_at = Some(at(self.now));
                self.tell();
            }
            (9..=10, _) => {
                self.contract.items = vec![item(self.now % 9_000 + 1)];
                self.tell();
            }
            (11..=12, _) => {
                if let Some((charged, refunded)) = &mut self.charge {
                    *refunded = (*refunded + if choice % 16 == 11 { 900 } else { 4_900 }).min(4_900);
                    let refund = RefundFacts {
                        charge: format!("ch_{charged}"),
                        charged_minor: 4_900,
                        charged_at: at(*charged),
                        refunded_minor: *refunded,
                        currency: eur(),
                        // The same total is the same refund.
                        at: at(*charged + *refunded),
                    };
                    let (stripe, settings) = (StripeIds { customer: None, ..ids() }, self.settings);
                    self.webhooks.push(Command::Refund {
                        stripe,
                        refund: Box::new(refund),
                        settings,
                        at: at(self.now),
                    });
                }
            }
            (13, _) => {
                let status = match self.disputed {
                    None => DisputeStatus::Opened,
                    Some(_) if choice > 128 => DisputeStatus::Won,
                    Some(_) => DisputeStatus::Lost,
                };
                if self.disputed.is_none_or(|known| known == DisputeStatus::Opened) {
                    self.disputed = Some(status);
                    let dispute = DisputeFacts {
                        dispute: "dp_1".to_owned(),
                        charge: "ch_1".to_owned(),
                        amount_minor: 4_900,
                        currency: eur(),
                        status,
                        at: at(self.now),
                    };
                    let (settings, at) = (self.settings, at(self.now));
                    self.webhooks.push(Command::Dispute { stripe: ids(), dispute: Box::new(dispute), settings, at });
                }
            }
            (14, _) => self.webhooks.push(Command::Identify {
                stripe: ids(),
                email: Some(email(if choice > 128 { "anna" } else { "maria" })),
                account: None,
                seen: self.event(),
                by_hand: None,
                at: at(self.now),
            }),
            (_, _) => {
                let seen = self.event();
                let (contract, settings) = (self.contract.clone(), self.settings);
                let observation = Observation {
                    stripe: ids(),
                    contract,
                    email: (choice > 128).then(|| email("anna")),
                    account: Some(account(i64::from(choice / 64))),
                    seen,
                };
                let observation = Box::new(observation);
                self.webhooks.push(Command::Observe { observation, settings, at: at(self.now) });
            }
        }
    }
}

fn told(webhooks: impl IntoIterator<Item = Command>) -> Story {
    let mut story = Story::default();
    for webhook in webhooks {
        story.send(webhook);
    }
    story
}

/// The state without what was told of so far: that is nobody's access, and no fact.
fn facts(story: &Story) -> Subscription {
    let mut facts = story.now.clone();
    if let Subscription::Known(known) = &mut facts {
        known.passed = None;
    }
    facts
}

/// What was told of that happened at Stripe, and how often.
fn history(story: &Story) -> Vec<String> {
    let of = |event: &Event| match event {
        Event::Observed { latest, .. } => Some(format!("{:?}", latest.seen)),
        Event::PaymentFailed { invoice, .. } => Some(format!("{} {}", invoice.id, invoice.attempts)),
        Event::InvoicePaid { invoice, .. } => Some(invoice.id.clone()),
        Event::Refunded { refund, .. } => Some(format!("{} {}", refund.charge, refund.refunded_minor)),
        Event::Learned { past: Past::Observed(latest), .. } => Some(format!("{:?}", latest.seen)),
        Event::Learned { past: Past::PaymentFailed(invoice), .. } => {
            Some(format!("{} {}", invoice.id, invoice.attempts))
        }
        Event::Learned { past: Past::Refunded(refund), .. } => {
            Some(format!("{} {}", refund.charge, refund.refunded_minor))
        }
        _ => None,
    };
    let mut told: Vec<_> = story.events.iter().filter_map(of).collect();
    told.sort();
    told
}

fn settings() -> impl Strategy<Value = Settings> {
    let refunds = prop_oneof![Just(RefundPolicy::KeepAccess), Just(RefundPolicy::EndOnFullRefund)];
    let disputes = prop_oneof![
        Just(DisputePolicy::KeepAccess),
        Just(DisputePolicy::EndWhenOpened),
        Just(DisputePolicy::EndWhenLost),
    ];
    (0_u16..6, refunds, disputes).prop_map(|(grace_days, refunds, disputes)| Settings { grace_days, refunds, disputes })
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((any::<u8>(), any::<u8>()), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Any order of the webhooks, with any of them repeated, ends in the state that
    /// the order in which Stripe made them ends in.
    #[test]
    fn any_order_and_repetition_is_the_same_state(
        (life, order) in (settings(), steps()).prop_flat_map(|(settings, steps)| {
            let webhooks = Life::lived(settings, &steps, 0).webhooks;
            let every = Just((0..webhooks.len()).collect::<Vec<_>>());
            let again = proptest::collection::vec(any::<Index>(), 0..20);
            (Just(webhooks), (every, again)).prop_flat_map(|(webhooks, (mut every, again))| {
                let count = webhooks.len();
                every.extend(again.into_iter().map(|index| index.index(count)));
                (Just(webhooks), Just(every).prop_shuffle())
            })
        })
    ) {
        let in_order = told(life.clone());
        let shuffled = told(order.iter().map(|n| life[*n].clone()));
        prop_assert_eq!(facts(&shuffled), facts(&in_order));
        // What went back in total is the same sum of differences, too.
        let back = |story: &Story| -> i64 {
            story.events.iter().map(|event| match event { Event::Refunded { minor, .. } => *minor, _ => 0 }).sum()
        };
        prop_assert_eq!(back(&shuffled), back(&in_order));
        // And so is the history: every account, failed attempt and total is told of once.
        prop_assert_eq!(history(&shuffled), history(&in_order));
    }

    /// When no two webhooks are of one second, the last is the truth, however they come.
    #[test]
    fn the_newest_account_is_believed((life, order) in (settings(), steps()).prop_flat_map(|(settings, steps)| {
        let life = Life::lived(settings, &steps, 1);
        let order = Just((0..life.webhooks.len()).collect::<Vec<_>>()).prop_shuffle();
        (Just((life.contract, life.webhooks)), order)
    })) {
        let (contract, webhooks) = life;
        let story = told(order.into_iter().map(|n| webhooks[n].clone()));
        prop_assert_eq!(story.now.latest().map(|latest| &latest.contract), Some(&contract));
    }

    /// Time may be asked after between any two webhooks: who is in at the end is the same.
    #[test]
    fn timers_do_not_matter(settings in settings(), steps in steps(), timers in proptest::collection::vec(any::<Index>(), 0..10)) {
        let life = Life::lived(settings, &steps, 0);
        let end = at(life.now);
        let quiet = told(life.webhooks.clone());
        let mut webhooks = life.webhooks;
        for timer in timers {
            let place = timer.index(webhooks.len()) + 1;
            let when = webhooks[place - 1].at().min(end);
            webhooks.insert(place, Command::Lapse { at: when });
        }
        let story = told(webhooks);
        for now in [end, end + TimeDelta::days(3), end + TimeDelta::days(400)] {
            prop_assert_eq!(story.now.access(now), quiet.now.access(now));
        }
    }

    /// Whenever access is another, somebody is told to look again.
    #[test]
    fn who_acts_on_access_is_told_when_it_changes(
        settings in settings(), steps in steps(), extensions in proptest::collection::vec((any::<Index>(), 1i64..40), 0..3),
    ) {
        let mut webhooks = Life::lived(settings, &steps, 0).webhooks;
        for (place, days) in extensions {
            let place = place.index(webhooks.len()) + 1;
            let at = webhooks[place - 1].at();
            webhooks.insert(place, Command::Extend { until: at + TimeDelta::days(days), by_hand: by_hand(), at });
        }
        let mut story = Story::default();
        for webhook in webhooks {
            let says = |story: &Story| story.now.stage().map(|stage| stage.access());
            let before = says(&story);
            let Ok(events) = story.now.decide(&webhook) else { continue };
            for event in &events {
                story.now.apply(event.clone());
            }
            let begins = before.is_none_or(|access| matches!(access, Access::Out { rule: Rule::Incomplete }))
                && !matches!(says(&story), Some(Access::In { .. }));
            prop_assert!(
                begins || before == says(&story) || events.iter().any(Event::concerns_access),
                "{:?} after {:?}: {:?}", says(&story), before, events
            );
        }
    }

    /// What is told to those who act agrees with the state: the last of the monthly
    /// amounts is the amount, each begins with the one before, and who is told to be in,
    /// is.
    #[test]
    fn what_is_told_is_what_is(settings in settings(), steps in steps()) {
        let mut story = Story::default();
        let (mut worth, mut entitled) = (None, false);
        for webhook in Life::lived(settings, &steps, 0).webhooks {
            let now = webhook.at();
            for command in [Command::Lapse { at: now }, webhook] {
                for event in story.now.decide(&command).unwrap_or_default() {
                    story.now.apply(event.clone());
                    match event {
                        Event::MrrChanged { before, after, .. } => {
                            prop_assert_eq!(before, worth);
                            worth = after;
                        }
                        Event::Activated { .. } | Event::Reactivated { .. } => {
                            prop_assert!(!entitled);
                            entitled = true;
                        }
                        Event::Ended { .. } => entitled = false,
                        _ => {}
                    }
                }
                prop_assert_eq!(story.now.mrr(), worth);
                prop_assert_eq!(story.now.stage().is_some_and(|stage| stage.is_entitled()), entitled);
                let is_in = matches!(story.now.access(now), Access::In { .. });
                prop_assert_eq!(is_in, entitled);
            }
        }
    }

    /// A fetch ends all doubt: whatever came before it, and whatever older comes after.
    #[test]
    fn a_fetch_is_believed_over_all_that_is_older(steps in steps(), late in any::<Index>()) {
        let life = Life::lived(Settings::default(), &steps, 0);
        let mut story = told(life.webhooks.clone());
        let truth = from_day(90, StripeStatus::Active);
        story.send(observe(truth.clone(), Seen::Fetched { at: at(life.now) }));
        story.send(life.webhooks[late.index(life.webhooks.len())].clone());
        prop_assert_eq!(story.now.latest().map(|latest| &latest.contract), Some(&truth));
    }
}

#[test]
fn of_two_in_one_second_the_one_that_follows_the_other_is_believed() {
    use StripeStatus::{Active, Canceled, Incomplete, PastDue, Trialing};
    let over = Contract { ended_at: Some(at(9)), ..contract(Canceled) };
    let cancelling = Contract { cancel_at_period_end: true, canceled_at: Some(at(9)), ..contract(Active) };
    for (first, second) in [
        (contract(Incomplete), contract(Active)),
        (contract(Incomplete), contract(Trialing)),
        (contract(Trialing), from_day(7, Active)),
        (contract(Active), from_day(30, PastDue)),
        (contract(PastDue), contract(Active)),
        (contract(Active), cancelling),
        (from_day(30, Active), over),
    ] {
        let seen = |event: &str| Seen::Carried { created: at(9), event: event.to_owned() };
        for (a, b) in [("evt_a", "evt_b"), ("evt_b", "evt_a")] {
            let (one, two) = (observe(first.clone(), seen(a)), observe(second.clone(), seen(b)));
            for order in [vec![one.clone(), two.clone()], vec![two, one]] {
                assert_eq!(told(order).now.latest().map(|latest| &latest.contract), Some(&second));
            }
        }
    }
}

fn fetched(second: i64) -> Seen {
    Seen::Fetched { at: at(second) }
}

/// Stripe is asked because of an event that said `told` at `created`, and answers `is` at `second`.
fn hear(told: Contract, created: i64, is: Contract, second: i64) -> Command {
    let seen = |contract, seen| Box::new(Observation { stripe: ids(), contract, email: None, account: None, seen });
    let (observation, told) = (seen(is, fetched(second)), seen(told, carried(at(created))));
    Command::Hear { observation, told, settings: Settings::default(), at: at(second) }
}

fn names(events: &[Event]) -> Vec<String> {
    events.iter().map(cqrs_es::DomainEvent::event_type).collect()
}

/// The answer says what is so, the event since when; and each is kept once.
#[test]
fn what_an_event_told_is_kept_beside_the_answer() {
    let dear = || Contract { items: vec![item(9_900)], ..contract(StripeStatus::Active) };
    let mut now = Subscription::default();
    let mut send = |command: Command| {
        let events = now.decide(&command).unwrap();
        for event in &events {
            now.apply(event.clone());
        }
        (names(&events), now.stage())
    };
    send(observe(contract(StripeStatus::Active), fetched(0)));
    let (told, _) = send(hear(dear(), 10, dear(), 300));
    assert_eq!(told, ["Observed", "Learned", "PlanChanged", "MrrChanged"]);
    assert!(send(hear(dear(), 10, dear(), 301)).0.is_empty(), "it was heard before");

    // It was late and is paid again: nobody is told to be late, and the past is known.
    let late = || Contract { items: vec![item(9_900)], ..contract(StripeStatus::PastDue) };
    let before = now.stage();
    let events = now.decide(&hear(late(), 400, dear(), 500)).unwrap();
    assert_eq!(names(&events), ["Observed", "Learned"]);
    for event in events {
        now.apply(event);
    }
    assert_eq!(now.stage(), before);
    assert_eq!(now.latest().unwrap().seen, fetched(500), "what is believed is the answer");
}

/// A plan that is defined after something was bought by its price is its plan from then on.
#[test]
fn prices_stand_for_what_they_stand_for_now() {
    let mut now = Subscription::default();
    let mut send = |command: Command| {
        let events = now.decide(&command).unwrap();
        for event in &events {
            now.apply(event.clone());
        }
        names(&events)
    };
    send(observe(Contract { plan: None, ..contract(StripeStatus::Active) }, fetched(0)));
    let replan = |plan| Command::Replan { plan, at: at(100) };
    assert_eq!(send(replan(Some(vip()))), ["Observed", "PlanChanged"]);
    assert!(send(replan(Some(vip()))).is_empty());
    // An event that was on its way meanwhile is not taken for an older one.
    assert_eq!(send(observe(contract(StripeStatus::PastDue), carried(at(50))))[0], "Observed");
    assert!(Subscription::default().decide(&replan(Some(vip()))).unwrap().is_empty());
}
