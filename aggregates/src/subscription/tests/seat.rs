//! The place in the channel.
use super::*;

fn link(n: u8, kind: LinkKind) -> Link {
    let (url, channel) = (Personal::new(format!("https://t.me/+{n}")), Some(vip().channel));
    Link { url, name: format!("sub {n}"), kind, channel, expires: None }
}

fn issue(n: u8, kind: LinkKind) -> Command {
    Command::IssueLink { link: link(n, kind), at: day(1) }
}

fn join(who: i64, by: u8) -> Command {
    Command::Join { account: account(who), link: Some(link(by, LinkKind::JoinRequest).url), at: day(2) }
}

#[test]
fn who_comes_first_by_the_link_is_the_subscriber() {
    let mut story = Story::active();
    assert_eq!(story.tells(issue(1, LinkKind::JoinRequest)), "LinkIssued");
    assert_eq!(story.tells(issue(1, LinkKind::JoinRequest)), "");
    assert_eq!(story.now.status(), Some(Status::Invited));
    assert_eq!(story.tells(join(7, 1)), "Joined");
    assert_eq!(story.now.status(), Some(Status::Active));
    assert_eq!(story.now.joined(), Some(&account(7)));
    assert_eq!(story.tells(join(7, 1)), "");
    assert_eq!(story.refuses(&join(8, 1)), Refusal::Stranger);
    assert!(story.now.link().is_some(), "they may come again");
}

#[test]
fn a_link_for_one_is_taken_back_when_it_was_used() {
    let mut story = Story::active();
    story.send(issue(1, LinkKind::SingleMember));
    assert_eq!(story.tells(join(7, 1)), "Joined LinkRevoked");
    assert_eq!(story.now.link(), None);
    assert_eq!(story.tells(issue(2, LinkKind::SingleMember)), "LinkIssued Invited");
    assert_eq!(story.tells(join(7, 2)), "LinkRevoked", "they came again");
}

#[test]
fn the_last_link_is_the_only_one() {
    let mut story = Story::active();
    story.send(issue(1, LinkKind::JoinRequest));
    assert_eq!(story.tells(issue(2, LinkKind::JoinRequest)), "LinkRevoked LinkIssued");
    assert_eq!(story.refuses(&join(7, 1)), Refusal::UnknownLink);
    assert_eq!(story.tells(Command::RevokeLink { at: day(2) }), "LinkRevoked");
    assert_eq!(story.tells(Command::RevokeLink { at: day(2) }), "");
    assert_eq!(story.now.status(), Some(Status::Active));
}

#[test]
fn a_place_that_was_bought_for_somebody_is_nobody_elses() {
    let mut story = Story::default();
    let Command::Observe { mut observation, settings, at } = observe(contract(StripeStatus::Active), carried(day(0)))
    else {
        unreachable!("it is what the helper makes")
    };
    observation.account = Some(account(7));
    story.send(Command::Observe { observation, settings, at });
    story.send(issue(1, LinkKind::JoinRequest));
    assert_eq!(story.refuses(&join(8, 1)), Refusal::Stranger);
    assert_eq!(story.tells(join(7, 1)), "Joined");
}

#[test]
fn what_gives_no_access_has_no_link_and_lets_nobody_in() {
    let mut story = Story::active();
    story.send(issue(1, LinkKind::JoinRequest));
    let over = observe(contract(StripeStatus::Unpaid), carried(day(1)));
    assert_eq!(story.tells(over), "Observed Ended LinkRevoked MrrChanged");
    let unpaid = Refusal::NotEntitled { rule: Rule::Ended(EndReason::Unpaid) };
    assert_eq!(story.refuses(&issue(2, LinkKind::JoinRequest)), unpaid);
    assert_eq!(story.refuses(&join(7, 1)), Refusal::UnknownLink);
    let vouched = Command::Join { account: account(7), link: None, at: day(2) };
    assert_eq!(story.refuses(&vouched), unpaid);
}

#[test]
fn a_transfer_gives_the_place_to_another_account() {
    let transfer = |to| Command::Transfer { to: account(to), by_hand: by_hand(), at: day(3) };
    let mut story = Story::active();
    story.send(issue(1, LinkKind::JoinRequest));
    story.send(join(7, 1));
    let told = story.send(transfer(8));
    assert!(matches!(&told[..], [
        Event::LinkRevoked { .. },
        Event::Transferred { from: Some(from), to, party: Party { account: Some(owner), .. }, .. },
    ] if *from == account(7) && *to == account(8) && owner == to));
    assert_eq!(story.tells(transfer(8)), "");
    story.send(issue(2, LinkKind::JoinRequest));
    assert_eq!(story.refuses(&join(7, 2)), Refusal::Stranger);
    assert_eq!(story.tells(join(8, 2)), "Joined");
    story.send(Command::Revoke { by_hand: by_hand(), at: day(4) });
    assert!(matches!(story.refuses(&transfer(9)), Refusal::Status { status: Status::Ended, .. }));
}

