//! Configurations and what they come to; wrong ones and the exact message.

mod alerting;
mod collectors;
mod files;
mod probing;
mod samplers;
mod scraping;
mod shippers;

use std::{path::Path, time::Duration};

use weir_proto::otlp::logs::IdNames;
use weir_store::StoreOptions;

use super::*;

fn parse(source: &str) -> Result<Config, ConfigError> {
    Config::parse(source, "weir.yaml", |name| match name {
        "LONG_NAME" => Some("x".into()),
        "DAYS" => Some("3d".into()),
        _ => None,
    })
}

fn message(source: &str) -> String {
    match parse(source) {
        Ok(config) => panic!("accepted: {source}\n{config:?}"),
        Err(error) => error.to_string(),
    }
}

const MIB: u64 = 1 << 20;

#[test]
fn the_built_in_file_is_the_defaults() {
    let built_in = Config::built_in();
    assert_eq!(built_in.receivers.keys().collect::<Vec<_>>(), ["otlp", "prometheus"]);
    assert_eq!(built_in.differences(&parse("").expect("an empty file")), Vec::<&str>::new());
    let options = built_in.storage.options(Path::new("d"));
    assert_eq!(format!("{options:?}"), format!("{:?}", StoreOptions::new("d")));
}

#[test]
fn every_file_in_configs_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("configs/ is there") {
        let path = entry.expect("an entry").path();
        // The rules in configs/alerts/ have tests of their own.
        if path.is_dir() {
            continue;
        }
        Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        files += 1;
    }
    assert!(files >= 2);
}

#[test]
fn every_option_of_the_store_has_a_key() {
    let config = parse(
        "
storage:
  path: /data
  retention: {traces: '${env:DAYS}', logs: 5d, metrics: 6d}
  size_max: 100GiB
  free_min: 1MiB
  series_max: 12
  series_per_job_max: 11
  metric_families_max: 10
  exemplars_max: 9
  accept: {past: 1h}
  journal:
    file_size_max: 2MiB
    file_age_max: 2s
    metrics_file_size_max: 3MiB
    metrics_file_age_max: 4s
    commit_delay_max: 3ms
    commit_size_max: 4MiB
    queue_size_max: 5MiB
    unsealed_size_max: 66MiB
  head: {spans_max: 5, payload_size_max: 7MiB}
  seal: {size_max: 8MiB, age_max: 9s, journal_size_max: 3GiB}
  merge: {debt_size_max: 100MiB, segment_rows_max: 11}
service: {drain_max: 12s, freed_memory: give_back}
",
    )
    .expect("valid");
    let options = config.storage.options(Path::new("/data"));
    let expected = StoreOptions {
        path: "/data".into(),
        free_bytes_min: MIB,
        journal_file_bytes_max: 2 * MIB,
        journal_file_age_max: Duration::from_secs(2),
        metrics_file_bytes_max: 3 * MIB,
        metrics_file_age_max: Duration::from_secs(4),
        commit_delay_max: Duration::from_millis(3),
        commit_bytes_max: 4 * MIB,
        append_queue_bytes_max: 5 * MIB,
        unsealed_bytes_max: 66 * MIB,
        head_spans_max: 5,
        series_max: 12,
        series_per_job_max: 11,
        metric_families_max: 10,
        exemplars_max: 9,
        head_payload_bytes_max: 7 * MIB,
        seal_bytes_max: 8 * MIB,
        seal_age_max: Duration::from_secs(9),
        seal_journal_bytes_max: 3 << 30,
        merge_debt_bytes_max: 100 * MIB,
        segment_rows_max: 11,
        retention_traces: Some(Duration::from_secs(3 * 24 * 3600)),
        retention_logs: Some(Duration::from_secs(5 * 24 * 3600)),
        retention_metrics: Some(Duration::from_secs(6 * 24 * 3600)),
        size_bytes_max: Some(100 << 30),
        archive: None,
        line_ids: IdNames::USUAL,
    };
    assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    assert_eq!(config.storage.path.as_deref(), Some(Path::new("/data")));
    assert_eq!((config.drain_max, config.freed_memory), (Duration::from_secs(12), FreedMemory::GiveBack));
    let window = Accept::Window { past: Duration::from_secs(3600), future: Duration::from_secs(600) };
    assert_eq!(config.storage.accept, window);
}

