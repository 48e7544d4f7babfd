//! What every view of a trace needs: resends folded, services named, attributes in order.

use std::{cmp::Ordering, collections::HashMap};

use prost::Message;
use weir_proto::{
    SpanId,
    otlp::{
        messages::{
            common::v1::{KeyValue, any_value::Value},
            resource::v1::Resource,
            trace::v1::Span,
        },
        traces::UNKNOWN_SERVICE,
    },
};
use weir_store::{SpanRecord, SpanState, sampling::POLICY_ATTRIBUTE};

/// Drops what a client sent twice: rows with the same span id and the same content. Distinct spans that merely share
/// an id (Zipkin's client and server) stay. A row that is kept wins over its pending twin.
pub(crate) fn fold_resends(rows: Vec<SpanRecord>) -> Vec<SpanRecord> {
    let mut rows_by_id: HashMap<Vec<u8>, usize> = HashMap::with_capacity(rows.len());
    for row in &rows {
        *rows_by_id.entry(row.span.span_id.clone()).or_default() += 1;
    }
    if rows_by_id.len() == rows.len() {
        return rows;
    }
    let mut folded: Vec<SpanRecord> = Vec::with_capacity(rows.len());
    let mut twins: HashMap<Vec<u8>, usize> = HashMap::new();
    for row in rows {
        // Content is only compared where an id occurs twice: encoding every span would cost more than the view.
        if rows_by_id[&row.span.span_id] > 1 {
            let content = content(&row);
            if let Some(&twin) = twins.get(&content) {
                if row.state == SpanState::Kept && folded[twin].state == SpanState::Pending {
                    folded[twin] = row;
                }
                continue;
            }
            twins.insert(content, folded.len());
        }
        folded.push(row);
    }
    folded
}

/// The first `service.name` that is a non-empty string, as the scan finds it.
pub(crate) fn service(resource: &Resource) -> &str {
    for attribute in resource.attributes.iter().filter(|attribute| attribute.key == "service.name") {
        if let Some(Value::StringValue(name)) = attribute.value.as_ref().and_then(|value| value.value.as_ref())
            && !name.is_empty()
        {
            return name;
        }
    }
    UNKNOWN_SERVICE
}

/// Attributes by key: stored ones come back in no particular order, answers should not change from call to call.
pub(crate) fn by_key(attributes: &[KeyValue]) -> Vec<&KeyValue> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by(|a, b| order(a, b));
    sorted
}

/// By key; a key that is there twice, against the specification, by value.
fn order(a: &KeyValue, b: &KeyValue) -> Ordering {
    a.key.cmp(&b.key).then_with(|| a.encode_to_vec().cmp(&b.encode_to_vec()))
}

/// The parent's id; empty when there is none, or one that is zero or of a wrong length: segments do not keep such.
pub(crate) fn parent_id(span: &Span) -> &[u8] {
    SpanId::from_wire(&span.parent_span_id).map_or(&[], |_| &span.parent_span_id)
}

/// Protobuf's JSON names for doubles that JSON has no number for.
pub(crate) fn non_finite(value: f64) -> Option<&'static str> {
    if value.is_finite() {
        return None;
    }
    if value.is_nan() {
        return Some("NaN");
    }
    Some(if value > 0.0 { "Infinity" } else { "-Infinity" })
}

/// The bytes that two rows share exactly when one is a resend of the other, also when only one of them is in a segment by
/// now. Bytes rather than `==`, for NaN.
fn content(row: &SpanRecord) -> Vec<u8> {
    let mut span = row.span.clone();
    span.parent_span_id = parent_id(&row.span).to_vec();
    // What a verdict adds does not make it another span.
    span.attributes.retain(|attribute| attribute.key != POLICY_ATTRIBUTE);
    span.trace_state.clear();
    sort(&mut span.attributes);
    for event in &mut span.events {
        sort(&mut event.attributes);
    }
    for link in &mut span.links {
        sort(&mut link.attributes);
    }
    let mut resource = row.resource.as_ref().clone();
    sort(&mut resource.attributes);
    let mut scope = row.scope.as_ref().clone();
    sort(&mut scope.attributes);
    let mut bytes = span.encode_length_delimited_to_vec();
    bytes.extend(resource.encode_length_delimited_to_vec());
    bytes.extend(scope.encode_length_delimited_to_vec());
    bytes
}

fn sort(attributes: &mut [KeyValue]) {
    attributes.sort_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::{attribute, double, record, string};

    #[test]
    fn a_resend_is_one_span() {
        let mut first = record("cart", 1, 100);
        first.span.attributes = vec![string("a", "1"), double("b", f64::NAN)];
        let mut resent = first.clone();
        resent.span.attributes.reverse();
        let folded = fold_resends(vec![first.clone(), record("cart", 2, 100), resent]);
        let ids: Vec<_> = folded.iter().map(|row| row.span.span_id[7]).collect();
        assert_eq!(ids, [1, 2]);
    }

    #[test]
    fn a_resend_of_a_sealed_span_is_one_span() {
        let mut sealed = record("cart", 1, 100);
        sealed.span.attributes = vec![string("a", "2"), string("a", "1")];
        let mut resent = sealed.clone();
        // As some SDKs write that there is no parent.
        resent.span.parent_span_id = vec![0; 8];
        resent.span.attributes.reverse();
        assert_eq!(fold_resends(vec![sealed, resent]).len(), 1);
    }

    #[test]
    fn spans_that_only_share_an_id_stay() {
        let client = record("cart", 1, 100);
        let mut longer = client.clone();
        longer.span.end_time_unix_nano += 1;
        let elsewhere = record("stock", 1, 100);
        assert_eq!(fold_resends(vec![client, longer, elsewhere]).len(), 3);
    }

    #[test]
    fn a_kept_twin_wins() {
        let mut pending = record("cart", 1, 100);
        pending.state = SpanState::Pending;
        let mut kept = record("cart", 1, 100);
        kept.span.attributes.push(string(POLICY_ATTRIBUTE, "errors"));
        kept.span.trace_state = "ot=th:8".into();
        kept.adjusted_count = 2.0;
        for rows in [vec![pending.clone(), kept.clone()], vec![kept.clone(), pending]] {
            assert_eq!(fold_resends(rows), [kept.clone()]);
        }
    }

    #[test]
    fn a_service_needs_a_name() {
        assert_eq!(service(&record("cart", 1, 100).resource), "cart");
        assert_eq!(service(&record("", 1, 100).resource), "unknown_service");
        assert_eq!(service(&Resource::default()), "unknown_service");
        let twice = vec![attribute("service.name", Value::IntValue(1)), string("service.name", "stock")];
        assert_eq!(service(&Resource { attributes: twice, ..Resource::default() }), "stock");
    }
}
