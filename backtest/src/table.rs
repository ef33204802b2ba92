//! Reports as text, for people and for other programs.

use std::fmt::{self, Display, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use trading::{
    Price, StrategyKind, Trade,
    statistics::{Figures, Statistics},
};

use crate::{
    Honesty, Report,
    sweep::{Side, Sweep},
};

/// Settings of a sweep that are listed; all are in its JSON.
const LISTED: usize = 20;

/// What a test came to, as tables for a terminal.
#[must_use]
pub fn report(report: &Report) -> String {
    let mut text = Text::default();
    let plan = &report.plan;
    text.line(format_args!(
        "{} on {}, {} candles of {} min{}",
        plan.strategy.as_str(),
        plan.settings.timeframe.as_str(),
        report.candles,
        plan.length.num_minutes(),
        span(report.from, report.to),
    ));
    let costs = plan.costs;
    text.line(format_args!("Spread {}, slippage {}", costs.spread, costs.slippage));
    text.statistics(&report.statistics);
    if let Some(percent) = report.market_percent {
        text.pair("Market", format_args!("{percent:+.2} %"));
    }
    text.groups(&report.statistics);
    if !report.passes.is_empty() {
        text.line(format_args!(""));
        text.line(format_args!("Checks without a signal"));
        for passes in &report.passes {
            text.line(format_args!("  {:<24}{:>10}", passes.reason, passes.count));
        }
    }
    text.0
}

/// What a sweep came to, as tables for a terminal.
#[must_use]
pub fn sweep(sweep: &Sweep) -> String {
    let mut text = Text::default();
    let options = &sweep.options;
    text.line(format_args!(
        "{} settings ({} made no sense), {} windows of {} + {} days, chosen by {} with at least {} trades",
        sweep.ranking.len(),
        sweep.senseless,
        sweep.windows.len(),
        options.train_days,
        options.test_days,
        options.objective.as_str(),
        options.least_trades,
    ));
    text.line(format_args!(""));
    text.line(format_args!("{:<25}{:>35} | {:>35}", "Windows", "in sample", "out of sample"));
    text.line(format_args!("{:<25}{HEAD} | {HEAD}", ""));
    for window in &sweep.windows {
        let name = format!("{} .. {}", window.test.from.date_naive(), window.test.to.date_naive());
        let side = |side: Option<Side>| Columns(side.unwrap_or_default());
        text.line(format_args!("{name:<25}{} | {}", side(window.in_sample), side(window.out_of_sample)));
        let chosen = window.chosen.as_ref().map_or_else(|| "none: too few trades".to_owned(), values);
        text.line(format_args!("  {chosen}"));
    }
    text.line(format_args!(""));
    text.line(format_args!("{:<25}{:>35} | {:>35}", "Settings, best first", "in sample", "out of sample"));
    text.line(format_args!("{:<25}{HEAD} | {HEAD}", ""));
    for (rank, ranked) in (1..).zip(&sweep.ranking).take(LISTED) {
        let name = format!("{rank}. chosen {}x", ranked.chosen);
        text.line(format_args!("{name:<25}{} | {}", Columns(ranked.in_sample), Columns(ranked.out_of_sample)));
        text.line(format_args!("  {}", values(&ranked.variant.values)));
    }
    if sweep.ranking.len() > LISTED {
        text.line(format_args!("  and {} more", sweep.ranking.len() - LISTED));
    }
    text.line(format_args!(""));
    text.line(format_args!("Out of sample, all windows, with what was chosen in each"));
    text.statistics(&sweep.out_of_sample);
    text.pair("Walk-forward efficiency", Or(sweep.efficiency, 2));
    text.pair("Rank correlation", Or(sweep.rank_correlation, 2));
    text.0
}

/// What came of the checks, in a few words.
#[must_use]
pub fn honesty(honesty: &Honesty) -> String {
    let Honesty { cuts, events, changed, starts, proposals, unsettled } = honesty;
    let future = match changed.first() {
        None => format!("The future was cut off at {cuts} points; none of {events} events changed."),
        Some(first) => {
            format!("LOOK-AHEAD: events changed at {} of {cuts} cuts, first at {}.", changed.len(), instant(*first))
        }
    };
    let past = if *unsettled == 0 {
        format!("The past was cut off at {starts} points; none of {proposals} decisions after the warm-up changed.")
    } else {
        format!("WARM-UP TOO SHORT: {unsettled} of {proposals} decisions depend on what was before it.")
    };
    format!("{future}\n{past}\n")
}

/// The trades as comma-separated values, a line each under a heading. Prices are per ounce
/// and after costs; fills are `price@percent`.
#[must_use]
pub fn csv(trades: &[Trade], pip: Price) -> String {
    let mut text = Text::default();
    text.line(format_args!("number,strategy,direction,opened_at,closed_at,minutes,entry,risk,gain,pips,r,exit,fills"));
    for trade in trades {
        let fills: Vec<_> = trade.fills.iter().map(|fill| format!("{}@{}", fill.price, fill.percent)).collect();
        let pips = if pip > Price::ZERO { trade.gain.units() as f64 / pip.units() as f64 } else { 0.0 };
        text.line(format_args!(
            "{},{},{},{},{},{},{},{},{},{pips},{:.6},{},{}",
            trade.number,
            by(trade.strategy),
            trade.direction.as_str(),
            instant(trade.opened_at),
            instant(trade.closed_at),
            trade.duration().num_minutes(),
            trade.entry,
            trade.risk,
            trade.gain,
            trade.r(),
            trade.exit.map_or("end", trading::Exit::as_str),
            fills.join(" "),
        ));
    }
    text.0
}

pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn span(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    from.zip(to).map_or_else(String::new, |(from, to)| format!(", {} to {}", instant(from), instant(to)))
}

pub(crate) fn values(values: &serde_json::Map<String, serde_json::Value>) -> String {
    values.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// Hours and minutes of seconds.
pub(crate) fn hours(seconds: i64) -> String {
    let length = TimeDelta::seconds(seconds);
    match length.num_days() {
        0 => format!("{}:{:02} h", length.num_hours(), length.num_minutes() % 60),
        days => format!("{days} d {} h", length.num_hours() % 24),
    }
}

/// A number with so many decimals, or a dash for none.
pub(crate) struct Or(pub(crate) Option<f64>, pub(crate) usize);

impl Display for Or {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => f.pad(&format!("{value:.*}", self.1)),
            None => f.pad("–"),
        }
    }
}

