use cqrs_es::DomainEvent;
use proptest::prelude::*;

use super::*;
use crate::{
    Personal,
    subscription::{EndReason, Rule as Of},
};

const FIRST: Uuid = Uuid::from_u128(1);
const SECOND: Uuid = Uuid::from_u128(2);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn by_hand() -> ByHand {
    ByHand { by: Personal::new("root".to_owned()), reason: Personal::new("a founder".to_owned()) }
}

fn entitle(subscription: Uuid, version: i64, until: Option<i64>, second: i64) -> Command {
    let rule = if until.is_some() { Of::CancellingUntil } else { Of::ActivePaid };
    Command::Entitle { subscription, version, until: until.map(at), rule, at: at(second) }
}

fn disentitle(subscription: Uuid, version: i64, second: i64) -> Command {
    Command::Disentitle { subscription, version, rule: Of::Ended(EndReason::Unpaid), at: at(second) }
}

fn join(second: i64) -> Command {
    Command::Join { link: Some("sub 1".to_owned()), at: at(second) }
}

fn send(member: &mut Member, command: &Command) -> Vec<Event> {
    let events = member.decide(command).unwrap();
    for event in &events {
        member.apply(event.clone());
    }
    events
}

/// Sends a wish, and says by name what came of it; and that nothing comes of it again.
fn tells(member: &mut Member, command: Command) -> String {
    let names: Vec<_> = send(member, &command).iter().map(DomainEvent::event_type).collect();
    assert_eq!(member.decide(&command), Ok(vec![]), "{command:?} again");
    names.join(" ")
}

/// Somebody who is in, and has one subscription.
fn inside() -> Member {
    let mut member = Member::default();
    send(&mut member, &entitle(FIRST, 1, None, 0));
    send(&mut member, &join(1));
    member
}

#[test]
fn a_stream_is_named_after_channel_and_user() {
    assert_eq!(stream(-100_123, 7), "-100123:7");
    assert_eq!(parse_stream("-100123:7"), Some((-100_123, 7)));
    for wrong in ["7", "a:7", "7:", "1:2:3"] {
        assert_eq!(parse_stream(wrong), None, "{wrong}");
    }
}

#[test]
fn who_is_entitled_is_admitted_at_each_request() {
    let mut member = Member::default();
    let admit = |request, second| Command::Admit { request, at: at(second) };
    let nothing = Refusal::NotEntitled { rule: Rule::NoSubscription };
    assert_eq!(member.decide(&admit(1, 0)), Err(nothing));
    assert_eq!(tells(&mut member, entitle(FIRST, 1, Some(10), 0)), "Entitled");
    assert_eq!(tells(&mut member, admit(1, 1)), "Admitted");
    assert_eq!(tells(&mut member, admit(2, 2)), "Admitted", "they went back and asked once more");
    assert_eq!(tells(&mut member, join(3)), "Joined");
    assert_eq!(tells(&mut member, admit(3, 4)), "", "they are in");
    let over = Refusal::NotEntitled { rule: Rule::Subscription(Of::Ended(EndReason::PeriodOver)) };
    assert_eq!(member.decide(&admit(4, 10)), Err(over));
}

#[test]
fn who_is_not_entitled_any_more_is_removed() {
    let mut member = inside();
    assert_eq!(tells(&mut member, disentitle(FIRST, 2, 5)), "Disentitled RemovalDue");
    assert_eq!(tells(&mut member, Command::PlanRemoval { strangers: false, at: at(6) }), "");
    let fail = |error: &str| Command::FailRemoval { error: error.to_owned(), at: at(6) };
    assert_eq!(tells(&mut member, fail("not enough rights")), "RemovalFailed");
    assert_eq!(tells(&mut member, fail("timed out")), "RemovalFailed");
    assert!(member.removal().is_some_and(|verdict| verdict.subscription == Some(FIRST)));
    assert_eq!(tells(&mut member, Command::ConfirmRemoval { at: at(7) }), "Removed");
    assert_eq!(tells(&mut member, Command::Leave { at: at(7) }), "", "Telegram tells of it, too");
    assert!(!member.is_in());
}

