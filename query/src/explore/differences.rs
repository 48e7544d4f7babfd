//! What is different about some spans: attributes by how far their values' shares differ from those of other spans.

use std::collections::{BTreeSet, HashSet};

use weir_store::sampling::POLICY_ATTRIBUTE;

use super::attributes::{AttributeCounts, KeyCounts, Value};

/// Fewer spans on one side say nothing.
const SPANS_MIN: u64 = 20;
/// A difference of shares counts as far as it exceeds so many times what chance makes of it.
const DEVIATIONS: f64 = 2.5;
/// A score below this is noise.
const SCORE_MIN: f64 = 0.03;
/// Of the spans that have it, an id has this share of different values.
const ID_SHARE: f64 = 0.5;

/// An attribute that differs.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) key: String,
    /// From 0, the same, to 1, nothing in common.
    pub(crate) score: f64,
    /// The most different first.
    pub(crate) values: Vec<ValueShares>,
}

/// A value's shares on both sides.
#[derive(Debug)]
pub(crate) struct ValueShares {
    /// `None`: spans without the attribute.
    pub(crate) value: Option<Value>,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) a_spans: u64,
    pub(crate) b_spans: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// The most different first.
    pub(crate) list: Vec<Difference>,
    /// Keys whose values are different on nearly every span.
    pub(crate) ids: BTreeSet<String>,
    /// Keys whose differences may be chance.
    pub(crate) noise: usize,
    /// Both sides have enough spans.
    pub(crate) enough: bool,
}

/// Compares two sides; keys in `asked` are what told them apart, and say nothing new.
pub(crate) fn differences(a: &AttributeCounts, b: &AttributeCounts, asked: &HashSet<String>) -> Differences {
    let mut found = Differences { enough: a.spans >= SPANS_MIN && b.spans >= SPANS_MIN, ..Differences::default() };
    let keys: BTreeSet<&String> = a.keys.keys().chain(b.keys.keys()).collect();
    for key in keys {
        // The service is a field, too; and which policy kept a span says what sampling thinks of it, which follows from what it is.
        if asked.contains(key) || key == "service.name" || key == POLICY_ATTRIBUTE {
            continue;
        }
        let (of_a, of_b) = (a.keys.get(key), b.keys.get(key));
        if is_id(of_a, of_b) {
            found.ids.insert(key.clone());
            continue;
        }
        let mut values = shares(a, of_a, b, of_b);
        let score: f64 = values.iter().map(|value| value.certain(a.spans, b.spans)).sum::<f64>() / 2.0;
        if score < SCORE_MIN {
            found.noise += 1;
            continue;
        }
        values.sort_by(|x, y| (y.a - y.b).abs().total_cmp(&(x.a - x.b).abs()).then_with(|| x.value.cmp(&y.value)));
        found.list.push(Difference { key: key.clone(), score: score.min(1.0), values });
    }
    found.list.sort_by(|x, y| y.score.total_cmp(&x.score).then_with(|| x.key.cmp(&y.key)));
    found
}

/// Whether the values are those of single spans, or of few.
fn is_id(a: Option<&KeyCounts>, b: Option<&KeyCounts>) -> bool {
    let sides = [a, b];
    let spans: u64 = sides.iter().flatten().map(|counts| counts.spans).sum();
    let distinct: usize = sides.iter().flatten().map(|counts| counts.values.len()).sum();
    let is_cut = sides.iter().flatten().any(|counts| counts.is_cut);
    is_cut || (spans >= 10 && distinct as f64 > spans as f64 * ID_SHARE)
}

fn shares(
    a: &AttributeCounts,
    of_a: Option<&KeyCounts>,
    b: &AttributeCounts,
    of_b: Option<&KeyCounts>,
) -> Vec<ValueShares> {
    let count = |counts: Option<&KeyCounts>, value: &Value| {
        counts.and_then(|counts| counts.values.get(value)).copied().unwrap_or_default()
    };
    let values: BTreeSet<&Value> = [of_a, of_b].into_iter().flatten().flat_map(|counts| counts.values.keys()).collect();
    let mut shares: Vec<ValueShares> = Vec::with_capacity(values.len() + 1);
    for value in values {
        let ((a_spans, a_weight), (b_spans, b_weight)) = (count(of_a, value), count(of_b, value));
        let (share_a, share_b) = (a_weight / a.weight.max(1e-9), b_weight / b.weight.max(1e-9));
        shares.push(ValueShares { value: Some(value.clone()), a: share_a, b: share_b, a_spans, b_spans });
    }
    let without = |side: &AttributeCounts, counts: Option<&KeyCounts>| {
        let (spans, weight) = counts.map_or((0, 0.0), |counts| (counts.spans, counts.weight));
        (side.spans.saturating_sub(spans), ((side.weight - weight) / side.weight.max(1e-9)).max(0.0))
    };
    let ((a_spans, share_a), (b_spans, share_b)) = (without(a, of_a), without(b, of_b));
    if a_spans > 0 || b_spans > 0 {
        shares.push(ValueShares { value: None, a: share_a, b: share_b, a_spans, b_spans });
    }
    shares
}

impl ValueShares {
    /// The difference, less what chance may have made of it.
    fn certain(&self, a_spans: u64, b_spans: u64) -> f64 {
        let (a_spans, b_spans) = (a_spans.max(1) as f64, b_spans.max(1) as f64);
        // Both sides together, one more of each: a share of 0 of few is no certainty.
        let share = (self.a * a_spans + self.b * b_spans + 1.0) / (a_spans + b_spans + 2.0);
        let deviation = (share * (1.0 - share).max(0.0) * (1.0 / a_spans + 1.0 / b_spans)).sqrt();
        ((self.a - self.b).abs() - DEVIATIONS * deviation).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many spans, each with these attributes.
    fn side(spans: u64, attributes: &[(&str, &str)]) -> AttributeCounts {
        let mut counts = AttributeCounts::default();
        (counts.spans, counts.weight) = (spans, spans as f64);
        for (key, value) in attributes {
            let of_key = counts.keys.entry((*key).to_owned()).or_default();
            of_key.spans = spans;
            of_key.weight = spans as f64;
            of_key.values.insert(Value::Text((*value).to_owned()), (spans, spans as f64));
        }
        counts
    }

    #[test]
    fn what_follows_from_a_difference_is_none() {
        let a = side(100, &[("service.version", "1.8.0"), (POLICY_ATTRIBUTE, "errors")]);
        let b = side(100, &[("service.version", "1.7.9"), (POLICY_ATTRIBUTE, "a share of all")]);
        let found = differences(&a, &b, &HashSet::new());
        assert_eq!(found.list.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(), ["service.version"]);
    }
}
