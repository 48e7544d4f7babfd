//! Measures what sampling policies cost: marking spans at arrival, observing them, deciding on their traces.

use std::{collections::HashMap, hint::black_box, time::Instant};

use serde_json::{Value, from_value, json};
use weir_benches::shop::{BatchKey, HEAD_LEN, Traffic};
use weir_collector::processors::tail_sampling::TailSampling;
use weir_proto::{
    TenantId, TraceId,
    otlp::traces::{Checks, Limits, scan},
};
use weir_store::sampling::{ArrivedSpan, Cause, Sampling, TraceAccount};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Payloads of so many spans each.
const BATCHES: u64 = 64;
const SPANS: usize = 1000;
/// Passes over all payloads; the quickest counts.
const PASSES: usize = 30;

fn main() -> anyhow::Result<()> {
    let traffic = Traffic::new(7, SPANS, BATCHES as usize);
    let payloads: Vec<Vec<u8>> = (0..BATCHES)
        .map(|number| {
            let mut payload = Vec::new();
            traffic.fill(BatchKey { number, base_ns: 1_800_000_000_000_000_000 }, &mut payload);
            payload.split_off(HEAD_LEN)
        })
        .collect();
    let scanned_ns = marking_ns(&payloads, None);
    println!("| policies | mark, ns a span | observe, ns a span | decide, ns a trace |\n|---|---|---|---|");
    for (name, policies) in sets() {
        let config = from_value(json!({ "policies": policies }))?;
        let sampling = TailSampling::new(&[("tail_sampling".into(), config)], None)?;
        let marked_ns = marking_ns(&payloads, Some(&sampling)) - scanned_ns;
        let (observed_ns, decided_ns) = judging_ns(&payloads, &sampling);
        println!("| {name} | {marked_ns:.1} | {observed_ns:.1} | {decided_ns:.1} |");
    }
    Ok(())
}

/// What is measured.
fn sets() -> Vec<(&'static str, Value)> {
    let errors = json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } });
    let slow = json!({ "name": "slow", "type": "latency", "latency": { "threshold_ms": 5000 } });
    let text = json!({ "name": "text", "type": "string_attribute", "string_attribute": { "key": "http.route", "values": ["/checkout"] } });
    let share = json!({ "name": "share", "type": "probabilistic", "probabilistic": { "sampling_percentage": 1 } });
    let budget = json!({ "name": "budget", "type": "budget", "budget": { "spans_per_second": 10_000 } });
    let anomaly = json!({ "name": "anomaly", "type": "anomaly" });
    let rare = json!({ "name": "rare", "type": "rare" });
    let ottl = json!({ "name": "ottl", "type": "ottl_condition", "ottl_condition": { "span": ["attributes[\"http.response.status_code\"] >= 500 and duration > Duration(\"1s\")"] } });
    vec![
        ("error", json!([errors])),
        ("error, latency, string attribute, probabilistic, budget", json!([errors, slow, text, share, budget])),
        ("the same, anomaly, rare", json!([errors, slow, text, share, budget, anomaly, rare])),
        ("one OTTL condition", json!([ottl])),
    ]
}

/// Nanoseconds a span of a scan as admission makes it, with marks when there is a sampling.
fn marking_ns(payloads: &[Vec<u8>], sampling: Option<&TailSampling>) -> f64 {
    let limits = Limits { depth_max: 32, attributes_max: 1024, span_bytes_max: 1 << 20 };
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let start = Instant::now();
        for payload in payloads {
            let mut marker = sampling.map(|sampling| sampling.marker());
            let mut marks = Vec::with_capacity(SPANS);
            scan(payload, Checks::Admission(limits), |scanned| match &mut marker {
                Some(marker) => marker.mark(scanned, black_box(&mut marks)),
                None => drop(black_box(scanned.span.status_code)),
            })
            .expect("well formed");
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (payloads.len() * SPANS) as f64);
    }
    best
}

/// Nanoseconds of observing a span, and of deciding on a trace.
fn judging_ns(payloads: &[Vec<u8>], sampling: &TailSampling) -> (f64, f64) {
    let tenant = TenantId::default();
    let mut spans = Vec::new();
    let mut accounts: Vec<TraceAccount> = Vec::new();
    let mut known: HashMap<TraceId, usize> = HashMap::new();
    for payload in payloads {
        let mut marker = sampling.marker();
        let mut marks = Vec::with_capacity(SPANS);
        scan(payload, Checks::Journalled, |scanned| {
            marker.mark(scanned, &mut marks);
            let (mark, view) = (*marks.last().expect("marked"), &scanned.span);
            let Some(trace_id) = TraceId::from_wire(view.trace_id) else { return };
            let operation = view.name.iter().fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(*byte));
            let index = *known.entry(trace_id).or_insert_with(|| {
                accounts.push(TraceAccount {
                    trace_id,
                    bits: 0,
                    spans: 0,
                    generation: 1,
                    bytes: 0,
                    start_min_ns: u64::MAX,
                    end_max_ns: 0,
                    arrived_ns: 0,
                    operation,
                    has_root: true,
                    notes: [0; 2],
                });
                accounts.len() - 1
            });
            let account = &mut accounts[index];
            account.bits |= mark.bits;
            account.spans += 1;
            account.start_min_ns = account.start_min_ns.min(view.start_ns);
            account.end_max_ns = account.end_max_ns.max(view.end_ns);
            spans.push((
                index,
                mark,
                operation,
                view.start_ns,
                view.end_ns.saturating_sub(view.start_ns),
                view.status_code as i8,
            ));
        })
        .expect("well formed");
    }
    let mut judge = sampling.judge();
    let (mut observed, mut decided) = (f64::INFINITY, f64::INFINITY);
    for pass in 1..=PASSES as u64 {
        // 800,000 spans a second.
        let now_ns = |index: usize| pass * 1_000_000_000 + index as u64 * 1250;
        let start = Instant::now();
        for (number, (index, mark, operation, start_ns, duration_ns, status_code)) in spans.iter().enumerate() {
            let span = ArrivedSpan {
                tenant: &tenant,
                mark: *mark,
                service: b"",
                name: b"",
                operation: *operation,
                start_ns: *start_ns,
                duration_ns: *duration_ns,
                status_code: *status_code,
                arrived_ns: now_ns(number),
            };
            judge.observe(&span, &mut accounts[*index]);
        }
        observed = observed.min(start.elapsed().as_nanos() as f64 / spans.len() as f64);
        let start = Instant::now();
        for (number, account) in accounts.iter().enumerate() {
            black_box(judge.decide(account, Cause::Due, now_ns(number * 8)));
        }
        decided = decided.min(start.elapsed().as_nanos() as f64 / accounts.len() as f64);
    }
    (observed, decided)
}
