//! Histograms added, subtracted, scaled, and brought to the same buckets before.

use weir_proto::metrics::{Histogram, ResetHint};

use super::{exponential_bound, indexed, is_custom, negative, negative_buckets, positive, positive_buckets, spanned};

/// Buckets of exponential and of listed bounds have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incompatible;

/// What was odd about two histograms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// One says that counting began anew, the other that it did not.
    pub(crate) conflicting: bool,
    /// Listed bounds differed: those in common were kept.
    pub(crate) reconciled: bool,
}

/// Adds the other one.
pub(crate) fn add(to: &mut Histogram, other: &Histogram) -> Result<Outcome, Incompatible> {
    combine(to, other, 1.0)
}

/// Subtracts the other one.
pub(crate) fn subtract(from: &mut Histogram, other: &Histogram) -> Result<Outcome, Incompatible> {
    combine(from, other, -1.0)
}

fn combine(to: &mut Histogram, other: &Histogram, factor: f64) -> Result<Outcome, Incompatible> {
    let (other, reconciled) = aligned(to, None, other)?;
    let conflicting = join_hints(to, &other);
    to.count += factor * other.count;
    to.sum += factor * other.sum;
    to.zero_count += factor * other.zero_count;
    for (spans, counts, others) in [
        (&mut to.positive_spans, &mut to.positive_counts, positive(&other)),
        (&mut to.negative_spans, &mut to.negative_counts, negative(&other)),
    ] {
        let mut buckets = indexed(spans, counts);
        merge(&mut buckets, &others, |count, other| *count += factor * other);
        (*spans, *counts) = spanned(&buckets);
    }
    Ok(Outcome { conflicting, reconciled })
}

/// Applies the others to buckets of the same index; missing ones begin at zero.
pub(super) fn merge(buckets: &mut Vec<(i32, f64)>, others: &[(i32, f64)], mut apply: impl FnMut(&mut f64, f64)) {
    for &(index, count) in others {
        let at = match buckets.binary_search_by_key(&index, |&(index, _)| index) {
            Ok(at) => at,
            Err(at) => {
                buckets.insert(at, (index, 0.0));
                at
            }
        };
        apply(&mut buckets[at].1, count);
    }
}

/// The hint of what both make together, and whether they contradict each other.
pub(super) fn join_hints(to: &mut Histogram, other: &Histogram) -> bool {
    use ResetHint::{Gauge, Unknown};
    let (one, two) = (to.reset_hint, other.reset_hint);
    if one == two || one == Gauge {
        return false;
    }
    to.reset_hint = if two == Gauge { Gauge } else { Unknown };
    two != Gauge && one != Unknown && two != Unknown
}

/// The other one in the buckets that both can have, which `to` (and what goes with it) has afterwards.
pub(super) fn aligned(
    to: &mut Histogram,
    mut with: Option<&mut Histogram>,
    other: &Histogram,
) -> Result<(Histogram, bool), Incompatible> {
    if is_custom(to) != is_custom(other) {
        return Err(Incompatible);
    }
    let mut other = other.clone();
    if is_custom(to) {
        if to.custom_values == other.custom_values {
            return Ok((other, false));
        }
        let shared = shared_bounds(&to.custom_values, &other.custom_values);
        *to = at_bounds(to, &shared);
        if let Some(with) = with {
            *with = at_bounds(with, &shared);
        }
        return Ok((at_bounds(&other, &shared), true));
    }
    while to.zero_threshold != other.zero_threshold {
        if to.zero_threshold > other.zero_threshold {
            let (_, threshold) = zero_count_at(&other, to.zero_threshold);
            raise_threshold(&mut other, threshold);
        }
        if other.zero_threshold > to.zero_threshold {
            let (_, threshold) = zero_count_at(to, other.zero_threshold);
            raise_threshold(to, threshold);
            if let Some(with) = with.as_deref_mut() {
                raise_threshold(with, threshold);
            }
        }
        // What is no number is equal to nothing.
        if to.zero_threshold.is_nan() || other.zero_threshold.is_nan() {
            break;
        }
    }
    let schema = to.schema.min(other.schema);
    if to.schema > schema {
        *to = at_schema(to, schema);
        if let Some(with) = with {
            *with = at_schema(with, schema);
        }
    }
    Ok((at_schema(&other, schema), false))
}

