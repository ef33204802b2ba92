//! What the forex bot posts and says, in each language.
//!
//! What programs that copy signals read is the same in all of them, and stands in the
//! opening post alone: the first lines of it. No other text has the words that make such a
//! program act, and recaps are called reports, which it passes over. An opening that comes
//! late is for people alone: a program would act on it at a price that is gone.

mod english;
mod russian;
#[cfg(test)]
mod tests;

use aggregates::signal::{Milestone, Period, SignalResult};
use chrono::{DateTime, Utc};
use trading::{Direction, Exit, Levels, Price, StrategyKind, Timeframe, Weakness};

/// A new signal.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// The instrument as brokers write it: `XAUUSD`.
    pub symbol: &'a str,
    /// The signal's number.
    pub number: u32,
    /// Its prices.
    pub levels: &'a Levels,
    /// Whose it is, on which candles; none: an admin's.
    pub strategy: Option<(StrategyKind, Timeframe)>,
    /// Whether it is entered only when the price comes into the zone.
    pub waits: bool,
    /// Until when it is good.
    pub expires_at: Option<DateTime<Utc>>,
    /// What one pip is.
    pub pip: Price,
    /// Decimal places of prices.
    pub decimals: u32,
    /// What to risk at most, in percent of an account.
    pub risk_percent: f64,
    /// What is to be said of its time, if it is no news any more.
    pub late: Option<Late>,
}

/// A signal that is told when nobody should follow it unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// When it was opened.
    pub since: DateTime<Utc>,
    /// Whether it has ended meanwhile.
    pub is_over: bool,
}

/// What was earned, or lost, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain {
    /// `+90.0 pips`, with the language's word.
    pub pips: String,
    /// `+$9.00`.
    pub money: String,
    /// `+1.35 R`.
    pub r: String,
}

/// What happened to a signal.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each field says what it is by its name and type")]
pub enum Update {
    /// The price came into the zone of one that waited.
    Entered { price: String },
    /// The price went a part of the way to the first target.
    Milestone { milestone: Milestone, gain: SignalResult },
    /// A target was hit, and a share of the position closed; with the last one, nothing is left.
    Target { target: u8, share: u8, gain: SignalResult, is_last: bool },
    /// The stop was moved to the entry.
    StopMoved,
    /// The case for it no longer holds.
    Weakened { weakness: Weakness },
    /// It does again.
    Regained,
    /// It is over; `total` is over all shares.
    Closed { exit: Exit, is_entered: bool, total: SignalResult },
}

/// What signals came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// That earned.
    pub won: usize,
    /// That lost.
    pub lost: usize,
    /// That did neither.
    pub even: usize,
    /// That were never entered.
    pub unentered: usize,
    /// In R.
    pub r: f64,
    /// In pips.
    pub pips: f64,
}

/// One signal in a report.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Its number.
    pub number: u32,
    /// How it ended.
    pub exit: Exit,
    /// Whether it was entered.
    pub entered: bool,
    /// What it came to.
    pub result: SignalResult,
}

/// A day, or a week, that is over.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Which of them.
    pub period: Period,
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended.
    pub to: DateTime<Utc>,
    /// Its signals, in the order in which they ended.
    pub lines: &'a [Line],
}

/// How the bot stands, for whoever asks.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The open signal.
    pub open: Option<OpenNow>,
    /// That none are opened: since when.
    pub paused: Option<DateTime<Utc>>,
    /// Which strategy looks for them.
    pub strategy: StrategyKind,
    /// Which one will.
    pub queued: Option<StrategyKind>,
    /// When it looks again.
    pub next_check: Option<DateTime<Utc>>,
}

/// An open signal as it is now.
#[derive(Debug, Clone)]
pub struct OpenNow {
    /// Its number.
    pub number: u32,
    /// Which way.
    pub direction: Direction,
    /// At which price it was entered; none: it waits.
    pub entry: Option<String>,
    /// Where the stop is now.
    pub stop: String,
    /// Its targets, and whether each was hit.
    pub targets: Vec<(String, bool)>,
    /// The last price, and what the signal would come to at it.
    pub now: Option<(String, SignalResult)>,
}

