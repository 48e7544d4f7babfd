//! The messages of an ExportTraceServiceRequest (opentelemetry-proto 1.8: trace).

use super::{
    schema::{Kind, Message, field, message, renamed},
    surroundings::{KEY_VALUE, RESOURCE, SCOPE},
};

/// The outermost one.
pub(super) static REQUEST: Message =
    message(4, &[field("resourceSpans", "resource_spans", 1, Kind::Repeated(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = message(
    3,
    &[
        field("resource", "resource", 1, Kind::Owner(&RESOURCE)),
        renamed("instrumentationLibrarySpans", field("scopeSpans", "scope_spans", 2, Kind::Repeated(&SCOPE_SPANS))),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static SCOPE_SPANS: Message = message(
    3,
    &[
        renamed("instrumentationLibrary", field("scope", "scope", 1, Kind::Owner(&SCOPE))),
        field("spans", "spans", 2, Kind::Repeated(&SPAN)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static SPAN: Message = message(
    2,
    &[
        field("traceId", "trace_id", 1, Kind::Hex),
        field("spanId", "span_id", 2, Kind::Hex),
        field("traceState", "trace_state", 3, Kind::Text),
        field("parentSpanId", "parent_span_id", 4, Kind::Hex),
        field("flags", "flags", 16, Kind::Fixed32),
        field("name", "name", 5, Kind::Text),
        field("kind", "kind", 6, Kind::Enum(&SPAN_KINDS)),
        field("startTimeUnixNano", "start_time_unix_nano", 7, Kind::Fixed64),
        field("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
        field("attributes", "attributes", 9, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 10, Kind::Uint32),
        field("events", "events", 11, Kind::Repeated(&EVENT)),
        field("droppedEventsCount", "dropped_events_count", 12, Kind::Uint32),
        field("links", "links", 13, Kind::Repeated(&LINK)),
        field("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
        field("status", "status", 15, Kind::Message(&STATUS)),
    ],
);

static SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

static EVENT: Message = message(
    1,
    &[
        field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        field("name", "name", 2, Kind::Text),
        field("attributes", "attributes", 3, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
    ],
);

static LINK: Message = message(
    1,
    &[
        field("traceId", "trace_id", 1, Kind::Hex),
        field("spanId", "span_id", 2, Kind::Hex),
        field("traceState", "trace_state", 3, Kind::Text),
        field("attributes", "attributes", 4, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 5, Kind::Uint32),
        field("flags", "flags", 6, Kind::Fixed32),
    ],
);

static STATUS: Message =
    message(1, &[field("message", "message", 2, Kind::Text), field("code", "code", 3, Kind::Enum(&STATUS_CODES))]);

static STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
