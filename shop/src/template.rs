//! One encoded batch, with the positions of everything that differs from copy to copy.

use crate::rng::Rng;
use crate::{
    attributes, journey,
    journey::SpanPlan,
    services::SERVICES,
    wire::{Patch, Value, Writer},
};

/// Marks a span without a parent.
pub(crate) const NO_PARENT: u32 = u32::MAX;

/// A batch to copy from.
#[derive(Debug)]
pub(crate) struct Template {
    /// The encoded ExportTraceServiceRequest.
    pub(crate) bytes: Vec<u8>,
    /// In the order of the bytes.
    pub(crate) spans: Vec<SpanSlots>,
    /// Of all spans, in the order of the bytes; each span names its range.
    pub(crate) patches: Vec<Patch>,
    /// Length of each trace in ns, unstretched.
    pub(crate) traces: Vec<u32>,
}

/// Where a span's parts lie, and who it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanSlots {
    /// Index of its trace in the batch.
    pub(crate) trace: u32,
    /// Number of the span in the batch, trace by trace; its id derives from it.
    pub(crate) number: u32,
    /// Number of its parent, or [`NO_PARENT`].
    pub(crate) parent: u32,
    pub(crate) trace_id_at: u32,
    pub(crate) span_id_at: u32,
    pub(crate) parent_id_at: u32,
    pub(crate) start_at: u32,
    pub(crate) end_at: u32,
    pub(crate) start_ns: u32,
    pub(crate) duration_ns: u32,
    /// End of its patches in [`Template::patches`].
    pub(crate) patches_end: u32,
}

/// A span on its way into its pod's group.
struct Placed {
    pod: u64,
    trace: u32,
    number: u32,
    parent: u32,
    plan: SpanPlan,
}

impl Template {
    /// A batch of exactly `spans` spans, some with [`attributes::lane`] when `lanes`, as a node's agent would send it: grouped by pod.
    pub(crate) fn new(rng: &mut Rng, spans: usize, failed_per_mille: u64, lanes: bool) -> Self {
        let pods: Vec<u64> = SERVICES.iter().map(|service| rng.below(service.pods)).collect();
        let mut placed = Vec::with_capacity(spans);
        let mut traces = Vec::new();
        while placed.len() < spans {
            let mut plans = journey::trace(rng, failed_per_mille);
            plans.truncate(spans - placed.len());
            let first = placed.len() as u32;
            let length_ns = plans.iter().map(|plan| plan.start_ns + plan.duration_ns).max();
            for (index, plan) in plans.into_iter().enumerate() {
                placed.push(Placed {
                    pod: pods[plan.service],
                    trace: traces.len() as u32,
                    number: first + index as u32,
                    parent: plan.parent.map_or(NO_PARENT, |parent| first + parent as u32),
                    plan,
                });
            }
            traces.push(length_ns.expect("a trace has a root"));
        }
        // Stable: within a pod spans stay in trace order.
        placed.sort_by_key(|span| span.plan.service);
        let mut template = Self { bytes: Vec::new(), spans: Vec::with_capacity(spans), patches: Vec::new(), traces };
        let mut request = Writer::default();
        for group in placed.chunk_by(|a, b| a.plan.service == b.plan.service) {
            template.group(rng, group, lanes, &mut request);
        }
        template.bytes = request.bytes;
        template.patches = request.patches;
        template
    }

    /// One ResourceSpans.
    fn group(&mut self, rng: &mut Rng, group: &[Placed], lanes: bool, request: &mut Writer) {
        let service = group[0].plan.service;
        let first = self.spans.len();
        let patches_before = request.patches.len() as u32;
        let mut scope_spans = Writer::default();
        let mut scope = Writer::default();
        scope.bytes_field(1, format!("io.opentelemetry.{}", SERVICES[service].language).as_bytes());
        scope.bytes_field(2, b"2.19.0");
        scope_spans.message_field(1, &scope);
        for placed in group {
            let (span, mut slots) = encode(rng, placed, lanes);
            let base = scope_spans.message_field(2, &span);
            slots.shift(base);
            slots.patches_end = patches_before + scope_spans.patches.len() as u32;
            self.spans.push(slots);
        }
        let mut resource_spans = Writer::default();
        resource_spans.message_field(1, &resource(service, group[0].pod));
        let scope_at = resource_spans.message_field(2, &scope_spans);
        resource_spans.bytes_field(3, b"https://opentelemetry.io/schemas/1.37.0");
        let resource_at = request.message_field(1, &resource_spans);
        for slots in &mut self.spans[first..] {
            slots.shift(scope_at + resource_at);
        }
    }
}

impl SpanSlots {
    fn shift(&mut self, by: u32) {
        for position in
            [&mut self.trace_id_at, &mut self.span_id_at, &mut self.parent_id_at, &mut self.start_at, &mut self.end_at]
        {
            *position += by;
        }
    }
}

fn encode(rng: &mut Rng, placed: &Placed, lanes: bool) -> (Writer, SpanSlots) {
    let plan = &placed.plan;
    let mut span = Writer::default();
    let trace_id_at = span.blank_field(1, 16);
    let span_id_at = span.blank_field(2, 8);
    let parent_id_at = if placed.parent == NO_PARENT { 0 } else { span.blank_field(4, 8) };
    attributes::name_and_kind(plan, &mut span);
    let start_at = span.fixed64_field(7);
    let end_at = span.fixed64_field(8);
    attributes::rest(rng, plan, &mut span);
    if lanes {
        attributes::lane(rng, &mut span);
    }
    let slots = SpanSlots {
        trace: placed.trace,
        number: placed.number,
        parent: placed.parent,
        trace_id_at,
        span_id_at,
        parent_id_at,
        start_at,
        end_at,
        start_ns: plan.start_ns,
        duration_ns: plan.duration_ns,
        patches_end: 0,
    };
    (span, slots)
}

/// A Resource of eight attributes.
fn resource(service: usize, pod: u64) -> Writer {
    resource_of(service, pod, SERVICES[service].version, &[])
}

/// The same with another version, and more attributes.
pub(crate) fn resource_of(service: usize, pod: u64, version: &str, more: &[(&str, &str)]) -> Writer {
    let about = &SERVICES[service];
    // A pod's name and node derive from its number: the same pod looks the same in every batch.
    let mut rng = Rng::new(((service as u64) << 32) | pod);
    let name = format!("{}-{:08x}-{:05x}", about.name, rng.bits() as u32, rng.bits() & 0xf_ffff);
    let node = format!("ip-10-0-{}-{}.eu-central-1.compute.internal", rng.below(8), rng.below(250) + 1);
    let mut resource = Writer::default();
    resource.attribute(1, "service.name", Value::Text(about.name));
    resource.attribute(1, "service.version", Value::Text(version));
    resource.attribute(1, "service.namespace", Value::Text(about.namespace));
    resource.attribute(1, "deployment.environment.name", Value::Text("production"));
    resource.attribute(1, "k8s.pod.name", Value::Text(&name));
    resource.attribute(1, "k8s.node.name", Value::Text(&node));
    resource.attribute(1, "telemetry.sdk.language", Value::Text(about.language));
    resource.attribute(1, "process.pid", Value::Int(rng.below(400) as i64 + 1));
    for (key, value) in more {
        resource.attribute(1, key, Value::Text(value));
    }
    resource
}
