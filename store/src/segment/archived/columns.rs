//! The tables that others read in the archive: their columns, and where each comes from.

use weir_proto::Signal;

use crate::{
    ask::span::Place,
    segment::{
        attributes::ValueKind,
        schema::{fixed, lines},
    },
    verdict::kept::POLICY_ATTRIBUTE,
};

/// Of the lists below. A column that is added gets the next one; none is changed or taken away.
pub(crate) const TABLE_VERSION: u32 = 1;

/// The type of a table's column, in the words of open tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// UTF-8.
    Text,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// 64-bit float.
    Double,
    /// true or false.
    Boolean,
    /// µs since 1970, UTC.
    Timestamp,
    /// From text to text.
    Map,
}

/// Where the values are in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::segment) enum Origin {
    /// This fixed column.
    Fixed(usize),
    /// A fixed column of Unix ns, as µs.
    Micros(usize),
    /// A fixed column of numbers, as these words.
    Word(usize, &'static [&'static str]),
    /// Bodies, with those put together again that are kept in parts.
    Body,
    /// An attribute of this key.
    Attribute(Place, &'static str),
    /// Attributes that have no column in the table, or another type than it.
    Others(Place),
    /// Nothing has it yet.
    Nowhere,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableColumn {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: ColumnType,
    /// Where it comes from.
    pub(in crate::segment) origin: Origin,
}

const KINDS: &[&str] = &["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUS_CODES: &[&str] = &["unset", "ok", "error"];

const fn column(name: &'static str, kind: ColumnType, origin: Origin) -> TableColumn {
    TableColumn { name, kind, origin }
}

/// Spans, but for attributes.
const SPANS: &[TableColumn] = &[
    column("start_time", ColumnType::Timestamp, Origin::Micros(fixed::START_TIME)),
    column("start_unix_nano", ColumnType::Long, Origin::Fixed(fixed::START_TIME)),
    column("duration_ns", ColumnType::Long, Origin::Fixed(fixed::DURATION)),
    column("trace_id", ColumnType::Text, Origin::Fixed(fixed::TRACE_ID)),
    column("span_id", ColumnType::Text, Origin::Fixed(fixed::SPAN_ID)),
    column("parent_span_id", ColumnType::Text, Origin::Fixed(fixed::PARENT_SPAN_ID)),
    column("service", ColumnType::Text, Origin::Fixed(fixed::SERVICE)),
    column("name", ColumnType::Text, Origin::Fixed(fixed::NAME)),
    column("kind", ColumnType::Text, Origin::Word(fixed::KIND, KINDS)),
    column("status_code", ColumnType::Text, Origin::Word(fixed::STATUS_CODE, STATUS_CODES)),
    column("status_message", ColumnType::Text, Origin::Fixed(fixed::STATUS_MESSAGE)),
    column("adjusted_count", ColumnType::Double, Origin::Fixed(fixed::ADJUSTED_COUNT)),
    column("sampling_policy", ColumnType::Text, Origin::Attribute(Place::Span, POLICY_ATTRIBUTE)),
    column("scope_name", ColumnType::Text, Origin::Fixed(fixed::SCOPE_NAME)),
    column("scope_version", ColumnType::Text, Origin::Fixed(fixed::SCOPE_VERSION)),
    column("events", ColumnType::Text, Origin::Fixed(fixed::EVENTS)),
    column("links", ColumnType::Text, Origin::Fixed(fixed::LINKS)),
];

/// Log records, but for attributes.
const LINES: &[TableColumn] = &[
    column("time", ColumnType::Timestamp, Origin::Micros(lines::TIME)),
    column("time_unix_nano", ColumnType::Long, Origin::Fixed(lines::TIME)),
    column("observed_time", ColumnType::Timestamp, Origin::Micros(lines::OBSERVED_TIME)),
    column("trace_id", ColumnType::Text, Origin::Fixed(lines::TRACE_ID)),
    column("span_id", ColumnType::Text, Origin::Fixed(lines::SPAN_ID)),
    column("service", ColumnType::Text, Origin::Fixed(lines::SERVICE)),
    column("severity_number", ColumnType::Int, Origin::Fixed(lines::SEVERITY_NUMBER)),
    column("severity_text", ColumnType::Text, Origin::Fixed(lines::SEVERITY_TEXT)),
    column("body", ColumnType::Text, Origin::Body),
    column("body_is_json", ColumnType::Boolean, Origin::Fixed(lines::BODY_IS_JSON)),
    column("event_name", ColumnType::Text, Origin::Fixed(lines::EVENT_NAME)),
    column("scope_name", ColumnType::Text, Origin::Fixed(lines::SCOPE_NAME)),
    column("scope_version", ColumnType::Text, Origin::Fixed(lines::SCOPE_VERSION)),
];

const fn text(place: Place, name: &'static str, key: &'static str) -> TableColumn {
    column(name, ColumnType::Text, Origin::Attribute(place, key))
}

const fn long(place: Place, name: &'static str, key: &'static str) -> TableColumn {
    column(name, ColumnType::Long, Origin::Attribute(place, key))
}

/// Attributes that have a column of their own, after OpenTelemetry's semantic conventions.
const WELL_KNOWN: &[TableColumn] = &[
    text(Place::Span, "http_request_method", "http.request.method"),
    text(Place::Span, "http_route", "http.route"),
    long(Place::Span, "http_response_status_code", "http.response.status_code"),
    long(Place::Span, "http_request_body_size", "http.request.body.size"),
    long(Place::Span, "http_response_body_size", "http.response.body.size"),
    text(Place::Span, "http_method", "http.method"),
    long(Place::Span, "http_status_code", "http.status_code"),
    text(Place::Span, "http_target", "http.target"),
    text(Place::Span, "http_url", "http.url"),
    text(Place::Span, "url_full", "url.full"),
    text(Place::Span, "url_path", "url.path"),
    text(Place::Span, "url_query", "url.query"),
    text(Place::Span, "url_scheme", "url.scheme"),
    text(Place::Span, "user_agent_original", "user_agent.original"),
    text(Place::Span, "client_address", "client.address"),
    text(Place::Span, "server_address", "server.address"),
    long(Place::Span, "server_port", "server.port"),
    text(Place::Span, "network_peer_address", "network.peer.address"),
    long(Place::Span, "network_peer_port", "network.peer.port"),
    text(Place::Span, "network_protocol_name", "network.protocol.name"),
    text(Place::Span, "network_protocol_version", "network.protocol.version"),
    text(Place::Span, "peer_service", "peer.service"),
    text(Place::Span, "db_system_name", "db.system.name"),
    text(Place::Span, "db_namespace", "db.namespace"),
    text(Place::Span, "db_collection_name", "db.collection.name"),
    text(Place::Span, "db_operation_name", "db.operation.name"),
    text(Place::Span, "db_query_text", "db.query.text"),
    text(Place::Span, "db_query_summary", "db.query.summary"),
    text(Place::Span, "db_response_status_code", "db.response.status_code"),
    text(Place::Span, "db_system", "db.system"),
    text(Place::Span, "db_name", "db.name"),
    text(Place::Span, "db_operation", "db.operation"),
    text(Place::Span, "db_statement", "db.statement"),
    text(Place::Span, "rpc_system", "rpc.system"),
    text(Place::Span, "rpc_service", "rpc.service"),
    text(Place::Span, "rpc_method", "rpc.method"),
    long(Place::Span, "rpc_grpc_status_code", "rpc.grpc.status_code"),
    text(Place::Span, "messaging_system", "messaging.system"),
    text(Place::Span, "messaging_destination_name", "messaging.destination.name"),
    text(Place::Span, "messaging_operation_name", "messaging.operation.name"),
    text(Place::Span, "messaging_operation_type", "messaging.operation.type"),
    text(Place::Span, "messaging_message_id", "messaging.message.id"),
    text(Place::Span, "messaging_consumer_group_name", "messaging.consumer.group.name"),
    text(Place::Span, "error_type", "error.type"),
    text(Place::Span, "exception_type", "exception.type"),
    text(Place::Span, "exception_message", "exception.message"),
    text(Place::Span, "faas_trigger", "faas.trigger"),
    text(Place::Resource, "service_namespace", "service.namespace"),
    text(Place::Resource, "service_version", "service.version"),
    text(Place::Resource, "service_instance_id", "service.instance.id"),
    text(Place::Resource, "deployment_environment_name", "deployment.environment.name"),
    text(Place::Resource, "deployment_environment", "deployment.environment"),
    text(Place::Resource, "k8s_cluster_name", "k8s.cluster.name"),
    text(Place::Resource, "k8s_namespace_name", "k8s.namespace.name"),
    text(Place::Resource, "k8s_deployment_name", "k8s.deployment.name"),
    text(Place::Resource, "k8s_statefulset_name", "k8s.statefulset.name"),
    text(Place::Resource, "k8s_daemonset_name", "k8s.daemonset.name"),
    text(Place::Resource, "k8s_pod_name", "k8s.pod.name"),
    text(Place::Resource, "k8s_pod_uid", "k8s.pod.uid"),
    text(Place::Resource, "k8s_container_name", "k8s.container.name"),
    text(Place::Resource, "k8s_node_name", "k8s.node.name"),
    text(Place::Resource, "container_id", "container.id"),
    text(Place::Resource, "container_name", "container.name"),
    text(Place::Resource, "container_image_name", "container.image.name"),
    text(Place::Resource, "host_name", "host.name"),
    text(Place::Resource, "host_id", "host.id"),
    text(Place::Resource, "host_arch", "host.arch"),
    text(Place::Resource, "cloud_provider", "cloud.provider"),
    text(Place::Resource, "cloud_account_id", "cloud.account.id"),
    text(Place::Resource, "cloud_region", "cloud.region"),
    text(Place::Resource, "cloud_availability_zone", "cloud.availability_zone"),
    long(Place::Resource, "process_pid", "process.pid"),
    text(Place::Resource, "telemetry_sdk_language", "telemetry.sdk.language"),
    text(Place::Resource, "telemetry_sdk_name", "telemetry.sdk.name"),
    text(Place::Resource, "telemetry_sdk_version", "telemetry.sdk.version"),
];

const OTHERS: &[TableColumn] = &[
    column("attributes", ColumnType::Map, Origin::Others(Place::Span)),
    column("resource", ColumnType::Map, Origin::Others(Place::Resource)),
];

/// Samples. They are written from series, not from columns of a segment.
const SAMPLES: &[TableColumn] = &[
    column("metric", ColumnType::Text, Origin::Nowhere),
    column("labels", ColumnType::Map, Origin::Nowhere),
    column("time", ColumnType::Timestamp, Origin::Nowhere),
    column("value", ColumnType::Double, Origin::Nowhere),
    column("histogram_count", ColumnType::Double, Origin::Nowhere),
    column("histogram_sum", ColumnType::Double, Origin::Nowhere),
];

/// A signal's table, in the order of its columns.
pub(crate) fn table_columns(signal: Signal) -> Vec<TableColumn> {
    if signal == Signal::Metrics {
        return SAMPLES.to_vec();
    }
    let own = if signal == Signal::Logs { LINES } else { SPANS };
    [own, WELL_KNOWN, OTHERS].concat()
}

impl ColumnType {
    /// The type of the attributes that fit.
    pub(in crate::segment) fn value_kind(self) -> Option<ValueKind> {
        match self {
            Self::Text => Some(ValueKind::Text),
            Self::Long => Some(ValueKind::Int),
            Self::Double => Some(ValueKind::Double),
            Self::Boolean => Some(ValueKind::Bool),
            Self::Int | Self::Timestamp | Self::Map => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_quotes_and_are_there_once() {
        for signal in Signal::ALL {
            let mut names: Vec<&str> = table_columns(signal).iter().map(|column| column.name).collect();
            let plain =
                |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte));
            assert!(names.iter().all(plain));
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
