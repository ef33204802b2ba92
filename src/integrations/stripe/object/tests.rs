//! Each object in the shape of old and in that of "basil" and later.

use serde_json::{Value, json};

use super::*;

macro_rules! sample {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("samples/", $name, ".json"))).unwrap()
    };
}

const START: i64 = 1_800_000_000;
const END: i64 = START + 31 * 86_400;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn read<T: Object>(json: &Value) -> T {
    T::from_json(json).unwrap()
}

fn lacking<T: Object + std::fmt::Debug>(mut json: Value, pointer: &str, value: Value) -> String {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    json.pointer_mut(parent).unwrap()[name] = value;
    T::from_json(&json).unwrap_err().to_string()
}

#[test]
fn a_subscription_of_old() {
    let subscription: Subscription = read(&sample!("subscription.old"));
    assert_eq!((subscription.id.as_str(), subscription.customer.as_str()), ("sub_old", "cus_old"));
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    let period = Period { start: at(START), end: at(END) };
    assert_eq!((subscription.period, subscription.items[0].period), (Some(period), Some(period)));
    let price = &subscription.items[0].price;
    assert_eq!((price.id.as_str(), price.currency.as_str(), price.unit_amount), ("vip-monthly", "eur", Some(4900)));
    assert_eq!(price.interval, Some(Interval { unit: IntervalUnit::Month, count: 1 }));
    assert_eq!((subscription.items[0].quantity, price.metered), (Some(2), false));
    assert!(subscription.cancel_at_period_end);
    assert_eq!((subscription.canceled_at, subscription.started), (Some(at(START + 3600)), Some(at(START))));
    assert_eq!(subscription.latest_invoice.as_deref(), Some("in_old"));
    let off = &subscription.discounts[0];
    assert_eq!((off.coupon.as_str(), off.duration.as_str(), off.basis_points), ("LOYAL", "forever", Some(1250)));
    assert_eq!(subscription.metadata["telegram"], "yes");
    assert!(!subscription.livemode);
}

#[test]
fn a_subscription_without_items_has_its_plan() {
    let mut json = sample!("subscription.old");
    json.as_object_mut().unwrap().remove("items");
    let subscription: Subscription = read(&json);
    assert_eq!((subscription.items.len(), subscription.items[0].quantity), (1, Some(2)));
    assert_eq!(subscription.items[0].price.id, "vip-monthly");
}

#[test]
fn a_subscription_of_today_has_periods_on_its_items_and_words_we_do_not_know() {
    let subscription: Subscription = read(&sample!("subscription.basil"));
    assert_eq!(subscription.customer, "cus_new");
    assert_eq!(subscription.status, SubscriptionStatus::Other("hibernating".to_owned()));
    assert_eq!(subscription.status.as_str(), "hibernating");
    assert_eq!(subscription.period, Some(Period { start: at(START), end: at(END + 86_400) }));
    assert_eq!(subscription.items[0].period, Some(Period { start: at(START), end: at(END) }));
    assert_eq!(subscription.items[0].price.interval, Some(Interval { unit: IntervalUnit::Month, count: 3 }));
    assert_eq!(subscription.items[0].price.lookup_key.as_deref(), Some("vip"));
    let usage = &subscription.items[1];
    assert_eq!((usage.quantity, usage.price.unit_amount, usage.price.metered), (None, None, true));
    assert_eq!(subscription.cancellation_reason.as_deref(), Some("payment_failed"));
    assert_eq!(subscription.trial, Some(Period { start: at(START - 7 * 86_400), end: at(START) }));
    // The other discount is only named.
    let [off] = subscription.discounts.as_slice() else { panic!("{subscription:?}") };
    assert_eq!((off.amount_off, off.currency.as_deref(), off.basis_points), (Some(500), Some("eur"), None));
    assert!(subscription.livemode && !subscription.collection_paused);
}

