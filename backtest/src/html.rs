//! A report as one HTML page that needs nothing else.

mod curve;

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trading::{
    Candle, Grouping, Price, Timeframe, Trade,
    statistics::{Statistics, equity_curve},
};

use crate::{
    Honesty, Report,
    sweep::{Side, Sweep},
    table::{self, Or},
};

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The test.
    pub report: &'a Report,
    /// The candles that it was made on.
    pub candles: &'a [Candle],
    /// The sweep, when there was one.
    pub sweep: Option<&'a Sweep>,
    /// The checks, when they were made.
    pub honesty: Option<&'a Honesty>,
}

/// Candles on a page at the most; of more, longer ones are made.
const MOST: usize = 50_000;
/// Settings of a sweep that are listed.
const LISTED: usize = 25;

/// The whole page.
#[must_use]
pub fn page(page: &Page<'_>) -> String {
    let Page { report, candles, sweep, honesty } = *page;
    let plan = &report.plan;
    let title = format!("Backtest: {} on {}", plan.strategy.as_str(), plan.settings.timeframe.as_str());
    let day = |at: Option<DateTime<Utc>>| at.map_or_else(|| "–".to_owned(), |at| at.date_naive().to_string());
    let mut html = String::new();
    let mut put = |part: &str| html.push_str(part);
    put("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    put("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put("<meta name=\"color-scheme\" content=\"light dark\">\n");
    put(&format!(
        "<title>{}</title>\n<style>\n{}</style></head><body>\n",
        escaped(&title),
        include_str!("html/page.css")
    ));
    put(&format!(
        "<header><h1>{}</h1><p>{} to {} · {} candles of {} min · spread {} · slippage {}</p></header>\n<main>\n",
        escaped(&title),
        day(report.from),
        day(report.to),
        report.candles,
        plan.length.num_minutes(),
        plan.costs.spread,
        plan.costs.slippage,
    ));
    if let Some(sweep) = sweep {
        put(&swept(sweep));
        put("<h2 class=\"part\">The settings that the sweep began from, which nothing chose</h2>\n");
    }
    put(&tiles(&report.statistics));
    put("<section><h2>Equity</h2>\n");
    put(&curve::svg(&equity_curve(&report.trades).collect::<Vec<_>>(), report.from, report.to));
    put("</section>\n");
    put(CHART);
    if let Some(honesty) = honesty {
        let class = if honesty.holds() { "good" } else { "bad" };
        put(&format!(
            "<section><h2>Checks</h2><p class=\"{class}\">{}</p></section>\n",
            escaped(table::honesty(honesty).trim()).replace('\n', "<br>")
        ));
    }
    put("<section><h2>Figures</h2><dl>\n");
    for (name, value) in table::facts(&report.statistics) {
        put(&format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escaped(&value)));
    }
    if let Some(percent) = report.market_percent {
        put(&format!("<div><dt>Market</dt><dd>{percent:+.2} %</dd></div>\n"));
    }
    put("</dl></section>\n");
    put(&tables(report));
    put("<section><h2>Trades</h2><p class=\"hint\">Choose one to see it in the chart.</p>\n");
    put(
        "<div class=\"scroll tall\"><table id=\"trades\"><thead><tr><th>#</th><th class=\"l\">Opened (UTC)</th><th class=\"l\">Way</th>",
    );
    put(
        "<th>Entry</th><th>Stop</th><th class=\"l\">Open for</th><th class=\"l\">Exit</th><th>Per ounce</th><th>R</th></tr></thead><tbody></tbody></table></div></section>\n",
    );
    put("<section><h2>Settings</h2><details><summary>All settings of this test</summary><pre>");
    put(&escaped(&serde_json::to_string_pretty(&plan).unwrap_or_default()));
    put("</pre></details></section>\n</main>\n<script>\nconst DATA = ");
    put(&data(report, candles).to_string());
    put(";\n");
    put(include_str!("html/page.js"));
    put("</script></body></html>\n");
    html
}

const CHART: &str = "<section><h2>Candles</h2>\n<div class=\"bar\"><button id=\"previous\">← Trade</button>\
    <button id=\"next\">Trade →</button><button id=\"in\">+</button><button id=\"out\">−</button>\
    <button id=\"all\">All</button><span id=\"said\"></span></div>\n<canvas id=\"chart\" tabindex=\"0\" \
    aria-label=\"Candles with entries and exits\"></canvas>\n<p class=\"hint\">Drag to move, turn the wheel to zoom, arrow \
    keys do both. ▲▼ entries, ● exits; dashed: the first stop.</p></section>\n";

