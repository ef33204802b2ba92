//! How objects are shown: today's shape is how they are kept, but for what is ours alone
//! (fields that begin with `_`); the shape of old is made of it.

use serde_json::{Map, Value, json};

use super::Shape;

/// An object without what is ours alone.
pub(super) fn shown(object: &Value) -> Value {
    match object {
        Value::Object(map) => {
            let fields = map.iter().filter(|(name, _)| !name.starts_with('_'));
            Value::Object(fields.map(|(name, value)| (name.clone(), shown(value))).collect())
        }
        Value::Array(values) => values.iter().map(shown).collect(),
        value => value.clone(),
    }
}

/// An event as it is sent.
pub(super) fn event(event: &Value, shape: Shape) -> Value {
    let mut sent = event.clone();
    if shape == Shape::Old {
        sent["api_version"] = json!("2024-06-20");
        let object = old(&sent["data"]["object"]);
        sent["data"]["object"] = object;
        if let Some(Value::Object(previous)) = sent["data"].get_mut("previous_attributes")
            && previous.remove("items").is_some()
        {
            previous.insert("current_period_end".to_owned(), json!(null));
        }
    }
    shown(&sent)
}

fn old(object: &Value) -> Value {
    let Value::Object(map) = object else { return object.clone() };
    let mut map = map.clone();
    match object["object"].as_str() {
        Some("subscription") => subscription(&mut map),
        Some("invoice") => invoice(&mut map),
        Some("charge") => {
            let invoice = map.get("_invoice").cloned();
            map.insert("invoice".to_owned(), invoice.unwrap_or_default());
            let refunds = map.get("_refunds").cloned().unwrap_or_else(|| json!([]));
            map.insert("refunds".to_owned(), json!({ "object": "list", "data": refunds, "has_more": false }));
        }
        _ => {}
    }
    Value::Object(map)
}

/// A plan, as prices were called.
fn plan(price: &Value) -> Value {
    json!({
        "id": price["id"], "object": "plan", "amount": price["unit_amount"], "currency": price["currency"],
        "interval": price["recurring"]["interval"], "interval_count": price["recurring"]["interval_count"],
        "nickname": price["nickname"], "product": price["product"], "usage_type": "licensed",
    })
}

fn subscription(map: &mut Map<String, Value>) {
    for name in ["billing_mode", "discounts"] {
        map.remove(name);
    }
    let Some(items) = map.get_mut("items").and_then(|items| items["data"].as_array_mut()) else { return };
    let mut whole = vec![];
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        let of_item = ["current_period_start", "current_period_end"].map(|name| (name, item.remove(name)));
        whole.extend(of_item);
        let price = item.remove("price").unwrap_or_default();
        item.insert("plan".to_owned(), plan(&price));
    }
    for (name, value) in whole {
        map.insert(name.to_owned(), value.unwrap_or_default());
    }
    map.insert("discount".to_owned(), Value::Null);
}

fn invoice(map: &mut Map<String, Value>) {
    let parent = map.remove("parent").unwrap_or_default();
    map.insert("subscription".to_owned(), parent["subscription_details"]["subscription"].clone());
    let payments = map.remove("payments").unwrap_or_default();
    map.insert("payment_intent".to_owned(), payments["data"][0]["payment"]["payment_intent"].clone());
    let charge = map.get("_charge").cloned().unwrap_or_default();
    map.insert("charge".to_owned(), charge);
    let paid = map.get("status").is_some_and(|status| status == "paid");
    map.insert("paid".to_owned(), json!(paid));
    map.insert("tax".to_owned(), Value::Null);
    for name in ["total_taxes", "discounts", "total_discount_amounts"] {
        map.remove(name);
    }
    let lines = map.get_mut("lines").and_then(|lines| lines["data"].as_array_mut());
    for line in lines.into_iter().flatten().filter_map(Value::as_object_mut) {
        let pricing = line.remove("pricing").unwrap_or_default();
        line.insert("price".to_owned(), json!({ "id": pricing["price_details"]["price"], "object": "price" }));
        let parent = line.remove("parent").unwrap_or_default();
        let details = &parent["subscription_item_details"];
        line.insert("subscription".to_owned(), details["subscription"].clone());
        line.insert("proration".to_owned(), details["proration"].clone());
    }
}