#[test]
fn an_invoice_of_old() {
    let invoice: Invoice = read(&sample!("invoice.old"));
    assert_eq!((invoice.id.as_deref(), invoice.subscription.as_deref()), (Some("in_old"), Some("sub_old")));
    assert_eq!(invoice.status, InvoiceStatus::Paid);
    assert_eq!((invoice.total, invoice.tax, invoice.amount_paid, invoice.amount_remaining), (9800, 1565, 9800, 0));
    assert_eq!((invoice.created, invoice.charge.as_deref()), (at(START), Some("ch_old")));
    let line = &invoice.lines[0];
    assert_eq!((line.price.as_deref(), line.subscription.as_deref()), (Some("vip-monthly"), Some("sub_old")));
    assert_eq!((line.amount, line.quantity, line.proration), (9800, Some(2), false));
    assert_eq!(line.period, Some(Period { start: at(START), end: at(END) }));
}

#[test]
fn flags_of_old_say_where_an_invoice_stands() {
    for (paid, forgiven, closed, status) in [
        (true, false, true, InvoiceStatus::Paid),
        (false, true, true, InvoiceStatus::Uncollectible),
        (false, false, true, InvoiceStatus::Void),
        (false, false, false, InvoiceStatus::Open),
    ] {
        let mut json = sample!("invoice.old");
        json["paid"] = json!(paid);
        json["forgiven"] = json!(forgiven);
        json["closed"] = json!(closed);
        assert_eq!(read::<Invoice>(&json).status, status);
    }
}

#[test]
fn an_invoice_of_today_names_its_parent() {
    let invoice: Invoice = read(&sample!("invoice.basil"));
    assert_eq!(invoice.subscription.as_deref(), Some("sub_new"));
    assert_eq!(invoice.status, InvoiceStatus::Open);
    assert_eq!((invoice.subtotal, invoice.total, invoice.discount, invoice.tax), (Some(12_900), 12_400, 500, 1980));
    assert_eq!((invoice.attempt_count, invoice.next_attempt), (2, Some(at(START + 3 * 86_400))));
    assert_eq!((invoice.payment_intents.as_slice(), invoice.charge), (&["pi_new".to_owned()][..], None));
    let line = &invoice.lines[0];
    assert_eq!((line.price.as_deref(), line.subscription.as_deref()), (Some("price_vip_month"), Some("sub_new")));
    assert!(line.proration && invoice.livemode);
}

#[test]
fn an_announced_invoice_has_no_id() {
    let mut json = sample!("invoice.basil");
    json.as_object_mut().unwrap().remove("id");
    assert_eq!(read::<Invoice>(&json).id, None);
}

#[test]
fn charges_and_disputes() {
    let charge: Charge = read(&sample!("charge.old"));
    assert_eq!((charge.amount, charge.amount_refunded, charge.refunded, charge.disputed), (9800, 4900, false, true));
    assert_eq!((charge.invoice.as_deref(), charge.refunds[0].id.as_str()), (Some("in_old"), "re_old"));
    assert_eq!(charge.refunds[0].reason.as_deref(), Some("requested_by_customer"));
    let charge: Charge = read(&sample!("charge.basil"));
    assert_eq!((charge.invoice, charge.payment_intent.as_deref()), (None, Some("pi_new")));
    assert!(charge.refunded && charge.refunds.is_empty() && charge.livemode);
    let dispute: Dispute = read(&sample!("dispute.old"));
    assert_eq!(dispute.status, DisputeStatus::Other("charge_refunded".to_owned()));
    let dispute: Dispute = read(&sample!("dispute.basil"));
    assert_eq!((dispute.charge.as_str(), dispute.status), ("ch_new", DisputeStatus::NeedsResponse));
}

