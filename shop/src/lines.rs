//! Log lines beside spans: JSON, with the trace's id in it, as services write them.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::json;
use weir_proto::{
    ids::hex,
    otlp::messages::{
        common::v1::{AnyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
    },
};

use crate::{
    journey::{Role, SpanPlan},
    rng::Rng,
    traffic::TraceValues,
    wire::Writer,
};

/// OTLP's severities.
const INFO: i32 = 9;
const WARN: i32 = 13;
const ERROR: i32 = 17;

/// Lines by their resource, as it is encoded.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    by_resource: BTreeMap<Vec<u8>, Vec<LogRecord>>,
    len: u64,
}

impl Lines {
    /// How many.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds what a span's service says meanwhile, if it says anything.
    pub(crate) fn of_span(
        &mut self,
        rng: &mut Rng,
        plan: &SpanPlan,
        (trace, id): (&TraceValues, [u8; 8]),
        resource: impl FnOnce() -> Writer,
    ) {
        let duration_ms = f64::from(plan.duration_ns / 1000) / 1000.0;
        let (severity, level, mut said) = match (plan.role, plan.failed) {
            (Role::HttpServer(method, route), false) => (
                INFO,
                "info",
                json!({"msg": format!("{method} {route} done"), "route": route, "duration_ms": duration_ms}),
            ),
            (Role::HttpServer(method, route), true) => {
                let (error, message) = plan.blame.unwrap_or(("UpstreamError", "upstream request failed"));
                (
                    ERROR,
                    "error",
                    json!({"msg": format!("{method} {route} failed: {message}"), "route": route, "error": error, "duration_ms": duration_ms}),
                )
            }
            (Role::RpcServer(service, method), true) => {
                let (error, message) = plan.blame.unwrap_or(("RpcError", "request failed"));
                (ERROR, "error", json!({"msg": message, "rpc": format!("{service}/{method}"), "error": error}))
            }
            (Role::Cache(command), _) if rng.percent(2) => (
                WARN,
                "warn",
                json!({"msg": "cache took longer than 5 ms", "command": command, "duration_ms": duration_ms}),
            ),
            (Role::Work(name), _) if rng.percent(30) => {
                (INFO, "info", json!({"msg": name, "duration_ms": duration_ms}))
            }
            _ => return,
        };
        let time_ns = trace.at(plan.start_ns.saturating_add(plan.duration_ns / 10 * 9));
        said["level"] = level.into();
        said["ts"] = (time_ns as f64 / 1e9).into();
        said["trace_id"] = hex(&trace.id).into();
        said["span_id"] = hex(&id).into();
        said["user"] = format!("u-{}", trace.user).into();
        let line = LogRecord {
            time_unix_nano: time_ns,
            observed_time_unix_nano: time_ns,
            severity_number: severity,
            severity_text: level.to_uppercase(),
            body: Some(AnyValue { value: Some(Value::StringValue(said.to_string())) }),
            trace_id: trace.id.to_vec(),
            span_id: id.to_vec(),
            ..LogRecord::default()
        };
        self.by_resource.entry(resource().bytes).or_default().push(line);
        self.len += 1;
    }

    /// As a request has them.
    pub(crate) fn into_resource_logs(self) -> Vec<ResourceLogs> {
        let of_resource = |(resource, log_records): (Vec<u8>, Vec<LogRecord>)| ResourceLogs {
            resource: Some(Resource::decode(&resource[..]).expect("it was encoded here")),
            scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        };
        self.by_resource.into_iter().map(of_resource).collect()
    }
}
