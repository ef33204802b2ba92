//! The equity curve as SVG.

use chrono::{DateTime, Utc};
use trading::statistics::Point;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 260.0;
/// Of the drawdown below it.
const BELOW: f64 = 80.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const GAP: f64 = 14.0;
/// Points that are drawn at the most; of more, those that are highest and lowest among neighbours.
const MOST: usize = 1_500;

pub(super) fn svg(points: &[Point], from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    let (Some(from), Some(to)) = (from, to) else { return "<p>There were no trades.</p>\n".to_owned() };
    if points.is_empty() {
        return "<p>There were no trades.</p>\n".to_owned();
    }
    let span = ((to - from).num_seconds() as f64).max(1.0);
    let x = |at: DateTime<Utc>| LEFT + (WIDTH - LEFT - RIGHT) * (at - from).num_seconds() as f64 / span;
    // The sum, and how far below its peak it is.
    let mut peak = 0.0_f64;
    let course: Vec<(f64, f64, f64)> = std::iter::once((x(from), 0.0, 0.0))
        .chain(points.iter().map(|point| {
            peak = peak.max(point.r);
            (x(point.at), point.r, peak - point.r)
        }))
        .collect();
    let course = thinned(&course);
    let (low, high) = range(course.iter().map(|(_, r, _)| *r));
    let deepest = course.iter().map(|(_, _, under)| *under).fold(0.0, f64::max).max(1e-9);
    let steps = ticks(low, high);
    let y = |r: f64| TOP + (HEIGHT - TOP) * (high - r) / (high - low);
    let top = HEIGHT + GAP;
    let down = |under: f64| top + BELOW * under / deepest;
    let whole = top + BELOW + 24.0;
    let mut svg = format!(
        "<svg class=\"curve\" viewBox=\"0 0 {WIDTH} {whole}\" role=\"img\" aria-label=\"Equity in R, and drawdown\">\n"
    );
    for step in steps {
        let (y, class) = (y(step), if step.abs() < 1e-9 { "zero" } else { "line" });
        svg += &format!("<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - RIGHT);
        svg += &format!("<text class=\"r\" x=\"{}\" y=\"{:.1}\">{step}</text>\n", LEFT - 6.0, y + 4.0);
    }
    let end = x(to);
    // Between two trades nothing changes: steps.
    let mut path = String::new();
    let mut area = format!("M{LEFT:.1} {top:.1}");
    path += &format!("M{:.1} {:.1}", course[0].0, y(course[0].1));
    for point in &course[1..] {
        path += &format!("H{:.1}V{:.1}", point.0, y(point.1));
        area += &format!("H{:.1}V{:.1}", point.0, down(point.2));
    }
    path += &format!("H{end:.1}");
    area += &format!("H{end:.1}V{top:.1}Z");
    svg += &format!("<path class=\"under\" d=\"{area}\"/>\n<path class=\"equity\" d=\"{path}\"/>\n");
    svg += &format!("<text class=\"r\" x=\"{}\" y=\"{:.1}\">−{deepest:.1}</text>\n", LEFT - 6.0, top + BELOW);
    svg += &format!("<text class=\"r\" x=\"{}\" y=\"{:.1}\">R</text>\n", LEFT - 30.0, TOP + 4.0);
    for part in 0..=4 {
        let at = from + (to - from) * part / 4;
        let anchor = ["start", "middle", "middle", "middle", "end"][part as usize];
        svg += &format!(
            "<text style=\"text-anchor:{anchor}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            x(at),
            whole - 6.0,
            at.date_naive()
        );
    }
    svg + "</svg>\n"
}

/// Of many neighbours, the one where the sum is lowest, the one where it is highest, and the last.
fn thinned(course: &[(f64, f64, f64)]) -> Vec<(f64, f64, f64)> {
    if course.len() <= MOST {
        return course.to_vec();
    }
    let each = (course.len() * 3).div_ceil(MOST);
    let mut thin = Vec::with_capacity(MOST + 3);
    for part in course.chunks(each) {
        let by = |left: &&(f64, f64, f64), right: &&(f64, f64, f64)| left.1.total_cmp(&right.1);
        let mut chosen: Vec<_> =
            [part.iter().min_by(by), part.iter().max_by(by), part.last()].into_iter().flatten().copied().collect();
        chosen.sort_by(|left, right| left.0.total_cmp(&right.0));
        thin.extend(chosen);
    }
    thin
}

/// A little more than all values lie within, zero included.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let room = ((high - low) * 0.06).max(0.25);
    (low - if low < 0.0 { room } else { 0.0 }, high + room)
}

/// Round numbers in a range, four to ten of them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| power * times >= rough).unwrap_or(10.0);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|number| ((number as f64 * step) * 1e6).round() / 1e6).collect()
}
