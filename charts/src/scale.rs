//! From values to pixels.

/// Maps values, the higher the further up, to rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    top: f32,
    bottom: f32,
}

impl Scale {
    /// From `low` at `bottom` to `high` at `top`; never flat, never without end.
    pub(crate) fn new(low: f64, high: f64, top: f32, bottom: f32) -> Self {
        let (low, high) = if low.is_finite() && high.is_finite() { (low.min(high), low.max(high)) } else { (0.0, 1.0) };
        // Of what does not move, a thousandth is shown.
        let least = (low.abs().max(high.abs()) * 1e-3).max(1e-4);
        let slack = ((least - (high - low)) / 2.0).max(0.0);
        Self { low: low - slack, high: high + slack, top, bottom }
    }

    /// The row of a value; what is outside is at the edge.
    pub(crate) fn row(&self, value: f64) -> f32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom - (self.bottom - self.top) * share as f32
    }

    /// Whether a value is shown where it is.
    pub(crate) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values in it, about `count`.
    pub(crate) fn ticks(&self, count: usize) -> Vec<f64> {
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step).ceil();
        (0..=count * 4).map(|index| (first + index as f64) * step).take_while(|value| *value <= self.high).collect()
    }
}

/// The least of 1, 2, 5 times a power of ten that is not below.
fn round_step(least: f64) -> f64 {
    let magnitude = 10_f64.powf(least.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * magnitude).find(|step| *step >= least).unwrap_or(least)
}

/// Moves rows apart that are closer than `gap`, each as little as that takes, within
/// `top` and `bottom` as far as there is room. Keeps their order.
pub(crate) fn spread(rows: &[f32], gap: f32, top: f32, bottom: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].total_cmp(&rows[*b]));
    // Groups of rows that touch share their middle: (sum of rows, count).
    let mut groups: Vec<(f32, f32)> = Vec::new();
    let place = |(sum, count): (f32, f32)| {
        let half = (count - 1.0) * gap / 2.0;
        (sum / count).clamp(top + half, (bottom - half).max(top + half))
    };
    for index in &order {
        groups.push((rows[*index], 1.0));
        while let [.., before, last] = groups[..] {
            let needed = (before.1 + last.1) * gap / 2.0;
            if place(last) - place(before) >= needed {
                break;
            }
            groups.truncate(groups.len() - 2);
            groups.push((before.0 + last.0, before.1 + last.1));
        }
    }
    let placed = groups.into_iter().flat_map(|group| {
        let first = place(group) - (group.1 - 1.0) * gap / 2.0;
        (0..group.1 as usize).map(move |index| first + index as f32 * gap)
    });
    let mut apart = rows.to_vec();
    for (index, row) in order.into_iter().zip(placed) {
        apart[index] = row;
    }
    apart
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::new(4000.3, 4021.9, 0.0, 100.0).ticks(5), [4005.0, 4010.0, 4015.0, 4020.0]);
        assert_eq!(Scale::new(-1.2, 3.1, 0.0, 100.0).ticks(5), [-1.0, 0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn what_does_not_move_is_in_the_middle() {
        let scale = Scale::new(4000.0, 4000.0, 0.0, 100.0);
        assert!((scale.row(4000.0) - 50.0).abs() < 0.01);
        assert!(scale.ticks(5).len() < 8);
    }

    proptest! {
        #[test]
        fn labels_never_overlap_nor_change_places(rows in prop::collection::vec(-100.0_f32..800.0, 0..8)) {
            let apart = spread(&rows, 30.0, 15.0, 500.0);
            prop_assert_eq!(apart.len(), rows.len());
            for (a, row) in apart.iter().enumerate() {
                prop_assert!((15.0 - 0.1..=500.1).contains(row), "{}", row);
                for (b, other) in apart.iter().enumerate().skip(a + 1) {
                    prop_assert!((row - other).abs() >= 29.9, "{} and {}", row, other);
                    prop_assert!(rows[a] >= rows[b] || row < other);
                    prop_assert!(rows[a] <= rows[b] || row > other);
                }
            }
        }
    }
}