const HEAD: &str = " trades   win %       R  R/day     PF";

/// A side in the columns of [`HEAD`].
struct Columns(Side);

impl Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = &self.0;
        let (win, factor) = (Or(side.win_percent(), 1), Or(side.profit_factor(), 2));
        write!(f, "{:>7}{win:>8}{:>8.1}{:>7}{factor:>7}", side.trades, side.r(), Or(side.r_per_day(), 2))
    }
}

/// The figures of all trades, as names and values in groups; the same in text and in HTML.
pub(crate) fn facts(statistics: &Statistics) -> Vec<(&'static str, String)> {
    let total = &statistics.total;
    let two = |value: Option<f64>| Or(value, 2).to_string();
    let fall = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| at.date_naive().to_string());
    let drawdown = statistics.drawdown_r.as_ref().map_or_else(
        || "none".to_owned(),
        |it| {
            let (peak, trough) = (it.peak_at.date_naive(), it.trough_at.date_naive());
            format!("{:.2} R, {peak} to {trough}, recovered {}", it.depth, fall(it.recovered_at))
        },
    );
    let extreme = |extreme: Option<trading::statistics::Extreme>| {
        extreme
            .map_or_else(|| "–".to_owned(), |it| format!("{:+.2} R ({:+.2}), #{}", it.r, it.gain.to_f64(), it.number))
    };
    let open = |it: &trading::statistics::Duration| match (it.average_seconds, it.longest_seconds) {
        (Some(average), Some(longest)) => format!("{}, at most {}", hours(average as i64), hours(longest)),
        _ => "–".to_owned(),
    };
    vec![
        ("Trades", format!("{} ({} won, {} lost, {} even)", total.trades, total.wins, total.losses, total.draws)),
        ("Win rate", format!("{} %", Or(total.win_percent, 1))),
        ("Result", format!("{:+.2} R, {:+.1} pips, {:+.2} per ounce", total.r, total.pips, total.gain.to_f64())),
        (
            "Expectancy",
            format!(
                "{} R, {} pips, {} per ounce",
                two(total.expectancy_r),
                Or(total.expectancy_pips, 1),
                two(total.expectancy)
            ),
        ),
        ("Profit factor", format!("{} ({} in R)", two(total.profit_factor), two(total.profit_factor_r))),
        ("Average win", format!("{} R, {} per ounce", two(total.average_win_r), two(total.average_win))),
        ("Average loss", format!("{} R, {} per ounce", two(total.average_loss_r), two(total.average_loss))),
        ("Payoff ratio", two(total.payoff_ratio)),
        ("Best", extreme(statistics.best)),
        ("Worst", extreme(statistics.worst)),
        ("Sharpe", two(statistics.sharpe)),
        ("Sortino", two(statistics.sortino)),
        ("Calmar", two(statistics.calmar)),
        ("Drawdown", drawdown),
        ("Drawdown per ounce", statistics.drawdown.as_ref().map_or_else(|| "none".to_owned(), |it| it.depth.fixed(2))),
        (
            "Under water",
            format!(
                "{}, at most {} at once",
                hours(statistics.under_water_seconds),
                hours(statistics.longest_under_water_seconds)
            ),
        ),
        ("Longest streaks", format!("{} won, {} lost", statistics.longest_wins, statistics.longest_losses)),
        ("Wins were open", open(&statistics.wins_open)),
        ("Losses were open", open(&statistics.losses_open)),
        ("Exposure", format!("{} % of {} weekdays", Or(statistics.exposure_percent, 1), statistics.days)),
    ]
}

