//! Tail sampling of traces that come in parts, with policies that remember: over stops of both kinds, and over reloads.

use std::{collections::BTreeMap, net::SocketAddr, sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use weir_benches::{query::Query, rng::Rng, server::Server};
use weir_proto::{
    TraceId,
    otlp::messages::{common::v1::any_value::Value as Any, trace::v1::Span},
    time::Clock,
};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::try_post_to,
};

/// Longest wait for verdicts, a reload, or a stop.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// When every span starts: what is sent twice is the same.
static START_NS: LazyLock<u64> = LazyLock::new(|| Clock::system().now_ns());

/// A span: of which trace, which of its spans (0 is the root), and what policies look at.
#[derive(Clone, Copy)]
struct Part {
    trace: u64,
    number: u64,
    name: &'static str,
    failed: bool,
    lane: &'static str,
}

/// The root of a trace.
fn root(trace: u64) -> Part {
    Part { trace, number: 0, name: "work", failed: false, lane: "" }
}

/// What else belongs to it.
fn child(trace: u64, number: u64) -> Part {
    Part { number, name: ["", "step", "end"][number as usize], ..root(trace) }
}

fn trace_id(trace: u64) -> TraceId {
    TraceId((u128::from(trace) + 1).to_be_bytes())
}

fn span(part: &Part) -> Value {
    let id = |number: u64| format!("{:016x}", part.trace * 16 + number + 1);
    let start_ns = *START_NS;
    json!({
        "traceId": trace_id(part.trace).to_string(), "spanId": id(part.number), "name": part.name, "kind": 1,
        "parentSpanId": if part.number > 0 { id(0) } else { String::new() },
        "startTimeUnixNano": start_ns.to_string(), "endTimeUnixNano": (start_ns + 1_000_000).to_string(),
        "status": { "code": if part.failed { 2 } else { 0 } },
        "attributes": [{ "key": "lane", "value": { "stringValue": part.lane } }],
    })
}

/// One batch, acknowledged.
async fn send(server: &Server, parts: impl IntoIterator<Item = Part>) {
    assert!(try_send(server.http, parts).await, "refused");
}

/// One batch; whether it was acknowledged.
async fn try_send(address: SocketAddr, parts: impl IntoIterator<Item = Part>) -> bool {
    let spans: Vec<Value> = parts.into_iter().map(|part| span(&part)).collect();
    let service = json!([{ "key": "service.name", "value": { "stringValue": "parts" } }]);
    let request =
        json!({ "resourceSpans": [{ "resource": { "attributes": service }, "scopeSpans": [{ "spans": spans }] }] });
    let headers = [("content-type", "application/json")];
    let answer = try_post_to("/v1/traces", address, &headers, request.to_string().into()).await;
    answer.is_ok_and(|(status, _)| status.is_success())
}

/// Waits until every span has its verdict.
async fn decided(query: &Query, weir: &Weir) {
    let started = Instant::now();
    while query.ledger().await.expect("answers").pending > 0 {
        assert!(started.elapsed() < WAIT_MAX, "spans still wait for their verdicts\n{}", weir.options.log());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Who keeps each of these traces, whole; those that were dropped are left out.
async fn keepers(query: &Query, traces: impl IntoIterator<Item = u64>, spans_each: usize) -> BTreeMap<u64, String> {
    let mut keepers = BTreeMap::new();
    for trace in traces {
        let (answer, states) = query.trace_and_states(trace_id(trace)).await.expect("answers");
        let spans: Vec<Span> = answer.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect();
        assert_eq!(states.pending, 0);
        assert!(spans.is_empty() || spans.len() == spans_each, "{} spans of trace {trace}", spans.len());
        let mut names: Vec<String> = spans.iter().map(policy).collect();
        names.dedup();
        assert!(names.len() <= 1, "trace {trace} is kept by {names:?}");
        keepers.extend(names.pop().map(|name| (trace, name)));
    }
    keepers
}

/// The policy that kept a span; nothing when nobody was asked.
fn policy(span: &Span) -> String {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == "weir.sampling.policy");
    match attribute.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Any::StringValue(name)) => name,
        _ => String::new(),
    }
}

/// A block with these policies.
fn processors(wait_seconds: u64, policies: &str) -> String {
    format!("processors:\n  tail_sampling:\n    decision_wait: {wait_seconds}s\n    policies:\n{policies}")
}

async fn stop(weir: &Weir, server: Server) {
    let exit = server.stop(WAIT_MAX).await.expect("stops");
    assert!(exit.success(), "{exit}\n{}", weir.options.log());
}

