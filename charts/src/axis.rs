//! Which times are written below a chart.

use chrono::{DateTime, Timelike, Utc};

/// Steps between times, in minutes; each divides a day.
const STEPS: [i64; 12] = [1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440];

/// Of columns that begin at `times`, those to be labelled, with the label; at least `apart`
/// columns lie between two. `length` is that of a column, in minutes.
pub(crate) fn labels(times: &[DateTime<Utc>], length: i64, apart: usize) -> Vec<(usize, String)> {
    let apart = apart.max(1);
    let most = STEPS[STEPS.len() - 1];
    let least = length.max(1).saturating_mul(apart as i64);
    let step = STEPS.into_iter().find(|step| *step >= least).unwrap_or(most);
    let mut labels: Vec<(usize, String)> = Vec::new();
    let mut day = None;
    for (index, at) in times.iter().enumerate() {
        let minute = i64::from(at.hour() * 60 + at.minute());
        let near = labels.last().is_some_and(|(last, _)| index - last < apart);
        if minute % step != 0 || near {
            continue;
        }
        let new_day = day.is_some_and(|day| day != at.date_naive()) || step == most;
        day = Some(at.date_naive());
        labels.push((index, at.format(if new_day { "%-d %b" } else { "%H:%M" }).to_string()));
    }
    if labels.is_empty() {
        labels.extend(times.first().map(|at| (0, at.format("%H:%M").to_string())));
    }
    labels
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn times_are_round_and_a_new_day_says_its_date() {
        let start: DateTime<Utc> = "2026-03-06T19:45:00Z".parse().unwrap();
        let times: Vec<_> = (0..40).map(|index| start + TimeDelta::minutes(15 * index)).collect();
        let labels = labels(&times, 15, 8);
        let texts: Vec<&str> = labels.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["20:00", "22:00", "7 Mar", "02:00", "04:00"]);
        assert_eq!(labels[0].0, 1);
    }
}
