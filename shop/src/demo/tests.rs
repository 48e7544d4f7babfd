//! The story holds: who is guilty, by how much, and the same for whoever asks.

use std::collections::HashMap;

use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::Span,
};

use super::*;

const MINUTE_NS: u64 = 60_000_000_000;
const NOW_NS: u64 = 1_790_000_000_000_000_000;

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let value = attributes.iter().find(|one| one.key == key).and_then(|one| one.value.as_ref()?.value.as_ref());
    match value {
        Some(Any::StringValue(text)) => text,
        _ => "",
    }
}

fn int(attributes: &[KeyValue], key: &str) -> Option<i64> {
    let value = attributes.iter().find(|one| one.key == key).and_then(|one| one.value.as_ref()?.value.as_ref());
    match value {
        Some(Any::IntValue(int)) => Some(*int),
        _ => None,
    }
}

/// Spans with their service, version and region.
fn spans(sent: &Sent) -> Vec<(String, String, String, Span)> {
    let request = ExportTraceServiceRequest::decode(&sent.traces[..]).expect("valid OTLP");
    let mut spans = Vec::new();
    for of in request.resource_spans {
        let resource = of.resource.expect("a resource").attributes;
        let named = |key| text(&resource, key).to_owned();
        for span in of.scope_spans.into_iter().flat_map(|of| of.spans) {
            spans.push((named("service.name"), named("service.version"), named("cloud.region"), span));
        }
    }
    spans
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

#[test]
fn the_same_seed_tells_the_same_story_whoever_asks_when() {
    let demo = || Demo::new(7, Story::under_way(NOW_NS, 10 * MINUTE_NS), 200.0);
    let whole = spans(&demo().between(NOW_NS, NOW_NS + MINUTE_NS));
    assert!((9_000..15_000).contains(&whole.len()), "{} spans in a minute", whole.len());
    let mut pieces = Vec::new();
    for second in 0..60 {
        let from_ns = NOW_NS + second * MINUTE_NS / 60;
        pieces.extend(spans(&demo().between(from_ns, from_ns + MINUTE_NS / 60)));
    }
    let ids = |spans: &[(String, String, String, Span)]| {
        let mut ids: Vec<_> =
            spans.iter().map(|(.., span)| (span.span_id.clone(), span.start_time_unix_nano)).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&whole), ids(&pieces));
    assert_ne!(
        ids(&whole),
        ids(&spans(&Demo::new(8, Story::under_way(NOW_NS, 10 * MINUTE_NS), 200.0).between(NOW_NS, NOW_NS + MINUTE_NS)))
    );
}

#[test]
fn the_new_version_is_guilty() {
    let demo = Demo::new(7, Story::under_way(NOW_NS, 10 * MINUTE_NS), 2_000.0);
    let sent = demo.between(NOW_NS - 2 * MINUTE_NS, NOW_NS + 2 * MINUTE_NS);
    let spans = spans(&sent);
    let by_id: HashMap<_, _> =
        spans.iter().map(|(service, .., span)| (span.span_id.clone(), (service, span))).collect();
    let calls: Vec<_> = spans.iter().filter(|(service, .., span)| service == "cart" && span.kind == 2).collect();
    let new: Vec<_> = calls.iter().filter(|(_, version, ..)| version == "1.8.0").collect();
    let share = new.len() as f64 / calls.len() as f64;
    assert!((0.035..0.065).contains(&share), "{share} of {}", calls.len());
    let failed: Vec<_> = new.iter().filter(|(.., span)| is_error(span)).collect();
    let failing = failed.len() as f64 / new.len() as f64;
    assert!((0.08..0.17).contains(&failing), "{failing} of {}", new.len());
    for (_, _, region, span) in &failed {
        let is_blamed = span.events.iter().any(|event| text(&event.attributes, "exception.type") == BLAME.0);
        if is_blamed {
            assert_eq!(region, "eu-west-1");
            assert!(int(&span.attributes, "app.cart.items") > Some(20));
            let (caller, parent) = by_id[&span.parent_span_id];
            assert!(caller != "cart" && is_error(parent), "callers suffer");
        }
    }
    let p99_ns = |calls: &[&&(String, String, String, Span)]| {
        let mut durations: Vec<u64> =
            calls.iter().map(|(.., span)| span.end_time_unix_nano - span.start_time_unix_nano).collect();
        durations.sort_unstable();
        durations[durations.len() * 99 / 100]
    };
    let all: Vec<_> = calls.iter().collect();
    let stable: Vec<_> = calls.iter().filter(|(_, version, ..)| version != "1.8.0").collect();
    let slower = p99_ns(&all) as f64 / p99_ns(&stable) as f64;
    assert!((2.0..5.0).contains(&slower), "P99 is {slower} times what it was");
    for (.., span) in &spans {
        if let Some((_, parent)) = by_id.get(&span.parent_span_id).filter(|_| span.kind != 5) {
            assert!(
                parent.start_time_unix_nano <= span.start_time_unix_nano
                    && parent.end_time_unix_nano >= span.end_time_unix_nano
            );
        }
    }
}

#[test]
fn calm_times_have_one_version_and_lines_name_their_trace() {
    let demo = Demo::new(7, Story::under_way(NOW_NS, 10 * MINUTE_NS), 200.0);
    let sent = demo.between(NOW_NS + 4 * MINUTE_NS, NOW_NS + 5 * MINUTE_NS);
    let spans = spans(&sent);
    assert!(spans.iter().all(|(service, version, ..)| service != "cart" || version == "1.7.4"));
    assert!(spans.iter().filter(|(.., span)| is_error(span)).count() * 50 < spans.len());
    assert_eq!(sent.spans, spans.len() as u64);
    let logs = ExportLogsServiceRequest::decode(&sent.logs[..]).expect("valid OTLP");
    let lines: Vec<_> =
        logs.resource_logs.iter().flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records).collect();
    assert_eq!(sent.lines, lines.len() as u64);
    assert!(lines.len() * 20 > spans.len(), "{} lines", lines.len());
    for line in lines {
        let Some(Any::StringValue(body)) = line.body.as_ref().and_then(|body| body.value.as_ref()) else {
            panic!("no text: {line:?}")
        };
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["trace_id"], weir_proto::ids::hex(&line.trace_id));
        assert!(spans.iter().any(|(.., span)| span.span_id == line.span_id && span.trace_id == line.trace_id));
    }
}
