use super::larger;

/// Bollinger bands: the plain average of the last `period` values and so many of their
/// (population) standard deviations above and below it.
///
/// The mean square less the square of the mean loses all its digits when the price is large
/// for its moves, and running sums gather errors. So sums are of distances from a value that
/// was near, and are begun anew every `period` values, as in [`Sma`](super::Sma).
#[derive(Debug, Clone)]
pub struct Bollinger {
    window: Box<[f64]>,
    /// Where the next value goes; what is there leaves.
    next: usize,
    full: bool,
    sums: Sums,
    /// Sums of the values since `next` was 0.
    fresh: Sums,
    weight: f64,
    deviations: f64,
}

/// Of the distances of some values from `origin`.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    origin: f64,
    first: f64,
    squares: f64,
}

/// Values of [`Bollinger`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// So many deviations above the average.
    pub upper: f64,
    /// The average.
    pub middle: f64,
    /// So many deviations below the average.
    pub lower: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        let distance = value - self.origin;
        self.first += distance;
        self.squares += distance * distance;
    }

    fn replace(&mut self, old: f64, new: f64) {
        let (old, new) = (old - self.origin, new - self.origin);
        self.first += new - old;
        self.squares += (new - old) * (new + old);
    }
}

impl Bollinger {
    /// Over `period` values, bands so many standard deviations from the middle.
    #[must_use]
    pub fn new(period: u16, deviations: f64) -> Self {
        let period = period.max(1);
        Self {
            window: vec![0.0; period.into()].into(),
            next: 0,
            full: false,
            sums: Sums::default(),
            fresh: Sums::default(),
            weight: 1.0 / f64::from(period),
            deviations,
        }
    }

    /// Takes the next value; answers the bands from the `period`th on.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<Bands> {
        if self.next == 0 {
            self.fresh = Sums { origin: value, ..Sums::default() };
        }
        let slot = &mut self.window[self.next];
        self.sums.replace(*slot, value);
        self.fresh.add(value);
        *slot = value;
        self.next += 1;
        if self.next == self.window.len() {
            self.next = 0;
            self.full = true;
            self.sums = self.fresh;
        }
        self.full.then(|| self.bands())
    }

    fn bands(&self) -> Bands {
        let mean = self.sums.first * self.weight;
        let variance = larger(self.sums.squares * self.weight - mean * mean, 0.0);
        let (middle, width) = (self.sums.origin + mean, self.deviations * variance.sqrt());
        Bands { upper: middle + width, middle, lower: middle - width }
    }
}
