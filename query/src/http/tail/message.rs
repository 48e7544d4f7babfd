//! What a client is sent.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value, json};

use super::follow::Batch;
use crate::http::loki::streams;

/// Writes lines; the flag says whether the client wants to know where labels come from.
pub(super) type Written = fn(Batch, bool) -> String;

/// As Loki: streams with their lines, in the order of arrival; and what was missed.
pub(super) fn loki(batch: Batch, categorizes_labels: bool) -> String {
    let first_ns = batch.entries.first().map_or(0, |entry| entry.time_ns);
    let streams = streams(batch.entries, categorizes_labels, 0);
    let mut message = json!({"streams": streams});
    if batch.has_gap {
        // Which lines they were nobody knows: somewhere before these.
        message["dropped_entries"] = json!([{"labels": {}, "timestamp": first_ns.to_string()}]);
    }
    if categorizes_labels {
        message["encodingFlags"] = json!(["categorize-labels"]);
    }
    message.to_string()
}

/// As server-sent events: one for each line, and one named `gap` where lines were missed.
pub(super) fn events(batch: Batch, _: bool) -> String {
    let mut text = String::new();
    if batch.has_gap {
        text.push_str("event: gap\ndata: {\"missed\":\"lines were sealed before this client took them\"}\n\n");
    }
    for entry in batch.entries {
        let labels = entry.stream.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels: BTreeMap<String, String> = labels.chain(entry.metadata).chain(entry.parsed).collect();
        let line: Value = json!({"time": entry.time_ns.to_string(), "line": entry.text, "labels": labels});
        // JSON has no line breaks of its own.
        let _ = write!(text, "data: {line}\n\n");
    }
    text
}
