//! One prober without jobs: each test probes once and reads what comes of it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use prost::Message;
use serde_json::Value;
use tokio::sync::Semaphore;
use weir_proto::{
    TenantId,
    otlp::{
        Limits,
        logs::IdNames,
        messages::{collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value, trace::v1::Span},
    },
    time::Clock,
};

use super::super::{
    Module,
    probe::{Manner, Ready, Shared, probe},
};
use crate::{
    Append, Arrival,
    admission::AdmissionRules,
    processors::Processing,
    receivers::prometheus::{ProbeAsked, Probed},
};

/// What one probe came to.
pub(super) struct Seen {
    pub(super) lines: Vec<String>,
    pub(super) failure: Option<String>,
    /// The root first.
    pub(super) spans: Vec<Span>,
}

impl Seen {
    /// The value of a gauge, its labels as they are written.
    pub(super) fn gauge(&self, name: &str) -> Option<f64> {
        self.lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub(super) fn is_ok(&self) -> bool {
        assert_eq!(self.gauge("probe_success") == Some(1.0), self.failure.is_none(), "{:?}", self.lines);
        self.failure.is_none()
    }

    /// Why it failed.
    pub(super) fn failed(&self) -> &str {
        assert!(!self.is_ok(), "{:?}", self.lines);
        self.failure.as_deref().expect("it failed")
    }

    pub(super) fn phases(&self) -> Vec<&str> {
        self.spans[1..].iter().map(|span| span.name.as_str()).collect()
    }

    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let pair = self.spans[0].attributes.iter().find(|pair| pair.key == name)?;
        match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text.clone()),
            any_value::Value::IntValue(number) => Some(number.to_string()),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn trace_id(&self) -> String {
        self.spans[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(super) fn module(settings: Value) -> Module {
    let module: Module = serde_json::from_value(settings).expect("a module");
    module.check().expect("a good one");
    module
}

/// Probes with loopback allowed.
pub(super) async fn probed(settings: Value, target: &str) -> Seen {
    probed_allowing(settings, target, &["127.0.0.0/8", "::1"]).await
}

pub(super) async fn probed_allowing(settings: Value, target: &str, allow: &[&str]) -> Seen {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = kept.clone();
    let append: Append = Arc::new(move |arrival| {
        let Arrival::Spans(batch) = arrival else { panic!("only spans come") };
        keeping.lock().push(batch);
        Box::pin(async { Ok(()) })
    });
    let rules = AdmissionRules {
        limits: Limits { depth_max: 8, attributes_max: 64, span_bytes_max: 1 << 16 },
        accept_past: Some(Duration::from_secs(3600)),
        accept_future: Some(Duration::from_secs(60)),
        processing: Processing::NONE,
        line_ids: IdNames::USUAL,
    };
    let shared = Shared {
        append,
        rules,
        clock: Clock::system(),
        tenant: TenantId::default(),
        turns: Arc::new(Semaphore::new(1)),
    };
    let manner = Manner {
        allow: allow.iter().map(|text| serde_json::from_value((*text).into()).expect("a network")).collect(),
        location: "here".into(),
        service: "probes".into(),
        traces: true,
        body_bytes_max: 100_000,
    };
    let ready = Ready::new(&module(settings)).expect("its files are there");
    let asked = ProbeAsked {
        job: "job".into(),
        module: "module".into(),
        target: target.into(),
        timeout: Duration::from_secs(20),
    };
    let Probed { body, failure } = probe(&shared, &manner, &ready, asked).await;
    let text = String::from_utf8(body.to_vec()).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let batch = kept.lock().pop().expect("one trace");
    assert!(batch.rejected.is_empty());
    let request = ExportTraceServiceRequest::decode(&batch.payload[..]).expect("OTLP");
    let spans = request.resource_spans[0].scope_spans[0].spans.clone();
    for span in &spans[1..] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&spans[0].trace_id, &spans[0].span_id));
        assert!(span.start_time_unix_nano >= spans[0].start_time_unix_nano);
        assert!(span.end_time_unix_nano <= spans[0].end_time_unix_nano, "{}", span.name);
    }
    let status = spans[0].status.clone().unwrap_or_default();
    assert_eq!((status.code == 2, status.message), (failure.is_some(), failure.clone().unwrap_or_default()));
    Seen { lines, failure, spans }
}
