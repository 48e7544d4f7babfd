//! The messages of an ExportLogsServiceRequest (opentelemetry-proto 1.8: logs).

use super::{
    schema::{Kind, Message, field, message},
    surroundings::{ANY_VALUE, KEY_VALUE, RESOURCE, SCOPE},
};

/// The outermost one.
pub(super) static REQUEST: Message =
    message(4, &[field("resourceLogs", "resource_logs", 1, Kind::Repeated(&RESOURCE_LOGS))]);

static RESOURCE_LOGS: Message = message(
    3,
    &[
        field("resource", "resource", 1, Kind::Owner(&RESOURCE)),
        field("scopeLogs", "scope_logs", 2, Kind::Repeated(&SCOPE_LOGS)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static SCOPE_LOGS: Message = message(
    3,
    &[
        field("scope", "scope", 1, Kind::Owner(&SCOPE)),
        field("logRecords", "log_records", 2, Kind::Repeated(&LOG_RECORD)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static LOG_RECORD: Message = message(
    2,
    &[
        field("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
        field("observedTimeUnixNano", "observed_time_unix_nano", 11, Kind::Fixed64),
        field("severityNumber", "severity_number", 2, Kind::Enum(&SEVERITY_NUMBERS)),
        field("severityText", "severity_text", 3, Kind::Text),
        field("body", "body", 5, Kind::Message(&ANY_VALUE)),
        field("attributes", "attributes", 6, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 7, Kind::Uint32),
        field("flags", "flags", 8, Kind::Fixed32),
        field("traceId", "trace_id", 9, Kind::Hex),
        field("spanId", "span_id", 10, Kind::Hex),
        field("eventName", "event_name", 12, Kind::Text),
    ],
);

static SEVERITY_NUMBERS: [&str; 25] = [
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];
