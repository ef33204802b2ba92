//! The chart of a signal.

use cards::Anchor;
use chrono::{DateTime, Utc};
use trading::{Candle, Direction, Levels, Price, Timeframe};

use crate::{
    Error, axis,
    canvas::{Canvas, Rgb, width},
    palette::{AMBER, BLUE, DARK, GREEN, GREY, RED, WHITE},
    scale::{Scale, spread},
};

/// Where candles are: from left to right, from top to bottom.
const PLOT_X: [f32; 2] = [28.0, 968.0];
const PLOT_Y: [f32; 2] = [112.0, 606.0];
/// Where the prices on the right begin and end.
const LABEL_X: [f32; 2] = [984.0, 1180.0];
const LABEL: f32 = 36.0;
const HEADER: f32 = 54.0;
const TIMES: f32 = 640.0;
/// Candles at the most; of more, the last.
const MOST: usize = 120;
/// Columns that a picture has at least, so that a few candles are not walls.
const LEAST: usize = 40;
/// Columns kept free at the right.
const AHEAD: usize = 4;
/// Columns between two times.
const TIME_WIDTH: f32 = 132.0;
/// A spike may take so many times the room of the levels, on either side; what is beyond is cut.
const SPIKE: f64 = 2.0;
/// Letters of an instrument's name that are shown.
const NAME: usize = 14;

/// What a chart shows.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    /// The instrument as people write it: `XAU/USD`.
    pub instrument: &'a str,
    /// The signal's number.
    pub number: u64,
    /// How long the candles are.
    pub timeframe: Timeframe,
    /// Decimal places of prices; 0 to 5.
    pub decimals: u32,
    /// The earliest first; of more than 120 the last are shown.
    pub candles: &'a [Candle],
    /// The signal's prices.
    pub levels: &'a Levels,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// What has happened since, in order.
    pub events: &'a [Event],
    /// How it stands, in a few words.
    pub status: Option<Status<'a>>,
}

/// Something that happened to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// At which price.
    pub price: Price,
    /// What.
    pub mark: Mark,
}

/// What happened to a signal, as far as a chart shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A target was hit; 1 is the nearest.
    Target(u8),
    /// The stop was moved to the price.
    StopMoved,
    /// The stop was hit: the signal is over.
    Stop,
    /// What was left was closed: the signal is over.
    Closed,
}

/// How a signal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// In a few words: `+1.35 R`.
    pub text: &'a str,
    /// How that is meant.
    pub tone: Tone,
}

/// Good or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Earned.
    Good,
    /// Lost.
    Bad,
    /// Neither, or not known yet.
    Neutral,
}

impl Tone {
    pub(crate) fn colour(self) -> Rgb {
        match self {
            Self::Good => GREEN,
            Self::Bad => RED,
            Self::Neutral => GREY,
        }
    }
}

/// Draws a signal and returns it as PNG. The same input gives the same bytes.
///
/// # Errors
/// There is no memory for it.
pub fn signal(chart: &Chart<'_>) -> Result<Vec<u8>, Error> {
    let mut canvas = Canvas::new()?;
    let plot = Plot::new(chart);
    plot.grid(&mut canvas);
    plot.position(&mut canvas);
    plot.candles(&mut canvas);
    plot.levels(&mut canvas);
    plot.marks(&mut canvas);
    plot.times(&mut canvas);
    plot.header(&mut canvas);
    canvas.finish()
}

/// A price written at the right, on a line of its own.
struct Label {
    text: String,
    price: Price,
    colour: Rgb,
    /// Whether it is reached, and so stands out.
    solid: bool,
}

struct Plot<'a> {
    chart: &'a Chart<'a>,
    candles: &'a [Candle],
    scale: Scale,
    /// Width of a column.
    column: f32,
    /// Columns before the first candle.
    offset: usize,
    /// Where the signal begins and ends.
    span: [f32; 2],
}

impl<'a> Plot<'a> {
    fn new(chart: &'a Chart<'a>) -> Self {
        let candles = &chart.candles[chart.candles.len().saturating_sub(MOST)..];
        let columns = (candles.len() + AHEAD).max(LEAST);
        let column = (PLOT_X[1] - PLOT_X[0]) / columns as f32;
        let offset = columns - AHEAD - candles.len();
        let scale = range(candles, chart.levels);
        let mut plot = Self { chart, candles, scale, column, offset, span: PLOT_X };
        plot.span[0] = plot.middle_at(chart.opened_at);
        if let Some(end) = chart.events.iter().find(|event| matches!(event.mark, Mark::Stop | Mark::Closed)) {
            plot.span[1] = plot.middle_at(end.at).max(plot.span[0] + column);
        }
        plot
    }

    /// The middle of a column.
    fn middle(&self, index: usize) -> f32 {
        PLOT_X[0] + ((self.offset + index) as f32 + 0.5) * self.column
    }

