//! The answer to a bulk request: each action in order, with what became of it.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value;
use weir_proto::elasticsearch::{Action, Bulk, BulkItem};
use weir_store::{RejectReason, Rejection};

use super::filter_path::FilterPath;

/// What became of a document.
enum Fate<'b> {
    Kept,
    Refused { kind: &'b str, reason: String },
}

/// An answer with a line for each action; `rejected` are places among the documents of the payload, ascending.
pub(super) fn answer(bulk: &Bulk, rejected: &[Rejection], took_ms: u64, now_ns: u64, filter: &FilterPath) -> String {
    let has_errors = !rejected.is_empty() || bulk.items.iter().any(|item| item.fault.is_some());
    let mut text = String::with_capacity(100 + bulk.items.len() * if filter.is_all() { 200 } else { 40 });
    text.push('{');
    if filter.wants(&["errors"]) {
        let _ = write!(text, "\"errors\":{has_errors},");
    }
    if filter.wants(&["took"]) {
        let _ = write!(text, "\"took\":{took_ms},");
    }
    let begun_at = text.len();
    text.push_str("\"items\":[");
    let items_at = text.len();
    let mut shown = Shown::default();
    let (mut ordinal, mut rejected) = (0, rejected.iter().peekable());
    for item in &bulk.items {
        let fate = match &item.fault {
            Some(fault) => Fate::Refused { kind: fault.kind(), reason: fault.to_string() },
            None => {
                let rejection = rejected.next_if(|rejection| rejection.ordinal == ordinal);
                ordinal += 1;
                rejection.map_or(Fate::Kept, |rejection| refused(rejection.reason))
            }
        };
        shown.item(&mut text, item, &bulk.indices[item.index as usize], &fate, now_ns, filter);
    }
    if text.len() == items_at {
        text.truncate(begun_at);
    } else {
        text.pop();
        text.push_str("],");
    }
    // Every member has a comma behind it.
    if text.ends_with(',') {
        text.pop();
    }
    text.push('}');
    text
}

/// The answer about a single document: itself, or the error.
pub(super) fn single(bulk: &Bulk, rejected: &[Rejection], now_ns: u64) -> Result<Value, (&'static str, String)> {
    let item = &bulk.items[0];
    if let Some(fault) = &item.fault {
        return Err((fault.kind(), fault.to_string()));
    }
    if let Some(rejection) = rejected.first()
        && let Fate::Refused { reason, .. } = refused(rejection.reason)
    {
        return Err((REJECTED, reason));
    }
    Ok(serde_json::json!({
        "_index": bulk.indices[0], "_id": item.id.as_deref().map_or_else(|| new_id(now_ns), str::to_owned), "_version": 1,
        "result": "created", "_shards": {"total": 1, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1,
    }))
}

const REJECTED: &str = "document_parsing_exception";

fn refused(reason: RejectReason) -> Fate<'static> {
    let words = match reason {
        RejectReason::TooOld => "it is older than storage.accept.past",
        RejectReason::TooNew => "it is further ahead than storage.accept.future",
        RejectReason::TooLarge => "it is larger than line_limits.span_bytes_max",
        RejectReason::InvalidUtf8 => "a text in it is not UTF-8",
        _ => "it is beyond line_limits",
    };
    Fate::Refused { kind: REJECTED, reason: format!("{}: {words}", reason.name()) }
}

/// Which members of an item are shown: asked once for each action.
#[derive(Default)]
struct Shown([Option<Members>; 4]);

#[derive(Clone, Copy)]
struct Members {
    index: bool,
    id: bool,
    version: bool,
    result: bool,
    shards: bool,
    seq_no: bool,
    primary_term: bool,
    status: bool,
    error_kind: bool,
    error_reason: bool,
}

impl Shown {
    fn members(&mut self, action: Action, filter: &FilterPath) -> Members {
        *self.0[action as usize].get_or_insert_with(|| {
            let wants = |path: &[&str]| filter.wants(&[&["items", action.name()][..], path].concat());
            Members {
                index: wants(&["_index"]),
                id: wants(&["_id"]),
                version: wants(&["_version"]),
                result: wants(&["result"]),
                shards: wants(&["_shards", "total"]),
                seq_no: wants(&["_seq_no"]),
                primary_term: wants(&["_primary_term"]),
                status: wants(&["status"]),
                error_kind: wants(&["error", "type"]),
                error_reason: wants(&["error", "reason"]),
            }
        })
    }

