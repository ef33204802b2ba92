//! Lists that are drawn: of many points, some.

/// Points at the most, as many as a screen can show.
const MOST: usize = 1_000;

/// Takes any number of items and keeps few of them, evenly apart: the first, and the last.
#[derive(Debug)]
pub(super) struct Thin<T> {
    kept: Vec<T>,
    /// One of so many is kept.
    every: usize,
    seen: usize,
    /// The last one, unless it is kept.
    last: Option<T>,
}

impl<T> Thin<T> {
    pub(super) const fn new() -> Self {
        Self { kept: vec![], every: 1, seen: 0, last: None }
    }

    pub(super) fn push(&mut self, item: T) {
        if self.kept.len() == MOST - 1 && self.seen.is_multiple_of(self.every) {
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every *= 2;
        }
        if self.seen.is_multiple_of(self.every) {
            self.kept.push(item);
            self.last = None;
        } else {
            self.last = Some(item);
        }
        self.seen += 1;
    }

    /// How many it took.
    pub(super) const fn seen(&self) -> usize {
        self.seen
    }

    pub(super) fn into_items(mut self) -> Vec<T> {
        self.kept.extend(self.last);
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thinned(count: usize) -> Vec<usize> {
        let mut thin = Thin::new();
        (0..count).for_each(|item| thin.push(item));
        assert_eq!(thin.seen(), count);
        thin.into_items()
    }

    #[test]
    fn few_are_kept_whole_and_many_evenly_apart() {
        for count in [0, 1, 2, MOST - 1] {
            assert_eq!(thinned(count), (0..count).collect::<Vec<_>>());
        }
        for count in [MOST, MOST + 1, 2 * MOST, 12_345, 100_000] {
            let kept = thinned(count);
            assert!((MOST / 2..=MOST).contains(&kept.len()), "{count}: {}", kept.len());
            assert_eq!((kept[0], kept[kept.len() - 1]), (0, count - 1));
            let step = kept[1] - kept[0];
            assert!(kept.windows(2).rev().skip(1).all(|pair| pair[1] - pair[0] == step), "{count}");
            assert!(kept[kept.len() - 1] - kept[kept.len() - 2] <= step, "{count}");
        }
    }
}