fn tiles(statistics: &Statistics) -> String {
    let total = &statistics.total;
    let sign = |value: f64| if value >= 0.0 { "good" } else { "bad" };
    let drawdown = statistics.drawdown_r.map(|drawdown| drawdown.depth);
    let tiles = [
        ("Result", format!("{:+.1} R", total.r), sign(total.r), format!("{:+.2} per ounce", total.gain.to_f64())),
        ("Trades", total.trades.to_string(), "", format!("{} %", Or(total.win_percent, 1)) + " won"),
        ("Profit factor", Or(total.profit_factor_r, 2).to_string(), "", "in R".to_owned()),
        (
            "Expectancy",
            format!("{} R", Or(total.expectancy_r, 3)),
            total.expectancy_r.map_or("", sign),
            format!("{} pips", Or(total.expectancy_pips, 1)),
        ),
        ("Sharpe", Or(statistics.sharpe, 2).to_string(), "", format!("Sortino {}", Or(statistics.sortino, 2))),
        ("Drawdown", format!("{} R", Or(drawdown, 1)), "", format!("Calmar {}", Or(statistics.calmar, 2))),
    ];
    let tile = |(name, value, class, note): (&str, String, &str, String)| {
        format!("<div class=\"tile\"><span>{name}</span><b class=\"{class}\">{value}</b><small>{note}</small></div>\n")
    };
    format!("<div class=\"tiles\">{}</div>\n", tiles.into_iter().map(tile).collect::<String>())
}

fn tables(report: &Report) -> String {
    let mut html = "<section class=\"grid\">\n".to_owned();
    for (name, rows) in table::grouped(&report.statistics) {
        html += &format!(
            "<div><h2>{name}</h2><div class=\"scroll\"><table><thead><tr><th class=\"l\"></th><th>Trades</th><th>Win %</th>\
             <th>R</th><th>Per ounce</th><th>PF</th></tr></thead><tbody>\n"
        );
        for (key, figures) in rows {
            let class = if figures.r >= 0.0 { "good" } else { "bad" };
            html += &format!(
                "<tr><td class=\"l\">{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{:+.2}</td><td>{}</td><td>{}</td></tr>\n",
                escaped(&key.replace('_', " ")),
                figures.trades,
                Or(figures.win_percent, 1),
                figures.r,
                figures.gain.fixed(2),
                Or(figures.profit_factor_r, 2),
            );
        }
        html += "</tbody></table></div></div>\n";
    }
    html += "<div><h2>R of trades</h2><div class=\"scroll\"><table><tbody>\n";
    let most = report.statistics.distribution.iter().map(|bucket| bucket.trades).max().unwrap_or(1);
    for bucket in &report.statistics.distribution {
        let (from, to) = (bucket.from_r, bucket.from_r + 0.5);
        let class = if from >= 0.0 { "good" } else { "bad" };
        let width = 100.0 * f64::from(bucket.trades) / f64::from(most);
        html += &format!(
            "<tr><td>{from:+.1} to {to:+.1}</td><td>{}</td><td class=\"wide\"><i class=\"{class}\" style=\"width:{width:.1}%\"></i></td></tr>\n",
            bucket.trades
        );
    }
    html += "</tbody></table></div></div>\n<div><h2>Checks without a signal</h2><div class=\"scroll\"><table><tbody>\n";
    for passes in &report.passes {
        let reason = passes.reason.replace('_', " ");
        html += &format!("<tr><td class=\"l\">{reason}</td><td>{}</td></tr>\n", passes.count);
    }
    html + "</tbody></table></div></div>\n</section>\n"
}