    fn item(
        &mut self,
        text: &mut String,
        item: &BulkItem,
        index: &str,
        fate: &Fate<'_>,
        now_ns: u64,
        filter: &FilterPath,
    ) {
        let members = self.members(item.action, filter);
        let begun_at = text.len();
        let _ = write!(text, "{{\"{}\":{{", item.action.name());
        let content_at = text.len();
        if members.index {
            member(text, "_index", index);
        }
        if members.id {
            match &item.id {
                Some(id) => member(text, "_id", id),
                None if matches!(fate, Fate::Kept) => member(text, "_id", &new_id(now_ns)),
                None => {}
            }
        }
        let is_kept = matches!(fate, Fate::Kept);
        for (is_shown, words) in [
            (members.version, "\"_version\":1,"),
            (members.result, "\"result\":\"created\","),
            (members.shards, "\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},"),
            (members.seq_no, "\"_seq_no\":0,"),
            (members.primary_term, "\"_primary_term\":1,"),
            (members.status, "\"status\":201,"),
        ] {
            text.push_str(if is_shown && is_kept { words } else { "" });
        }
        if let Fate::Refused { kind, reason } = fate {
            if members.error_kind || members.error_reason {
                text.push_str("\"error\":{");
                if members.error_kind {
                    member(text, "type", kind);
                }
                if members.error_reason {
                    member(text, "reason", reason);
                }
                text.pop();
                text.push_str("},");
            }
            text.push_str(if members.status { "\"status\":400," } else { "" });
        }
        if text.len() == content_at {
            text.truncate(begun_at);
            return;
        }
        text.pop();
        text.push_str("}},");
    }
}

/// A member whose value is a text, and a comma.
fn member(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, "\"{name}\":{},", Value::from(value));
}

/// An id for a document whose sender gave it none: 20 characters, as Elasticsearch makes them.
fn new_id(now_ns: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static MADE: AtomicU64 = AtomicU64::new(0);

    let number = u128::from(now_ns) << 56 | u128::from(MADE.fetch_add(1, Ordering::Relaxed) & ((1 << 56) - 1));
    (0..20).rev().map(|place| char::from(ALPHABET[(number >> (6 * place) & 63) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use weir_proto::elasticsearch::{BulkOptions, transcode_bulk};

    use super::*;

    #[test]
    fn items_are_answered_in_order_under_their_action() {
        let body = b"{\"create\":{\"_id\":\"a\\\"b\"}}\n{}\n{\"index\":{\"_index\":\"Bad\"}}\n{}\n{\"index\":{\"_id\":\"2\"}}\n{}\n";
        let options = BulkOptions { index: Some("logs"), documents_max: 9, bytes_max: 1 << 20, fields_max: 10 };
        let bulk = transcode_bulk(body, options).expect("a request");
        let rejected = [Rejection { ordinal: 1, reason: RejectReason::TooOld }];
        let of = |filter: &str| answer(&bulk, &rejected, 3, 0, &FilterPath::parse(filter));
        let expected = concat!(
            r#"{"errors":true,"took":3,"items":[{"create":{"_index":"logs","_id":"a\"b","_version":1,"result":"created","#,
            r#""_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201}},"#,
            r#"{"index":{"_index":"Bad","error":{"type":"invalid_index_name_exception","#,
            r#""reason":"the name of index [Bad] must be in lower case"},"status":400}},"#,
            r#"{"index":{"_index":"logs","_id":"2","error":{"type":"document_parsing_exception","#,
            r#""reason":"too_old: it is older than storage.accept.past"},"status":400}}]}"#
        );
        assert_eq!(of(""), expected);
        assert_eq!(of("errors"), r#"{"errors":true}"#);
        assert_eq!(of("nothing"), "{}");
        let expected = r#"{"errors":true,"items":[{"create":{"status":201}},{"index":{"error":{"type":"invalid_index_name_exception"},"status":400}},{"index":{"error":{"type":"document_parsing_exception"},"status":400}}]}"#;
        assert_eq!(of("errors,items.*.error.type,items.*.status"), expected);
        for filter in ["", "errors,items.*.error,items.*.status", "items.*._id", "-items.create,-took"] {
            let all: Value = serde_json::from_str(&of("")).expect("JSON");
            let filtered: Value = serde_json::from_str(&of(filter)).expect("JSON");
            assert_eq!(filtered, FilterPath::parse(filter).of(all), "{filter}");
        }
    }

    #[test]
    fn made_up_ids_are_all_different() {
        let (one, other) = (new_id(1_700_000_000_000_000_000), new_id(1_700_000_000_000_000_000));
        assert_eq!((one.len(), one == other), (20, false));
    }
}