/// What would be in the bucket of zero if it reached that far, and how far it has to reach so that it cuts through no
/// bucket with something in it.
pub(crate) fn zero_count_at(histogram: &Histogram, threshold: f64) -> (f64, f64) {
    let mut threshold = threshold;
    if threshold == histogram.zero_threshold {
        return (histogram.zero_count, threshold);
    }
    'again: loop {
        let mut count = histogram.zero_count;
        for bucket in positive_buckets(histogram) {
            if bucket.lower >= threshold {
                break;
            }
            count += bucket.count;
            if bucket.upper > threshold {
                if bucket.count != 0.0 {
                    threshold = bucket.upper;
                }
                break;
            }
        }
        for bucket in negative_buckets(histogram) {
            if bucket.upper <= -threshold {
                break;
            }
            count += bucket.count;
            if bucket.lower < -threshold {
                if bucket.count != 0.0 {
                    threshold = -bucket.lower;
                    continue 'again;
                }
                break;
            }
        }
        return (count, threshold);
    }
}

/// Puts what lies up to there into the bucket of zero.
pub(crate) fn raise_threshold(histogram: &mut Histogram, threshold: f64) {
    let schema = histogram.schema;
    let mut zero_count = histogram.zero_count;
    let mut absorb = |buckets: Vec<(i32, f64)>| {
        let is_inside = |index: i32| exponential_bound(schema, index - 1) < threshold;
        zero_count += buckets.iter().filter(|&&(index, _)| is_inside(index)).map(|&(_, count)| count).sum::<f64>();
        let left: Vec<_> = buckets.into_iter().filter(|&(index, _)| !is_inside(index)).collect();
        spanned(&left)
    };
    let positive = absorb(positive(histogram));
    let negative = absorb(negative(histogram));
    (histogram.positive_spans, histogram.positive_counts) = positive;
    (histogram.negative_spans, histogram.negative_counts) = negative;
    histogram.zero_count = zero_count;
    histogram.zero_threshold = threshold;
}

/// The same values in wider buckets: the schema is not above the histogram's.
pub(crate) fn at_schema(histogram: &Histogram, schema: i8) -> Histogram {
    let mut reduced = histogram.clone();
    if schema >= histogram.schema || is_custom(histogram) {
        return reduced;
    }
    let halvings = u32::from((i32::from(histogram.schema) - i32::from(schema)) as u16).min(31);
    let wider = |buckets: Vec<(i32, f64)>| {
        let mut merged: Vec<(i32, f64)> = Vec::with_capacity(buckets.len());
        for (index, count) in buckets {
            let index = (index.saturating_sub(1) >> halvings) + 1;
            match merged.last_mut() {
                Some((last, sum)) if *last == index => *sum += count,
                _ => merged.push((index, count)),
            }
        }
        spanned(&merged)
    };
    (reduced.positive_spans, reduced.positive_counts) = wider(positive(histogram));
    (reduced.negative_spans, reduced.negative_counts) = wider(negative(histogram));
    reduced.schema = schema;
    reduced
}

/// Bounds that are in both lists.
pub(crate) fn shared_bounds(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().copied().filter(|bound| other.contains(bound)).collect()
}

/// The same values between some of the listed bounds.
pub(crate) fn at_bounds(histogram: &Histogram, kept: &[f64]) -> Histogram {
    let mut coarser = histogram.clone();
    let mut merged: Vec<(i32, f64)> = Vec::new();
    for (index, count) in positive(histogram) {
        let upper = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        let index = upper.map_or(kept.len(), |upper| kept.partition_point(|bound| bound < upper)) as i32;
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum += count,
            _ => merged.push((index, count)),
        }
    }
    (coarser.positive_spans, coarser.positive_counts) = spanned(&merged);
    coarser.custom_values = kept.to_vec();
    coarser
}

/// Each number of it.
fn each(histogram: &mut Histogram, change: impl Fn(&mut f64)) {
    change(&mut histogram.zero_count);
    change(&mut histogram.count);
    change(&mut histogram.sum);
    histogram.positive_counts.iter_mut().chain(&mut histogram.negative_counts).for_each(change);
}

/// Multiplies all counts and the sum. What is below zero is no counter any more.
pub(crate) fn scale(histogram: &mut Histogram, factor: f64) {
    each(histogram, |value| *value *= factor);
    if factor < 0.0 {
        histogram.reset_hint = ResetHint::Gauge;
    }
}

/// Divides all counts and the sum. Of nothing, buckets remain when the division makes them infinite or no numbers.
pub(crate) fn divide(histogram: &mut Histogram, divisor: f64) {
    each(histogram, |value| *value /= divisor);
    if divisor < 0.0 {
        histogram.reset_hint = ResetHint::Gauge;
    }
}

/// Leaves out buckets without anything in them.
pub(crate) fn compact(histogram: &mut Histogram) {
    let filled = |mut buckets: Vec<(i32, f64)>| {
        buckets.retain(|&(_, count)| count != 0.0);
        spanned(&buckets)
    };
    (histogram.positive_spans, histogram.positive_counts) = filled(positive(histogram));
    (histogram.negative_spans, histogram.negative_counts) = filled(negative(histogram));
}
