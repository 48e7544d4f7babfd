//! `/api/v1/status`: what runs, with what configuration, and how much there is of what.

use std::time::Duration;

use serde::Serialize;
use weir_proto::Signal;
use weir_store::{SignalStatus, StoreStatus};

use crate::http::{
    about::ListensAt,
    answer::{Answer, Failure},
    call::Call,
    process,
    view::OpensViews,
};

#[derive(Debug, Serialize)]
struct Body<'a> {
    version: &'a str,
    now_ns: String,
    started_ns: String,
    ready: bool,
    not_ready_because: Option<String>,
    receivers: &'a [ListensAt],
    signals: Vec<SignalBody>,
    disk: Option<DiskBody>,
    /// By signal, in seconds; null is for ever.
    retention_s: std::collections::BTreeMap<&'static str, Option<u64>>,
    process: ProcessBody,
    configuration: &'a str,
}

#[derive(Debug, Serialize)]
struct SignalBody {
    signal: &'static str,
    journal: Journal,
    head: Head,
    segments: Segments,
}

#[derive(Debug, Serialize)]
struct Journal {
    files: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Head {
    items: u64,
}

#[derive(Debug, Serialize)]
struct Segments {
    count: u64,
    bytes: u64,
    rows: u64,
    oldest_ns: Option<String>,
    newest_ns: Option<String>,
}

#[derive(Debug, Serialize)]
struct DiskBody {
    path: String,
    used_bytes: u64,
    size_max_bytes: Option<u64>,
    free_bytes: Option<u64>,
    total_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ProcessBody {
    memory_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
}

/// Segments are the caller's own; journal, head and disk are shared by all tenants.
pub(in crate::http) fn status(call: &Call, source: &dyn OpensViews) -> Result<Answer, Failure> {
    let about = &call.about;
    let store = source.store_status(&call.tenant);
    let unready = source.readiness().err();
    let signals = store.as_ref().map(|store| store.signals.as_slice()).unwrap_or_default();
    let retention_s = |status: &SignalStatus| (status.signal.name(), status.retention.as_ref().map(Duration::as_secs));
    let body = Body {
        version: about.version,
        now_ns: call.now_ns.to_string(),
        started_ns: about.started_ns.to_string(),
        ready: unready.is_none(),
        not_ready_because: unready.map(|error| error.to_string()),
        receivers: &about.receivers,
        signals: signals.iter().map(SignalBody::of).collect(),
        retention_s: signals.iter().map(retention_s).collect(),
        disk: store.as_ref().map(DiskBody::of),
        process: ProcessBody {
            memory_bytes: process::figure("process_resident_memory_bytes").map(|bytes| bytes as u64),
            cpu_seconds: process::figure("process_cpu_seconds_total"),
        },
        configuration: &about.configuration,
    };
    Answer::json(&body, false)
}

impl SignalBody {
    fn of(status: &SignalStatus) -> Self {
        let SignalStatus { signal, journal_files, journal_bytes, head_items, segments, .. } = *status;
        let moment = |ns: Option<u64>| ns.map(|ns| ns.to_string());
        Self {
            signal: Signal::name(signal),
            journal: Journal { files: journal_files, bytes: journal_bytes },
            head: Head { items: head_items },
            segments: Segments {
                count: segments,
                bytes: status.segment_bytes,
                rows: status.segment_rows,
                oldest_ns: moment(status.span_ns.map(|(first, _)| first)),
                newest_ns: moment(status.span_ns.map(|(_, last)| last)),
            },
        }
    }
}

impl DiskBody {
    fn of(status: &StoreStatus) -> Self {
        Self {
            path: status.path.display().to_string(),
            used_bytes: status.used_bytes,
            size_max_bytes: status.size_bytes_max,
            free_bytes: status.free_bytes,
            total_bytes: status.total_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        explore::held,
        http::{about::About, fixtures},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn says_what_runs_and_how_much_there_is() {
        let held = held::drawn("web/a 5..9 server\n  web/b 6..7", true).await;
        let mut call = fixtures::call(&[], &[]);
        call.about = Arc::new(About {
            version: "9.9.9",
            started_ns: 7,
            receivers: vec![ListensAt { protocol: "OTLP/gRPC", endpoint: "127.0.0.1:4317".into() }],
            configuration: "storage: {}\n".into(),
        });
        let body: Value = serde_json::from_slice(&status(&call, &held.store).expect("answers").body).expect("JSON");
        assert_eq!(
            (&body["version"], &body["started_ns"], &body["ready"]),
            (&json!("9.9.9"), &json!("7"), &json!(true))
        );
        assert_eq!(body["receivers"], json!([{"protocol": "OTLP/gRPC", "endpoint": "127.0.0.1:4317"}]));
        let traces = &body["signals"][0];
        assert_eq!((&traces["signal"], &traces["segments"]["rows"]), (&json!("traces"), &json!(2)));
        assert_eq!((&traces["segments"]["oldest_ns"], &traces["segments"]["newest_ns"]), (&json!("5"), &json!("6")));
        assert_eq!((&body["configuration"], &body["retention_s"]["traces"]), (&json!("storage: {}\n"), &Value::Null));
        assert!(body["disk"]["used_bytes"].as_u64() > Some(0) && body["disk"]["total_bytes"].as_u64() > Some(0));
        assert!(body["process"]["memory_bytes"].as_u64() > Some(0));
    }
}
