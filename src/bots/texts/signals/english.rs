use aggregates::signal::{Milestone, Period};
use chrono::{DateTime, Utc};
use trading::{Direction, Exit, Price, StrategyKind, Weakness};

use super::{
    super::{channel::ChannelTexts, english::English},
    Figures, Last, Late, Line, OpenNow, Opening, Report, SignalTexts, Standing, Totals, Update, lines, signed,
};

impl SignalTexts for English {
    fn signal_introduction(&self) -> &'static str {
        "Signals are posted here. Each begins with its prices and its number; what becomes of it comes as replies. A \
         report of each day and week counts every one of them, the lost ones too.\n\nNothing here is a promise. Trade \
         what you can afford to lose."
    }

    fn pips(&self) -> &'static str {
        "pips"
    }

    fn late_head(&self, opening: &Opening<'_>, late: Late) -> String {
        let way = match opening.levels.direction {
            Direction::Buy => "rise",
            Direction::Sell => "fall",
        };
        let what = match late.is_over {
            true => "It is over by now and nothing to follow; how it went is told in the replies.",
            false => "Look where the price is before you follow it.",
        };
        format!(
            "⚠️ Signal #{} for {} comes late: it is from {}. {what}\n\nIt is for a {way} from {}; given up at {}, \
             goals at {}.",
            opening.number,
            opening.symbol,
            self.instant(late.since),
            opening.zone("–"),
            opening.price(opening.levels.stop),
            opening.goals(),
        )
    }

    fn opening_notes(&self, opening: &Opening<'_>) -> String {
        let about = match opening.strategy {
            Some((strategy, timeframe)) => format!("{}, {}", name(strategy), timeframe.as_str().to_uppercase()),
            None => "by hand".to_owned(),
        };
        let risk = self.gain(&opening.risk());
        let mut notes = format!(
            "Signal #{} · {about}\nReward to risk: {}\nShares to close: {}\nRisk at most {}% of your account: 1 R is \
             {}, {} an ounce",
            opening.number,
            opening.rewards(),
            opening.shares(),
            opening.percent(),
            risk.pips.trim_start_matches('+'),
            risk.money.trim_start_matches('+'),
        );
        if opening.waits {
            notes.push_str("\nTo be entered only when the price comes into the zone");
        }
        if let Some(expires_at) = opening.expires_at {
            notes.push_str(&format!("\nGood until {}", self.instant(expires_at)));
        }
        notes
    }

    fn update_head(&self, number: u32, update: &Update) -> String {
        let figures = |result| {
            let gain = self.gain(result);
            format!("{} · {} an ounce · {}", gain.pips, gain.money, gain.r)
        };
        match update {
            Update::Entered { price } => format!("🔵 #{number} is entered at {price}"),
            Update::Milestone { milestone, gain } => {
                format!("📈 #{number}: {}% of the way to the first target\n{}", milestone.percent(), figures(gain))
            }
            Update::Target { target, share, gain, .. } => {
                format!("✅ #{number}: target {target} is hit, {share}% closed\n{}", figures(gain))
            }
            Update::StopMoved => format!("🛡 #{number}: the stop is at breakeven now"),
            Update::Weakened { weakness } => format!("⚠️ #{number} looks weaker: {}", weak(*weakness)),
            Update::Regained => format!("👍 #{number} looks as it did at first again"),
            Update::Closed { exit, is_entered: false, .. } => {
                let why = if *exit == Exit::Cancelled { "was called off" } else { "has expired" };
                format!("⚪️ #{number} {why}; it was never entered")
            }
            Update::Closed { exit, total, .. } => {
                let (sign, what) = match exit {
                    Exit::Target => ("🏁", "the last target is hit, and all is closed"),
                    Exit::Stop if total.gain > Price::ZERO => {
                        ("🟢", "the stop was hit, after a part of the profit was taken")
                    }
                    Exit::Stop => ("🔴", "the stop was hit"),
                    // A gap fills it beyond.
                    Exit::Breakeven if total.gain < Price::ZERO => {
                        ("🔴", "the market jumped over the stop at breakeven")
                    }
                    Exit::Breakeven => ("🛡", "what was left is closed at breakeven"),
                    Exit::Stagnant => ("⏳", "closed, as no target was hit in time"),
                    Exit::Weak => ("⚠️", "closed, as its case no longer holds"),
                    Exit::Cancelled => ("✋", "closed by hand"),
                    Exit::Expired => ("⏳", "closed, as its time is over"),
                };
                format!("{sign} #{number}: {what}\nIn all: {}", figures(total))
            }
        }
    }

    fn update_words(&self, update: &Update) -> Option<&'static str> {
        match update {
            Update::Milestone { milestone: Milestone::Forty, .. } => Some("On its way. Nothing to do but wait."),
            Update::Milestone { milestone: Milestone::Seventy, .. } => {
                Some("Most of the way is done. Whoever wants to be safe moves the stop to breakeven now.")
            }
            // The post of its end follows.
            Update::Target { is_last: true, .. } => None,
            Update::Target { target: 1, .. } => Some("The first part is safe. Let the rest run."),
            Update::Target { .. } => Some("Well done to everybody who was patient."),
            Update::Closed { exit: Exit::Stop, is_entered: true, total } if total.gain < Price::ZERO => {
                Some("It did not work out this time. Losses are a part of it, and this one was limited beforehand.")
            }
            Update::Closed { exit: Exit::Breakeven, is_entered: true, total } if total.gain < Price::ZERO => {
                Some("A gap is what no stop keeps away.")
            }
            Update::Closed { exit: Exit::Stop, is_entered: true, total } if total.gain > Price::ZERO => {
                Some("What was taken before makes it a gain all the same.")
            }
            _ => None,
        }
    }

    fn report_head(&self, report: &Report<'_>) -> String {
        let totals = Totals::of(report.lines);
        let date = |at: DateTime<Utc>| at.format("%-d %B %Y");
        let title = match report.period {
            Period::Day => format!("📊 Report of the day, {}", date(report.to)),
            Period::Week => format!("📊 Report of the week, {} to {}", date(report.from), date(report.to)),
        };
        format!("{title}\n{}\n\n{}", summary(&totals), lines(report, line))
    }

    fn report_words(&self, totals: &Totals) -> &'static str {
        if totals.entered() == 0 {
            "Nothing was entered. Waiting is a position, too."
        } else if signed(totals.r, 2) == "0.00" {
            "They even out. Such times belong here, too."
        } else if totals.r > 0.0 {
            "Good work. The next ones will not all be like this."
        } else {
            "A time of losses. They belong here as much as the gains do."
        }
    }

    fn forex_welcome(&self, name: &str) -> String {
        format!("Hello {name}! I post trading signals for gold.\n\n{}", self.forex_help())
    }

    fn forex_help(&self) -> &'static str {
        "/status – the open signal and what it stands at\n/stats – how the last 30 days went\n/last – the last signal \
         that ended\n/help – this text"
    }

    fn forex_admin_help(&self) -> &'static str {
        "For admins:\n/pause [why] – open no more signals for now\n/resume – open them again\n/close [why] – end the open \
         signal at the last price\n/strategy [name] – show the strategies, or choose one"
    }

    fn forex_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("status", "The open signal"),
            ("stats", "The last 30 days"),
            ("last", "The last signal that ended"),
            ("help", "What I can do"),
        ]
    }

    fn forex_admin_commands(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("pause", "Open no more signals"),
            ("resume", "Open signals again"),
            ("close", "End the open signal"),
            ("strategy", "Choose a strategy"),
        ]
    }

    fn signal_status(&self, standing: &Standing) -> String {
        let mut parts = vec![match &standing.open {
            None => "No signal is open.".to_owned(),
            Some(open) => self::open(self, open),
        }];
        let mut strategy = format!("Strategy: {}", name(standing.strategy));
        if let Some(queued) = standing.queued {
            strategy.push_str(&format!(", then {}", name(queued)));
        }
        parts.push(strategy);
        if let Some(since) = standing.paused {
            parts.push(format!("⏸ Paused since {}: no signals are opened.", self.instant(since)));
        } else if let Some(next) = standing.next_check {
            parts.push(format!("Next look: {}", self.instant(next)));
        }
        parts.join("\n\n")
    }

    fn signal_figures(&self, figures: &Figures) -> String {
        format!("The last {} days\n{}", figures.days, summary(&figures.totals))
    }

    fn signal_last(&self, last: Option<&Last>) -> String {
        match last {
            None => "No signal has ended yet.".to_owned(),
            Some(last) => format!("{}\n{}", line(&last.line), self.instant(last.at)),
        }
    }

    fn signals_paused(&self) -> &'static str {
        "Paused: no signals are opened. An open one goes on."
    }

    fn signals_resumed(&self) -> &'static str {
        "Signals are opened again."
    }

    fn signals_as_before(&self) -> &'static str {
        "Nothing to change: it is so already."
    }

    fn signal_ended(&self, number: u32) -> String {
        format!("Signal #{number} is ended.")
    }

    fn no_signal_open(&self) -> &'static str {
        "No signal is open."
    }

    fn market_closed(&self) -> &'static str {
        "The market is closed: the signal can be ended when it opens."
    }

    fn price_unknown(&self) -> &'static str {
        "The price is not known well enough now to end a signal at it. Please try again in a minute."
    }

    fn strategies(&self, active: StrategyKind, queued: Option<StrategyKind>) -> String {
        let list = StrategyKind::ALL.map(|strategy| {
            let mark = match strategy {
                _ if strategy == active => " – active",
                _ if Some(strategy) == queued => " – next",
                _ => "",
            };
            format!("{}{mark}", strategy.as_str())
        });
        format!("{}\n\nTo choose: /strategy trend", list.join("\n"))
    }

    fn strategy_chosen(&self, strategy: StrategyKind, is_queued: bool) -> String {
        match is_queued {
            true => format!("{} looks for signals once the open one has ended.", capital(name(strategy))),
            false => format!("{} looks for signals now.", capital(name(strategy))),
        }
    }

    fn no_such_strategy(&self) -> String {
        format!("There are these strategies: {}", StrategyKind::ALL.map(StrategyKind::as_str).join(", "))
    }
}

