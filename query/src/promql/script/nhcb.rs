//! Classic histograms as native ones with listed bounds.

use std::collections::BTreeMap;

use weir_proto::metrics::{Histogram, Labels, METRIC_NAME};

use super::{command::Load, series::Sequence};
use crate::promql::{histogram, syntax::number::parse_float};

/// What a classic histogram had at one time.
#[derive(Default)]
struct Classic {
    /// Bounds and counts up to them.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// All classic histograms of a load, with their labels and times.
pub(super) fn converted(load: &Load) -> Vec<(Labels, i64, Histogram)> {
    let mut found: BTreeMap<(Labels, i64), Classic> = BTreeMap::new();
    for series in &load.series {
        let labels = &series.described.labels;
        let name = labels.metric_name();
        let Some((base, kind)) =
            ["_bucket", "_count", "_sum"].into_iter().find_map(|kind| name.strip_suffix(kind).map(|base| (base, kind)))
        else {
            continue;
        };
        let bound = labels.get("le").and_then(parse_float);
        if kind == "_bucket" && bound.is_none_or(f64::is_nan) {
            continue;
        }
        let base = labels_of(labels, base);
        for (index, value) in series.described.values.iter().enumerate() {
            let Sequence::Float(value) = value else { continue };
            let classic = found.entry((base.clone(), load.step_ms * index as i64)).or_default();
            match (kind, bound) {
                ("_bucket", Some(bound)) => classic.buckets.push((bound, *value)),
                ("_count", _) => classic.count = Some(*value),
                _ => classic.sum = *value,
            }
        }
    }
    found.into_iter().map(|((labels, time), classic)| (labels, time, native(classic))).collect()
}

fn labels_of(labels: &Labels, base: &str) -> Labels {
    let pairs = labels.iter().filter(|(name, _)| *name != "le");
    Labels::of_sorted(pairs.map(|(name, value)| if name == METRIC_NAME { (name, base) } else { (name, value) }))
}

fn native(mut classic: Classic) -> Histogram {
    classic.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let count = classic.count.or(classic.buckets.last().map(|bucket| bucket.1)).unwrap_or(0.0);
    if classic.buckets.last().is_none_or(|bucket| bucket.0 != f64::INFINITY) {
        classic.buckets.push((f64::INFINITY, count));
    }
    let mut before = 0.0;
    let mut counts = Vec::new();
    for (index, (_, up_to)) in classic.buckets.iter().enumerate() {
        if up_to - before != 0.0 {
            counts.push((index as i32, up_to - before));
        }
        before = *up_to;
    }
    let (positive_spans, positive_counts) = histogram::spanned(&counts);
    Histogram {
        schema: histogram::CUSTOM_SCHEMA,
        count,
        sum: classic.sum,
        positive_spans,
        positive_counts,
        custom_values: classic.buckets.iter().map(|bucket| bucket.0).filter(|bound| bound.is_finite()).collect(),
        is_float: true,
        ..Histogram::default()
    }
}