fn gold() -> PlanRef {
    PlanRef { id: Uuid::from_u128(2), name: "Gold".to_owned(), channel: -100_456 }
}

/// Another plan is sold from day 3 on.
fn changed_to(plan: Option<PlanRef>) -> Command {
    observe(Contract { items: vec![item(9_900)], plan, ..contract(StripeStatus::Active) }, carried(day(3)))
}

#[test]
fn a_plan_with_another_channel_takes_the_link_back() {
    let mut joined = Story::active();
    joined.send(issue(1, LinkKind::JoinRequest));
    joined.send(join(7, 1));
    assert_eq!(joined.tells(changed_to(Some(gold()))), "Observed PlanChanged LinkRevoked MrrChanged");
    assert_eq!((joined.now.link(), joined.now.joined()), (None, Some(&account(7))), "their place is theirs");

    let mut invited = Story::active();
    invited.send(issue(1, LinkKind::JoinRequest));
    invited.send(changed_to(Some(gold())));
    assert_eq!(invited.refuses(&join(7, 1)), Refusal::UnknownLink);
    assert_eq!(invited.refuses(&issue(2, LinkKind::JoinRequest)), Refusal::invalid("channel"), "it was made before");
    let there = Link { channel: Some(gold().channel), ..link(3, LinkKind::JoinRequest) };
    assert_eq!(invited.tells(Command::IssueLink { link: there, at: day(3) }), "LinkIssued");
}

#[test]
fn a_link_that_does_not_say_where_it_leads_led_where_the_plan_did() {
    let issued = |opens: Option<PlanRef>| {
        let mut story = Story::active();
        let old = Link { channel: None, ..link(1, LinkKind::JoinRequest) };
        story.send(Command::IssueLink { link: old, at: day(1) });
        let events = story.send(changed_to(opens));
        events.into_iter().find_map(|event| match event {
            Event::LinkRevoked { link, .. } => Some(link.channel),
            _ => None,
        })
    };
    assert_eq!(issued(Some(gold())), Some(Some(vip().channel)));
    assert_eq!(issued(None), Some(Some(vip().channel)), "it opens nothing any more");
    assert_eq!(issued(Some(PlanRef { name: "Silver".to_owned(), ..vip() })), None, "the channel is the same");
}

/// Somebody says whom it is for: Stripe on this day, or an admin.
fn identify(who: i64, on: i64, hand: Option<ByHand>) -> Command {
    let (email, account, seen) = (Some(email("ben")), Some(account(who)), carried(day(on)));
    Command::Identify { stripe: ids(), email, account, seen, by_hand: hand, at: day(on) }
}

#[test]
fn who_has_the_place_keeps_it_whomever_it_is_given_to() {
    let mut story = Story::active();
    story.send(issue(1, LinkKind::JoinRequest));
    story.send(join(7, 1));
    let before = story.now.party();
    assert_eq!(story.refuses(&identify(8, 3, Some(by_hand()))), Refusal::Stranger);
    assert_eq!(story.now.party(), before);
    assert_eq!(story.tells(identify(7, 3, Some(by_hand()))), "Identified");
    story.send(Command::Transfer { to: account(8), by_hand: by_hand(), at: day(4) });
    assert_eq!(story.refuses(&identify(7, 5, Some(by_hand()))), Refusal::Stranger, "it is kept for another");
}

#[test]
fn whom_it_is_for_is_told_when_it_becomes_known_and_when_it_is_another() {
    let mut story = Story::active();
    assert_eq!(story.tells(identify(7, 1, None)), "Identified AccessChanged");
    assert_eq!(story.tells(identify(7, 2, None)), "Identified");
    let told = story.send(identify(8, 3, Some(by_hand())));
    assert!(matches!(&told[1..], [Event::AccessChanged { left: Some(left), party, .. }]
        if *left == account(7) && party.account == Some(account(8))));
    // Who is in by another way takes the place without a link.
    let vouched = Command::Join { account: account(8), link: None, at: day(4) };
    assert_eq!(story.tells(vouched), "Joined");
    assert_eq!(story.now.joined(), Some(&account(8)));
}
