//! What a sample is called: its labels with its target's, relabelled, within their bounds.

use std::borrow::Cow;

use weir_proto::{
    metrics::{Labels, METRIC_NAME},
    relabel::{LabelSet, relabel},
};

use super::{
    config::ValidationScheme,
    job::{Job, Limits},
};
use crate::samples::in_braces;

/// Joins the labels of a line with those of its target. `None`: relabelling leaves the sample out. An error fails the scrape.
pub(super) fn name<'a>(
    pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    target: &Labels,
    job: &Job,
) -> Result<Option<Labels>, String> {
    let mut labels = LabelSet::default();
    // An empty value is no label, but with honor_labels it keeps the target's away.
    let mut empty: Vec<Cow<'a, str>> = Vec::new();
    let labels_max = job.limits.labels_max;
    for (index, (name, value)) in pairs.enumerate() {
        // The name is a pair, too. Before anything is compared with all the others.
        if index > labels_max {
            return Err(format!("more than {labels_max} labels (receivers.prometheus.labels_max)"));
        }
        if labels.has(&name) {
            return Err(format!("label name {name:?} is not unique: invalid sample"));
        }
        if value.is_empty() {
            empty.push(name);
        } else {
            labels.set(&name, value);
        }
    }
    if job.config.honor_labels {
        for (name, value) in target.iter() {
            if !labels.has(name) && !empty.iter().any(|empty| empty == name) {
                labels.set(name, value);
            }
        }
    } else {
        put_target(&mut labels, target);
    }
    if !relabel(&mut labels, &job.config.metric_relabel_configs) || labels.is_empty() {
        return Ok(None);
    }
    if !labels.has(METRIC_NAME) {
        return Err("missing metric name (__name__ label)".into());
    }
    let labels = labels.labels().map_err(|error| format!("invalid metric name or labels: {error}"))?;
    if job.validation == ValidationScheme::Legacy && !is_legacy(&labels) {
        return Err(format!("invalid metric name or label names: {}", in_braces(labels.iter())));
    }
    within(&labels, job.limits)?;
    Ok(Some(labels))
}

/// Whether all names are as they were before they could be any UTF-8.
fn is_legacy(labels: &Labels) -> bool {
    let is_name = |name: &str, takes_colon: bool| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || (takes_colon && byte == b':'))
    };
    is_name(labels.metric_name(), true) && labels.iter().all(|(name, _)| is_name(name, false))
}

/// The target's labels win; what they displace is called `exported_…`, the shortest name first.
fn put_target(labels: &mut LabelSet, target: &Labels) {
    let mut displaced: Vec<(&str, String)> = Vec::new();
    for (name, value) in target.iter() {
        let existing = labels.get(name);
        if !existing.is_empty() {
            displaced.push((name, existing.to_owned()));
        }
        labels.set(name, value);
    }
    displaced.sort_by_key(|(name, _)| name.len());
    for (name, value) in displaced {
        let mut name = format!("exported_{name}");
        while labels.has(&name) {
            name = format!("exported_{name}");
        }
        labels.set(&name, value);
    }
}

fn within(labels: &Labels, limits: Limits) -> Result<(), String> {
    let metric = labels.metric_name();
    let count = labels.iter().count();
    if limits.labels > 0 && count > limits.labels {
        let limit = limits.labels;
        return Err(format!("label_limit exceeded (metric: {metric:.50}, number of labels: {count}, limit: {limit})"));
    }
    for (name, value) in labels.iter() {
        let (limit, length) = (limits.label_name_bytes, name.len());
        if limit > 0 && length > limit {
            return Err(format!(
                "label_name_length_limit exceeded (metric: {metric:.50}, label name: {name:.50}, length: {length}, limit: {limit})"
            ));
        }
        let (limit, length) = (limits.label_value_bytes, value.len());
        if limit > 0 && length > limit {
            let value: String = value.chars().take(50).collect();
            return Err(format!(
                "label_value_length_limit exceeded (metric: {metric:.50}, label name: {name:.50}, value: {value:?}, length: \
                 {length}, limit: {limit})"
            ));
        }
    }
    Ok(())
}
