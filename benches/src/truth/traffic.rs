//! Puts the traces into batches: which spans a batch has follows from its number.

use super::{
    operations::{OPERATIONS, STEPS},
    trace::{LATER_MAX, TrueSpan, TrueTrace},
};
use crate::{
    rng::{mix, nth},
    shop::{HEAD_LEN, Value, Writer},
};

/// Traces that begin in one batch.
pub const TRACES_PER_BATCH: u64 = 100;

/// Most batches between a trace's first and last span.
pub(super) const BATCHES_APART_MAX: u64 = LATER_MAX;

/// Between the starts of two traces.
const STEP_NS: u64 = 10_000;

/// Of so many batches a client sends one twice.
const RESENT_OF: u64 = 40;

/// A seed, how many traces, and when they began: all that is ever sent derives from it.
#[derive(Debug, Clone, Copy)]
pub struct TrueTraffic {
    /// The seed.
    pub seed: u64,
    /// How many.
    pub traces: u64,
    /// Unix ns of the first trace's start.
    pub base_ns: u64,
}

/// Spans that come late, of every fourth trace of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateBatch {
    /// First trace.
    pub from: u64,
    /// Behind the last one.
    pub to: u64,
    /// Every second of the spans has status ERROR.
    pub failing: bool,
}

impl LateBatch {
    const EVERY: u64 = 4;

    /// Whether a trace has a late span.
    pub fn has(&self, number: u64) -> bool {
        (self.from..self.to).contains(&number) && number.is_multiple_of(Self::EVERY)
    }

    /// Whether its late span has status ERROR.
    pub fn fails(&self, number: u64) -> bool {
        self.failing && (number / Self::EVERY).is_multiple_of(2)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.from..self.to).filter(|number| self.has(*number)).count() as u64
    }
}

impl TrueTraffic {
    /// One of the traces.
    pub fn trace(&self, number: u64) -> TrueTrace {
        TrueTrace::new(self.seed, number)
    }

    /// How many batches there are.
    pub fn batches(&self) -> u64 {
        self.traces.div_ceil(TRACES_PER_BATCH) + BATCHES_APART_MAX
    }

    /// Whether a batch is sent twice.
    pub fn is_resent(&self, batch: u64) -> bool {
        nth(mix(self.seed ^ 0x5e7d), batch).is_multiple_of(RESENT_OF)
    }

    /// How often a span is sent.
    pub fn copies(&self, trace: u64, span: &TrueSpan) -> u64 {
        1 + u64::from(self.is_resent(trace / TRACES_PER_BATCH + span.batches_later))
    }

    /// Appends head room and an encoded request to an empty `out`; answers its spans.
    pub fn fill(&self, batch: u64, out: &mut Vec<u8>) -> u64 {
        let mut spans = Vec::new();
        let first = batch.saturating_sub(BATCHES_APART_MAX) * TRACES_PER_BATCH;
        let end = ((batch + 1) * TRACES_PER_BATCH).min(self.traces);
        for number in first..end {
            let trace = self.trace(number);
            let later = batch - number / TRACES_PER_BATCH;
            let here = trace.spans().into_iter().filter(|span| span.batches_later == later);
            spans.extend(here.map(|span| (trace, span)));
        }
        self.write(&spans, out);
        spans.len() as u64
    }

    /// The same for late spans of some traces.
    pub fn fill_late(&self, late: LateBatch, out: &mut Vec<u8>) -> u64 {
        let numbers = (late.from..late.to).filter(|number| late.has(*number));
        let spans: Vec<_> = numbers
            .map(|number| {
                let trace = self.trace(number);
                (trace, trace.late_span(late.fails(number)))
            })
            .collect();
        self.write(&spans, out);
        spans.len() as u64
    }

    fn write(&self, spans: &[(TrueTrace, TrueSpan)], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0; HEAD_LEN]);
        let mut request = Writer::default();
        for service in services() {
            let mut scope = Writer::default();
            for (trace, span) in spans.iter().filter(|(_, span)| span.service == service) {
                scope.message_field(2, &self.span(trace, span));
            }
            if scope.bytes.is_empty() {
                continue;
            }
            let mut resource = Writer::default();
            resource.attribute(1, "service.name", Value::Text(service));
            resource.attribute(1, "service.version", Value::Text("1.4.2"));
            let mut of_resource = Writer::default();
            of_resource.message_field(1, &resource);
            of_resource.message_field(2, &scope);
            request.message_field(1, &of_resource);
        }
        out.extend_from_slice(&request.bytes);
    }

    /// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
    fn span(&self, trace: &TrueTrace, span: &TrueSpan) -> Writer {
        let start_ns = self.base_ns + trace.number * STEP_NS + span.after_ns;
        let mut message = Writer::default();
        message.bytes_field(1, &trace.id().0);
        message.bytes_field(2, &span.id.0);
        if let Some(parent) = span.parent {
            message.bytes_field(4, &parent.0);
        }
        message.bytes_field(5, span.name.as_bytes());
        message.varint_field(6, if span.parent.is_none() { 2 } else { 3 });
        for (field, time_ns) in [(7, start_ns), (8, start_ns + span.duration_ns)] {
            let at = message.fixed64_field(field) as usize;
            message.bytes[at..at + 8].copy_from_slice(&time_ns.to_le_bytes());
        }
        let tier = if trace.gold { "gold" } else { "standard" };
        message.attribute(9, "customer.tier", Value::Text(tier));
        message.attribute(9, "trace.number", Value::Int(trace.number as i64));
        message.attribute(9, "server.address", Value::Text("node-17.shop.internal"));
        if span.failed {
            message.attribute(9, "error.type", Value::Text("timeout"));
            let mut status = Writer::default();
            status.varint_field(3, 2);
            message.message_field(15, &status);
        }
        message
    }
}

/// Every service, once.
fn services() -> Vec<&'static str> {
    let mut services = vec!["admin"];
    let named =
        OPERATIONS.iter().map(|operation| operation.service).chain(STEPS.iter().map(|(_, service, _)| *service));
    for service in named {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;

    #[test]
    fn every_span_is_in_one_batch() {
        let traffic = TrueTraffic { seed: 9, traces: 1_950, base_ns: 1_790_000_000_000_000_000 };
        let mut found: HashMap<Vec<u8>, u64> = HashMap::new();
        let mut bytes = Vec::new();
        for batch in 0..traffic.batches() {
            let spans = traffic.fill(batch, &mut bytes);
            let request = ExportTraceServiceRequest::decode(&bytes[HEAD_LEN..]).expect("valid OTLP");
            let sent: Vec<_> =
                request.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect();
            assert_eq!(sent.len() as u64, spans);
            for span in sent {
                assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
                assert!(span.start_time_unix_nano < span.end_time_unix_nano);
                *found.entry(span.trace_id).or_default() += 1;
            }
        }
        assert_eq!(found.len(), 1_950);
        for number in 0..1_950 {
            let trace = traffic.trace(number);
            assert_eq!(found.get(&trace.id().0[..]), Some(&trace.span_count()));
        }
    }

    #[test]
    fn late_spans_are_those_that_it_says() {
        let traffic = TrueTraffic { seed: 9, traces: 1_000, base_ns: 1 };
        let late = LateBatch { from: 10, to: 50, failing: true };
        let mut bytes = Vec::new();
        assert_eq!(traffic.fill_late(late, &mut bytes), late.count());
        assert_eq!(late.count(), 10);
        let failing = (0..1_000).filter(|number| late.has(*number) && late.fails(*number)).count();
        assert_eq!(failing, 5);
    }
}
