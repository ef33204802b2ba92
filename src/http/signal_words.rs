//! What happened to a signal, and what a check came to, in words.

use aggregates::signal::Pass;
use projections::signals::{Check, Step};
use trading::{NoSetup, Price};

/// A line of a signal's story.
pub(super) fn of_step(step: &Step) -> String {
    let price = |units: Option<i64>| units.map(|units| Price::from_units(units).to_string()).unwrap_or_default();
    let (at, gain) = (price(step.price), price(step.gain));
    let by = step.by_name.as_deref().unwrap_or("somebody");
    match step.event.as_str() {
        "Opened" => format!("The signal was opened at {at}."),
        "OpenedByHand" => format!("{by} opened the signal at {at}."),
        "Entered" => format!("The price came into the zone; the position was opened at {at}."),
        "MilestoneReached" => {
            let percent = step.milestone.unwrap_or_default();
            let advice = if percent >= 70 { " It is time to move the stop to the entry." } else { "" };
            format!("The price has gone {percent} % of the way to the first target, to {at}.{advice}")
        }
        "TargetHit" => format!(
            "Target {} was hit at {at}; {} % of the position was closed.",
            step.target.unwrap_or_default(),
            step.share.unwrap_or_default()
        ),
        "StopMoved" => format!("The stop was moved to the entry, {at}."),
        "Weakened" => format!("The case for it no longer holds: {}.", weakness(step.reason.as_deref())),
        "Regained" => format!("The case for it holds again, at {at}."),
        "Closed" => closed(step, &at, &gain, by),
        // All that is about one signal is above.
        other => other.to_owned(),
    }
}

fn closed(step: &Step, at: &str, gain: &str, by: &str) -> String {
    let end = match step.reason.as_deref() {
        Some("target") => format!("The last target was hit at {at}"),
        Some("stop") => format!("The stop was hit at {at}"),
        Some("breakeven") => format!("The stop at the entry was hit at {at}"),
        Some("stagnant") => format!("It was closed at {at}, as no target was hit for long"),
        Some("weak") => format!("It was closed at {at}, as the case for it no longer held"),
        Some("cancelled") if step.price.is_none() => format!("{by} took it back before it was entered"),
        Some("cancelled") => format!("{by} closed it at {at}"),
        Some("expired") if step.price.is_none() => "Its time was over before it was entered".to_owned(),
        _ => format!("Its time was over; it was closed at {at}"),
    };
    if step.price.is_none() {
        return format!("{end}.");
    }
    format!("{end}. All in all it came to {gain} per ounce.")
}

fn weakness(reason: Option<&str>) -> &'static str {
    match reason {
        Some("crossed_back") => "the averages have crossed back",
        Some("back_in_channel") => "the price is back beyond the middle of the channel it had left",
        Some("momentum_turned") => "MACD has crossed back",
        _ => "RSI went to the other extreme",
    }
}

/// What a check came to.
pub(super) fn of_check(check: &Check) -> String {
    match &check.outcome {
        Ok(number) => format!("Signal #{number} was opened."),
        Err(reason) => format!("No signal: {}.", of_pass(reason)),
    }
}

fn of_pass(pass: &Pass) -> String {
    let set_up = |why: &str| format!("there was a set-up, but {why}");
    match pass {
        Pass::NoSetup(reason) => of_no_setup(*reason).to_owned(),
        Pass::Paused => set_up("the bot is paused"),
        Pass::Late => set_up("the candles came too late"),
        Pass::MarketClosed => set_up("the market is closed"),
        Pass::ClosesSoon { closes } => set_up(&format!("the market closes soon, at {}", closes.format("%H:%M UTC"))),
        Pass::Blackout { label } => set_up(&format!("a time without signals is set: {label}")),
        Pass::OutsideHours => set_up("outside the trading hours"),
        Pass::OutsideSession { session } => {
            set_up(&format!("in a session that is not wanted: {}", session.as_str().replace('_', " ")))
        }
        Pass::CoolingDown { until } => set_up(&format!(
            "the last signal ended a short while ago; none is opened until {}",
            until.format("%H:%M UTC")
        )),
        Pass::DailyLoss { r } => set_up(&format!("the day came to {r} R, and loses no more")),
    }
}

const fn of_no_setup(reason: NoSetup) -> &'static str {
    match reason {
        NoSetup::WarmingUp => "the strategy has not seen enough candles yet",
        NoSetup::NoCross => "the averages did not cross",
        NoSetup::WeakTrend => "the averages crossed, but ADX says that there is no trend",
        NoSetup::InsideBands => "the price is within its bands",
        NoSetup::RsiNeutral => "the price is outside its bands, but RSI is not extreme",
        NoSetup::InsideChannel => "the price closed within the channel",
        NoSetup::WeakBreak => "the price left the channel, but by a small candle",
        NoSetup::NoMomentum => "MACD did not cross its signal line",
        NoSetup::AgainstTrend => "MACD crossed its signal line, but against the trend",
        NoSetup::Exhausted => "MACD crossed its signal line, but RSI says that it went too far already",
        NoSetup::TooQuiet => "the market moves too little",
    }
}
