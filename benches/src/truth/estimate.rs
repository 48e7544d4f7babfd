//! Counts estimated from what was kept, with the error that the estimate itself states.

/// The spans of one name.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// How many there are in truth.
    pub truth: u64,
    /// How many of them were kept by chance.
    pub by_chance: u64,
    /// The sum of the adjusted counts.
    pub estimated: f64,
    /// Horvitz and Thompson's estimate of the variance, for traces that are drawn independently: Σ m² w (w - 1), where a trace with `m`
    /// such spans has the adjusted count `w` ("A Generalization of Sampling Without Replacement From a Finite Universe", 1952).
    pub variance: f64,
    /// The largest weight: what a single draw changes.
    weight_max: f64,
}

/// Standard errors that an estimate may be off: with normal errors, one of 1.7 million is.
const ERRORS_MAX: f64 = 5.0;

/// Spans by chance below which the variance says little.
const BY_CHANCE_MIN: u64 = 30;

impl Estimate {
    /// Adds a trace's `spans` of this name; kept ones with their adjusted count.
    pub fn add(&mut self, spans: u64, adjusted_count: Option<f64>) {
        self.truth += spans;
        let Some(weight) = adjusted_count else { return };
        let spans_kept = spans as f64;
        self.estimated += spans_kept * weight;
        self.variance += spans_kept * spans_kept * weight * (weight - 1.0);
        self.weight_max = self.weight_max.max(spans_kept * weight);
        self.by_chance += if weight > 1.0 { spans } else { 0 };
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.truth += other.truth;
        self.by_chance += other.by_chance;
        self.estimated += other.estimated;
        self.variance += other.variance;
        self.weight_max = self.weight_max.max(other.weight_max);
    }

    /// The stated standard error.
    pub fn error(&self) -> f64 {
        self.variance.sqrt()
    }

    /// How many standard errors it is off; `None` where too little was kept by chance to say.
    pub fn errors_off(&self) -> Option<f64> {
        (self.by_chance >= BY_CHANCE_MIN).then(|| (self.estimated - self.truth as f64) / self.error())
    }

    /// Whether it is as near as it says. A few spans may be off by some of the largest weights beside.
    pub fn is_good(&self) -> bool {
        let slack = if self.by_chance >= BY_CHANCE_MIN { 0.0 } else { ERRORS_MAX * self.weight_max.max(1.0) };
        (self.estimated - self.truth as f64).abs() <= ERRORS_MAX * self.error() + slack + 1e-6 * self.truth as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_stated_error_is_the_true_one() {
        let mut rng = Rng::new(4);
        let (mut squares, mut bad) = (0.0, 0);
        for _ in 0..200 {
            let mut estimate = Estimate::default();
            for _ in 0..2_000 {
                estimate.add(2, (rng.unit() < 0.2).then_some(5.0));
            }
            squares += estimate.errors_off().expect("enough by chance").powi(2);
            bad += usize::from(!estimate.is_good());
        }
        assert!((0.8..1.25).contains(&(squares / 200.0)), "{}", squares / 200.0);
        assert_eq!(bad, 0);
    }

    #[test]
    fn a_wrong_weight_shows() {
        let mut estimate = Estimate::default();
        for number in 0..20_000 {
            estimate.add(1, (number % 10 == 0).then_some(8.0));
        }
        assert!(!estimate.is_good(), "{estimate:?}");
    }
}
