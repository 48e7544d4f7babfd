//! Files of unit tests before and after.

use super::*;
use crate::alerting::rules;

const RULES: &str = r#"
groups:
  - name: g
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 5m
        labels: {severity: page, value: '{{ $value }}'}
        annotations: {summary: '{{ $labels.instance }} of {{ $externalLabels.cluster }} {{ $externalURL }}'}
      - alert: Always
        expr: 1
  - name: spans
    language: sql
    rules:
      - alert: Slow
        expr: SELECT service, 1 AS value FROM spans
        for: 1m
        annotations: {summary: '{{ $labels.service }} takes {{ $value }} s'}
"#;

fn reports(tests: &str, style: Style) -> String {
    let rules = rules::read("rules.yml", RULES).expect("good rules");
    let file = match read("t.yml", tests) {
        Ok(file) => file,
        Err(problems) => return problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    let reports = run(&file, &[rules], &|_| true, style);
    let failures: Vec<String> = reports.into_iter().flat_map(|report| report.failures).collect();
    failures.join("\n")
}

#[test]
fn what_holds_passes() {
    let tests = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    external_labels: {cluster: eu}
    external_url: http://weir.example
    input_series:
      - {series: 'up{job="a", instance="x"}', values: '1 0x20'}
      - {series: 'up{job="a", instance="y"}', values: '1x20'}
      - {series: hist, values: '{{count:3 sum:6 buckets:[1 2]}}x3'}
    promql_expr_test:
      - expr: job:up:sum
        eval_time: 2m
        exp_samples: [{labels: 'job:up:sum{job="a"}', value: 1}]
      - {expr: 'time()', eval_time: 2m, exp_samples: [{value: 120}]}
      - {expr: 'nothing', eval_time: 2m, exp_samples: []}
      - {expr: 'hist', eval_time: 2m,
         exp_samples: [{labels: hist, histogram: '{{count:3 sum:6 counter_reset_hint:not_reset buckets:[1 2]}}'}]}
      - expr: count by (alertname, alertstate) (ALERTS)
        eval_time: 3m
        exp_samples:
          - {labels: '{alertname="Always",alertstate="firing"}', value: 1}
          - {labels: '{alertname="Down",alertstate="pending"}', value: 1}
    alert_rule_test:
      - {eval_time: 5m59s, alertname: Down, exp_alerts: []}
      - eval_time: 6m
        alertname: Down
        exp_alerts:
          - exp_labels: {severity: page, job: a, instance: x, value: '0'}
            exp_annotations: {summary: 'x of eu http://weir.example'}
      - {eval_time: 0, alertname: Always, exp_alerts: [{}]}
      - {eval_time: 0, alertname: Unknown}
  - interval: 1m
    input_results:
      - {rule: Slow, series: [{series: '{service="cart"}', values: '_ 0.7x5'}]}
    alert_rule_test:
      - {eval_time: 1m, alertname: Slow, exp_alerts: []}
      - eval_time: 2m
        alertname: Slow
        exp_alerts: [{exp_labels: {service: cart}, exp_annotations: {summary: cart takes 0.7 s}}]
      - {eval_time: 8m, alertname: Slow, exp_alerts: []}
  - start_timestamp: 2024-01-01T00:00:00Z
    promql_expr_test:
      - {expr: 'time()', eval_time: 1m, exp_samples: [{value: 1704067260}]}
  - start_timestamp: 1704067200
    input_series: [{series: x, values: '1 2'}]
    promql_expr_test:
      - {expr: 'timestamp(x)', eval_time: 1m, exp_samples: [{value: 1704067260}]}
"#;
    assert_eq!(reports(tests, Style::Lists), "");
}

#[test]
fn what_does_not_hold_is_shown() {
    let tests = r#"
tests:
  - name: first
    input_series: [{series: 'up{instance="x"}', values: '0x20'}]
    promql_expr_test:
      - {expr: up, eval_time: 1m, exp_samples: [{labels: up, value: 1.5}]}
      - {expr: up, eval_time: 1m}
      - {expr: 'up{', eval_time: 1m}
      - {expr: 'up[1m]', eval_time: 1m}
      - {expr: up, eval_time: 1m, exp_samples: [{labels: '{a'}]}
    alert_rule_test:
      - eval_time: 6m
        alertname: Down
        exp_alerts: [{exp_labels: {severity: page, instance: y, value: '0'}}]
      - {eval_time: 6m, alertname: Always}
"#;
    expect(
        &reports(tests, Style::Lists),
        r#"    name: first,
    alertname: Down, time: 6m, 
        exp:[
            0:
              Labels:{alertname="Down", instance="y", severity="page", value="0"}
              Annotations:{}
            ], 
        got:[
            0:
              Labels:{alertname="Down", instance="x", severity="page", value="0"}
              Annotations:{summary="x of  "}
            ]
    name: first,
    alertname: Always, time: 6m, 
        exp:[], 
        got:[
            0:
              Labels:{alertname="Always"}
              Annotations:{}
            ]
    expr: "up", time: 1m,
        exp: {__name__="up"} 1.5E+00
        got: {__name__="up", instance="x"} 0E+00
    expr: "up", time: 1m,
        exp: nil
        got: {__name__="up", instance="x"} 0E+00
    expr: "up{", time: 1m, err: 1:4: parse error: unexpected end of input inside braces
    expr: "up[1m]", time: 1m, err: rule result is not a vector or scalar
    expr: "up", time: 1m, err: labels "{a": 1:3: parse error: unexpected end of input inside braces"#,
    );
    expect(
        &reports(tests, Style::Differences).lines().take(8).collect::<Vec<_>>().join("\n"),
        r#"    name: first,
    alertname: Down, time: 6m, 
        diff:
            label alertname: "Down"
            label severity: "page"
            label value: "0"
          - label instance: "y"
          + label instance: "x""#,
    );
}

fn expect(found: &str, expected: &str) {
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

#[test]
fn mistakes_have_their_places() {
    for (tests, expected) in [
        (
            "groups: []",
            "t.yml:1:1: unknown key `groups`. Known here: rule_files, evaluation_interval, group_eval_order, tests, fuzzy_compare",
        ),
        ("group_eval_order: [a, a]", "t.yml:1:1: group name repeated in evaluation order: a"),
        ("tests: [{interval: x}]", "t.yml:1:20: interval: not a valid duration string: \"x\""),
        ("tests: [{promql_expr_test: [{exp_samples: [{value: x}]}]}]", "t.yml:1:52: value: expected a number, not `x`"),
        ("tests: [{start_timestamp: x}]", "t.yml:1:27: cannot parse \"x\" to a valid timestamp"),
        (
            "tests: [{alert_rule_test: [{eval_time: 5m}]}]",
            "an item under alert_rule_test misses required attribute alertname at eval_time 5m",
        ),
        ("tests: [{input_results: [{rule: Down}]}]", "1:26: no rule in LogQL or SQL is called \"Down\""),
    ] {
        assert_eq!(reports(tests, Style::Lists), expected, "{tests}");
    }
    let broken = "tests: [{input_series: [{series: 'up{job=\"x\"', values: '0'}]}]";
    assert!(reports(broken, Style::Lists).contains("parse error: unexpected"), "{}", reports(broken, Style::Lists));
}

#[test]
fn a_rule_that_fails_ends_its_test() {
    let rules = rules::read("rules.yml", "groups: [{name: g, rules: [{record: a, expr: 'up * on(x) group_left up'}]}]")
        .expect("good rules");
    let tests = "tests: [{input_series: [{series: 'up{x=\"1\",i=\"1\"}', values: '1x5'}, {series: 'up{x=\"1\",i=\"2\"}', \
                 values: '1x5'}], promql_expr_test: [{expr: up, eval_time: 1m}]}]";
    let file = read("t.yml", tests).expect("a good file");
    let reports = run(&file, &[rules], &|_| true, Style::Lists);
    assert_eq!(reports[0].failures.len(), 1);
    assert!(reports[0].failures[0].starts_with("    rule: a, time: 0s, err: "), "{:?}", reports[0].failures);
}

#[test]
fn two_rules_for_one_series_are_told() {
    let text = "groups: [{name: g, rules: [{record: a, expr: '1'}, {record: a, expr: '1'}, {record: a, expr: '2'}]}]";
    let rules = rules::read("rules.yml", text).expect("good rules");
    let file = read("t.yml", "tests: [{promql_expr_test: [{expr: a, eval_time: 1m}]}]").expect("a good file");
    let reports = run(&file, &[rules], &|_| true, Style::Lists);
    assert_eq!(reports[0].failures, ["    rule: a, time: 0s, err: duplicate sample for timestamp"]);
}

#[test]
fn what_would_take_for_ever_is_refused() {
    for (tests, expected) in [
        ("tests: [{input_series: [{series: a, values: '1x99999999999'}]}]", "a series has more than 2000000 values"),
        (
            "tests: [{input_series: [{series: a, values: '1x1999999 1x1999999'}]}]",
            "a series has more than 2000000 values",
        ),
        ("tests: [{promql_expr_test: [{expr: a, eval_time: 100y}]}]", "more than 1000000 evaluations"),
    ] {
        assert_eq!(reports(tests, Style::Lists), expected);
    }
}