#[test]
fn words_stand_for_no_limit() {
    let config = parse("storage: {accept: any, retention: {traces: forever}}").expect("valid");
    assert_eq!(config.storage.accept, Accept::Any);
    assert_eq!(config.storage.options(Path::new("")).retention_traces, None);
}

#[test]
fn sections_without_a_value_are_as_good_as_left_out() {
    let config =
        parse("receivers:\nprocessors:\nexporters: {}\nservice:\nstorage:\n  journal:\nquery:\n").expect("valid");
    assert_eq!(Config::built_in().differences(&config), Vec::<&str>::new());
}

#[test]
fn pipelines_choose_the_receivers() {
    let two = "receivers: {otlp: , otlp/b: {protocols: {grpc: {endpoint: ':5317'}}}}\n";
    let ids = |text: &str| {
        let config = parse(&format!("{two}{text}")).unwrap_or_else(|error| panic!("{error}"));
        config.receivers.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(ids(""), ["otlp", "otlp/b"]);
    assert_eq!(ids("service: {pipelines: {traces: {receivers: [otlp/b]}}}"), ["otlp/b"]);
    assert_eq!(
        ids("service: {pipelines: {traces: {receivers: [otlp]}, traces/2: {receivers: [otlp, otlp/b]}}}"),
        ["otlp", "otlp/b"]
    );
    assert!(parse("receivers: {}").expect("valid").receivers.is_empty());
}

#[test]
fn a_wrong_name_says_where_and_what_to_write() {
    for (source, expected) in [
        (
            "storage:\n  retenton: {traces: 7d}\n",
            "weir.yaml:2:3: unknown key `retenton`; did you mean `retention`? Known here: path, retention, size_max, \
             free_min, series_max, series_per_job_max, metric_families_max, exemplars_max, accept, journal, head, seal, merge, logs, archive",
        ),
        (
            "recievers: {}\n",
            "weir.yaml:1:1: unknown key `recievers`; did you mean `receivers`? Known here: receivers, processors, \
             exporters, connectors, extensions, service, storage, query, alerting",
        ),
        (
            "scrape_configs: []\n",
            "weir.yaml:1:1: `scrape_configs` is no section here: what prometheus.yml says of scraping stands in `receivers: {prometheus: {config: {…}}}`",
        ),
        (
            "groups: []\n",
            "weir.yaml:1:1: `groups` is no section here: this is a file of rules: `alerting: {rule_files: [FILE]}` names it, `weir rules check FILE` reads it",
        ),
        (
            "receivers:\n  kafka: {}\n",
            "weir.yaml:2:3: receiver `kafka` is not there yet: let a Collector receive it and send OTLP here",
        ),
        (
            "receivers:\n  kafkaesque: {}\n",
            "weir.yaml:2:3: unknown receiver `kafkaesque`. Known here: elasticsearch_bulk, file_log, filelog, loki, otlp, prometheus, prometheusremotewrite, splunk_hec, synthetic, syslog, zipkin",
        ),
        (
            "receivers:\n  otpl: {}\n",
            "weir.yaml:2:3: unknown receiver `otpl`; did you mean `otlp`? Known here: elasticsearch_bulk, file_log, filelog, loki, otlp, prometheus, prometheusremotewrite, splunk_hec, synthetic, syslog, zipkin",
        ),
        ("receivers:\n  otlp/: {}\n", "weir.yaml:2:3: `otlp/` has no name after the /"),
        ("receivers: {otlp: {}, otlp: {}}\n", "weir.yaml:1:23: the key `otlp` is there twice"),
        ("receivers: [otlp]\n", "weir.yaml:1:12: receivers: expected keys and values here"),
        (
            "processors:\n  attributes: {actions: []}\n",
            "weir.yaml:2:3: processor `attributes` is not there yet: change spans before they come, in the SDK or in a \
             Collector that sends OTLP here",
        ),
        (
            "exporters: {debug: }\n",
            "weir.yaml:1:13: exporter `debug` is not there yet: look at spans with `weir sql \"SELECT * FROM spans LIMIT 10\"`",
        ),
        (
            "service: {pipelines: {profiles: {receivers: [otlp]}}}\n",
            "weir.yaml:1:23: pipeline `profiles` is not there yet: this weir receives traces, logs, metrics",
        ),
        (
            "service:\n  pipelines:\n    traces:\n      receivers: [otlp, otlp/x]\n",
            "weir.yaml:4:25: unknown receiver `otlp/x`. Known here: otlp, prometheus",
        ),
        (
            "service: {pipelines: {traces: {receivers: [otlp], processors: [batch]}}}\n",
            "weir.yaml:1:64: unknown processor `batch`; there are none",
        ),
        (
            "service: {pipelines: {traces: {receiver: [otlp]}}}\n",
            "weir.yaml:1:32: unknown key `receiver`; did you mean `receivers`? Known here: receivers, processors, exporters",
        ),
        (
            "receivers:\n  otlp:\n    protocols: {grpc: {endpont: x}}\n",
            "weir.yaml:3:24: unknown key `endpont`; did you mean `endpoint`? Known here: endpoint, max_recv_msg_size_mib, \
             max_concurrent_streams, keepalive, connections_max, header_bytes_max, read_timeout",
        ),
        (
            "receivers:\n  otlp:\n    inflight_mib_max: 0\n",
            "weir.yaml:3:23: receivers.otlp.inflight_mib_max: 0 is too small; at least 1",
        ),
    ] {
        assert_eq!(message(source), expected, "\n{source}");
    }
}

#[test]
fn a_wrong_value_says_where_and_what_to_write() {
    let cases = [
        (
            "query:\n  endpoint: nonsense\n",
            "weir.yaml:2:13: query.endpoint: `nonsense` is not an endpoint; write it like 127.0.0.1:4317 or :4317",
        ),
        (
            "receivers: {otlp: {protocols: {grpc: {endpoint: localhost}}}}\n",
            "weir.yaml:1:49: receivers.otlp.protocols.grpc.endpoint: `localhost` is not an endpoint; write it like 127.0.0.1:4317 or :4317",
        ),
        (
            "storage:\n  size_max: big\n",
            "weir.yaml:2:13: storage.size_max: `big` is not a size; write it like 64MiB, 100GB or 4096 (KiB, MiB, GiB, TiB, kB, MB, GB, TB)",
        ),
        (
            "storage: {journal: {file_size_max: 3GiB}}\n",
            "weir.yaml:1:36: storage.journal.file_size_max: `3GiB` is too large; at most 256MiB",
        ),
        (
            "storage: {journal: {file_size_max: 1KiB}}\n",
            "weir.yaml:1:36: storage.journal.file_size_max: `1KiB` is too small; at least 1MiB",
        ),
        (
            "storage: {journal: {commit_delay_max: 2s}}\n",
            "weir.yaml:1:39: storage.journal.commit_delay_max: `2s` is too long; at most 1s",
        ),
        (
            "storage: {journal: {file_age_max: 5ms}}\n",
            "weir.yaml:1:35: storage.journal.file_age_max: `5ms` is too short; at least 100ms",
        ),
        (
            "storage: {retention: {traces: 7}}\n",
            "weir.yaml:1:31: storage.retention.traces: `7` is not a duration: a number needs a unit; write it like 5ms, 10s, 1h30m or 7d (units ns, \
             us, ms, s, m, h, d, w), or forever",
        ),
        (
            "storage: {retention: {traces: 0}}\n",
            "weir.yaml:1:31: storage.retention.traces: a retention of 0 keeps nothing; write a duration or forever",
        ),
        (
            "storage:\n  accept: all\n",
            "weir.yaml:2:11: storage.accept: `all` is not a window; write any, or the keys past and future",
        ),
        ("storage:\n  accept:\n    passed: 7d\n", "weir.yaml:3:5: unknown key `passed`. Known here: past, future"),
        (
            "storage: {merge: {segment_rows_max: many}}\n",
            "weir.yaml:1:37: storage.merge.segment_rows_max: expected a whole number, 0 or more, that is not too large",
        ),
        (
            "receivers:\n  otlp/b:\n    span_limits: {}\n    protocols:\n      http: {connections_max: 5, header_bytes_max: 5}\n",
            "weir.yaml:5:52: receivers.otlp/b.protocols.http.header_bytes_max: 5 is too small; at least 8192",
        ),
        ("storage: {path: [a]}\n", "weir.yaml:1:17: storage.path: expected a single value here"),
        ("storage: 5\n", "weir.yaml:1:10: storage: expected keys and values here"),
        ("query:\n  queries_max: 0\n", "weir.yaml:2:16: query.queries_max: expected a whole number, 1 or more"),
        (
            "query: {sql: {memory_bytes_max: 1GiB, spill_bytes_max: 2Gi}}\n",
            "weir.yaml:1:56: query.sql.spill_bytes_max: `2Gi` is not a size; write it like 64MiB, 100GB or 4096 (KiB, MiB, GiB, TiB, kB, MB, GB, TB)",
        ),
        (
            "storage: {head: {spans_max: 0}}\n",
            "weir.yaml:1:29: storage.head.spans_max: expected a whole number, 1 or more",
        ),
        ("storage:\n  accept: [7d]\n", "weir.yaml:2:11: storage.accept: expected any, or the keys past and future"),
        ("storage:\n  path:\n    a: b\n", "weir.yaml:3:5: storage.path: expected a single value here"),
        (
            "receivers: {zipkin: {parse_string_tags: maybe}}\n",
            "weir.yaml:1:41: receivers.zipkin.parse_string_tags: expected true or false",
        ),
        (
            "receivers:\n  otlp:\n    protocols:\n      http:\n        cors:\n          allowed_origins: {x: }\n",
            "weir.yaml:6:28: receivers.otlp.protocols.http.cors.allowed_origins: expected a list here",
        ),
        (
            "query: {queries_max: &many 8, spans_max: '${env:LONG_NAME}', traces_max: *many}\n",
            "weir.yaml:1:42: query.spans_max: expected a whole number, 0 or more, that is not too large",
        ),
        ("storage: {}\n---\nstorage: {}\n", "weir.yaml:3:1: a second YAML document starts here; one is expected"),
        (
            "storage: {size_max: '${env:LONG_NAME}', sise_max: 1}\n",
            "weir.yaml:1:21: storage.size_max: `x` is not a size; write it like 64MiB, 100GB or 4096 (KiB, MiB, GiB, TiB, kB, MB, GB, TB)\n\
             weir.yaml:1:41: unknown key `sise_max`; did you mean `size_max`? Known here: path, retention, size_max, \
             free_min, series_max, series_per_job_max, metric_families_max, exemplars_max, accept, journal, head, seal, merge, logs, archive",
        ),
        (
            "storage: {path: '${env:LONG_NAME}', sise_max: 1}\n",
            "weir.yaml:1:37: unknown key `sise_max`; did you mean `size_max`? Known here: path, retention, size_max, \
             free_min, series_max, series_per_job_max, metric_families_max, exemplars_max, accept, journal, head, seal, merge, logs, archive",
        ),
        (
            "storage: {path: \"${env:NOWHERE}\"}\n",
            "weir.yaml:1:18: environment variable NOWHERE is not set; ${env:NOWHERE:-value} gives it a default",
        ),
        ("storage: {path: 'a\n", "weir.yaml:1:17: unclosed quote"),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), expected, "\n{source}");
    }
}

