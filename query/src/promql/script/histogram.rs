//! Native histograms as scripts write them: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.

use weir_proto::metrics::{BucketSpan, Histogram, ResetHint};

use crate::promql::syntax::number::parse_float;

/// The histogram, whether its hint was written, and what follows.
pub(super) fn parse(text: &str) -> Result<(Histogram, bool, &str), String> {
    let inner = text.strip_prefix("{{").ok_or("no histogram")?;
    let (mut inner, rest) = inner.split_once("}}").ok_or("a histogram does not end")?;
    let mut histogram = Histogram { is_float: true, ..Histogram::default() };
    let (mut offset, mut negative_offset, mut has_hint) = (0, 0, false);
    inner = inner.trim();
    while !inner.is_empty() {
        let (key, after) = inner.split_once(':').ok_or_else(|| format!("no value in {inner:?}"))?;
        let (value, after) = if let Some(list) = after.strip_prefix('[') {
            list.split_once(']').ok_or_else(|| format!("a list does not end in {after:?}"))?
        } else {
            after.split_once(' ').unwrap_or((after, ""))
        };
        inner = after.trim_start();
        let number = || parse_float(value).ok_or_else(|| format!("no number: {value:?}"));
        let whole = || value.parse::<i32>().map_err(|_| format!("no whole number: {value:?}"));
        match key {
            "schema" => histogram.schema = whole()? as i8,
            "sum" => histogram.sum = number()?,
            "count" => histogram.count = number()?,
            "z_bucket" => histogram.zero_count = number()?,
            "z_bucket_w" => histogram.zero_threshold = number()?,
            "offset" => offset = whole()?,
            "n_offset" => negative_offset = whole()?,
            "buckets" => histogram.positive_counts = numbers(value)?,
            "n_buckets" => histogram.negative_counts = numbers(value)?,
            "custom_values" => histogram.custom_values = numbers(value)?,
            "counter_reset_hint" => {
                has_hint = true;
                histogram.reset_hint = match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    "gauge" => ResetHint::Gauge,
                    _ => return Err(format!("unknown hint {value}")),
                };
            }
            _ => return Err(format!("unknown part of a histogram: {key}")),
        }
    }
    histogram.positive_spans = spans(offset, histogram.positive_counts.len());
    histogram.negative_spans = spans(negative_offset, histogram.negative_counts.len());
    Ok((histogram, has_hint, rest))
}

fn numbers(list: &str) -> Result<Vec<f64>, String> {
    list.split_whitespace().map(|text| parse_float(text).ok_or_else(|| format!("no number: {text:?}"))).collect()
}

fn spans(offset: i32, count: usize) -> Vec<BucketSpan> {
    if count == 0 { Vec::new() } else { vec![BucketSpan { offset, length: count as u32 }] }
}