fn name(strategy: StrategyKind) -> &'static str {
    match strategy {
        StrategyKind::Trend => "trend",
        StrategyKind::Reversion => "mean reversion",
        StrategyKind::Breakout => "breakout",
        StrategyKind::Momentum => "momentum",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn weak(weakness: Weakness) -> &'static str {
    match weakness {
        Weakness::CrossedBack => "the averages have crossed back",
        Weakness::BackInChannel => "the price is back in its channel",
        Weakness::MomentumTurned => "the momentum has turned",
        Weakness::RsiReversed => "RSI went to the other extreme",
    }
}

fn how(line: &Line) -> &'static str {
    match line.exit {
        _ if !line.entered => "not entered",
        Exit::Target => "last target",
        Exit::Stop => "stop",
        Exit::Breakeven => "breakeven",
        Exit::Stagnant => "no target in time",
        Exit::Weak => "case gone",
        Exit::Cancelled => "by hand",
        Exit::Expired => "time over",
    }
}

fn line(line: &Line) -> String {
    match line.entered {
        false => format!("#{} – {}", line.number, how(line)),
        true => format!(
            "#{}  {} R · {} pips – {}",
            line.number,
            signed(line.result.r(), 2),
            signed(line.result.pips(), 1),
            how(line)
        ),
    }
}

