//! Files of rules before and after.

use super::*;

fn problems(text: &str) -> Vec<String> {
    read("r.yml", text).err().into_iter().flatten().map(|problem| problem.to_string()).collect()
}

#[test]
fn a_file_says_what_it_says() {
    let text = r#"
groups:
  - name: g
    interval: 30s
    query_offset: 1m
    limit: 5
    labels: {team: a, severity: low}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {tier: 1}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1m30s
        labels: {severity: page}
        annotations:
          summary: '{{ $labels.job }} is down'
  - name: sql
    language: sql
    rules:
      - {alert: Slow, expr: "SELECT service, count(*) AS value FROM spans GROUP BY service"}
  - name: logs
    language: logql
    rules: [{record: lines, expr: 'sum(count_over_time({app="a"}[5m]))'}]
"#;
    let file = read("r.yml", text).expect("a good file");
    let group = &file.groups[0];
    assert_eq!((group.name.as_str(), group.limit), ("g", 5));
    assert_eq!(group.interval, Some(Duration::from_secs(30)));
    assert_eq!(group.query_offset, Some(Duration::from_secs(60)));
    assert_eq!(group.at, Position { line: 3, column: 5 });
    let [record, alert] = &group.rules[..] else { panic!("two rules") };
    assert_eq!(record.kind, RuleKind::Record("job:up:sum".into()));
    assert_eq!(alert.kind, RuleKind::Alert("Down".into()));
    assert_eq!((alert.hold, alert.keep_firing), (Duration::from_secs(300), Duration::from_secs(90)));
    assert_eq!(alert.at, Position { line: 12, column: 9 });
    let labels = |rule| {
        let labels = group.labels_of(rule).into_iter().map(|(name, value)| format!("{name}={value}"));
        labels.collect::<Vec<_>>().join(",")
    };
    assert_eq!(labels(record), "severity=low,team=a,tier=1");
    assert_eq!(labels(alert), "severity=page,team=a");
    assert_eq!(file.groups[1].language, Language::Sql);
    assert_eq!(file.groups[2].language, Language::LogQl);
    for empty in ["", "# nothing\n", "groups:\n", "groups: []\n", "groups: [{name: a}]", "groups: [{name: a, rules:}]"]
    {
        assert_eq!(problems(empty), Vec::<String>::new(), "{empty}");
    }
}

