//! The past before and after.

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use weir_proto::{
    metrics::{BucketSpan, Histogram},
    remote_write::histogram_message,
};

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
    let float = |minute: i64, value| (minute * MINUTE_MS, Sample::Float(value));
    assert_eq!(found.series[0].points, [float(1, 2.0), float(2, f64::INFINITY)]);
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
    let mut all = AnswerSoFar::default();
    all.add(answer(r#"{"status":"success","data":{"result":[{"metric":{"a":"b"},"values":[[1,"1"]]}]}}"#));
    all.add(answer(
        r#"{"status":"success","data":{"result":[{"metric":{"a":"b"},"values":[[2,"2"]]},{"metric":{},"values":[]}]}}"#,
    ));
    let all = all.answer();
    assert_eq!(all.series[0].points, [(1000, Sample::Float(1.0)), (2000, Sample::Float(2.0))]);
    assert_eq!(all.series.len(), 2);
}

#[test]
fn what_an_answer_lacks_is_told_once() {
    let body = r#"{"status":"success","data":{"result":[]},
        "warnings":["PromQL warning: quantile value should be between 0 and 1 (1:1)","segment 3 cannot be read"]}"#;
    let mut all = AnswerSoFar::default();
    all.add(answer(body));
    all.add(answer(body));
    assert_eq!(all.answer().missing, ["segment 3 cannot be read"]);
}

#[test]
fn histograms_are_replayed_whole() {
    let file = rules::read(
        "r.yml",
        "groups: [{name: g, rules: [{record: h, expr: 'sum(a)'}, {alert: A, expr: 'histogram_count(h) > 2'}, \
         {alert: B, expr: 'sum(a)', annotations: {s: '{{ $value }}'}}]}]",
    )
    .expect("good rules");
    let group = &file.groups[0];
    let histogram = |count: f64| Histogram {
        schema: 1,
        count,
        sum: 4.5,
        positive_spans: vec![BucketSpan { offset: 0, length: 2 }],
        positive_counts: vec![count - 1.0, 1.0],
        is_float: true,
        ..Histogram::default()
    };
    let points: Vec<String> = [2.0, 3.0]
        .iter()
        .zip(0..)
        .map(|(count, minute)| {
            let exact = BASE64_STANDARD.encode(histogram_message(&histogram(*count), minute * MINUTE_MS));
            format!(r#"[{},{{"count":"{count}","sum":"4.5","exact":"{exact}"}}]"#, minute * 60)
        })
        .collect();
    let body = format!(
        r#"{{"status":"success","data":{{"result":[{{"metric":{{}},"values":[[120,"7"]],"histograms":[{}]}}]}}}}"#,
        points.join(",")
    );
    let given = answer(&body);
    let mut recorded = Recorded::default();
    let series = recorded.record(group, &group.rules[0], given.clone()).expect("recorded");
    let expected = [
        (0, Sample::Histogram(histogram(2.0).into())),
        (MINUTE_MS, Sample::Histogram(histogram(3.0).into())),
        (2 * MINUTE_MS, Sample::Float(7.0)),
    ];
    assert_eq!(series[0].points, expected);
    let stretch = Stretch { start_ms: 0, end_ms: 2 * MINUTE_MS, step_ms: MINUTE_MS };
    let counts = recorded.answer(&group.rules[1], stretch).expect("an answer");
    assert_eq!(counts.series[0].points, [(MINUTE_MS, Sample::Float(3.0))]);
    let (alerts, _) = replay(group, &HashMap::from([(2, given)]), Stretch { end_ms: MINUTE_MS, ..stretch }, &[]);
    assert_eq!(alerts[0].annotations[0].1, "{count:3, sum:4.5, (0.7071067811865475,1]:2, (1,1.414213562373095]:1}");
    let without = body.replace("exact", "other");
    assert_eq!(of_matrix(without.as_bytes()), Err("a histogram comes without its message".to_owned()));
}

#[test]
fn rows_of_each_time_are_series() {
    let row = |value: i64| {
        let columns = r#"[{"name":"service","type":"text"},{"name":"value","type":"int64"}]"#;
        format!(r#"{{"columns":{columns},"rows":[{{"service":"a","value":{value}}}]}}"#)
    };
    let mut all = AnswerSoFar::default();
    all.add(of_rows(row(1).as_bytes(), 0).expect("rows"));
    all.add(of_rows(row(2).as_bytes(), MINUTE_MS).expect("rows"));
    let answer = all.answer();
    assert_eq!(answer.series[0].points, [(0, Sample::Float(1.0)), (MINUTE_MS, Sample::Float(2.0))]);
    assert_eq!(shown(&answer.series[0].labels), r#"{service="a"}"#);
    let twice = row(1).replace(r#"}]}"#, r#"},{"service":"a","value":2}]}"#);
    assert_eq!(of_rows(twice.as_bytes(), 0), Err(r#"two rows have the same labels: {service="a"}"#.to_owned()));
    assert_eq!(of_rows(br#"{"error":{"code":400,"message":"bad"}}"#, 0), Err("bad".to_owned()));
}
