//! What Stripe's objects stand for, in the words of subscriptions.

use aggregates::{
    Personal,
    campaign::Currency,
    plan::{Every, Interval as PlanInterval},
    subscription::{Contract, Discount, DisputeStatus, Item, Period, StripeStatus, is_email},
};

use crate::{
    app::App,
    integrations::stripe::object::{self, IntervalUnit, Subscription},
    jobs::JobError,
};

/// How far a dispute is; none for an inquiry, by which a bank only asks and takes nothing.
pub(super) fn dispute_status(status: &object::DisputeStatus) -> Option<DisputeStatus> {
    match status {
        object::DisputeStatus::WarningNeedsResponse | object::DisputeStatus::WarningUnderReview => None,
        object::DisputeStatus::Won | object::DisputeStatus::WarningClosed | object::DisputeStatus::Prevented => {
            Some(DisputeStatus::Won)
        }
        object::DisputeStatus::Lost => Some(DisputeStatus::Lost),
        object::DisputeStatus::NeedsResponse | object::DisputeStatus::UnderReview | object::DisputeStatus::Other(_) => {
            Some(DisputeStatus::Opened)
        }
    }
}

/// A subscription as it is known here, with what its prices stand for.
///
/// # Errors
/// [`JobError`]: the database did not say, or there is an amount in no currency.
pub(crate) async fn contract(app: &App, object: &Subscription) -> Result<Contract, JobError> {
    let prices: Vec<String> = object.items.iter().map(|item| item.price.id.clone()).collect();
    let plan = projections::duties::plan_of(&app.pool, &prices).await;
    let items: Result<Vec<Item>, JobError> = object.items.iter().filter_map(item).collect();
    Ok(Contract {
        status: StripeStatus::of(object.status.as_str()),
        livemode: object.livemode,
        started_at: object.started.unwrap_or(object.created),
        period: object.period.map(period),
        cancel_at_period_end: object.cancel_at_period_end,
        cancel_at: object.cancel_at,
        canceled_at: object.canceled_at,
        ended_at: object.ended_at,
        trial_end: object.trial.map(|trial| trial.end),
        cancellation: object.cancellation_reason.clone(),
        items: items?,
        discounts: object.discounts.iter().filter_map(discount).collect(),
        plan: plan.map_err(|error| JobError::retry(&error))?,
    })
}

/// What may be an address: one that is none must not keep a payment from being taken in.
pub(super) fn address(email: Option<Personal<String>>) -> Option<Personal<String>> {
    email.filter(|email| is_email(email.reveal()))
}

/// A price that is paid once only is none of a subscription's.
fn item(item: &object::Item) -> Option<Result<Item, JobError>> {
    let interval = item.price.interval.as_ref()?;
    let unit = match interval.unit {
        IntervalUnit::Day => PlanInterval::Day,
        IntervalUnit::Week => PlanInterval::Week,
        IntervalUnit::Month => PlanInterval::Month,
        IntervalUnit::Year => PlanInterval::Year,
        _ => return None,
    };
    Some(currency(&item.price.currency).map(|currency| Item {
        price: item.price.id.clone(),
        product: item.price.product.clone(),
        unit_minor: item.price.unit_amount,
        currency,
        every: Every { count: u16::try_from(interval.count).unwrap_or(1).max(1), interval: unit },
        quantity: item.quantity.and_then(|quantity| u64::try_from(quantity).ok()).unwrap_or(1),
        metered: item.price.metered,
    }))
}

/// Coupons that last for ever; others do not change what comes in month by month.
fn discount(discount: &object::Discount) -> Option<Discount> {
    if discount.duration != "forever" {
        return None;
    }
    match (discount.basis_points, discount.amount_off) {
        (Some(points), _) => u16::try_from(points).ok().map(|basis_points| Discount::Percent { basis_points }),
        (None, Some(minor)) => {
            let currency = discount.currency.as_deref().and_then(|currency| Currency::new(currency).ok())?;
            Some(Discount::Amount { minor, currency })
        }
        (None, None) => None,
    }
}

pub(super) const fn period(period: object::Period) -> Period {
    Period { start: period.start, end: period.end }
}

pub(super) fn currency(text: &str) -> Result<Currency, JobError> {
    Currency::new(text).map_err(|error| JobError::fail(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inquiry_is_no_dispute_and_what_was_prevented_is_over() {
        use object::DisputeStatus as At;
        for (at, known) in [
            (At::WarningNeedsResponse, None),
            (At::WarningUnderReview, None),
            (At::WarningClosed, Some(DisputeStatus::Won)),
            (At::NeedsResponse, Some(DisputeStatus::Opened)),
            (At::UnderReview, Some(DisputeStatus::Opened)),
            (At::Won, Some(DisputeStatus::Won)),
            (At::Lost, Some(DisputeStatus::Lost)),
            (At::Prevented, Some(DisputeStatus::Won)),
            (At::Other("new".to_owned()), Some(DisputeStatus::Opened)),
        ] {
            assert_eq!(dispute_status(&at), known, "{at:?}");
        }
    }
}
