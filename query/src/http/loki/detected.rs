//! `detected_labels` and `detected_fields`: what could be filtered by, found in the newest lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    labels::each_stream,
    params::{self, Span},
    patterns::query_or_all,
    query::{newest, within},
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::{
        ast::{LogExpr, Stage},
        units,
    },
};

/// Lines that are looked at when nobody says how many.
const LINES: usize = 1000;
/// Fields that are listed when nobody says how many.
const FIELDS: usize = 1000;
/// Values of a field that are counted.
const VALUES_MAX: usize = 1000;

/// Labels of streams with the number of their values.
pub(in crate::http) fn detected_labels(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let selector = params::selector(call, call.first("query"))?;
    let matchers = selector.map(|log| log.matchers).unwrap_or_default();
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    each_stream(call, view, &matchers, span, &mut |stream| {
        for (name, value) in stream.iter() {
            let values = labels.entry(name.to_owned()).or_default();
            if values.len() < VALUES_MAX && !values.contains(value) {
                values.insert(value.to_owned());
            }
        }
        Ok(())
    })?;
    let labels: Vec<_> =
        labels.iter().map(|(label, values)| json!({"label": label, "cardinality": values.len()})).collect();
    within(call, &json!({"detectedLabels": labels}), false)
}

#[derive(Default)]
struct Field {
    values: BTreeSet<String>,
    parsers: BTreeSet<&'static str>,
}

/// The fields of the newest lines: what came beside them, and what json, else logfmt, finds in them.
fn fields(call: &Call, view: &dyn View) -> Result<BTreeMap<String, Field>, Failure> {
    let span = Span::of_query(call)?;
    let number = |name: &str, default: usize| call.first(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let lines_max = number("line_limit", LINES).clamp(1, call.logql.lines_max.get());
    let log = query_or_all(call)?;
    let mut found: BTreeMap<String, Field> = BTreeMap::new();
    let mut add = |name: String, value: String, parser: Option<&'static str>| {
        if found.len() >= FIELDS && !found.contains_key(&name) {
            return;
        }
        let field = found.entry(name).or_default();
        if field.values.len() < VALUES_MAX {
            field.values.insert(value);
        }
        field.parsers.extend(parser);
    };
    for (parser, stage) in [
        ("json", Stage::Json(Vec::new())),
        ("logfmt", Stage::Logfmt { strict: false, keep_empty: false, fields: Vec::new() }),
    ] {
        let stages = log.stages.iter().cloned().chain([stage]).collect();
        let parsing = LogExpr { matchers: log.matchers.clone(), stages };
        for entry in newest(call, view, &parsing, span, lines_max)?.entries {
            let is_json = entry.text.trim_start().starts_with('{');
            if parser == "json" {
                for (name, value) in entry.metadata {
                    add(name, value, None);
                }
            }
            if is_json != (parser == "json") {
                continue;
            }
            for (name, value) in entry.parsed.into_iter().filter(|(name, _)| !name.starts_with("__error")) {
                let name = name.strip_suffix("_extracted").unwrap_or(&name).to_owned();
                add(name, value, Some(parser));
            }
        }
    }
    Ok(found)
}

/// The kind that all values have.
fn kind(values: &BTreeSet<String>) -> &'static str {
    let all = |fits: fn(&str) -> bool| values.iter().all(|value| fits(value));
    if all(|value| value.parse::<i64>().is_ok()) {
        "int"
    } else if all(|value| value.parse::<f64>().is_ok()) {
        "float"
    } else if all(|value| matches!(value, "true" | "false")) {
        "boolean"
    } else if all(|value| units::duration_ns(value).is_some()) {
        "duration"
    } else if all(|value| units::bytes(value).is_some()) {
        "bytes"
    } else {
        "string"
    }
}

/// Fields with their kind and the number of their values.
pub(in crate::http) fn detected_fields(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = call.first("limit").and_then(|text| text.parse().ok()).unwrap_or(FIELDS);
    let fields = fields(call, view)?;
    let shown: Vec<_> = fields
        .iter()
        .take(limit)
        .map(|(label, field)| {
            let parsers = if field.parsers.is_empty() { json!(null) } else { json!(field.parsers) };
            json!({"label": label, "type": kind(&field.values), "cardinality": field.values.len(), "parsers": parsers})
        })
        .collect();
    within(call, &json!({"fields": shown, "limit": limit}), false)
}

/// The values of a field.
pub(in crate::http) fn detected_field_values(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = call.first("limit").and_then(|text| text.parse().ok()).unwrap_or(FIELDS);
    let mut fields = fields(call, view)?;
    let field = fields.remove(call.segment("name")).unwrap_or_default();
    let values: Vec<String> = field.values.into_iter().take(limit).collect();
    within(call, &json!({"values": values, "limit": limit}), false)
}