#[test]
fn telegrams_own_news_of_a_removal_confirms_it() {
    let mut member = inside();
    send(&mut member, &disentitle(FIRST, 2, 5));
    assert_eq!(tells(&mut member, Command::Leave { at: at(6) }), "Removed");
    assert_eq!(tells(&mut member, Command::ConfirmRemoval { at: at(7) }), "");
    let mut gone = inside();
    assert_eq!(tells(&mut gone, Command::Leave { at: at(6) }), "Left");
    assert_eq!(tells(&mut gone, disentitle(FIRST, 2, 7)), "Disentitled", "nobody is there to be removed");
}

#[test]
fn who_is_not_in_when_access_ends_is_told_by_that() {
    let outside = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Disentitled { outside: true, .. }));
    let mut invited = Member::default();
    send(&mut invited, &entitle(FIRST, 1, None, 0));
    send(&mut invited, &entitle(SECOND, 1, Some(4), 0));
    assert!(!outside(&send(&mut invited, &disentitle(FIRST, 2, 3))), "the second one still lets them in");
    assert!(outside(&send(&mut invited, &disentitle(SECOND, 2, 5))));
    let other =
        Command::Disentitle { subscription: SECOND, version: 3, rule: Of::Ended(EndReason::Canceled), at: at(6) };
    assert!(!outside(&send(&mut invited, &other)), "they know");
    let mut member = inside();
    assert!(!outside(&send(&mut member, &disentitle(FIRST, 2, 5))), "the removal tells them");
    // It ran out, they were removed for that, and only then the subscription says so.
    let mut lapsed = Member::default();
    send(&mut lapsed, &entitle(FIRST, 1, Some(4), 0));
    send(&mut lapsed, &join(1));
    send(&mut lapsed, &Command::Lapse { at: at(4) });
    send(&mut lapsed, &Command::ConfirmRemoval { at: at(5) });
    assert!(!outside(&send(&mut lapsed, &disentitle(FIRST, 2, 6))), "the removal told them");
    let mut listed = Member::default();
    send(&mut listed, &Command::Whitelist { by_hand: by_hand(), at: at(0) });
    send(&mut listed, &entitle(FIRST, 1, None, 0));
    assert!(!outside(&send(&mut listed, &disentitle(FIRST, 2, 3))), "they may come all the same");
}

#[test]
fn who_pays_before_they_are_removed_stays() {
    let mut member = inside();
    send(&mut member, &disentitle(FIRST, 2, 5));
    assert_eq!(tells(&mut member, entitle(SECOND, 1, None, 6)), "Entitled RemovalWithdrawn");
    // Telegram had been asked by then.
    let told = send(&mut member, &Command::ConfirmRemoval { at: at(7) });
    assert!(matches!(told[..], [Event::Removed { readmit: true, .. }]));
}

#[test]
fn the_end_of_one_subscription_is_not_that_of_another() {
    let mut member = inside();
    send(&mut member, &entitle(SECOND, 1, Some(20), 2));
    assert_eq!(tells(&mut member, disentitle(FIRST, 2, 5)), "Disentitled");
    let verdict = member.should_be_in(at(6));
    assert!(verdict.is_in);
    assert_eq!(verdict.subscription, Some(SECOND));
    assert_eq!(member.runs_out_at(at(6)), Some(at(20)));
    assert_eq!(tells(&mut member, Command::Lapse { at: at(19) }), "");
    assert_eq!(tells(&mut member, Command::Lapse { at: at(20) }), "RemovalDue");
}

#[test]
fn what_an_older_version_said_is_no_news() {
    let mut member = inside();
    assert_eq!(tells(&mut member, entitle(FIRST, 3, None, 5)), "Confirmed");
    assert_eq!(tells(&mut member, disentitle(FIRST, 2, 6)), "");
    assert_eq!(tells(&mut member, disentitle(FIRST, 3, 7)), "Disentitled RemovalDue", "time went by");
}

#[test]
fn the_whitelisted_are_never_removed() {
    let list = Command::Whitelist { by_hand: by_hand(), at: at(6) };
    let mut member = inside();
    send(&mut member, &disentitle(FIRST, 2, 5));
    assert_eq!(tells(&mut member, list), "Whitelisted RemovalWithdrawn");
    assert_eq!(member.should_be_in(at(7)).rule, Rule::Whitelisted);
    assert_eq!(tells(&mut member, Command::PlanRemoval { strangers: true, at: at(7) }), "");
    assert_eq!(tells(&mut member, Command::Unlist { by_hand: by_hand(), at: at(8) }), "Unlisted RemovalDue");
    let nameless = ByHand { by: Personal::new(String::new()), ..by_hand() };
    let wish = Command::Whitelist { by_hand: nameless, at: at(9) };
    assert_eq!(member.decide(&wish), Err(Refusal::ByHand(InvalidByHand::By)));
}

