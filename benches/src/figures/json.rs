//! JSON as it is taken in: transcoded to protobuf on one thread, beside the way through serde_json and prost's messages.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use prost::Message;
use weir_proto::{
    ids::hex,
    otlp::{
        json::{TranscodeLimits, transcode_traces},
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{KeyValue, any_value::Value},
        },
    },
    zipkin::{TranscodeOptions, transcode_spans},
};

use super::{Row, Settings};
use crate::shop::{BatchKey, HEAD_LEN, Traffic};

const SPANS_PER_BATCH: usize = 1000;

/// Each way is measured for so long.
const MEASURED: Duration = Duration::from_secs(3);

pub(super) fn run(_: &Settings) -> anyhow::Result<Vec<Row>> {
    let traffic = Traffic::new(7, SPANS_PER_BATCH, 1);
    let mut payload = Vec::new();
    traffic.fill(BatchKey { number: 1, base_ns: 1_700_000_000_000_000_000 }, &mut payload);
    let payload = payload.split_off(HEAD_LEN);
    let request = ExportTraceServiceRequest::decode(&*payload)?;
    let json = serde_json::to_vec(&request)?;
    let limits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 30 };
    let transcoded = transcode_traces(&json, limits)?;
    ensure!(ExportTraceServiceRequest::decode(&*transcoded)? == request, "transcoding changes the request");

    let zipkin = zipkin_of(&request)?;
    let options = TranscodeOptions { parse_string_tags: false, received_at_ns: 0, bytes_max: 1 << 30 };
    let row = |what: &str, bytes: usize, per_second: f64| {
        let (spans, mib) = (per_second * SPANS_PER_BATCH as f64, per_second * bytes as f64 / (1 << 20) as f64);
        Row::reported(format!("{what}, one thread"), format!("{spans:.0} spans/s, {mib:.0} MiB/s"))
    };
    let own = batches_per_second(|| transcode_traces(&json, limits).map(|payload| payload.len()).unwrap_or(0));
    let standard = batches_per_second(|| {
        let request: Result<ExportTraceServiceRequest, _> = serde_json::from_slice(&json);
        request.map_or(0, |request| request.encode_to_vec().len())
    });
    let own_zipkin = batches_per_second(|| transcode_spans(&zipkin, options).map(|payload| payload.len()).unwrap_or(0));
    Ok(vec![
        row("OTLP/JSON to protobuf", json.len(), own),
        row("OTLP/JSON to protobuf through serde_json and prost", json.len(), standard),
        row("Zipkin v2 JSON to protobuf", zipkin.len(), own_zipkin),
    ])
}

fn batches_per_second(mut batch: impl FnMut() -> usize) -> f64 {
    let (started, mut batches) = (Instant::now(), 0);
    while started.elapsed() < MEASURED {
        assert!(std::hint::black_box(batch()) > 0, "it was transcoded before");
        batches += 1;
    }
    f64::from(batches) / started.elapsed().as_secs_f64()
}

/// The same spans as Zipkin's tracers would send them.
fn zipkin_of(request: &ExportTraceServiceRequest) -> anyhow::Result<Vec<u8>> {
    let mut spans = Vec::new();
    for resource_spans in &request.resource_spans {
        let resource = resource_spans.resource.as_ref().context("shop traffic names its services")?;
        let service = tags(&resource.attributes).remove("service.name");
        for span in resource_spans.scope_spans.iter().flat_map(|scope_spans| &scope_spans.spans) {
            let kind = ["", "", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][span.kind as usize % 6];
            spans.push(serde_json::json!({
                "traceId": hex(&span.trace_id), "id": hex(&span.span_id), "name": span.name, "kind": kind,
                "parentId": (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id)),
                "timestamp": span.start_time_unix_nano / 1000,
                "duration": (span.end_time_unix_nano - span.start_time_unix_nano) / 1000,
                "localEndpoint": {"serviceName": service, "ipv4": "10.1.2.3"}, "tags": tags(&span.attributes),
            }));
        }
    }
    Ok(serde_json::to_vec(&spans)?)
}

fn tags(attributes: &[KeyValue]) -> serde_json::Map<String, serde_json::Value> {
    let mut tags = serde_json::Map::new();
    for KeyValue { key, value, .. } in attributes {
        let text = match value.clone().and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            other => format!("{other:?}"),
        };
        tags.insert(key.clone(), text.into());
    }
    tags
}