#[tokio::test]
async fn traces_in_parts_and_used_up_limits_survive_stops() {
    let mut weir = Weir::new(71, SMALL);
    // The limit's bucket holds twenty traces and is never filled again.
    weir.options.more = processors(
        5,
        "      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: rare, type: rare, rare: {traces: 2}}
      - {name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 0, burst_capacity: 60}}
",
    );
    let mut seen = BTreeMap::new();
    for (cycle, new_name) in ["first", "second", "third"].into_iter().enumerate() {
        let first = cycle as u64 * 100;
        let traces = first..first + 40;
        let new = first + 7;
        let fails = |trace: u64| (trace - first).is_multiple_of(3);
        let server = weir.start().await;
        let roots =
            traces.clone().map(|trace| if trace == new { Part { name: new_name, ..root(trace) } } else { root(trace) });
        send(&server, roots).await;
        // What policies have learned is written down here, and not below.
        stop(&weir, server).await;
        let server = weir.start().await;
        send(&server, traces.clone().map(|trace| Part { failed: fails(trace), ..child(trace, 1) })).await;
        server.kill().await.expect("killed");
        let server = weir.start().await;
        send(&server, traces.clone().map(|trace| child(trace, 2))).await;
        let query = Query::new(server.query);
        decided(&query, &weir).await;
        let keepers = keepers(&query, traces.clone(), 3).await;
        let by = |name: &str| -> Vec<u64> {
            keepers.iter().filter(|(_, keeper)| *keeper == name).map(|(trace, _)| *trace).collect()
        };
        assert_eq!(by("errors"), traces.clone().filter(|trace| fails(*trace)).collect::<Vec<_>>());
        // The first two of each name and status, and the new one, which was pending over both stops.
        assert_eq!(by("rare"), if cycle == 0 { vec![1, 2, new] } else { vec![new] });
        let by_limit = by("limit");
        assert!(if cycle == 0 { (1..=20).contains(&by_limit.len()) } else { by_limit.is_empty() }, "{by_limit:?}");
        seen.extend(keepers);
        stop(&weir, server).await;
    }
    let server = weir.start().await;
    let query = Query::new(server.query);
    assert_eq!(keepers(&query, (0..3).flat_map(|cycle| cycle * 100..cycle * 100 + 40), 3).await, seen);
    let ledger = query.ledger().await.expect("answers");
    assert_eq!((ledger.accepted, ledger.kept), (360, 3 * seen.len() as u64));
    assert!(ledger.balances(), "{ledger:?}");
}

/// Traces that begin in one step. Their other parts come with the two steps after it.
const STEP_TRACES: u64 = 10;

/// The parts that are sent in one step; every third trace fails in its last one.
fn step(step: u64) -> impl Iterator<Item = Part> {
    let of = |step: u64, number: u64| {
        (step * STEP_TRACES..(step + 1) * STEP_TRACES).map(move |trace| match number {
            0 => root(trace),
            _ => Part { failed: number == 2 && fails(trace), ..child(trace, number) },
        })
    };
    (0..3).filter(move |number| *number <= step).flat_map(move |number| of(step - number, number))
}

fn fails(trace: u64) -> bool {
    trace.is_multiple_of(3)
}

#[tokio::test]
async fn traces_in_parts_survive_kills_at_any_moment() {
    const WAIT: Duration = Duration::from_secs(2);
    let seed = Clock::system().now_ns();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut weir = Weir::new(seed, SMALL);
    weir.options.more =
        processors(WAIT.as_secs(), "      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}\n");
    // For each step: how long weir had run before it was first sent, and when it was acknowledged. Its own time is never ahead of that.
    let (mut sent, mut acked, mut ran) = (Vec::new(), Vec::new(), Duration::ZERO);
    for round in 0..30 {
        let started = Instant::now();
        let server = weir.start().await;
        let address = server.http;
        let deadline = Duration::from_micros(rng.below(60_000));
        let steps = async {
            loop {
                let next = acked.len() as u64;
                if sent.len() == acked.len() {
                    sent.push(ran + started.elapsed());
                }
                if !try_send(address, step(next)).await {
                    return;
                }
                acked.push(ran + started.elapsed());
            }
        };
        let kill = async {
            sleep(deadline).await;
            server.kill().await.expect("killed");
        };
        tokio::join!(steps, kill);
        ran += started.elapsed();
        assert!(round < 5 || !acked.is_empty(), "nothing arrives\n{}", weir.options.log());
    }
    let server = weir.start().await;
    let query = Query::new(server.query);
    decided(&query, &weir).await;
    let whole = (0..acked.len().saturating_sub(2)).filter(|step| acked[step + 2] - sent[*step] < WAIT);
    let traces: Vec<u64> =
        whole.flat_map(|step| (step as u64 * STEP_TRACES)..(step as u64 + 1) * STEP_TRACES).collect();
    assert!(!traces.is_empty(), "no trace came in time, in {} steps", acked.len());
    for &trace in &traces {
        // What came without an answer was sent once more.
        let spans = query.span_count(trace_id(trace)).await.expect("answers");
        assert_eq!(spans, if fails(trace) { 3 } else { 0 }, "trace {trace} of {}", acked.len() as u64 * STEP_TRACES);
    }
    let ledger = query.ledger().await.expect("answers");
    assert!(ledger.balances() && ledger.damaged == 0, "{ledger:?}");
}