#[test]
fn strangers_are_removed_when_our_link_let_them_in_or_somebody_says_so() {
    let mut by_link = Member::default();
    assert_eq!(tells(&mut by_link, join(1)), "Joined RemovalDue");
    let mut before_us = Member::default();
    assert_eq!(tells(&mut before_us, Command::Join { link: None, at: at(1) }), "Joined");
    assert_eq!(tells(&mut before_us, Command::Lapse { at: at(2) }), "");
    assert!(before_us.is_stranger());
    assert_eq!(tells(&mut before_us, disentitle(FIRST, 1, 3)), "", "what never let them in says nothing");
    let plan = |strangers| Command::PlanRemoval { strangers, at: at(3) };
    assert_eq!(tells(&mut before_us, plan(false)), "");
    assert_eq!(tells(&mut before_us, plan(true)), "RemovalDue");
    // Who pays is no stranger any more.
    let mut payer = Member::default();
    send(&mut payer, &Command::Join { link: None, at: at(1) });
    assert_eq!(tells(&mut payer, entitle(FIRST, 1, None, 2)), "Entitled");
    assert_eq!(tells(&mut payer, disentitle(FIRST, 2, 3)), "Disentitled RemovalDue");
}

#[test]
fn news_of_coming_and_going_that_comes_late_is_no_news() {
    let mut member = inside();
    assert_eq!(tells(&mut member, Command::Leave { at: at(0) }), "");
    assert_eq!(tells(&mut member, Command::Leave { at: at(9) }), "Left");
    assert_eq!(tells(&mut member, join(8)), "");
    assert_eq!(tells(&mut member, join(10)), "Joined");
}

#[test]
fn telegrams_whole_seconds_are_no_earlier_than_what_was_seen_within_them() {
    let mut member = inside();
    let seen = at(5) + chrono::TimeDelta::milliseconds(400);
    assert_eq!(tells(&mut member, Command::Leave { at: seen }), "Left");
    assert_eq!(tells(&mut member, join(4)), "", "that was before");
    let back = send(&mut member, &join(5));
    assert!(matches!(back[..], [Event::Joined { at, .. }] if at == seen), "time does not run back: {back:?}");
    assert_eq!(tells(&mut member, Command::Leave { at: at(5) }), "Left");
}

proptest! {
    /// Whatever is wished in whatever order: a removal is planned only of who is in and
    /// should not be, and after every wish nobody who should be in is about to be removed.
    #[test]
    fn nobody_who_should_be_in_is_about_to_be_removed(
        wishes in proptest::collection::vec((0u8..10, 0i64..4, 0i64..30), 0..60),
    ) {
        let mut member = Member::default();
        let mut now = 0;
        for (wish, n, step) in wishes {
            now += step;
            let subscription = Uuid::from_u128((n % 2) as u128);
            let command = match wish {
                0 | 1 => entitle(subscription, n, (n > 1).then_some(now + 20), now),
                2 => disentitle(subscription, n, now),
                3 => join(now),
                4 => Command::Leave { at: at(now) },
                5 => Command::PlanRemoval { strangers: n == 0, at: at(now) },
                6 => Command::ConfirmRemoval { at: at(now) },
                7 if n == 0 => Command::Whitelist { by_hand: by_hand(), at: at(now) },
                7 => Command::Unlist { by_hand: by_hand(), at: at(now) },
                8 => Command::FailRemoval { error: "timed out".to_owned(), at: at(now) },
                _ => Command::Lapse { at: at(now) },
            };
            for event in member.decide(&command).unwrap() {
                if let Event::RemovalDue { verdict, .. } = event {
                    let joining = matches!(command, Command::Join { .. });
                    prop_assert!(member.is_in() || joining);
                    prop_assert!(!verdict.is_in);
                }
                member.apply(event);
            }
            let failure = matches!(command, Command::FailRemoval { .. });
            let verdict = member.should_be_in(at(now));
            prop_assert!(failure || member.removal().is_none() || (member.is_in() && !verdict.is_in));
            let known = matches!(verdict.rule, Rule::Subscription(_));
            prop_assert!(failure || verdict.is_in || !member.is_in() || !known || member.removal().is_some());
            prop_assert_eq!(member.decide(&command).unwrap(), vec![]);
        }
    }
}
