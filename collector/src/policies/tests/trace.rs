//! Traces for tests, shown to a judge as the store would: marked span by span, then due.

use prost::Message;
use serde_json::{Value, from_value, json};
use weir_proto::{
    TenantId, TraceId,
    otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, KeyValue, any_value::Value as Any},
            resource::v1::Resource,
            trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
        },
        traces::{Checks, scan},
    },
};
use weir_store::sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, TraceAccount};

use crate::processors::tail_sampling::{TailSampling, TailSamplingConfig};

pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const MS_NS: u64 = 1_000_000;

/// A span of a test's trace.
#[derive(Debug, Clone, Default)]
pub(super) struct TestSpan {
    pub(super) span: Span,
    pub(super) resource: Vec<KeyValue>,
}

/// A span of 10 ms.
pub(super) fn span() -> TestSpan {
    let span = Span { start_time_unix_nano: SECOND_NS, end_time_unix_nano: SECOND_NS + 10 * MS_NS, ..Span::default() };
    TestSpan { span, resource: Vec::new() }
}

pub(super) fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

impl TestSpan {
    pub(super) fn with(mut self, key: &str, value: Any) -> Self {
        self.span.attributes.push(attribute(key, value));
        self
    }

    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.with(key, Any::StringValue(value.into()))
    }

    pub(super) fn int(self, key: &str, value: i64) -> Self {
        self.with(key, Any::IntValue(value))
    }

    pub(super) fn of(mut self, key: &str, value: Any) -> Self {
        self.resource.push(attribute(key, value));
        self
    }

    pub(super) fn status(mut self, code: i32) -> Self {
        self.span.status = Some(Status { code, ..Status::default() });
        self
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.span.name = name.into();
        self
    }

    /// From and to, in ms.
    pub(super) fn at(mut self, start_ms: u64, end_ms: u64) -> Self {
        self.span.start_time_unix_nano = start_ms * MS_NS;
        self.span.end_time_unix_nano = end_ms * MS_NS;
        self
    }

    /// Ends so much later.
    pub(super) fn longer_by_ns(mut self, ns: u64) -> Self {
        self.span.end_time_unix_nano += ns;
        self
    }
}

/// Policies at work.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) sampling: TailSampling,
    pub(super) judge: Box<dyn Judge>,
    pub(super) now_ns: u64,
}

impl Bench {
    pub(super) fn new(policies: Value) -> Self {
        Self::of(json!({ "policies": policies }))
    }

    pub(super) fn of(config: Value) -> Self {
        let config: TailSamplingConfig = from_value(config).expect("a valid configuration");
        config.check().expect("a valid configuration");
        let sampling = TailSampling::new(&[("tail_sampling".into(), config)], None).expect("valid");
        Self { judge: sampling.judge(), sampling, now_ns: 1_000 * SECOND_NS }
    }

    /// What is gathered of a trace.
    pub(super) fn account(&mut self, id: u128, spans: &[TestSpan]) -> TraceAccount {
        let trace_id = TraceId(id.to_be_bytes());
        let mut account = TraceAccount {
            trace_id,
            bits: 0,
            spans: 0,
            generation: 1,
            bytes: 0,
            start_min_ns: u64::MAX,
            end_max_ns: 0,
            arrived_ns: self.now_ns,
            operation: 0,
            has_root: false,
            notes: [0; 2],
        };
        let resource_spans = spans.iter().map(|test| ResourceSpans {
            resource: Some(Resource { attributes: test.resource.clone(), ..Resource::default() }),
            scope_spans: vec![ScopeSpans {
                spans: vec![Span { trace_id: trace_id.0.to_vec(), span_id: vec![1; 8], ..test.span.clone() }],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        });
        let payload = ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec();
        let mut marker = self.sampling.marker();
        let mut marks = Vec::new();
        scan(&payload, Checks::Journalled, |scanned| {
            marker.mark(scanned, &mut marks);
            let (mark, view) = (*marks.last().expect("marked"), &scanned.span);
            account.bits |= mark.bits;
            account.spans += 1;
            account.bytes += u64::from(mark.bytes);
            account.start_min_ns = account.start_min_ns.min(view.start_ns);
            account.end_max_ns = account.end_max_ns.max(view.end_ns);
            let operation = view.name.iter().fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(*byte));
            if account.spans == 1 {
                account.operation = operation;
            }
            let arrived = ArrivedSpan {
                tenant: &TenantId::default(),
                mark,
                service: scanned.resource.service,
                name: view.name,
                operation,
                start_ns: view.start_ns,
                duration_ns: view.end_ns.saturating_sub(view.start_ns),
                status_code: view.status_code as i8,
                arrived_ns: self.now_ns,
            };
            self.judge.observe(&arrived, &mut account);
        })
        .expect("well formed");
        account
    }

    pub(super) fn decide(&mut self, id: u128, spans: &[TestSpan]) -> Decision {
        let account = self.account(id, spans);
        self.judge.decide(&account, Cause::Due, self.now_ns)
    }

    pub(super) fn keeps(&mut self, id: u128, spans: &[TestSpan]) -> bool {
        self.decide(id, spans).keep
    }

    /// The name of the policy that decides.
    pub(super) fn decider(&mut self, id: u128, spans: &[TestSpan]) -> (bool, String) {
        let decision = self.decide(id, spans);
        (decision.keep, self.judge.policies()[decision.policy].clone())
    }
}

/// Ids that look random, the same in every run.
pub(super) fn ids(count: usize) -> impl Iterator<Item = u128> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count).map(move |_| u128::from(next()) << 64 | u128::from(next()))
}