#[test]
fn mistakes_are_said_in_prometheus_words_with_their_places() {
    let group = |rule: &str| format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
    let cases = [
        (
            "{record: a, alert: b, expr: c}",
            "r.yml:4:14: group \"g\", rule 1, \"b\": only one of 'record' and 'alert' must be set",
        ),
        ("{expr: c}", "r.yml:4:5: group \"g\", rule 1, \"\": one of 'record' or 'alert' must be set"),
        ("{record: a}", "r.yml:4:5: group \"g\", rule 1, \"a\": field 'expr' must be set in rule"),
        (
            "{record: a, expr: 'sum('}",
            "r.yml:4:23: group \"g\", rule 1, \"a\": could not parse expression: 1:5: parse error: unclosed left \
             parenthesis",
        ),
        (
            "{record: a, expr: b, for: 1m}",
            "r.yml:4:14: group \"g\", rule 1, \"a\": invalid field 'for' in recording rule",
        ),
        (
            "{record: a, expr: b, keep_firing_for: 1m}",
            "r.yml:4:14: group \"g\", rule 1, \"a\": invalid field 'keep_firing_for' in recording rule",
        ),
        (
            "{record: a, expr: b, annotations: {c: d}}",
            "r.yml:4:14: group \"g\", rule 1, \"a\": invalid field 'annotations' in recording rule",
        ),
        (
            "{record: 'a{b=\"c\"}', expr: b}",
            "r.yml:4:14: group \"g\", rule 1, \"a{b=\\\"c\\\"}\": braces present in the recording rule name; should it \
             be in expr?: a{b=\"c\"}",
        ),
        (
            "{record: a, expr: b, labels: {__name__: d}}",
            "r.yml:4:35: group \"g\", rule 1, \"a\": invalid label name: __name__",
        ),
        (
            "{alert: a, expr: b, annotations: {c: '{{ foo }}'}}",
            "r.yml:4:39: group \"g\", rule 1, \"a\": annotation \"c\": template: __alert_a:1: function \"foo\" not \
             defined",
        ),
        (
            "{alert: a, expr: b, labels: {c: '{{ $x }}'}}",
            "r.yml:4:34: group \"g\", rule 1, \"a\": label \"c\": template: __alert_a:1: undefined variable \"$x\"",
        ),
        ("{alert: a, expr: b, for: 5 m}", "r.yml:4:30: for: unknown unit \" m\" in duration \"5 m\""),
        (
            "{alert: a, exp: b}",
            "r.yml:4:5: group \"g\", rule 1, \"a\": field 'expr' must be set in rule|r.yml:4:16: unknown key `exp`; did \
             you mean `expr`? Known here: record, alert, expr, for, keep_firing_for, labels, annotations",
        ),
    ];
    for (rule, expected) in cases {
        assert_eq!(problems(&group(rule)).join("|"), expected, "{rule}");
    }
    let cases = [
        ("groups: [{rules: []}]", "r.yml:1:10: Groupname must not be empty"),
        ("groups: [{name: a}, {name: a}]", "r.yml:1:21: groupname: \"a\" is repeated in the same file"),
        ("groups: [{name: a, labels: {__name__: b}}]", "r.yml:1:29: invalid label name: __name__"),
        ("groups: [{name: a, limit: many}]", "r.yml:1:27: limit: expected a whole number"),
        ("groups: [{name: a, limit: '5'}]", "r.yml:1:27: limit: expected a whole number"),
        ("groups: {name: a}", "r.yml:1:9: expected a list here: groups of rules"),
        (
            "groups: [{name: a, language: sqll}]",
            "r.yml:1:30: unknown language `sqll`; did you mean `sql`? Known here: promql, logql, sql",
        ),
        ("tests: []", "r.yml:1:1: unknown key `tests`. Known here: groups"),
        ("groups: [", "r.yml:1:9: "),
    ];
    for (text, expected) in cases {
        assert!(problems(text).join("|").starts_with(expected), "{text}: {:?}", problems(text));
    }
}

#[test]
fn what_stands_for_nothing_is_as_in_go_yaml() {
    let file =
        read("r.yml", "groups: [~, {name: a, limit: 1.9, rules: [~, {record: b, expr: c}]}, {name: d, limit: -3}]");
    let file = file.expect("good");
    let found: Vec<_> = file.groups.iter().map(|group| (&*group.name, group.limit, group.rules.len())).collect();
    assert_eq!(found, [("a", 1, 1), ("d", 0, 0)]);
}

#[test]
fn other_languages_are_read_as_their_own() {
    let group = |language: &str, expr: &str| {
        format!("groups:\n- name: g\n  language: {language}\n  rules:\n  - {{alert: a, expr: '{expr}'}}\n")
    };
    for (language, expr, expected) in [
        ("logql", r#"{app="a"}"#, "it gives lines, and a rule needs numbers"),
        ("logql", r#"rate({app="a"})"#, "parse error at line 1"),
        ("sql", "DELETE FROM spans", "only SELECT, WITH, VALUES and EXPLAIN are answered"),
        ("sql", "SELEC 1", "cannot read the query"),
    ] {
        let problems = problems(&group(language, expr));
        assert!(problems.len() == 1 && problems[0].contains(expected), "{expr}: {problems:?}");
    }
}

#[test]
fn what_aliases_multiply_is_bounded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(problems(&bomb)[0].ends_with("more than 2000000 values"), "{:?}", problems(&bomb));
}