#[test]
fn two_listeners_at_one_address_are_named() {
    let one = "are one address: only one of them can listen there";
    let grpc = "receivers.otlp.protocols.grpc.endpoint";
    let cases = [
        (
            "query:\n  endpoint: ':4317'\n",
            format!("weir.yaml:2:13: query.endpoint (:4317) and {grpc} (127.0.0.1:4317, its default) {one}"),
        ),
        (
            "query: {endpoint: 'localhost:9000'}\nreceivers:\n  zipkin:\n    endpoint: '${env:NONE:-0.0.0.0}:9000'\n",
            format!(
                "weir.yaml:4:15: receivers.zipkin.endpoint (0.0.0.0:9000) and query.endpoint (localhost:9000; line 1, column 19) {one}"
            ),
        ),
        (
            "receivers: {otlp: , otlp/b: }\n",
            format!(
                "weir.yaml:1:21: receivers.otlp/b.protocols.grpc.endpoint (127.0.0.1:4317, its default) and {grpc} \
                 (127.0.0.1:4317, its default; line 1, column 13) {one}\n\
                 weir.yaml:1:21: receivers.otlp/b.protocols.http.endpoint (127.0.0.1:4318, its default) and \
                 receivers.otlp.protocols.http.endpoint (127.0.0.1:4318, its default; line 1, column 13) {one}"
            ),
        ),
        (
            "receivers:\n  otlp:\n    protocols:\n      http: {endpoint: '[::]:1'}\n      grpc: {endpoint: ':1'}\n",
            format!(
                "weir.yaml:5:24: {grpc} (:1) and receivers.otlp.protocols.http.endpoint ([::]:1; line 4, column 24) {one}"
            ),
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), expected, "\n{source}");
    }
    // What is not started listens nowhere.
    for good in [
        "receivers: {otlp: , otlp/b: }\nservice: {pipelines: {traces: {receivers: [otlp]}}}",
        "receivers: {otlp: {protocols: {grpc: {endpoint: ':4318'}}}}",
        "receivers: {zipkin: {endpoint: '127.0.0.1:0'}}\nquery: {endpoint: '127.0.0.1:0'}",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
}

