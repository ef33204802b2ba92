/// Plain moving average of the last `period` values.
///
/// A sum that is carried on for ever gathers the rounding errors of all that was ever in it.
/// So a second one is begun every `period` values and takes the first one's place when it is
/// complete: what is answered depends on the last `2 * period` values only.
#[derive(Debug, Clone)]
pub struct Sma {
    window: Box<[f64]>,
    /// Where the next value goes; what is there leaves.
    next: usize,
    full: bool,
    sum: f64,
    /// The sum of the values since `next` was 0.
    fresh: f64,
    weight: f64,
}

impl Sma {
    /// Over `period` values.
    #[must_use]
    pub fn new(period: u16) -> Self {
        let period = period.max(1);
        Self {
            window: vec![0.0; period.into()].into(),
            next: 0,
            full: false,
            sum: 0.0,
            fresh: 0.0,
            weight: 1.0 / f64::from(period),
        }
    }

    /// Takes the next value; answers the average from the `period`th on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let slot = &mut self.window[self.next];
        self.sum += value - *slot;
        self.fresh += value;
        *slot = value;
        self.next += 1;
        if self.next == self.window.len() {
            self.next = 0;
            self.full = true;
            self.sum = std::mem::take(&mut self.fresh);
        }
        self.full.then_some(self.sum * self.weight)
    }
}
