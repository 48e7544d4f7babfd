//! prometheus.yml in the configuration: verbatim, and wrong ones with their places.

use super::{message, parse};
use crate::config::{ReceiverConfig, target_groups};

/// The example of Prometheus' documentation, and what else people write.
const VERBATIM: &str = r#"
receivers:
  prometheus:
    config:
      global:
        scrape_interval: 15s
        evaluation_interval: 15s
        scrape_timeout: 10s
        external_labels: {monitor: codelab}
      scrape_configs:
        - job_name: prometheus
          honor_labels: true
          scrape_interval: 5s
          scrape_timeout: 3s
          metrics_path: /probe
          scheme: https
          params: {module: [http_2xx]}
          basic_auth: {username: admin, password: secret}
          tls_config: {insecure_skip_verify: true, server_name: x}
          static_configs:
            - targets: ['localhost:9090', localhost:9191]
              labels: {my: label, your: label}
          file_sd_configs:
            - files: [foo/*.slow.json, single/file.yml]
              refresh_interval: 10m
          relabel_configs:
            - source_labels: [job, __meta_dns_name]
              regex: (.*)some-[regex]
              target_label: job
              replacement: foo-${1}
            - {action: labeldrop, regex: d}
          metric_relabel_configs:
            - {source_labels: [__name__], regex: expensive_metric.*, action: drop}
          body_size_limit: 10MB
          sample_limit: 1000
          scrape_protocols: [PrometheusText0.0.4]
          fallback_scrape_protocol: PrometheusText0.0.4
"#;

#[test]
fn prometheus_own_file_is_taken_verbatim() {
    let config = parse(VERBATIM).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.warnings, Vec::<String>::new());
    let ReceiverConfig::Prometheus(prometheus) = &config.receivers["prometheus"] else { panic!("a scraper") };
    let job = &prometheus.config.scrape_configs[0];
    assert_eq!(
        (job.job_name.as_str(), job.body_size_limit, job.sample_limit),
        ("prometheus", Some(10 << 20), Some(1000))
    );
    assert_eq!(job.relabel_configs[0].replacement, "foo-${1}");
    assert_eq!(job.static_configs[0].targets, ["localhost:9090", "localhost:9191"]);
    assert_eq!(job.static_configs[0].labels["your"], "label");
}

/// One job with these keys.
fn job(keys: &str) -> String {
    format!("receivers:\n  prometheus:\n    config:\n      scrape_configs:\n      - job_name: a\n        {keys}\n")
}

#[test]
fn what_is_wrong_has_its_place() {
    for (keys, expected) in [
        ("metric_path: /x", "weir.yaml:6:9: unknown key `metric_path`; did you mean `metrics_path`?"),
        (
            "kubernetes_sd_configs: [{role: pod}]",
            "weir.yaml:6:9: receivers.prometheus.config.scrape_configs.kubernetes_sd_configs is not there yet: static_configs \
             and file_sd_configs are",
        ),
        (
            "relabel_configs: [{action: hashmod, target_label: b}]",
            "relabel configuration for hashmod requires non-zero modulus",
        ),
        ("relabel_configs: [{regex: '(', target_label: b}]", "`(` is not a regular expression"),
        ("relabel_configs: [{action: remove}]", "unknown value `remove`. Known here: replace, keep, drop"),
        ("scrape_timeout: 2m", "scrape timeout greater than scrape interval for scrape config with job name \"a\""),
        ("static_configs: [{targets: ['a/b']}]", "\"a/b\" is not a valid hostname"),
        ("scheme: ftp", "unknown value `ftp`"),
        ("file_sd_configs: [{files: [x.txt]}]", "path name \"x.txt\" is not valid for file discovery"),
        (
            "basic_auth: {username: u}\n        bearer_token: t",
            "at most one of basic_auth, authorization and bearer_token can be configured",
        ),
    ] {
        let message = message(&job(keys));
        assert!(message.contains(expected), "{keys}: {message}");
    }
    let twice = job("scheme: http") + "      - job_name: a\n";
    assert!(message(&twice).contains("found multiple scrape configs with job name \"a\""));
    let rules = "receivers: {prometheus: {config: {rule_files: [a.yml]}}}\n";
    assert!(
        message(rules)
            .contains("receivers.prometheus.config.rule_files is not there yet: the section alerting takes rule_files")
    );
}

#[test]
fn what_is_without_effect_is_warned_of() {
    let config = parse(&job("relabel_configs: [{source_labels: [x], target_label: b, replacement: $$1}]"));
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert!(config.warnings[0].contains("`$$` is read as `$`"), "{:?}", config.warnings);
    let ReceiverConfig::Prometheus(prometheus) = &config.receivers["prometheus"] else { panic!("a scraper") };
    assert_eq!(prometheus.config.scrape_configs[0].relabel_configs[0].replacement, "$1");
    let config = parse(&job("scrape_native_histograms: true")).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.warnings[0].contains("scrape_native_histograms is not needed here"), "{:?}", config.warnings);
}

#[test]
fn groups_of_targets_in_yaml() {
    let groups = target_groups("- targets: [a:1, b:2]\n  labels: {x: y}\n- targets: [c:3]\n").expect("groups");
    assert_eq!((groups.len(), groups[0].targets.len(), groups[0].labels["x"].as_str()), (2, 2, "y"));
    assert!(target_groups("- target: [a:1]\n").is_err_and(|problem| problem.contains("unknown key `target`")));
    assert!(target_groups("a: b\n").is_err());
    assert!(target_groups("").expect("nothing").is_empty());
}
