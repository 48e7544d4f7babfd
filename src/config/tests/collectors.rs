//! Configurations of the OpenTelemetry Collector: what is lenient there is so here, everything wrong is said at once, and what is made of
//! a whole file runs.

use super::*;
use crate::config::convert::converted;

fn said(source: &str) -> Vec<String> {
    match parse(source) {
        Ok(config) => config.warnings,
        Err(ConfigError::Wrong { lines, .. }) => lines,
        Err(error) => panic!("{error}"),
    }
}

/// A file as many clusters have it.
const GATEWAY: &str = r#"
extensions:
  health_check: {endpoint: "${env:MY_POD_IP}:13133"}
  zpages:
  pprof: {endpoint: 0.0.0.0:1777}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "${env:MY_POD_IP}:4317", read_buffer_size: 524288, tls: {cert_file: /tls/crt}}
      http:
        endpoint: ${env:MY_POD_IP}:4318
        include_metadata: true
        cors: {allowed_origins: "https://*.shop.example,https://shop.example"}
  jaeger: {protocols: {thrift_http: {endpoint: 0.0.0.0:14268}}}
  prometheus: {config: {scrape_configs: [{job_name: me}]}}
processors:
  batch: {}
  batch/metrics: {timeout: 10s}
  memory_limiter: {check_interval: 5s, limit_percentage: 80}
  resource: {attributes: [{key: env, value: prod, action: upsert}]}
  tail_sampling:
    decision_wait: 10s
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: "ERROR"}}
      - {name: slow, type: latency, latency: {threshold_ms: "500"}}
exporters:
  debug: {verbosity: detailed}
  otlp/tempo: {endpoint: "tempo:4317", tls: {insecure: true}}
  prometheusremotewrite: {endpoint: "http://mimir/api/v1/push"}
connectors:
  spanmetrics: {}
service:
  extensions: [health_check, zpages, pprof]
  telemetry: {logs: {level: info}}
  pipelines:
    traces:
      receivers: [otlp, jaeger]
      processors: [memory_limiter, resource, tail_sampling, batch]
      exporters: [otlp/tempo, debug, spanmetrics]
    metrics:
      receivers: [prometheus, spanmetrics]
      processors: [batch/metrics]
      exporters: [prometheusremotewrite]
"#;

