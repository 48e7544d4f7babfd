//! What OpenTelemetry Collector files have beside what Weir does: components and keys that are needless here, or not
//! there yet, each in words.

use super::{
    components::Kind,
    yaml::{Node, Problem, Step, Value},
};

/// How something of the Collector stands here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing {
    /// Taken without effect, and why nothing is lost by that.
    Needless(&'static str),
    /// Not there yet, and what to use.
    Missing(&'static str),
}

use Standing::{Missing, Needless};

/// One type of component, and how it stands.
type Row = (&'static str, Standing);

const BY_SCRAPING: Standing =
    Missing("let an exporter of Prometheus' expose it and the prometheus receiver scrape that, or send OTLP");
const METRICS: Standing = Missing("metrics are kept as they come");
const LOGS: Standing = Missing("log records are kept as they come");
const EARLIER: Standing = Missing("change spans before they come, in the SDK or in a Collector that sends OTLP here");
const NOT_SENT_ON: Standing = Missing("Weir keeps what it receives and sends nothing on; a Collector can send to both");
const BY_OTLP: Standing = Missing("let a Collector receive it and send OTLP here");

const RECEIVERS: &[Row] = &[
    ("jaeger", Missing("send OTLP, as Jaeger's clients of today do, or let a Collector receive it")),
    ("opencensus", BY_OTLP),
    ("kafka", BY_OTLP),
    ("awsxray", BY_OTLP),
    ("datadog", BY_OTLP),
    ("skywalking", BY_OTLP),
    ("sapm", BY_OTLP),
    ("googlecloudpubsub", BY_OTLP),
    ("otelarrow", BY_OTLP),
    ("solace", BY_OTLP),
    ("nop", Needless("it receives nothing")),
    ("prometheus_simple", Missing("the prometheus receiver takes scrape_configs")),
    ("prometheus_remote_write", Missing("it is called prometheusremotewrite")),
    ("hostmetrics", BY_SCRAPING),
    ("host_metrics", BY_SCRAPING),
    ("kubeletstats", BY_SCRAPING),
    ("k8s_cluster", BY_SCRAPING),
    ("docker_stats", BY_SCRAPING),
    ("statsd", BY_SCRAPING),
    ("httpcheck", BY_SCRAPING),
    ("postgresql", BY_SCRAPING),
    ("mysql", BY_SCRAPING),
    ("redis", BY_SCRAPING),
    ("nginx", BY_SCRAPING),
    ("journald", LOGS),
    ("elasticsearch", Missing("bulk requests are taken by elasticsearch_bulk; a cluster's metrics are to be scraped")),
    ("tcplog", LOGS),
    ("udplog", LOGS),
    ("fluentforward", LOGS),
    ("k8sobjects", LOGS),
    ("k8s_events", LOGS),
    ("windowseventlog", LOGS),
];

const PROCESSORS: &[Row] = &[
    ("batch", Needless("requests that come together share one fsync as they are")),
    ("memory_limiter", Needless("memory is bounded by inflight_mib_max of receivers and by storage.head")),
    ("groupbytrace", Needless("tail_sampling gathers traces by itself")),
    (
        "filter",
        Missing("a tail_sampling policy of type drop leaves traces out; single spans are left out before they come"),
    ),
    ("attributes", EARLIER),
    ("resource", EARLIER),
    ("span", EARLIER),
    ("transform", EARLIER),
    ("redaction", EARLIER),
    ("unroll", EARLIER),
    ("k8sattributes", EARLIER),
    ("k8s_attributes", EARLIER),
    ("resourcedetection", EARLIER),
    ("resource_detection", EARLIER),
    ("groupbyattrs", EARLIER),
    ("schema", EARLIER),
    ("geoip", EARLIER),
    ("routing", Missing("everything is kept in one place")),
    (
        "spanmetrics",
        Missing("ask in SQL: SELECT service, name, count(*), p99(duration_ns) FROM spans GROUP BY service, name"),
    ),
    ("servicegraph", Missing("GET /api/v1/dependencies counts calls")),
    ("cumulativetodelta", METRICS),
    ("deltatorate", METRICS),
    ("deltatocumulative", METRICS),
    ("metricstransform", METRICS),
    ("metricsgeneration", METRICS),
    ("metricstarttime", METRICS),
    ("interval", METRICS),
    ("logdedup", LOGS),
    ("logstransform", LOGS),
];

const EXPORTERS: &[Row] = &[
    ("debug", Missing("look at spans with `weir sql \"SELECT * FROM spans LIMIT 10\"`")),
    ("logging", Missing("look at spans with `weir sql \"SELECT * FROM spans LIMIT 10\"`")),
    ("file", Missing("Weir keeps spans on disk by itself; `weir sql --format json` writes them out")),
    ("jaeger", Missing("Weir keeps spans itself and answers Jaeger's API under /jaeger/api on its query endpoint")),
    ("zipkin", NOT_SENT_ON),
    ("otlp", NOT_SENT_ON),
    ("otlp_grpc", NOT_SENT_ON),
    ("otlphttp", NOT_SENT_ON),
    ("otlp_http", NOT_SENT_ON),
    ("otelarrow", NOT_SENT_ON),
    ("loadbalancing", Missing("one weir decides on all spans of a trace; nothing has to be balanced")),
    ("load_balancing", Missing("one weir decides on all spans of a trace; nothing has to be balanced")),
    ("nop", Needless("Weir keeps what it receives, whatever is exported")),
    ("kafka", NOT_SENT_ON),
    ("datadog", NOT_SENT_ON),
    ("awsxray", NOT_SENT_ON),
    ("awss3", NOT_SENT_ON),
    ("googlecloud", NOT_SENT_ON),
    ("azuremonitor", NOT_SENT_ON),
    ("elasticsearch", NOT_SENT_ON),
    ("opensearch", NOT_SENT_ON),
    ("clickhouse", NOT_SENT_ON),
    ("sapm", NOT_SENT_ON),
    ("signalfx", NOT_SENT_ON),
    ("splunk_hec", NOT_SENT_ON),
    ("honeycombmarker", NOT_SENT_ON),
    ("logzio", NOT_SENT_ON),
    ("coralogix", NOT_SENT_ON),
    ("prometheus", Missing("Prometheus' own API is on the query endpoint, under /prometheus")),
    ("prometheusremotewrite", NOT_SENT_ON),
    ("prometheus_remote_write", NOT_SENT_ON),
    ("awsemf", NOT_SENT_ON),
    ("loki", LOGS),
    ("syslog", LOGS),
    ("awscloudwatchlogs", LOGS),
];

const CONNECTORS: &[Row] = &[
    (
        "spanmetrics",
        Missing("ask in SQL: SELECT service, name, count(*), p99(duration_ns) FROM spans GROUP BY service, name"),
    ),
    (
        "span_metrics",
        Missing("ask in SQL: SELECT service, name, count(*), p99(duration_ns) FROM spans GROUP BY service, name"),
    ),
    ("servicegraph", Missing("GET /api/v1/dependencies counts calls")),
    ("service_graph", Missing("GET /api/v1/dependencies counts calls")),
    ("count", Missing("ask in SQL: SELECT count(*) FROM spans")),
    ("forward", Missing("a receiver's spans take one way through processors and are kept once")),
    ("routing", Missing("everything is kept in one place")),
    ("failover", Missing("everything is kept in one place")),
    ("roundrobin", Missing("everything is kept in one place")),
    ("exceptions", Missing("exceptions are events of spans: search for exception.type")),
    ("sum", METRICS),
    ("datadog", METRICS),
];

const EXTENSIONS: &[Row] = &[
    ("health_check", Needless("/healthz and /readyz are on the query endpoint")),
    ("healthcheckv2", Needless("/healthz and /readyz are on the query endpoint")),
    ("zpages", Needless("/metrics, /api/v1/ledger and /api/v1/sampling on the query endpoint tell what happens")),
    ("pprof", Needless("there is no Go runtime to profile; /metrics is on the query endpoint")),
    ("memory_ballast", Needless("there is no garbage collector to calm")),
    ("file_storage", Needless("the journal keeps what was acknowledged")),
    ("db_storage", Needless("the journal keeps what was acknowledged")),
    ("opamp", Needless("there is no remote control; SIGHUP reads the file again")),
    ("basicauth", Needless("nobody is asked who they are yet; put a proxy before the ports")),
    ("bearertokenauth", Needless("nobody is asked who they are yet; put a proxy before the ports")),
    ("oidc", Needless("nobody is asked who they are yet; put a proxy before the ports")),
    ("oauth2client", Needless("it is about sending on, and nothing is sent on")),
    ("headers_setter", Needless("it is about sending on, and nothing is sent on")),
    ("sigv4auth", Needless("it is about sending on, and nothing is sent on")),
];

/// Sections of other programs' files, and where what they hold stands here.
const SECTIONS: &[(&[&str], &str)] = &[
    (
        &["global", "scrape_configs", "scrape_config_files"],
        "what prometheus.yml says of scraping stands in `receivers: {prometheus: {config: {…}}}`",
    ),
    (&["rule_files"], "it stands in `alerting`, and the Alertmanagers beside it"),
    (&["remote_write", "remote_read"], "Weir keeps what it receives; others write to /prometheus/api/v1/write"),
    (
        &["groups"],
        "this is a file of rules: `alerting: {rule_files: [FILE]}` names it, `weir rules check FILE` reads it",
    ),
    (
        &["clients", "positions"],
        "promtail goes on as it is, with its URL at /loki/api/v1/push; or the receiver filelog reads the files",
    ),
    (
        &["distributor", "ingester", "compactor", "querier", "schema_config", "storage_config", "limits_config"],
        "this is a file of Loki or Tempo: `storage` says where data is kept and for how long, `query` what queries may take",
    ),
];

/// What to say of a section that other programs have.
pub(super) fn section(name: &str) -> Option<&'static str> {
    SECTIONS.iter().find(|(names, _)| names.contains(&name)).map(|(_, words)| *words)
}

/// How a component of this type stands here; `None` for what the Collector does not have either.
pub(super) fn standing(kind: Kind, component_type: &str) -> Option<Standing> {
    let rows = match kind {
        Kind::Receiver => RECEIVERS,
        Kind::Processor => PROCESSORS,
        Kind::Exporter => EXPORTERS,
        Kind::Connector => CONNECTORS,
        Kind::Extension => EXTENSIONS,
    };
    let known = rows.iter().find(|(known, _)| *known == component_type).map(|(_, standing)| *standing);
    known.or((kind == Kind::Extension).then_some(Needless("Weir needs no extensions")))
}

/// Keys of the Collector's that a receiver has there and not here, by the path behind its id.
const KEYS: &[(&str, Standing)] = &[
    ("protocols.grpc.transport", Needless("TCP it is")),
    ("protocols.grpc.read_buffer_size", Needless("buffers grow with what arrives")),
    ("protocols.grpc.write_buffer_size", Needless("buffers grow with what is written")),
    ("protocols.grpc.include_metadata", Needless("no processor asks for it")),
    ("protocols.grpc.keepalive.enforcement_policy", Needless("pings are answered however often they come")),
    ("protocols.grpc.tls", TLS),
    ("protocols.grpc.auth", AUTH),
    ("protocols.grpc.middlewares", Missing("there are no middlewares")),
    ("protocols.http.transport", Needless("TCP it is")),
    ("protocols.http.include_metadata", Needless("no processor asks for it")),
    ("protocols.http.compression_algorithms", Needless("identity, gzip, zstd and deflate are taken")),
    ("protocols.http.keep_alives_enabled", Needless("idle_timeout ends connections")),
    ("protocols.http.write_timeout", Needless("answers are short")),
    ("protocols.http.profiles_url_path", Needless("profiles are not there yet")),
    ("protocols.http.tls", TLS),
    ("protocols.http.auth", AUTH),
    ("protocols.http.response_headers", Missing("answers have no headers of their own")),
    ("protocols.http.middlewares", Missing("there are no middlewares")),
    ("protocols.http.cors.exposed_headers", Needless("pages need no header of an answer")),
    ("include_metadata", Needless("no processor asks for it")),
    ("compression_algorithms", Needless("identity, gzip, zstd and deflate are taken")),
    ("keep_alives_enabled", Needless("idle_timeout ends connections")),
    ("write_timeout", Needless("answers are short")),
    ("tls", TLS),
    ("auth", AUTH),
    ("response_headers", Missing("answers have no headers of their own")),
    ("middlewares", Missing("there are no middlewares")),
    ("cors.exposed_headers", Needless("pages need no header of an answer")),
];

/// The same of `filelog` alone.
const FILE_KEYS: &[(&str, Standing)] = &[
    ("storage", Needless("the journal keeps where files were read to, together with their lines")),
    ("retry_on_failure", Needless("a file is read on only as far as the journal takes its lines")),
    ("polls_to_archive", Needless("files that are gone are known for a day, in the journal's catalog")),
    ("on_truncate", Needless("what is in a file that was cut is read; what was read of it is not")),
    ("file_cache_advise", Needless("pages that were read are the kernel's to keep")),
    ("acquire_fs_lock", Needless("files are read whoever writes to them")),
    ("delete_after_read", Missing("files stay; let logrotate remove them")),
    ("header", Missing("header lines are lines; a filter operator drops them")),
    ("ordering_criteria", Missing("files are read oldest first; exclude names those that are not wanted")),
];

/// The same of receivers of one type.
const KEYS_OF: &[(&str, &[(&str, Standing)])] =
    &[("file_log", FILE_KEYS), ("filelog", FILE_KEYS), ("splunk_hec", SPLUNK_HEC), ("syslog", SYSLOG)];

const SPLUNK_HEC: &[(&str, Standing)] = &[
    ("access_token_passthrough", Needless("tokens are not kept")),
    ("raw_path", Missing("text is taken at /services/collector/raw")),
    ("health_path", Missing("health is told at /services/collector/health")),
    ("splitting", Needless("raw text is an event a line")),
    ("hec_metadata_to_otel_attrs", Missing("names are the Collector's defaults")),
    ("ack", Missing("what is answered is kept: there is nothing to acknowledge later")),
];

const SYSLOG: &[(&str, Standing)] = &[
    ("enable_octet_counting", Needless("counted messages are told from lines by themselves")),
    ("max_octets", Needless("tcp.max_log_size bounds messages")),
    ("allow_skip_pri_header", Needless("messages without a priority are kept as texts")),
    ("non_transparent_framing_trailer", Needless("lines end with a line feed")),
    ("on_error", Needless("messages that cannot be read are kept as texts")),
    ("operators", Missing("messages are kept as they come")),
    ("attributes", Missing("messages are kept as they come")),
    ("resource", Missing("messages are kept as they come")),
    ("tcp.one_log_per_packet", Needless("messages are told apart whatever packets they come in")),
    ("tcp.encoding", Needless("messages are UTF-8; what is not is replaced, and flagged")),
    ("tcp.multiline", Missing("counted messages may have several lines")),
    ("udp.one_log_per_packet", Needless("a datagram is a message")),
    ("udp.encoding", Needless("messages are UTF-8; what is not is replaced, and flagged")),
    ("udp.async", Needless("messages are received while others are kept")),
];

const TLS: Standing = Missing("put a proxy before the port");
const AUTH: Standing = Missing("nobody is asked who they are; put a proxy before the port");

/// Takes the Collector's keys out of a receiver's settings: those that are needless into `warnings`, the others into
/// `problems`.
pub(super) fn take_out(node: &mut Node, id: &str, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let component_type = id.split('/').next().unwrap_or_default().trim();
    // A receiver of files has nothing in common with those that listen.
    let shared: &[(&str, Standing)] = if matches!(component_type, "filelog" | "file_log") { &[] } else { KEYS };
    let own = KEYS_OF.iter().filter(|(of, _)| *of == component_type).flat_map(|(_, keys)| keys.iter());
    for (path, standing) in shared.iter().chain(own) {
        let keys: Vec<&str> = path.split('.').collect();
        let Some((entry, true)) = node.innermost(&keys) else { continue };
        let at = entry.at;
        let way: Vec<Step> = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
        let is_off = match &entry.node.value {
            Value::Null => true,
            Value::Scalar { text, is_plain } => *is_plain && text == "false",
            Value::List(_) | Value::Map(_) => false,
        };
        let (list, words) = match standing {
            // Nothing is asked for.
            Missing(_) if is_off => {
                node.leave_out(&way, false);
                continue;
            }
            Needless(words) => (&mut *warnings, format!("is not needed here: {words}")),
            Missing(words) => (&mut *problems, format!("is not there yet: {words}")),
        };
        let message = format!("receivers.{id}.{path} {words}");
        let steps = [&[Step::Key("receivers".into()), Step::Key(id.to_owned())], &*way].concat();
        list.push(Problem { at, steps, message });
        node.leave_out(&way, false);
    }
}