    /// The middle of the column of an instant; what is outside is at the edge.
    fn middle_at(&self, at: DateTime<Utc>) -> f32 {
        let after = self.candles.partition_point(|candle| candle.opened_at <= at);
        self.middle(after.saturating_sub(1))
    }

    fn row(&self, price: Price) -> f32 {
        self.scale.row(price.to_f64())
    }

    fn grid(&self, canvas: &mut Canvas) {
        for value in self.scale.ticks(6) {
            canvas.level(PLOT_X, self.scale.row(value), 1.0, None, GREY, 0.13);
        }
    }

    /// What may be earned and lost, the zone to enter in, and when it began.
    fn position(&self, canvas: &mut Canvas) {
        let levels = self.chart.levels;
        let entry = self.row(levels.entry);
        if let Some(last) = levels.targets.last() {
            canvas.rect(self.span, [entry, self.row(last.price)], GREEN, 0.09);
        }
        canvas.rect(self.span, [entry, self.row(levels.stop)], RED, 0.11);
        canvas.rect(self.span, [self.row(levels.zone_low), self.row(levels.zone_high)], BLUE, 0.28);
        canvas.upright(self.span[0], PLOT_Y, 2.0, Some([7.0, 7.0]), BLUE, 0.55);
    }

    fn candles(&self, canvas: &mut Canvas) {
        let half = (self.column * 0.33).clamp(0.5, 12.0);
        let wick = if self.column < 6.0 { 1.0 } else { 2.0 };
        for (index, candle) in self.candles.iter().enumerate() {
            let (x, rgb) = (self.middle(index), if candle.close >= candle.open { GREEN } else { RED });
            let left = (x - wick / 2.0).round();
            canvas.crisp([left, left + wick], [self.row(candle.high), self.row(candle.low)], rgb);
            let (open, close) = (self.row(candle.open).round(), self.row(candle.close).round());
            let thin = if (open - close).abs() < 2.0 { 2.0 } else { 0.0 };
            canvas.crisp([x - half, (x + half).max(x - half + 1.0)], [open.min(close), open.max(close) + thin], rgb);
        }
    }

    /// The lines of the prices, and the prices at the right.
    fn levels(&self, canvas: &mut Canvas) {
        let labels = self.labels();
        let rows: Vec<f32> = labels.iter().map(|label| self.row(label.price)).collect();
        let apart = spread(&rows, LABEL + 6.0, PLOT_Y[0] + LABEL / 2.0, PLOT_Y[1] - LABEL / 2.0);
        let [start, end] = self.span;
        for (label, row) in labels.iter().zip(&rows) {
            let is_last = label.colour == AMBER;
            let (from, dash) = if is_last { (PLOT_X[0], Some([2.0, 6.0])) } else { (start, None) };
            canvas.level([from, end], *row, if is_last { 2.0 } else { 3.0 }, dash, label.colour, 1.0);
            canvas.level([end.max(from), PLOT_X[1]], *row, 2.0, Some([3.0, 7.0]), label.colour, 0.7);
        }
        for ((label, row), y) in labels.iter().zip(&rows).zip(&apart) {
            canvas.polyline(&[[PLOT_X[1], *row], [LABEL_X[0], *y]], 2.0, None, label.colour, 0.7);
            let plate = [LABEL_X[0], y - LABEL / 2.0, LABEL_X[1] - LABEL_X[0], LABEL];
            canvas.plate(plate, if label.solid { label.colour } else { DARK }, 1.0);
            if !label.solid {
                canvas.plate(plate, label.colour, 0.2);
            }
            let ink = if label.solid { DARK } else { label.colour };
            let price = label.price.fixed(self.chart.decimals);
            canvas.text(&label.text, 22.0, true, ink, Anchor::Left, [LABEL_X[0] + 12.0, *y]);
            canvas.text(&price, 25.0, true, ink, Anchor::Right, [LABEL_X[1] - 12.0, *y]);
        }
        // Where the stop was before it moved.
        let stop = self.chart.levels.stop;
        if let Some(moved) = self.stop_moved().filter(|moved| moved.price != stop) {
            canvas.level([start, self.middle_at(moved.at)], self.row(stop), 2.0, Some([8.0, 6.0]), RED, 0.6);
        }
    }

    fn stop_moved(&self) -> Option<&Event> {
        self.chart.events.iter().rev().find(|event| event.mark == Mark::StopMoved)
    }

