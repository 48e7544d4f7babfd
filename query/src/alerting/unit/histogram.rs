//! Histograms as tests write them: `{{schema:1 count:3 sum:6 buckets:[1 2]}}`.

use weir_proto::metrics::{Histogram, ResetHint};

use crate::promql::{
    format,
    histogram::{is_custom, negative, positive},
};

/// The text that promtool compares.
pub(super) fn text(histogram: &Histogram) -> String {
    let mut parts = Vec::new();
    if histogram.schema != 0 {
        parts.push(format!("schema:{}", histogram.schema));
    }
    let numbers = [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ];
    for (name, value) in numbers.into_iter().filter(|(_, value)| *value != 0.0) {
        parts.push(format!("{name}:{}", format::shortest(value)));
    }
    if is_custom(histogram) {
        parts.push(format!("custom_values:{}", list(histogram.custom_values.iter().copied())));
    }
    match histogram.reset_hint {
        ResetHint::Unknown => {}
        ResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
        ResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
        ResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
    }
    buckets(&positive(histogram), "offset", "buckets", &mut parts);
    buckets(&negative(histogram), "n_offset", "n_buckets", &mut parts);
    format!("{{{{{}}}}}", parts.join(" "))
}

/// From the first bucket that has something to the last one.
fn buckets(buckets: &[(i32, f64)], offset: &str, name: &str, parts: &mut Vec<String>) {
    let filled = || buckets.iter().filter(|(_, count)| *count != 0.0).map(|(index, _)| *index);
    let (Some(first), Some(last)) = (filled().min(), filled().max()) else { return };
    if first != 0 {
        parts.push(format!("{offset}:{first}"));
    }
    let count = |at: i32| buckets.iter().find(|(index, _)| *index == at).map_or(0.0, |(_, count)| *count);
    parts.push(format!("{name}:{}", list((first..=last).map(count))));
}

fn list(values: impl Iterator<Item = f64>) -> String {
    format!("[{}]", values.map(format::shortest).collect::<Vec<_>>().join(" "))
}
