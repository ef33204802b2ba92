//! What is sold and to whom: customers, products, prices.

use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal},
    form::Form,
    work::Work,
};

const INTERVALS: [&str; 4] = ["day", "week", "month", "year"];

pub(super) async fn create_customer(work: &mut Work, form: &Form) -> Answer {
    let customer = json!({
        "id": work.id("cus"), "object": "customer", "created": work.now, "livemode": false, "balance": 0,
        "currency": null, "delinquent": false, "description": form.text("description"), "email": form.text("email"),
        "metadata": form.metadata(""), "name": form.text("name"),
    });
    work.put(&customer).await?;
    work.tell("customer.created", &customer, None);
    Ok(customer)
}

pub(super) async fn update_customer(work: &mut Work, id: &str, form: &Form) -> Answer {
    let mut customer = work.get("customer", id).await?;
    if customer["deleted"] == true {
        return Err(Refusal::no_such("customer", id));
    }
    let mut previous = json!({});
    for name in ["email", "name", "description"] {
        if let Some(value) = form.text(name) {
            previous[name] = customer[name].clone();
            customer[name] = json!(value);
        }
    }
    merge(&mut customer["metadata"], &form.metadata(""));
    work.put(&customer).await?;
    work.tell("customer.updated", &customer, Some(previous));
    Ok(customer)
}

/// What is known of somebody who is no more.
pub(super) async fn delete_customer(work: &mut Work, id: &str) -> Answer {
    let customer = work.get("customer", id).await?;
    if customer["deleted"] == true {
        return Err(Refusal::no_such("customer", id));
    }
    let gone = json!({ "id": id, "object": "customer", "deleted": true });
    work.put(&gone).await?;
    work.tell("customer.deleted", &customer, None);
    Ok(gone)
}

pub(super) async fn create_product(work: &mut Work, form: &Form) -> Answer {
    let product = product(work, form.need("name")?, form.metadata(""));
    work.put(&product).await?;
    Ok(product)
}

fn product(work: &Work, name: &str, metadata: Value) -> Value {
    json!({
        "id": work.id("prod"), "object": "product", "active": true, "created": work.now, "livemode": false,
        "metadata": metadata, "name": name,
    })
}

pub(super) async fn create_price(work: &mut Work, form: &Form) -> Answer {
    let product = match form.text("product") {
        Some(id) => work.get("product", id).await?,
        None => {
            let product = product(work, form.need("product_data[name]")?, json!({}));
            work.put(&product).await?;
            product
        }
    };
    let currency = form.need("currency")?.to_ascii_lowercase();
    let amount = form.integer("unit_amount")?.ok_or_else(|| Refusal::missing_param("unit_amount"))?;
    if amount < 0 {
        return Err(Refusal::param("unit_amount", "Invalid non-negative integer"));
    }
    let recurring = match form.text("recurring[interval]") {
        Some(interval) if INTERVALS.contains(&interval) => {
            let count = form.integer("recurring[interval_count]")?.unwrap_or(1);
            if !(1..=156).contains(&count) {
                return Err(Refusal::param("recurring[interval_count]", "Invalid interval count"));
            }
            json!({ "interval": interval, "interval_count": count, "usage_type": "licensed", "meter": null })
        }
        Some(_) => {
            return Err(Refusal::param(
                "recurring[interval]",
                "Invalid interval: must be one of day, week, month, or year",
            ));
        }
        None => Value::Null,
    };
    let price = json!({
        "id": work.id("price"), "object": "price", "active": true, "billing_scheme": "per_unit", "created": work.now,
        "currency": currency, "livemode": false, "lookup_key": form.text("lookup_key"), "metadata": form.metadata(""),
        "nickname": form.text("nickname"), "product": product["id"],
        "type": if recurring.is_null() { "one_time" } else { "recurring" }, "recurring": recurring,
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    work.put(&price).await?;
    Ok(price)
}

/// Notes are added to those there are.
pub(super) fn merge(into: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
