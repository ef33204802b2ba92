//! Signals that are made by hand, as they come in.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Example};
use trading::{Direction, Levels, Price};

use super::{
    body::{Fields, Input, flag, instant, one_of, price, text, whole},
    signal_names::SignalDirection,
};

/// A target of a new signal.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct NewTarget {
    /// Where, as a decimal text: beyond the entry zone, each further than the one before.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    price: String,
    /// How much of the whole position is closed there, in percent. All together close 100.
    #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
    share: u8,
}

/// A signal that an admin makes. Prices are decimal texts in the quote currency.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none, deny_unknown_fields)]
pub(super) struct SignalByHand {
    /// Which way it goes.
    direction: SignalDirection,
    /// Where it is meant to be entered, within the zone. One that does not wait is entered at the last price instead.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    entry: String,
    /// People may enter from here. When it is not given, it is the entry itself, or, if it does not wait, a tenth of
    /// the risk (at most half of the way to the first target) below the entry.
    #[oai(nullable, validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    zone_low: Option<String>,
    /// To here. When it is not given, it is the entry itself, or, if it does not wait, a tenth of the risk above the
    /// entry.
    #[oai(nullable, validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    zone_high: Option<String>,
    /// Where the loss is taken: on the losing side of the zone.
    #[oai(validator(pattern = "^[0-9]+([.][0-9]{1,5})?$"))]
    stop: String,
    /// One to three, the nearest first.
    #[oai(validator(min_items = 1, max_items = 3))]
    targets: Vec<NewTarget>,
    /// Whether it is entered only when the price comes into its zone. Any other is entered now, at the last price,
    /// which must lie in the zone.
    #[oai(default)]
    waits: bool,
    /// When it is over in any case.
    #[oai(nullable)]
    expires_at: Option<DateTime<Utc>>,
    /// In your words. It is kept in the log, with who you are.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: String,
}

impl Example for SignalByHand {
    fn example() -> Self {
        let target = |price: &str, share| NewTarget { price: price.to_owned(), share };
        Self {
            direction: SignalDirection::Buy,
            entry: "4012.00".to_owned(),
            zone_low: Some("4011.00".to_owned()),
            zone_high: Some("4013.00".to_owned()),
            stop: "4002.00".to_owned(),
            targets: vec![target("4022.00", 50), target("4032.00", 50)],
            waits: true,
            expires_at: DateTime::from_timestamp(1_800_018_000, 0),
            reason: "Support of the week, before the minutes of the Fed.".to_owned(),
        }
    }
}

impl Input for trading::Target {
    type Document = NewTarget;

    fn read(fields: &mut Fields) -> Option<Self> {
        let (price, share) = (fields.required("price", price), fields.required("share", whole(1, 100)));
        Some(Self { price: price?, share: share? })
    }
}

/// A new signal, as it was read.
pub(super) struct NewSignal {
    levels: Levels,
    zone_low: Option<Price>,
    zone_high: Option<Price>,
    pub(super) waits: bool,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) reason: String,
}

impl NewSignal {
    /// Its prices. Who enters now meets the price of this moment, and not the one that was typed in: where nobody said
    /// how far apart they may be, a tenth of the risk is no other signal.
    pub(super) fn levels(&self, tick: Price) -> Levels {
        let Levels { entry, direction, ref targets, .. } = self.levels;
        let way = targets.first().map_or(Price::ZERO, |first| direction.gain(entry, first.price));
        let reach = self.levels.risk().part(1, 10).min(way.part(1, 2)).max(Price::ZERO).rounded_to(tick);
        let reach = if self.waits { Price::ZERO } else { reach };
        Levels {
            zone_low: self.zone_low.unwrap_or(entry - reach),
            zone_high: self.zone_high.unwrap_or(entry + reach),
            ..self.levels.clone()
        }
    }
}

impl Input for NewSignal {
    type Document = SignalByHand;

    fn read(fields: &mut Fields) -> Option<Self> {
        let direction = fields.required("direction", one_of(&[Direction::Buy, Direction::Sell], Direction::as_str));
        let entry = fields.required("entry", price);
        let (zone_low, zone_high) = (fields.optional("zone_low", price), fields.optional("zone_high", price));
        let stop = fields.required("stop", price);
        let targets = fields.list("targets", Levels::TARGETS);
        let waits = fields.optional("waits", flag).unwrap_or_default();
        let expires_at = fields.optional("expires_at", instant);
        let reason = fields.required("reason", text);
        let entry = entry?;
        let levels =
            Levels { direction: direction?, entry, zone_low: entry, zone_high: entry, stop: stop?, targets: targets? };
        Some(Self { levels, zone_low, zone_high, waits, expires_at, reason: reason? })
    }
}
