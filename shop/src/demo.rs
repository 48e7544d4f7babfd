//! Traffic that tells a story: every trace follows from the seed and its number, so that the same seed tells the same one.
//!
//! While a roll-out is under way, [`CANARY_PERCENT`] of the calls of one service are answered by its new version. That is slower by so much
//! that the service's P99 triples, and fails for large carts in one region: 12 % of its calls. Whoever called it is slower, and fails, too.

use std::collections::BTreeMap;

use prost::Message;
use weir_proto::otlp::messages::collector::logs::v1::ExportLogsServiceRequest;

use crate::{
    attributes, journey,
    journey::{Role, SpanPlan},
    lines::Lines,
    rng::{Rng, mix, nth},
    services::SERVICES,
    story::{Chapter, Story},
    template::resource_of,
    traffic::{TraceValues, change_value, put, span_id, trace_id, user},
    wire::{Value, Writer},
};

/// The service that the story is about, by its place among [`SERVICES`].
const CART: usize = 2;
/// Its versions.
const STABLE: &str = "1.7.4";
const NEW: &str = "1.8.0";
/// Of 100 calls so many go to the new version.
const CANARY_PERCENT: u64 = 5;
/// How many times longer the new version takes.
const SLOWER: u32 = 8;
/// Of a thousand steps so many fail for no reason that the story knows.
const FAILED_PER_MILLE: u64 = 4;
/// Spans of a trace on average.
const SPANS_PER_TRACE: f64 = 8.0;
/// Of 100 carts so many are large: with the region's share, 12 % of the new version's calls fail.
const LARGE_PERCENT: u64 = 30;

/// Regions with their share in percent; the first is where it fails.
const REGIONS: [(&str, u64); 3] = [("eu-west-1", 40), ("us-east-1", 35), ("ap-south-1", 25)];

/// What the new version says of a cart that is too large.
const BLAME: (&str, &str) =
    ("shop.cart.PriceTableOverflow", "price table v2 of eu-west-1 holds 20 lines, the cart has more");

/// Span's attributes.
const ATTRIBUTES: u32 = 9;

/// The shop while it is open.
#[derive(Debug)]
pub struct Demo {
    seed: u64,
    story: Story,
    /// From one trace to the next.
    gap_ns: u64,
}

/// What was sent in a while.
#[derive(Debug, Default)]
pub struct Sent {
    /// An encoded ExportTraceServiceRequest; empty without spans.
    pub traces: Vec<u8>,
    /// An encoded ExportLogsServiceRequest; empty without lines.
    pub logs: Vec<u8>,
    /// Spans in it.
    pub spans: u64,
    /// Lines in it.
    pub lines: u64,
}

/// Which process sent a span: service, pod, version, region.
type Pod = (usize, u64, &'static str, &'static str);

/// What is drawn for a trace.
struct Draft {
    plans: Vec<SpanPlan>,
    region: &'static str,
    items: u64,
    /// Whether each span is the new version's.
    is_new: Vec<bool>,
}

impl Demo {
    /// About so many spans a second.
    pub fn new(seed: u64, story: Story, spans_per_second: f64) -> Self {
        let gap_ns = (1e9 * SPANS_PER_TRACE / spans_per_second.max(0.001)) as u64;
        Self { seed, story, gap_ns: gap_ns.max(1) }
    }

    /// The traces that end at or after `from_ns` and before `to_ns`, Unix ns.
    pub fn between(&self, from_ns: u64, to_ns: u64) -> Sent {
        let mut groups: BTreeMap<Pod, Writer> = BTreeMap::new();
        let mut lines = Lines::default();
        let mut sent = Sent::default();
        // One more on either side: a trace ends up to one gap later than its number says.
        let first = (from_ns / self.gap_ns).saturating_sub(1);
        for number in first..=to_ns / self.gap_ns {
            let key = nth(mix(self.seed), number);
            let end_ns = number * self.gap_ns + nth(key, 7) % self.gap_ns;
            if (from_ns..to_ns).contains(&end_ns) {
                sent.spans += self.trace(key, end_ns, &mut groups, &mut lines);
            }
        }
        sent.traces = request(groups);
        sent.lines = lines.len();
        if sent.lines > 0 {
            sent.logs = ExportLogsServiceRequest { resource_logs: lines.into_resource_logs() }.encode_to_vec();
        }
        sent
    }

    /// Adds one trace; answers how many spans it has.
    fn trace(&self, key: u64, end_ns: u64, groups: &mut BTreeMap<Pod, Writer>, lines: &mut Lines) -> u64 {
        let mut rng = Rng::new(key);
        let draft = self.draft(&mut rng, end_ns);
        let length_ns = draft.plans.iter().map(|plan| plan.start_ns.saturating_add(plan.duration_ns)).max();
        let trace = TraceValues {
            id: trace_id(key, 0),
            start_ns: end_ns.saturating_sub(u64::from(length_ns.unwrap_or(0))),
            stretch: 1.0,
            user: user(key),
            order: nth(key ^ 0x0d3e, 0),
        };
        let pods: Vec<u64> = SERVICES.iter().map(|service| rng.below(service.pods)).collect();
        for (number, plan) in draft.plans.iter().enumerate() {
            let version = match (plan.service, draft.is_new[number]) {
                (CART, true) => NEW,
                (CART, false) => STABLE,
                (other, _) => SERVICES[other].version,
            };
            // The new version has a pod of its own.
            let pod = if version == NEW { 100 } else { pods[plan.service] };
            let pod: Pod = (plan.service, pod, version, draft.region);
            let bytes = span(&mut rng, key, number, plan, &trace, &draft);
            groups.entry(pod).or_default().bytes_field(2, &bytes);
            let id = span_id(key, number as u32);
            lines.of_span(&mut rng, plan, (&trace, id), || resource(pod));
        }
        draft.plans.len() as u64
    }