/// Figures of the signals of some days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Of how many days.
    pub days: u32,
    /// What they came to.
    pub totals: Totals,
}

/// A signal that is over.
#[derive(Debug, Clone)]
pub struct Last {
    /// Which, and what it came to.
    pub line: Line,
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// The texts about signals in one language.
pub trait SignalTexts {
    /// The first post in a channel.
    fn signal_introduction(&self) -> &'static str;
    /// The word for pips after a number.
    fn pips(&self) -> &'static str;
    /// What stands instead of what programs read of a new signal, when it comes late.
    fn late_head(&self, opening: &Opening<'_>, late: Late) -> String;
    /// Below what is read of a new signal first.
    fn opening_notes(&self, opening: &Opening<'_>) -> String;
    /// What happened, in one line or a few, with all figures.
    fn update_head(&self, number: u32, update: &Update) -> String;
    /// What else is to be said of it; the copywriter may say it better.
    fn update_words(&self, update: &Update) -> Option<&'static str>;
    /// A day's or a week's report, with all figures.
    fn report_head(&self, report: &Report<'_>) -> String;
    /// What else is to be said of it.
    fn report_words(&self, totals: &Totals) -> &'static str;

    /// To `/start`.
    fn forex_welcome(&self, name: &str) -> String;
    /// To `/help`.
    fn forex_help(&self) -> &'static str;
    /// Added to it for an admin.
    fn forex_admin_help(&self) -> &'static str;
    /// The menu.
    fn forex_commands(&self) -> &'static [(&'static str, &'static str)];
    /// The menu's rest, for an admin.
    fn forex_admin_commands(&self) -> &'static [(&'static str, &'static str)];
    /// To `/status`.
    fn signal_status(&self, standing: &Standing) -> String;
    /// To `/stats`.
    fn signal_figures(&self, figures: &Figures) -> String;
    /// To `/last`.
    fn signal_last(&self, last: Option<&Last>) -> String;
    /// No signals are opened now.
    fn signals_paused(&self) -> &'static str;
    /// They are again.
    fn signals_resumed(&self) -> &'static str;
    /// It was so before.
    fn signals_as_before(&self) -> &'static str;
    /// An admin ended it.
    fn signal_ended(&self, number: u32) -> String;
    /// There is nothing to end.
    fn no_signal_open(&self) -> &'static str;
    /// It cannot be ended, as nobody knows the price.
    fn price_unknown(&self) -> &'static str;
    /// Nothing can be sold or bought.
    fn market_closed(&self) -> &'static str;
    /// Which strategies there are, and which one is active.
    fn strategies(&self, active: StrategyKind, queued: Option<StrategyKind>) -> String;
    /// It is chosen.
    fn strategy_chosen(&self, strategy: StrategyKind, is_queued: bool) -> String;
    /// There is none of this name.
    fn no_such_strategy(&self) -> String;

    /// What was earned, as it is printed.
    fn gain(&self, result: &SignalResult) -> Gain {
        Gain {
            pips: format!("{} {}", signed(result.pips(), 1), self.pips()),
            money: money(result.gain),
            r: format!("{} R", signed(result.r(), 2)),
        }
    }

    /// The whole post that opens a signal.
    fn opening(&self, opening: &Opening<'_>) -> String {
        match opening.late {
            None => format!("{}\n\n{}", copied(opening), self.opening_notes(opening)),
            // How to follow it is nothing to tell any more.
            Some(late) if late.is_over => self.late_head(opening, late),
            Some(late) => format!("{}\n\n{}", self.late_head(opening, late), self.opening_notes(opening)),
        }
    }
}

/// What programs that copy signals read: the instrument and the direction, the zone, the
/// stop and the targets, one a line, in English, and no sign that is not needed.
fn copied(opening: &Opening<'_>) -> String {
    let direction = match opening.levels.direction {
        Direction::Buy => "BUY",
        Direction::Sell => "SELL",
    };
    let (zone, stop) = (opening.zone(" - "), opening.price(opening.levels.stop));
    let mut lines = format!("{} {direction}\nEntry: {zone}\nSL: {stop}", opening.symbol);
    for (number, target) in opening.levels.targets.iter().enumerate() {
        lines.push_str(&format!("\nTP{}: {}", number + 1, opening.price(target.price)));
    }
    lines
}

impl Opening<'_> {
    fn price(&self, price: Price) -> String {
        price.fixed(self.decimals)
    }

    /// Where to enter: one price, or two with `between` between them.
    fn zone(&self, between: &str) -> String {
        let Levels { entry, zone_low, zone_high, .. } = self.levels;
        if zone_low == zone_high {
            return self.price(*entry);
        }
        format!("{}{between}{}", self.price(*zone_low), self.price(*zone_high))
    }

    /// The prices of the targets, in one line.
    fn goals(&self) -> String {
        let goals: Vec<String> = self.levels.targets.iter().map(|target| self.price(target.price)).collect();
        goals.join(" / ")
    }

    /// What each target earns for what is risked.
    fn rewards(&self) -> String {
        let Levels { direction, entry, targets, .. } = self.levels;
        let risk = self.levels.risk().to_f64();
        let reward = |price: Price| if risk > 0.0 { direction.gain(*entry, price).to_f64() / risk } else { 0.0 };
        let rewards: Vec<String> = targets.iter().map(|target| format!("{:.2}", reward(target.price))).collect();
        rewards.join(" / ")
    }

    /// What is closed at each target.
    fn shares(&self) -> String {
        let shares: Vec<String> = self.levels.targets.iter().map(|target| format!("{}%", target.share)).collect();
        shares.join(" / ")
    }

    /// What one R is.
    fn risk(&self) -> SignalResult {
        let risk = self.levels.risk();
        SignalResult { gain: risk, risk, pip: self.pip }
    }

    /// `1` or `0.5`.
    fn percent(&self) -> String {
        format!("{}", (self.risk_percent * 100.0).round() / 100.0)
    }
}

impl Totals {
    /// Of some signals.
    #[must_use]
    pub fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            match line.result.gain {
                _ if !line.entered => totals.unentered += 1,
                gain if gain > Price::ZERO => totals.won += 1,
                gain if gain < Price::ZERO => totals.lost += 1,
                _ => totals.even += 1,
            }
            totals.r += line.result.r();
            totals.pips += line.result.pips();
        }
        totals
    }

