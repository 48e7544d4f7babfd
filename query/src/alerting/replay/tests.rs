//! The past before and after.

use std::collections::HashMap;

use super::*;
use crate::alerting::rules;

const MINUTE_MS: i64 = 60_000;

fn answer(text: &str) -> Answer {
    of_matrix(text.as_bytes()).expect("an answer")
}

#[test]
fn alerts_of_the_past_fire_and_end() {
    let file = rules::read(
        "r.yml",
        "groups: [{name: g, rules: [{record: a, expr: b}, {alert: A, expr: b > 1, for: 2m, annotations: {s: '{{ $value }}'}}]}]",
    )
    .expect("good rules");
    let values: Vec<String> =
        [1, 2, 3, 5, 6, 7, 8].iter().map(|minute| format!("[{},\"{minute}\"]", minute * 60)).collect();
    let given = answer(&format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"x":"1"}},"values":[{}]}}]}}}}"#,
        values.join(",")
    ));
    let stretch = Stretch { start_ms: 0, end_ms: 10 * MINUTE_MS, step_ms: MINUTE_MS };
    let (alerts, errors) = replay(&file.groups[0], &HashMap::from([(1, given)]), stretch, &[]);
    assert_eq!(errors, Vec::<String>::new());
    let times: Vec<_> = alerts.iter().map(|alert| (alert.active_ms, alert.fired_ms, alert.ended_ms)).collect();
    let minutes = |of: i64| of * MINUTE_MS;
    assert_eq!(
        times,
        [(minutes(1), Some(minutes(3)), Some(minutes(4))), (minutes(5), Some(minutes(7)), Some(minutes(9))),]
    );
    assert_eq!(alerts[1].annotations, [("s".to_owned(), "8".to_owned())]);
    assert_eq!(shown(&alerts[0].labels), r#"{alertname="A", x="1"}"#);
}

#[test]
fn rules_see_what_rules_before_them_record() {
    let file = rules::read(
        "r.yml",
        "groups: [{name: g, labels: {l: v}, rules: [{record: a, expr: b}, {alert: A, expr: 'a > 1'}, {alert: B, expr: 'a > c'}, \
         {alert: C, expr: 'rate(c[5m]) > 1'}, {record: d, expr: 'sum(a)'}]}]",
    )
    .expect("good rules");
    let group = &file.groups[0];
    let mut recorded = Recorded::default();
    assert_eq!(recorded.source(&group.rules[0]), Source::PromQl);
    let given = answer(
        r#"{"status":"success","data":{"result":[{"metric":{"__name__":"b","x":"1"},"values":[[0,"1"],[60,"2"],[120,"+Inf"]]}]}}"#,
    );
    let series = recorded.record(group, &group.rules[0], given).expect("recorded");
    assert_eq!(shown(&series[0].labels), r#"{__name__="a", l="v", x="1"}"#);
    assert_eq!(recorded.source(&group.rules[1]), Source::Recorded);
    assert_eq!(recorded.source(&group.rules[2]), Source::Mixed(vec!["a".to_owned()]));
    assert_eq!(recorded.source(&group.rules[3]), Source::PromQl);
    let stretch = Stretch { start_ms: 0, end_ms: 2 * MINUTE_MS, step_ms: MINUTE_MS };
    let found = recorded.answer(&group.rules[1], stretch).expect("an answer");
    assert_eq!(found.series[0].points, [(MINUTE_MS, 2.0), (2 * MINUTE_MS, f64::INFINITY)]);
    assert_eq!(recorded.answer(&group.rules[4], stretch).expect("an answer").series[0].points.len(), 3);
}

#[test]
fn answers_are_errors_when_they_say_so() {
    for (body, expected) in [
        ("", "no answer: "),
        (r#"{"status":"error","error":"bad query"}"#, "bad query"),
        (r#"{"status":"success","data":{}}"#, "the answer has no result"),
    ] {
        let error = of_matrix(body.as_bytes()).expect_err("an error");
        assert!(error.starts_with(expected), "{error}");
    }
    let mut first = answer(r#"{"status":"success","data":{"result":[{"metric":{"a":"b"},"values":[[1,"1"]]}]}}"#);
    first.extend(answer(
        r#"{"status":"success","data":{"result":[{"metric":{"a":"b"},"values":[[2,"2"]]},{"metric":{},"values":[]}]}}"#,
    ));
    assert_eq!(first.series[0].points, [(1000, 1.0), (2000, 2.0)]);
    assert_eq!(first.series.len(), 2);
}
