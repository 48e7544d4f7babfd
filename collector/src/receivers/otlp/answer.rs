//! What an OTLP client is told: ExportTraceServiceResponse (and its like) and google.rpc.Status, in protobuf or JSON.

use bytes::Bytes;
use prost::Message;
use serde_json::json;
use weir_port::Refusal;
use weir_proto::{
    Signal,
    otlp::messages::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
};

use crate::receivers::intake::{Accepted, Format};

/// The response to an export. Empty when every item was accepted: `{}` in JSON. In protobuf the responses of all signals look the same.
/// A warning is a partial success of which nothing was rejected, as the specification has it.
pub(super) fn response(format: &Format, signal: Signal, accepted: &Accepted) -> Bytes {
    let json_form = format.is_otlp_json();
    let Accepted { partial, warning, .. } = accepted;
    if partial.is_none() && warning.is_none() {
        return Bytes::from_static(if json_form { b"{}" } else { b"" });
    }
    let rejected_spans = partial.as_ref().map_or(0, |partial| i64::from(partial.rejected));
    let words: Vec<&str> = partial.iter().map(|partial| &*partial.message).chain(warning.as_deref()).collect();
    let error_message = words.join("; ");
    if json_form {
        // 64-bit numbers are text in the proto3 JSON mapping.
        let rejected = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        };
        let partial = json!({rejected: rejected_spans.to_string(), "errorMessage": error_message});
        return json!({"partialSuccess": partial}).to_string().into();
    }
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
    ExportTraceServiceResponse { partial_success }.encode_to_vec().into()
}

/// A google.rpc.Status.
pub(super) fn status(format: &Format, refusal: &Refusal) -> Bytes {
    if !format.is_otlp_json() {
        return refusal.rpc_status().into();
    }
    let mut status = json!({"code": refusal.code(), "message": refusal.to_string()});
    if let Some(delay) = refusal.retry_delay() {
        let retry_delay = format!("{}s", delay.as_secs());
        status["details"] = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}]);
    }
    status.to_string().into()
}