    /// That were entered.
    #[must_use]
    pub const fn entered(&self) -> usize {
        self.won + self.lost + self.even
    }

    /// `67%`: of those entered, how many earned; none without any.
    #[must_use]
    pub fn win_rate(&self) -> Option<String> {
        let entered = self.entered();
        (entered > 0).then(|| format!("{:.0}%", 100.0 * self.won as f64 / entered as f64))
    }
}

/// With its sign, and so many decimals; nothing has no sign.
#[must_use]
pub fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    match text.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        true => text,
        false if value < 0.0 => format!("−{text}"),
        false => format!("+{text}"),
    }
}

/// `+$9.00`.
#[must_use]
pub fn money(gain: Price) -> String {
    let text = gain.abs().fixed(2);
    match gain.units() {
        _ if text == "0.00" => format!("${text}"),
        ..0 => format!("−${text}"),
        _ => format!("+${text}"),
    }
}

/// Signals that a report names one by one; of more, the last.
const LINES: usize = 40;

/// One line for each signal of a report.
fn lines(report: &Report<'_>, line: impl Fn(&Line) -> String) -> String {
    let left_out = report.lines.len().saturating_sub(LINES);
    let lines: Vec<String> = report.lines[left_out..].iter().map(line).collect();
    let more = if left_out > 0 { format!("… {left_out}\n") } else { String::new() };
    format!("{more}{}", lines.join("\n"))
}