#[test]
fn customers_and_sessions_keep_people_to_themselves() {
    let customer: Customer = read(&sample!("customer.old"));
    assert_eq!(customer.email.as_ref().map(|email| email.reveal().as_str()), Some("ann@example.com"));
    let customer: Customer = read(&sample!("customer.basil"));
    assert_eq!(customer.name.as_ref().map(|name| name.reveal().as_str()), Some("Zoë Ω"));
    let gone: Customer = read(&json!({ "id": "cus_1", "object": "customer", "deleted": true }));
    assert!(gone.deleted && gone.email.is_none());
    let old: Session = read(&sample!("session.old"));
    assert_eq!(
        (old.mode.as_str(), old.status.as_ref(), old.client_reference.as_deref()),
        ("subscription", None, Some("user-7"))
    );
    assert_eq!(old.email.as_ref().map(|email| email.reveal().as_str()), Some("ann@example.com"));
    let new: Session = read(&sample!("session.basil"));
    assert_eq!(
        (new.status.as_ref(), new.payment_status.as_ref()),
        (Some(&SessionStatus::Complete), Some(&PaymentStatus::Paid))
    );
    assert_eq!((new.subscription.as_deref(), new.metadata["campaign"].as_str()), (Some("sub_new"), "spring"));
    let shown = format!("{customer:?} {old:?} {new:?} {:?}", read::<Invoice>(&sample!("invoice.basil")));
    assert!(!shown.contains("example.com\"") && !shown.contains("Zo"), "{shown}");
}

#[test]
fn what_is_lacking_is_named_by_its_path_and_not_quoted() {
    let basil = || sample!("subscription.basil");
    for (error, expected) in [
        (lacking::<Subscription>(basil(), "/customer", json!(null)), "subscription.customer is missing"),
        (lacking::<Subscription>(basil(), "/customer", json!({})), "subscription.customer.id is missing"),
        (lacking::<Subscription>(basil(), "/status", json!(7)), "subscription.status should be a text"),
        (
            lacking::<Subscription>(basil(), "/items/data/1/price", json!(null)),
            "subscription.items.data[1].price is missing",
        ),
        (
            lacking::<Subscription>(basil(), "/items/data/0/price/unit_amount", json!(1.5)),
            "subscription.items.data[0].price.unit_amount should be a whole number",
        ),
        (
            lacking::<Subscription>(basil(), "/created", json!(i64::MAX)),
            "subscription.created should be an instant in the years 0 to 9999",
        ),
        (
            lacking::<Subscription>(basil(), "/object", json!("secret")),
            "subscription.object should be \"subscription\"",
        ),
        (
            lacking::<Invoice>(sample!("invoice.basil"), "/lines/data", json!("secret")),
            "invoice.lines.data should be a list",
        ),
        (lacking::<Invoice>(sample!("invoice.old"), "/date", json!(null)), "invoice.created is missing"),
        (lacking::<Charge>(sample!("charge.basil"), "/amount", json!("12")), "charge.amount should be a whole number"),
    ] {
        assert_eq!(error, expected);
    }
    assert_eq!(Subscription::from_json(&json!("secret")).unwrap_err().to_string(), "subscription.items is missing");
}

#[test]
fn an_envelope_is_read_whatever_else_is_odd() {
    let body = json!({ "id": "evt_1", "type": "invoice.paid", "created": "2027-01-15T08:00:00Z", "api_version": 7,
                       "livemode": "yes", "data": [] });
    let envelope = Envelope::of(body.to_string().as_bytes()).unwrap();
    let Envelope { id, kind, created, api_version, livemode } = envelope;
    assert_eq!(
        (id.as_str(), kind.as_str(), created, api_version, livemode),
        ("evt_1", "invoice.paid", None, None, false)
    );
    for body in
        [r#"{"id":"evt_1"}"#, r#"{"id":"","type":"x"}"#, r#"{"id":"a\u0000","type":"x"}"#, "[]", "", "\u{feff}{}"]
    {
        assert_eq!(Envelope::of(body.as_bytes()), None, "{body}");
    }
}