fn swept(sweep: &Sweep) -> String {
    let side = |side: &Side| {
        let class = if side.r() >= 0.0 { "good" } else { "bad" };
        format!(
            "<td>{}</td><td>{}</td><td class=\"{class}\">{:+.1}</td><td>{}</td>",
            side.trades,
            Or(side.win_percent(), 1),
            side.r(),
            Or(side.profit_factor(), 2)
        )
    };
    let head = "<th>Trades</th><th>Win %</th><th>R</th><th>PF</th>";
    let options = &sweep.options;
    let record = &sweep.out_of_sample;
    let mut html = format!(
        "<h2 class=\"part\">Walk-forward: what came of choosing</h2>\n{}<section><p>{} settings, {} windows of {} + {} days, chosen by {} with at least {} trades. \
         Efficiency {}, rank correlation {}.</p>\n<h3>Out of sample, with what was chosen in each window</h3>\n",
        tiles(record),
        sweep.ranking.len(),
        sweep.windows.len(),
        options.train_days,
        options.test_days,
        options.objective.as_str(),
        options.least_trades,
        Or(sweep.efficiency, 2),
        Or(sweep.rank_correlation, 2),
    );
    html += &curve::svg(&equity_curve(&sweep.trades).collect::<Vec<_>>(), record.from, record.to);
    html += &format!(
        "<div class=\"scroll\"><table><thead><tr><th class=\"l\" rowspan=\"2\">Out of sample</th><th colspan=\"4\">In sample</th>\
         <th colspan=\"4\">Out of sample</th><th class=\"l\" rowspan=\"2\">Chosen</th></tr><tr>{head}{head}</tr></thead><tbody>\n"
    );
    for window in &sweep.windows {
        let chosen = window.chosen.as_ref().map_or_else(|| "none: too few trades".to_owned(), table::values);
        html += &format!(
            "<tr><td class=\"l\">{} to {}</td>{}{}<td class=\"l\">{}</td></tr>\n",
            window.test.from.date_naive(),
            window.test.to.date_naive(),
            side(&window.in_sample.unwrap_or_default()),
            side(&window.out_of_sample.unwrap_or_default()),
            escaped(&chosen),
        );
    }
    html += &format!(
        "</tbody></table></div><h3>All settings, the best in sample first</h3>\
         <p class=\"hint\">Windows overlap in sample, so a trade counts in each that it lies in.</p><div class=\"scroll tall\"><table><thead><tr><th rowspan=\"2\">#</th>\
         <th class=\"l\" rowspan=\"2\">Settings</th><th rowspan=\"2\">Chosen</th><th colspan=\"4\">In sample</th><th colspan=\"4\">Out of sample</th></tr>\
         <tr>{head}{head}</tr></thead><tbody>\n"
    );
    for (rank, ranked) in (1..).zip(&sweep.ranking).take(LISTED) {
        let _ = writeln!(
            html,
            "<tr><td>{rank}</td><td class=\"l\">{}</td><td>{}</td>{}{}</tr>",
            escaped(&table::values(&ranked.variant.values)),
            ranked.chosen,
            side(&ranked.in_sample),
            side(&ranked.out_of_sample),
        );
    }
    html + "</tbody></table></div></section>\n"
}

/// What the script draws: candles as differences in ticks, and the trades.
fn data(report: &Report, candles: &[Candle]) -> Value {
    let plan = &report.plan;
    let from = report.from.unwrap_or_default();
    let candles = &candles[candles.partition_point(|candle| candle.opened_at < from)..];
    let (timeframe, candles) = grouped(report, candles);
    let tick = plan.settings.tick.units().max(1);
    let ticks = |price: Price| price.rounded_to(plan.settings.tick).units() / tick;
    let step = timeframe.minutes() * 60;
    let (mut at, mut close) = (candles.first().map_or(0, |candle| candle.opened_at.timestamp()), 0);
    let start = at;
    let mut rows = Vec::with_capacity(candles.len() * 5);
    for candle in &candles {
        let [open, high, low, last] = [candle.open, candle.high, candle.low, candle.close].map(ticks);
        let begins = candle.opened_at.timestamp();
        rows.extend([(begins - at) / step, open - close, high - open.max(last), open.min(last) - low, last - open]);
        (at, close) = (begins, last);
    }
    let trade = |trade: &Trade| {
        let fills: Vec<_> =
            trade.fills.iter().map(|fill| json!([fill.at.timestamp(), fill.price.to_f64(), fill.percent])).collect();
        json!([
            trade.number,
            trade.direction.as_str(),
            trade.opened_at.timestamp(),
            trade.closed_at.timestamp(),
            trade.entry.to_f64(),
            trade.direction.after(trade.entry, -trade.risk).to_f64(),
            trade.gain.to_f64(),
            (trade.r() * 1e4).round() / 1e4,
            trade.exit.map_or("end", trading::Exit::as_str),
            fills
        ])
    };
    json!({
        "timeframe": timeframe.as_str(),
        "step": step,
        "start": start,
        "tick": plan.settings.tick.to_f64(),
        "candles": rows,
        "trades": report.trades.iter().map(trade).collect::<Vec<_>>(),
    })
}

/// The candles in the strategy's timeframe, or in the next longer one of which there are few enough.
fn grouped(report: &Report, candles: &[Candle]) -> (Timeframe, Vec<Candle>) {
    let plan = &report.plan;
    let of = |timeframe| {
        let mut grouping = Grouping::new(timeframe);
        let pushed = candles.iter().map(|candle| grouping.push(candle, plan.length));
        pushed.flat_map(|pushed| [pushed.before, pushed.now]).flatten().collect::<Vec<_>>()
    };
    let mut best = (plan.settings.timeframe, of(plan.settings.timeframe));
    for timeframe in Timeframe::ALL.into_iter().filter(|timeframe| *timeframe > plan.settings.timeframe) {
        if best.1.len() <= MOST {
            break;
        }
        best = (timeframe, of(timeframe));
    }
    best
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
