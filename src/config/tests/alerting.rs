//! The section about rules, and who is told.

use std::{path::Path, time::Duration};

use super::{message, parse};

const ALERTING: &str = "
alerting:
  rule_files: [alerts/*.yml, /etc/rules.yml]
  global: {evaluation_interval: 15s, rule_query_offset: 30s, external_labels: {cluster: a}}
  external_url: https://weir.example.com/
  alertmanagers:
    - scheme: https
      path_prefix: /am
      timeout: 5s
      api_version: v2
      basic_auth: {username: weir, password_file: secret}
      static_configs: [{targets: ['localhost:9093']}]
      file_sd_configs: [{files: [am.json]}]
      relabel_configs: [{action: labeldrop, regex: x}]
      alert_relabel_configs: [{action: labeldrop, regex: y}]
  alert_relabel_configs: [{source_labels: [severity], regex: none, action: drop}]
  webhooks: [{url: 'http://localhost:1/', authorization: {credentials_file: token}}]
";

#[test]
fn everything_is_read_and_files_lie_beside_it() {
    let config = parse(ALERTING).expect("valid");
    let globals = config.alerting.globals(&config.receivers);
    assert_eq!(
        (globals.evaluation_interval, globals.rule_query_offset),
        (Duration::from_secs(15), Duration::from_secs(30))
    );
    assert_eq!(globals.external_labels.get("cluster").map(String::as_str), Some("a"));
    let resolved = config.alerting.resolved(Some(Path::new("/etc/weir")));
    assert_eq!(resolved.rule_files, ["/etc/weir/alerts/*.yml", "/etc/rules.yml"]);
    let shown = format!("{resolved:?}");
    for file in ["/etc/weir/secret", "/etc/weir/am.json", "/etc/weir/token"] {
        assert!(shown.contains(file), "{file}: {shown}");
    }
    assert!(parse("alerting:\n").is_ok());
}

#[test]
fn what_it_does_not_say_a_prometheus_receiver_says() {
    let scraping = "
receivers:
  prometheus: {config: {global: {evaluation_interval: 20s, external_labels: {site: b}}}}
alerting: {global: {rule_query_offset: 1s}}
";
    let config = parse(scraping).expect("valid");
    let globals = config.alerting.globals(&config.receivers);
    assert_eq!(globals.evaluation_interval, Duration::from_secs(20));
    assert_eq!(globals.external_labels.len(), 1);
    let config = parse("").expect("valid");
    assert_eq!(config.alerting.globals(&config.receivers).evaluation_interval, Duration::from_secs(60));
}

#[test]
fn mistakes_are_named() {
    for (text, said) in [
        ("alerting: {rules_files: []}", "unknown key `rules_files`; did you mean `rule_files`?"),
        ("alerting: {webhooks: [{url: localhost}]}", "alerting.webhooks: \"localhost\" is no URL"),
        ("alerting: {alertmanagers: [{api_version: v1}]}", "v1"),
        (
            "alerting: {alertmanagers: [{basic_auth: {}, authorization: {}}]}",
            "at most one of basic_auth, authorization and bearer_token can be configured",
        ),
        ("alerting: {alertmanagers: [{static_configs: [{targets: ['http://a']}]}]}", "is not a valid hostname"),
        ("alerting: {resend_delay: 10ms}", "too short"),
    ] {
        let message = message(text);
        assert!(message.contains(said), "{text}: {message}");
    }
}