    fn labels(&self) -> Vec<Label> {
        let Chart { levels, events, candles, .. } = self.chart;
        let hit =
            |number: usize| events.iter().any(|event| matches!(event.mark, Mark::Target(n) if n as usize == number));
        let stopped = events.iter().any(|event| event.mark == Mark::Stop);
        let over = stopped || events.iter().any(|event| event.mark == Mark::Closed);
        let stop = self.stop_moved().map_or(levels.stop, |event| event.price);
        let label = |text: &str, price, colour, solid| Label { text: text.to_owned(), price, colour, solid };
        let mut labels = vec![label("Entry", levels.entry, BLUE, true), label("SL", stop, RED, stopped)];
        for (index, target) in levels.targets.iter().enumerate() {
            labels.push(label(&format!("TP{}", index + 1), target.price, GREEN, hit(index + 1)));
        }
        if let Some(last) = candles.last().filter(|_| !over)
            && self.scale.holds(last.close.to_f64())
        {
            labels.push(label("Now", last.close, AMBER, true));
        }
        labels
    }

    /// Where it was opened, and what happened.
    fn marks(&self, canvas: &mut Canvas) {
        let opened = self.candles.partition_point(|candle| candle.opened_at <= self.chart.opened_at);
        if let Some(candle) = self.candles.get(opened.saturating_sub(1)) {
            let (price, away) = match self.chart.levels.direction {
                Direction::Buy => (candle.low, 10.0),
                Direction::Sell => (candle.high, -10.0),
            };
            canvas.arrow(self.span[0], self.row(price) + away, away.signum() * 20.0, BLUE);
        }
        for event in self.chart.events {
            let (x, y) = (self.middle_at(event.at), self.row(event.price));
            let (rgb, sign) = match event.mark {
                Mark::Target(number) => (GREEN, number.to_string()),
                Mark::Stop => (RED, "×".to_owned()),
                Mark::Closed => (AMBER, "■".to_owned()),
                Mark::StopMoved => continue,
            };
            canvas.dot(x, y, 15.0, rgb);
            let size = match event.mark {
                Mark::Closed => 16.0,
                Mark::Stop => 34.0,
                _ => 23.0,
            };
            canvas.text(&sign, size, true, DARK, Anchor::Centre, [x, y]);
        }
    }

    fn times(&self, canvas: &mut Canvas) {
        canvas.level([PLOT_X[0], LABEL_X[1]], PLOT_Y[1] + 4.0, 1.0, None, GREY, 0.35);
        let times: Vec<DateTime<Utc>> = self.candles.iter().map(|candle| candle.opened_at).collect();
        let apart = (TIME_WIDTH / self.column).ceil() as usize;
        for (index, text) in axis::labels(&times, self.chart.timeframe.minutes(), apart) {
            let x = self.middle(index);
            let half = width(&text, 23.0, false) / 2.0;
            canvas.upright(x, [PLOT_Y[1] + 4.0, PLOT_Y[1] + 12.0], 2.0, None, GREY, 0.6);
            let x = x.clamp(PLOT_X[0] + half, PLOT_X[1] - half);
            canvas.text(&text, 23.0, false, GREY, Anchor::Centre, [x, TIMES]);
        }
        canvas.text("UTC", 23.0, false, GREY, Anchor::Right, [LABEL_X[1], TIMES]);
    }

    fn header(&self, canvas: &mut Canvas) {
        let Chart { instrument, number, timeframe, levels, status, .. } = self.chart;
        let name: String = instrument.chars().take(NAME).collect();
        canvas.text(&name, 46.0, true, WHITE, Anchor::Left, [PLOT_X[0], HEADER]);
        let x = PLOT_X[0] + width(&name, 46.0, true) + 24.0;
        let (word, rgb) = match levels.direction {
            Direction::Buy => ("BUY", GREEN),
            Direction::Sell => ("SELL", RED),
        };
        let x = canvas.pill(word, 32.0, 52.0, [x, HEADER], (rgb, 1.0), DARK) + 24.0;
        let about = format!("#{number}  ·  {}", timeframe.as_str().to_uppercase());
        canvas.text(&about, 32.0, false, GREY, Anchor::Left, [x, HEADER]);
        if let Some(Status { text, tone }) = status {
            let left = LABEL_X[1] - width(text, 32.0, true) - 52.0 * 0.6;
            canvas.pill(text, 32.0, 52.0, [left, HEADER], (tone.colour(), 0.2), tone.colour());
        }
    }
}

/// The prices to be shown: all levels, and the candles unless they are far away.
fn range(candles: &[Candle], levels: &Levels) -> Scale {
    let fixed = [levels.entry, levels.zone_low, levels.zone_high, levels.stop];
    let prices = fixed.into_iter().chain(levels.targets.iter().map(|target| target.price)).map(Price::to_f64);
    let (low, high) = prices.fold((f64::MAX, f64::MIN), |(low, high), price| (low.min(price), high.max(price)));
    let room = (high - low) * SPIKE;
    let lowest = candles.iter().map(|candle| candle.low.to_f64()).fold(low, f64::min).max(low - room);
    let highest = candles.iter().map(|candle| candle.high.to_f64()).fold(high, f64::max).min(high + room);
    let edge = (highest - lowest) * 0.06;
    Scale::new(lowest - edge, highest + edge, PLOT_Y[0], PLOT_Y[1])
}