    /// Draws a trace, and what the story does to it.
    fn draft(&self, rng: &mut Rng, end_ns: u64) -> Draft {
        let plans = journey::trace(rng, FAILED_PER_MILLE);
        let mut share = rng.below(100);
        let mut region = REGIONS[0].0;
        for (name, percent) in REGIONS {
            region = name;
            if share < percent {
                break;
            }
            share -= percent;
        }
        let is_large = rng.percent(LARGE_PERCENT);
        let items = if is_large { 21 + rng.below(40) } else { 1 + rng.below(9) };
        let mut draft = Draft { is_new: vec![false; plans.len()], plans, region, items };
        if self.story.chapter(end_ns) == Chapter::Canary {
            draft.roll_out(rng, is_large && region == REGIONS[0].0);
        }
        draft
    }
}

impl Draft {
    /// Lets the new version answer some of the service's calls.
    fn roll_out(&mut self, rng: &mut Rng, fails: bool) {
        for at in 0..self.plans.len() {
            let plan = &self.plans[at];
            let is_call = plan.service == CART && matches!(plan.role, Role::RpcServer(..));
            if !is_call || !rng.percent(CANARY_PERCENT) {
                continue;
            }
            self.is_new[at] = true;
            let extra_ns = plan.duration_ns.saturating_mul(SLOWER - 1);
            self.slow_down(at, extra_ns);
            if fails {
                self.fail(at);
            }
            // What the call does by itself is done by the same process.
            for below in at + 1..self.plans.len() {
                let is_inside = self.plans[below].parent.is_some_and(|parent| self.is_new[parent]);
                self.is_new[below] |= is_inside && self.plans[below].service == CART;
            }
        }
    }

    /// Makes a span so much longer: those around it as well, and what comes after it comes later.
    fn slow_down(&mut self, at: usize, extra_ns: u32) {
        let end_ns = self.plans[at].start_ns.saturating_add(self.plans[at].duration_ns);
        let mut is_around = vec![false; self.plans.len()];
        let mut around = Some(at);
        while let Some(span) = around {
            is_around[span] = true;
            around = self.plans[span].parent;
        }
        for (plan, is_around) in self.plans.iter_mut().zip(is_around) {
            if is_around {
                plan.duration_ns = plan.duration_ns.saturating_add(extra_ns);
            } else if plan.start_ns >= end_ns {
                plan.start_ns = plan.start_ns.saturating_add(extra_ns);
            }
        }
    }

    /// The span fails, and so does whoever called it.
    fn fail(&mut self, at: usize) {
        self.plans[at].failed = true;
        self.plans[at].blame = Some(BLAME);
        let mut around = self.plans[at].parent;
        while let Some(span) = around {
            self.plans[span].failed = true;
            self.plans[span].blame.get_or_insert(("INTERNAL", "shop.CartService: the cart could not be priced"));
            around = self.plans[span].parent;
        }
    }
}

/// One encoded span.
fn span(rng: &mut Rng, key: u64, number: usize, plan: &SpanPlan, trace: &TraceValues, draft: &Draft) -> Vec<u8> {
    let mut span = Writer::default();
    span.bytes_field(1, &trace.id);
    span.bytes_field(2, &span_id(key, number as u32));
    if let Some(parent) = plan.parent {
        span.bytes_field(4, &span_id(key, parent as u32));
    }
    attributes::name_and_kind(plan, &mut span);
    let start_at = span.fixed64_field(7);
    let end_at = span.fixed64_field(8);
    put(&mut span.bytes, start_at, &trace.at(plan.start_ns).to_le_bytes());
    put(&mut span.bytes, end_at, &trace.at(plan.start_ns.saturating_add(plan.duration_ns)).to_le_bytes());
    attributes::rest(rng, plan, &mut span);
    let is_about_carts = match plan.role {
        Role::RpcServer(name, _) => name.contains("Cart") || name.contains("Checkout"),
        Role::HttpServer(_, route) => route.contains("cart") || route.contains("checkout"),
        _ => false,
    };
    if is_about_carts {
        span.attribute(ATTRIBUTES, "app.cart.items", Value::Int(draft.items as i64));
    }
    let own = nth(key ^ 0x5151, number as u64);
    let other = nth(key, 99);
    let linked = (trace_id(other, 0), span_id(other, 0));
    let patches = std::mem::take(&mut span.patches);
    for (n, patch) in patches.iter().enumerate() {
        change_value(&mut span.bytes, patch, trace, own.rotate_left(n as u32 * 11), linked);
    }
    span.bytes
}

fn resource((service, pod, version, region): Pod) -> Writer {
    resource_of(service, pod, version, &[("cloud.region", region)])
}

/// The request of all spans, by process.
fn request(groups: BTreeMap<Pod, Writer>) -> Vec<u8> {
    let mut request = Writer::default();
    for (pod, spans) in groups {
        let mut scope = Writer::default();
        scope.bytes_field(1, format!("io.opentelemetry.{}", SERVICES[pod.0].language).as_bytes());
        scope.bytes_field(2, b"2.19.0");
        let mut scope_spans = Writer::default();
        scope_spans.message_field(1, &scope);
        scope_spans.bytes.extend_from_slice(&spans.bytes);
        let mut resource_spans = Writer::default();
        resource_spans.message_field(1, &resource(pod));
        resource_spans.message_field(2, &scope_spans);
        request.message_field(1, &resource_spans);
    }
    request.bytes
}

#[cfg(test)]
mod tests;
