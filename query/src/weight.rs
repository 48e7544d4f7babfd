//! Counts and percentiles of what sampling kept: each observation counts as many times as it stands for.

use hdrhistogram::Histogram;

/// How many spans one stands for: its adjusted count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weight(pub(crate) f64);

/// Parts of a weight that a histogram, which counts in whole numbers, still tells apart.
const PARTS: f64 = 8.0;

/// Percentiles of weighted values.
#[derive(Debug)]
pub(crate) struct WeightedHistogram(Histogram<u32>);

impl WeightedHistogram {
    /// Of values with so many significant digits, 1 to 5.
    pub(crate) fn new(digits: u8) -> Self {
        Self(Histogram::new(digits).expect("digits are between 1 and 5"))
    }

    /// Beyond 500 million of one value, more make no difference.
    pub(crate) fn record(&mut self, value: u64, weight: Weight) {
        let parts = (weight.0 * PARTS).round().max(1.0) as u32;
        self.0.record_n(value, parts).expect("it grows");
    }

    /// The value that so large a share of all weight does not exceed; 0 without any.
    pub(crate) fn percentile(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share).min(self.0.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(u64, f64)]) -> WeightedHistogram {
        let mut histogram = WeightedHistogram::new(2);
        for &(value, weight) in values {
            histogram.record(value, Weight(weight));
        }
        histogram
    }

    #[test]
    fn percentiles_are_of_the_weight() {
        assert_eq!(of(&[(10, 1.0), (20, 1.0), (30, 1.0)]).percentile(0.5), 20);
        assert_eq!(of(&[(10, 1.0), (20, 1.0), (30, 2.5)]).percentile(0.5), 30);
        assert_eq!(of(&[(10, 99.0), (20, 1.0)]).percentile(0.99), 10);
        assert_eq!(of(&[]).percentile(0.5), 0);
    }

    #[test]
    fn large_weights_and_values_stay_at_the_largest() {
        assert!(of(&[(u64::MAX, 1.0)]).percentile(0.5) > u64::MAX - 9);
        let histogram = of(&[(10, 1e30), (20, f64::INFINITY), (30, 1.0)]);
        assert_eq!((histogram.percentile(0.25), histogram.percentile(0.75)), (10, 20));
    }
}