#[test]
fn a_text_is_a_list_where_one_is_meant() {
    let config = parse(
        "receivers: {otlp: {protocols: {http: {cors: {allowed_origins: 'https://a,https://b', allowed_headers: X-A}}}}, zipkin: }\n\
         processors:\n  tail_sampling:\n    policies:\n\
         \x20     - {name: a, type: string_attribute, string_attribute: {key: k, values: 'ready,live'}}\n\
         \x20     - {name: b, type: string_attribute, string_attribute: {key: 200, values: 404}}\n\
         \x20     - {name: c, type: status_code, status_code: {status_codes: ERROR}}\n\
         service: {pipelines: {traces: {receivers: 'otlp, zipkin', processors: tail_sampling}}}\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let ReceiverConfig::Otlp(otlp) = &config.receivers["otlp"] else { panic!("an otlp receiver") };
    let cors = &otlp.protocols.http.as_ref().expect("on").cors;
    assert_eq!((cors.allowed_origins.len(), cors.allowed_headers.as_slice()), (2, &["X-A".to_owned()][..]));
    assert_eq!(config.receivers.len(), 2);
    let as_list = parse(
        "processors:\n  tail_sampling:\n    policies:\n\
         \x20     - {name: a, type: string_attribute, string_attribute: {key: k, values: [ready, live]}}\n\
         \x20     - {name: b, type: string_attribute, string_attribute: {key: '200', values: ['404']}}\n\
         \x20     - {name: c, type: status_code, status_code: {status_codes: [ERROR]}}\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.processors.tail_sampling(), as_list.processors.tail_sampling());
}

#[test]
fn nothing_and_quoted_numbers_are_taken() {
    let config = parse(
        "receivers:\n  otlp:\n    inflight_mib_max: '100'\n    protocols:\n      grpc:\n      http: {endpoint: , max_request_body_size: 1e6}\n\
         \x20 zipkin: {parse_string_tags: \"true\", max_request_body_size: 0x10_00}\nquery:\n  spans_max:\nstorage: {journal: }\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let ReceiverConfig::Otlp(otlp) = &config.receivers["otlp"] else { panic!("an otlp receiver") };
    let http = otlp.protocols.http.as_ref().expect("on");
    assert_eq!(
        (otlp.inflight_mib_max, http.max_request_body_size, &*http.endpoint),
        (100, 1_000_000, "127.0.0.1:4318")
    );
    assert!(otlp.protocols.grpc.is_some());
    let ReceiverConfig::Zipkin(zipkin) = &config.receivers["zipkin"] else { panic!("a zipkin receiver") };
    assert!(zipkin.parse_string_tags && zipkin.max_request_body_size == 4096);
}

#[test]
fn anchors_and_variables_are_taken() {
    let config = parse(
        "x: &x\nreceivers:\n  otlp: {protocols: {grpc: &grpc {endpoint: ${env:NONE:-127.0.0.1}:5317, read_timeout: 5s}}}\n\
         \x20 otlp/b: {protocols: {grpc: {<<: *grpc, endpoint: ':5318'}}}\n",
    );
    // Where nothing but an anchor is wanted, its key is unknown all the same.
    assert!(config.expect_err("an unknown key").to_string().starts_with("weir.yaml:1:1: unknown key `x`"));
    let config = parse(
        "receivers:\n  otlp: {protocols: {grpc: &grpc {endpoint: ${env:NONE:-127.0.0.1}:5317, read_timeout: 5s}}}\n\
         \x20 otlp/b: {protocols: {grpc: {<<: *grpc, endpoint: ':5318'}}}\n",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    for (id, endpoint) in [("otlp", "127.0.0.1:5317"), ("otlp/b", ":5318")] {
        let ReceiverConfig::Otlp(otlp) = &config.receivers[id] else { panic!("an otlp receiver") };
        let grpc = otlp.protocols.grpc.as_ref().expect("on");
        assert_eq!((&*grpc.endpoint, grpc.read_timeout), (endpoint, Duration::from_secs(5)));
    }
}

#[test]
fn everything_is_said_in_one_run() {
    let source = "receivers:
  otlp: {protocols: {grpc: {endpont: x, max_recv_msg_size_mib: lots}, http: {endpoint: nowhere}}, inflight_mib_max: 0}
  otlp/b: {protocols: {grpc: {endpoint: '0.0.0.0:9411'}}}
  zipkin: {endpoint: localhost:9411}
  zipkin: {}
processors:
  tail_sampling:
    policies:
      - {name: a, type: latncy}
      - {name: b, type: latency, latency: {threshold_ms: x, treshold: 1}}
      - {name: c, type: always_sample}
storage: {pth: 1, size_max: big}
service: {pipelines: {traces: {receivers: [otlp, otlp/b, zipkin, otlp/c], processors: [tail_samplin], exporters: [otlp]}}}
";
    let said = said(source);
    let expected = [
        "2:29: unknown key `endpont`; did you mean `endpoint`?",
        "2:64: receivers.otlp.protocols.grpc.max_recv_msg_size_mib: expected a whole number",
        "2:88: receivers.otlp.protocols.http.endpoint: `nowhere` is not an endpoint",
        "2:117: receivers.otlp.inflight_mib_max: 0 is too small",
        "4:22: receivers.zipkin.endpoint (localhost:9411) and receivers.otlp/b.protocols.grpc.endpoint (0.0.0.0:9411; line 3, column 41) are one address",
        "5:3: the key `zipkin` is there twice",
        "9:25: processors.tail_sampling.policies.type: unknown value `latncy`; did you mean `latency`?",
        "10:58: processors.tail_sampling.policies.latency.threshold_ms: expected a whole number",
        "10:61: unknown key `treshold`",
        "12:11: unknown key `pth`; did you mean `path`?",
        "12:29: storage.size_max: `big` is not a size",
        "13:66: unknown receiver `otlp/c`; did you mean `otlp/b`?",
        "13:88: unknown processor `tail_samplin`; did you mean `tail_sampling`?",
        "13:115: unknown exporter `otlp`; there are none",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(&format!("weir.yaml:{expected}")), "{said}\n{expected}");
    }
}

#[test]
fn what_the_collector_has_beside_is_told_apart() {
    let Err(ConfigError::Wrong { lines, warnings }) = parse(GATEWAY) else { panic!("not there yet") };
    let names = |lines: &[String], words: &str| -> Vec<String> {
        let of_them = lines.iter().filter(|line| line.contains(words));
        of_them.filter_map(|line| Some(line.split(words).next()?.rsplit(": ").next()?.trim().to_owned())).collect()
    };
    assert_eq!(
        names(&lines, " is not there yet"),
        [
            "receivers.otlp.protocols.grpc.tls",
            "receiver `jaeger`",
            "processor `resource`",
            "exporter `debug`",
            "exporter `otlp/tempo`",
            "exporter `prometheusremotewrite`",
            "connector `spanmetrics`",
        ]
    );
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert_eq!(
        names(&warnings, " is not needed here"),
        [
            "extension `health_check`",
            "extension `zpages`",
            "extension `pprof`",
            "receivers.otlp.protocols.grpc.read_buffer_size",
            "receivers.otlp.protocols.http.include_metadata",
            "processor `batch`",
            "processor `batch/metrics`",
            "processor `memory_limiter`",
            "service.telemetry",
        ]
    );
}

#[test]
fn a_whole_file_is_converted() {
    let text = converted(GATEWAY, "otel.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let config = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let yaml: String = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let expected = "
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: '${env:MY_POD_IP}:4317'
      http:
        endpoint: ${env:MY_POD_IP}:4318
        cors:
          allowed_origins: https://*.shop.example,https://shop.example
  prometheus:
    config:
      scrape_configs:
        - job_name: me
processors:
  tail_sampling:
    decision_wait: 10s
    policies:
      - name: errors
        type: status_code
        status_code:
          status_codes: ERROR
      - name: slow
        type: latency
        latency:
          threshold_ms: '500'
service:
  pipelines:
    traces:
      receivers:
        - otlp
      processors:
        - tail_sampling
    metrics:
      receivers:
        - prometheus
";
    assert_eq!(
        yaml.replace("'${env:MY_POD_IP}:4317'", "${env:MY_POD_IP}:4317"),
        expected.replace("'${env:MY_POD_IP}:4317'", "${env:MY_POD_IP}:4317")
    );
    assert_eq!(config.processors.tail_sampling().len(), 1);
    for words in
        ["exporter `debug` is not there yet", "processor `batch` is not needed here", "variable MY_POD_IP is not set"]
    {
        assert!(text.lines().any(|line| line.starts_with("#   ") && line.contains(words)), "{words}\n{text}");
    }
    // What runs here already stays, and what cannot be read is an error.
    let text = converted(BUILT_IN, "all_in_one.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        Config::built_in().differences(&parse(&text).unwrap_or_else(|error| panic!("{error}"))).is_empty(),
        "{text}"
    );
    assert!(converted("a: [", "x.yaml", &|_| None).is_err());
    // Where nothing of the Collector's is left, what is built in runs.
    let other = "receivers: {jaeger: }\nservice: {pipelines: {traces: {receivers: [jaeger], exporters: [debug]}}}\nexporters: {debug: }\n";
    let text = converted(other, "x.yaml", &|_| None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).summary(), "receivers: otlp, prometheus");
}