/// Whose proposal a trade was.
fn by(strategy: Option<StrategyKind>) -> &'static str {
    strategy.map_or("by hand", StrategyKind::as_str)
}

/// A table of figures: its name, and what each row is of.
pub(crate) type Grouped<'a> = (&'static str, Vec<(String, &'a Figures)>);

/// The tables by something, in the order in which they are shown.
pub(crate) fn grouped(statistics: &Statistics) -> Vec<Grouped<'_>> {
    fn rows<K>(groups: &[trading::statistics::Group<K>], name: impl Fn(&K) -> String) -> Vec<(String, &Figures)> {
        groups.iter().map(|group| (name(&group.key), &group.figures)).collect()
    }
    vec![
        ("By exit", rows(&statistics.by_exit, |exit| exit.map_or("end", trading::Exit::as_str).to_owned())),
        ("By month", rows(&statistics.by_month, ToString::to_string)),
        ("By strategy", rows(&statistics.by_strategy, |strategy| by(*strategy).to_owned())),
        ("By session", rows(&statistics.by_session, |session| session.as_str().to_owned())),
        ("By weekday", rows(&statistics.by_weekday, ToString::to_string)),
        ("By direction", rows(&statistics.by_direction, |direction| direction.as_str().to_owned())),
    ]
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(line);
        self.0.truncate(self.0.trim_end_matches(' ').len());
        self.0.push('\n');
    }

    fn pair(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("  {name:<24}{value}"));
    }

    fn statistics(&mut self, statistics: &Statistics) {
        self.line(format_args!(""));
        for (name, value) in facts(statistics) {
            self.pair(name, value);
        }
    }

    fn groups(&mut self, statistics: &Statistics) {
        self.line(format_args!(""));
        self.line(format_args!("R of trades"));
        let most = statistics.distribution.iter().map(|bucket| bucket.trades).max().unwrap_or(1);
        for bucket in &statistics.distribution {
            let bar = "#".repeat((bucket.trades * 40).div_ceil(most) as usize);
            let to = bucket.from_r + 0.5;
            self.line(format_args!("  {:>5.1} to {to:>5.1}{:>7}  {bar}", bucket.from_r, bucket.trades));
        }
        for (name, rows) in grouped(statistics) {
            self.line(format_args!(""));
            self.line(format_args!("{name:<18}{:>8}{:>8}{:>10}{:>12}{:>8}", "trades", "win %", "R", "per ounce", "PF"));
            for (key, figures) in rows {
                self.line(format_args!(
                    "  {key:<16}{:>8}{:>8}{:>10.2}{:>12}{:>8}",
                    figures.trades,
                    Or(figures.win_percent, 1),
                    figures.r,
                    figures.gain.fixed(2),
                    Or(figures.profit_factor_r, 2),
                ));
            }
        }
    }
}
