//! What is kept of the samples in a piece of a window. Pieces are merged into windows.

use crate::logql::ast::RangeOp;

/// Of some samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Accumulator {
    /// How many, or their sum.
    Sum(f64),
    Mean {
        count: f64,
        sum: f64,
    },
    Min(f64),
    Max(f64),
    /// Welford's: count, mean, and the sum of squared distances from it.
    Spread {
        count: f64,
        mean: f64,
        squares: f64,
    },
    First {
        time_ns: u64,
        value: f64,
    },
    Last {
        time_ns: u64,
        value: f64,
    },
    /// Every sample, with its time.
    Samples(Vec<(u64, f64)>),
}

impl Accumulator {
    /// Of one sample.
    pub(super) fn of(op: RangeOp, time_ns: u64, value: f64) -> Self {
        match op {
            RangeOp::Avg => Self::Mean { count: 1.0, sum: value },
            RangeOp::Min => Self::Min(value),
            RangeOp::Max => Self::Max(value),
            RangeOp::Stddev | RangeOp::Stdvar => Self::Spread { count: 1.0, mean: value, squares: 0.0 },
            RangeOp::First => Self::First { time_ns, value },
            RangeOp::Last => Self::Last { time_ns, value },
            RangeOp::Quantile | RangeOp::RateCounter => Self::Samples(vec![(time_ns, value)]),
            _ => Self::Sum(value),
        }
    }

    /// Whether it holds every sample.
    pub(super) fn holds_samples(op: RangeOp) -> bool {
        matches!(op, RangeOp::Quantile | RangeOp::RateCounter)
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, at_ns: u64, sample: f64) {
        match self {
            Self::Sum(sum) => *sum += sample,
            Self::Mean { count, sum } => {
                *count += 1.0;
                *sum += sample;
            }
            Self::Min(min) => *min = smaller(*min, sample),
            Self::Max(max) => *max = larger(*max, sample),
            Self::Spread { count, mean, squares } => {
                *count += 1.0;
                let distance = sample - *mean;
                *mean += distance / *count;
                *squares += distance * (sample - *mean);
            }
            // Of several at the same time the first that arrived is first, the last one last.
            Self::First { time_ns, value } if at_ns < *time_ns => (*time_ns, *value) = (at_ns, sample),
            Self::Last { time_ns, value } if at_ns >= *time_ns => (*time_ns, *value) = (at_ns, sample),
            Self::First { .. } | Self::Last { .. } => {}
            Self::Samples(samples) => samples.push((at_ns, sample)),
        }
    }

    /// Adds what another holds.
    pub(super) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Sum(sum), Self::Sum(more)) => *sum += more,
            (Self::Mean { count, sum }, Self::Mean { count: more, sum: more_sum }) => {
                *count += more;
                *sum += more_sum;
            }
            (Self::Min(min), Self::Min(other)) => *min = smaller(*min, *other),
            (Self::Max(max), Self::Max(other)) => *max = larger(*max, *other),
            (
                Self::Spread { count, mean, squares },
                Self::Spread { count: more, mean: other_mean, squares: other_squares },
            ) => {
                let all = *count + more;
                let distance = other_mean - *mean;
                *squares += other_squares + distance * distance * *count * more / all;
                *mean += distance * more / all;
                *count = all;
            }
            (Self::First { time_ns, value }, Self::First { time_ns: other_ns, value: other }) => {
                if other_ns < time_ns {
                    (*time_ns, *value) = (*other_ns, *other);
                }
            }
            (Self::Last { time_ns, value }, Self::Last { time_ns: other_ns, value: other }) => {
                if other_ns >= time_ns {
                    (*time_ns, *value) = (*other_ns, *other);
                }
            }
            (Self::Samples(samples), Self::Samples(more)) => samples.extend(more),
            _ => unreachable!("one operator makes one kind"),
        }
    }

    /// The operator's value over a window that ends at `end_ns`; `None` where there is none.
    pub(super) fn finish(&mut self, op: RangeOp, parameter: f64, range_ns: i64, end_ns: i64) -> Option<f64> {
        let seconds = range_ns as f64 / 1e9;
        Some(match self {
            Self::Sum(sum) => match op {
                RangeOp::Rate | RangeOp::BytesRate => *sum / seconds,
                _ => *sum,
            },
            Self::Mean { count, sum } => *sum / *count,
            Self::Min(value) | Self::Max(value) => *value,
            Self::Spread { count, squares, .. } => match op {
                RangeOp::Stddev => (*squares / *count).sqrt(),
                _ => *squares / *count,
            },
            Self::First { value, .. } | Self::Last { value, .. } => *value,
            Self::Samples(samples) if op == RangeOp::Quantile => {
                let mut values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
                quantile(parameter, &mut values)
            }
            Self::Samples(samples) => {
                samples.sort_by_key(|(time_ns, _)| *time_ns);
                return counter_rate(samples, range_ns, end_ns);
            }
        })
    }
}

fn smaller(left: f64, right: f64) -> f64 {
    if right < left || left.is_nan() { right } else { left }
}

fn larger(left: f64, right: f64) -> f64 {
    if right > left || left.is_nan() { right } else { left }
}

/// The φ-quantile, between two values in proportion.
pub(super) fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(f64::total_cmp);
    let rank = phi * (values.len() - 1) as f64;
    let (lower, weight) = (rank.floor() as usize, rank.fract());
    let upper = (lower + 1).min(values.len() - 1);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// The rate of a counter as Prometheus computes it: resets are added, and the ends of the window extrapolated to.
fn counter_rate(samples: &[(u64, f64)], range_ns: i64, end_ns: i64) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    if samples.len() < 2 {
        return None;
    }
    let resets: f64 = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
    let increase = last.1 - first.1 + resets;
    let seconds = |ns: i64| ns as f64 / 1e9;
    let start_ns = end_ns - range_ns;
    let mut to_start = seconds(first.0 as i64 - start_ns);
    let mut to_end = seconds(end_ns - last.0 as i64);
    let sampled = seconds((last.0 - first.0) as i64);
    let between = sampled / (samples.len() - 1) as f64;
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    // A counter does not go below zero.
    if increase > 0.0 && first.1 >= 0.0 {
        to_start = to_start.min(sampled * (first.1 / increase));
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    if sampled == 0.0 {
        return None;
    }
    Some(increase * ((sampled + to_start + to_end) / sampled) / seconds(range_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_is_as_if_added() {
        use RangeOp::*;
        let samples: Vec<(u64, f64)> = (0..20).map(|n| (n, ((n * 7) % 11) as f64)).collect();
        for op in [Count, Avg, Min, Max, Stddev, Stdvar, First, Last, Quantile, RateCounter] {
            let all = |samples: &[(u64, f64)]| {
                let mut all = Accumulator::of(op, samples[0].0, samples[0].1);
                samples[1..].iter().for_each(|&(at, value)| all.add(at, value));
                all
            };
            let mut whole = all(&samples);
            let mut merged = all(&samples[..7]);
            merged.merge(&all(&samples[7..]));
            let value = |found: &mut Accumulator| found.finish(op, 0.9, 20, 20).expect("a value");
            let (whole, merged) = (value(&mut whole), value(&mut merged));
            assert!((whole - merged).abs() < 1e-9, "{op:?}: {whole} {merged}");
        }
    }
}