/// SIGHUP with other policies, or none; waits until that is generation `generation`.
async fn reload(weir: &mut Weir, server: &Server, policies: Option<&str>, generation: u64) {
    weir.options.more = policies.map(|policies| processors(3, policies)).unwrap_or_default();
    server.reload(&weir.options).await.expect("signalled");
    let (query, started) = (Query::new(server.query), Instant::now());
    while query.json("/api/v1/sampling").await.expect("answers").1["generation"] != generation {
        assert!(started.elapsed() < WAIT_MAX, "not taken up\n{}", weir.options.log());
        sleep(Duration::from_millis(10)).await;
    }
}

/// Kept: one trace of each name among those of the lane `south`, whatever else there is.
const FEW: &str = "      - {name: few, type: and, and: {and_sub_policy: [{name: one, type: rare, rare: {traces: 1}}, \
                   {name: south, type: string_attribute, string_attribute: {key: lane, values: [south]}}]}}\n";

#[tokio::test]
async fn traces_in_parts_are_judged_as_when_they_began_over_reloads() {
    let mut weir = Weir::new(73, SMALL);
    let errors = format!("      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}\n{FEW}");
    let north = format!(
        "      - {{name: north, type: string_attribute, string_attribute: {{key: lane, values: [north]}}}}\n{FEW}"
    );
    weir.options.more = processors(3, &errors);
    let server = weir.start().await;
    let query = Query::new(server.query);
    let failed = |part: Part| Part { failed: true, ..part };
    let of_lane = |lane: &'static str, part: Part| Part { lane, ..part };
    let south = |trace| of_lane("south", Part { name: "south", ..root(trace) });

    send(&server, [root(10), root(11), south(12)]).await;
    reload(&mut weir, &server, Some(&north), 2).await;
    let later = [failed(child(10, 1)), of_lane("north", child(11, 1)), child(12, 1)];
    let new = [root(20), failed(child(20, 1)), root(21), of_lane("north", child(21, 1)), south(22), child(22, 1)];
    send(&server, later.into_iter().chain(new)).await;
    decided(&query, &weir).await;
    let kept = |names: &[(u64, &str)]| -> BTreeMap<u64, String> {
        names.iter().map(|(trace, name)| (*trace, (*name).to_owned())).collect()
    };
    let expected = kept(&[(10, "errors"), (12, "few"), (21, "north")]);
    assert_eq!(keepers(&query, [10, 11, 12, 20, 21, 22], 2).await, expected);

    // Switched off: what has begun is still decided, with the spans that come meanwhile.
    send(&server, [root(30), root(31)]).await;
    reload(&mut weir, &server, None, 0).await;
    send(&server, [of_lane("north", child(30, 1)), child(31, 1), root(40)]).await;
    decided(&query, &weir).await;
    assert_eq!(keepers(&query, [30, 31], 2).await, kept(&[(30, "north")]));
    assert_eq!(keepers(&query, [40], 1).await, kept(&[(40, "sampling_off")]));
    send(&server, [root(50)]).await;
    assert_eq!(keepers(&query, [50], 1).await, kept(&[(50, "")]));
    stop(&weir, server).await;

    let server = weir.start().await;
    let query = Query::new(server.query);
    assert_eq!(keepers(&query, [10, 11, 12, 20, 21, 22], 2).await, expected);
    assert_eq!(keepers(&query, [30, 31], 2).await, kept(&[(30, "north")]));
    let ledger = query.ledger().await.expect("answers");
    assert_eq!((ledger.accepted, ledger.kept, ledger.pending), (18, 10, 0), "{ledger:?}");
}
