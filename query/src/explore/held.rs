//! Stores with drawn traces in them, for tests: in the head or sealed.

use std::collections::BTreeMap;

use weir_proto::{
    otlp::messages::trace::v1::{ResourceSpans, ScopeSpans},
    time::Clock,
};
use weir_store::{SpanRecord, Store};

use crate::{
    drawn,
    sql::table::tests::traffic::{T0, batch_of, options, until_sealed},
};

/// A store, and the folder that goes with it.
pub(crate) struct HeldStore {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

/// A store with the spans of [`drawn::rows`]; `th=` becomes the tracestate's threshold.
pub(crate) async fn drawn(text: &str, sealed: bool) -> HeldStore {
    rows(drawn::rows(text), sealed).await
}

/// A store with these spans.
pub(crate) async fn rows(rows: Vec<SpanRecord>, sealed: bool) -> HeldStore {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(options(&folder), None, Clock::fixed(T0)).await.expect("opens");
    append(&store, rows).await;
    if sealed {
        store.roll().await;
        until_sealed(&store).await;
    }
    HeldStore { store, _folder: folder }
}

/// Adds these spans, a request for each trace.
pub(crate) async fn append(store: &Store, rows: Vec<SpanRecord>) {
    let mut by_trace: BTreeMap<Vec<u8>, Vec<ResourceSpans>> = BTreeMap::new();
    for mut row in rows {
        let threshold = row.span.attributes.iter().position(|attribute| attribute.key == "th");
        if let Some(at) = threshold {
            let value = row.span.attributes.remove(at).value.and_then(|value| value.value);
            if let Some(weir_proto::otlp::messages::common::v1::any_value::Value::StringValue(th)) = value {
                row.span.trace_state = format!("ot=th:{th}");
            }
        }
        let trace = row.span.trace_id.clone();
        by_trace.entry(trace).or_default().push(ResourceSpans {
            resource: Some(row.resource.as_ref().clone()),
            scope_spans: vec![ScopeSpans {
                scope: Some(row.scope.as_ref().clone()),
                spans: vec![row.span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        });
    }
    for (_, spans) in by_trace {
        store.append_traces(batch_of(spans)).await.expect("appended");
    }
}