#[test]
fn each_type_of_receiver_has_its_own_keys() {
    let config = parse("receivers: {zipkin/b: {endpoint: ':9411', parse_string_tags: true}, otlp: }").expect("valid");
    assert_eq!(config.summary(), "receivers: otlp, zipkin/b");
    assert!(matches!(&config.receivers["zipkin/b"], ReceiverConfig::Zipkin(zipkin) if zipkin.parse_string_tags));
    assert!(matches!(&config.receivers["otlp"], ReceiverConfig::Otlp(_)));
    let cases = [
        (
            "receivers:\n  zipkin/b: {parse_string_tag: true}\n",
            "weir.yaml:2:14: unknown key `parse_string_tag`; did you mean `parse_string_tags`? Known here: endpoint, \
             parse_string_tags, max_request_body_size, cors, read_header_timeout, read_timeout, idle_timeout, \
             max_concurrent_streams, connections_max, header_bytes_max, span_limits, inflight_mib_max",
        ),
        (
            "receivers: {zipkin: {read_timeout: 0s}}\n",
            "weir.yaml:1:36: receivers.zipkin.read_timeout: must be longer than 0: everything is bounded",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), expected, "\n{source}");
    }
}

#[test]
fn differences_name_the_sections() {
    let one = parse("").expect("valid");
    for (changed, sections) in [
        ("storage: {free_min: 1GiB}\nservice: {drain_max: 1s}", &["service", "storage"][..]),
        ("receivers: {otlp: {inflight_mib_max: 255}}", &["receivers"]),
        ("receivers: {otlp: , otlp/b: {protocols: {grpc: {endpoint: ':5317'}}}}", &["receivers"]),
        ("receivers: {otlp: , zipkin: }", &["receivers"]),
        ("receivers: {otlp: {protocols: {grpc: , http: {idle_timeout: 61s}}}}", &["receivers"]),
        (
            "receivers: {otlp: {protocols: {grpc: {keepalive: {server_parameters: {time: 59s}}}, http: }}}",
            &["receivers"],
        ),
        ("storage: {accept: any}", &["storage"]),
        ("storage: {retention: {traces: forever}}", &["storage"]),
        ("query: {spans_max: 1}", &["query"]),
        ("query: {timeout: 29999ms}", &["query"]),
        // Other words for the same.
        ("storage: {retention: {traces: 168h}}\nquery: {timeout: 0.5m}\nservice: {drain_max: 20s}", &[]),
    ] {
        let other = parse(changed).expect("valid");
        assert_eq!(one.differences(&other), sections, "{changed}");
    }
}
