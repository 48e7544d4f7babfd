//! The messages of an ExportMetricsServiceRequest (opentelemetry-proto 1.8: metrics).

use super::{
    schema::{Kind, Message, field, message},
    surroundings::{KEY_VALUE, RESOURCE, SCOPE},
};

/// The outermost one.
pub(super) static REQUEST: Message =
    message(4, &[field("resourceMetrics", "resource_metrics", 1, Kind::Repeated(&RESOURCE_METRICS))]);

static RESOURCE_METRICS: Message = message(
    3,
    &[
        field("resource", "resource", 1, Kind::Owner(&RESOURCE)),
        field("scopeMetrics", "scope_metrics", 2, Kind::Repeated(&SCOPE_METRICS)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static SCOPE_METRICS: Message = message(
    3,
    &[
        field("scope", "scope", 1, Kind::Owner(&SCOPE)),
        field("metrics", "metrics", 2, Kind::Repeated(&METRIC)),
        field("schemaUrl", "schema_url", 3, Kind::Text),
    ],
);

static METRIC: Message = message(
    2,
    &[
        field("name", "name", 1, Kind::Text),
        field("description", "description", 2, Kind::Text),
        field("unit", "unit", 3, Kind::Text),
        field("gauge", "gauge", 5, Kind::Message(&GAUGE)),
        field("sum", "sum", 7, Kind::Message(&SUM)),
        field("histogram", "histogram", 9, Kind::Message(&HISTOGRAM)),
        field("exponentialHistogram", "exponential_histogram", 10, Kind::Message(&EXPONENTIAL)),
        field("summary", "summary", 11, Kind::Message(&SUMMARY)),
        field("metadata", "metadata", 12, Kind::Repeated(&KEY_VALUE)),
    ],
);

static GAUGE: Message = message(2, &[field("dataPoints", "data_points", 1, Kind::Repeated(&NUMBER_POINT))]);

static SUM: Message = message(
    2,
    &[
        field("dataPoints", "data_points", 1, Kind::Repeated(&NUMBER_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
        field("isMonotonic", "is_monotonic", 3, Kind::Bool),
    ],
);

static HISTOGRAM: Message = message(
    2,
    &[
        field("dataPoints", "data_points", 1, Kind::Repeated(&HISTOGRAM_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
    ],
);

static EXPONENTIAL: Message = message(
    2,
    &[
        field("dataPoints", "data_points", 1, Kind::Repeated(&EXPONENTIAL_POINT)),
        field("aggregationTemporality", "aggregation_temporality", 2, Kind::Enum(&TEMPORALITIES)),
    ],
);

static SUMMARY: Message = message(2, &[field("dataPoints", "data_points", 1, Kind::Repeated(&SUMMARY_POINT))]);

static TEMPORALITIES: [&str; 3] =
    ["AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE"];

static NUMBER_POINT: Message = message(
    2,
    &[
        field("attributes", "attributes", 7, Kind::Repeated(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("asDouble", "as_double", 4, Kind::Double),
        field("asInt", "as_int", 6, Kind::Sfixed64),
        field("exemplars", "exemplars", 5, Kind::Repeated(&EXEMPLAR)),
        field("flags", "flags", 8, Kind::Uint32),
    ],
);

static HISTOGRAM_POINT: Message = message(
    2,
    &[
        field("attributes", "attributes", 9, Kind::Repeated(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        field("sum", "sum", 5, Kind::Double),
        field("bucketCounts", "bucket_counts", 6, Kind::Fixed64s),
        field("explicitBounds", "explicit_bounds", 7, Kind::Doubles),
        field("exemplars", "exemplars", 8, Kind::Repeated(&EXEMPLAR)),
        field("flags", "flags", 10, Kind::Uint32),
        field("min", "min", 11, Kind::Double),
        field("max", "max", 12, Kind::Double),
    ],
);

static EXPONENTIAL_POINT: Message = message(
    2,
    &[
        field("attributes", "attributes", 1, Kind::Repeated(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        field("sum", "sum", 5, Kind::Double),
        field("scale", "scale", 6, Kind::Sint32),
        field("zeroCount", "zero_count", 7, Kind::Fixed64),
        field("positive", "positive", 8, Kind::Message(&BUCKETS)),
        field("negative", "negative", 9, Kind::Message(&BUCKETS)),
        field("flags", "flags", 10, Kind::Uint32),
        field("exemplars", "exemplars", 11, Kind::Repeated(&EXEMPLAR)),
        field("min", "min", 12, Kind::Double),
        field("max", "max", 13, Kind::Double),
        field("zeroThreshold", "zero_threshold", 14, Kind::Double),
    ],
);

static BUCKETS: Message =
    message(1, &[field("offset", "offset", 1, Kind::Sint32), field("bucketCounts", "bucket_counts", 2, Kind::Uint64s)]);

static SUMMARY_POINT: Message = message(
    2,
    &[
        field("attributes", "attributes", 7, Kind::Repeated(&KEY_VALUE)),
        field("startTimeUnixNano", "start_time_unix_nano", 2, Kind::Fixed64),
        field("timeUnixNano", "time_unix_nano", 3, Kind::Fixed64),
        field("count", "count", 4, Kind::Fixed64),
        field("sum", "sum", 5, Kind::Double),
        field("quantileValues", "quantile_values", 6, Kind::Repeated(&VALUE_AT_QUANTILE)),
        field("flags", "flags", 8, Kind::Uint32),
    ],
);

static VALUE_AT_QUANTILE: Message =
    message(1, &[field("quantile", "quantile", 1, Kind::Double), field("value", "value", 2, Kind::Double)]);

static EXEMPLAR: Message = message(
    1,
    &[
        field("filteredAttributes", "filtered_attributes", 7, Kind::Repeated(&KEY_VALUE)),
        field("timeUnixNano", "time_unix_nano", 2, Kind::Fixed64),
        field("asDouble", "as_double", 3, Kind::Double),
        field("asInt", "as_int", 6, Kind::Sfixed64),
        field("spanId", "span_id", 4, Kind::Hex),
        field("traceId", "trace_id", 5, Kind::Hex),
    ],
);