fn summary(totals: &Totals) -> String {
    let mut counts = format!("{} won, {} lost", totals.won, totals.lost);
    if totals.even > 0 {
        counts.push_str(&format!(", {} even", totals.even));
    }
    if totals.unentered > 0 {
        counts.push_str(&format!(", {} not entered", totals.unentered));
    }
    if let Some(rate) = totals.win_rate() {
        counts.push_str(&format!(" ({rate} won)"));
    }
    format!("{counts}\nIn all: {} R · {} pips", signed(totals.r, 2), signed(totals.pips, 1))
}

fn open(texts: &English, open: &OpenNow) -> String {
    let direction = match open.direction {
        Direction::Buy => "long",
        Direction::Sell => "short",
    };
    let mut text = match &open.entry {
        Some(entry) => format!("Signal #{}: {direction} since {entry}", open.number),
        None => format!("Signal #{}: {direction}, waits for its zone", open.number),
    };
    if let Some((price, result)) = &open.now {
        let gain = texts.gain(result);
        text.push_str(&format!("\nNow {price}: {} · {} an ounce · {}", gain.pips, gain.money, gain.r));
    }
    text.push_str(&format!("\nStop at {}", open.stop));
    for (number, (price, hit)) in open.targets.iter().enumerate() {
        let mark = if *hit { " ✅" } else { "" };
        text.push_str(&format!("\nTarget {}: {price}{mark}", number + 1));
    }
    text
}
