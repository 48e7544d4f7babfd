//! What clients of Prometheus get.

use std::sync::Arc;

use super::*;
use crate::{
    http::fixtures::{Held, call},
    promql::script,
};

const SAMPLES: &str = "load 10s
  up{job=\"a\",instance=\"x\"} 1 0 1 1e21 0.1
  up{job=\"b\"} NaN Inf 3 4 5
  {\"http.requests\",job=\"c\"} 1 2 3 4 5
  hist {{schema:0 sum:5 count:4 z_bucket:1 z_bucket_w:0.5 buckets:[1 2]}}
";

type Endpoint = fn(&Call, &dyn crate::http::view::View) -> Result<Answer, Failure>;

fn held() -> Held {
    Held { metrics: Arc::new(script::loaded(SAMPLES)), ..Held::default() }
}

fn ask(endpoint: Endpoint, path: &[(&str, &str)], query: &[(&str, &str)]) -> String {
    let answer = endpoint(&call(path, query), &held()).expect("an answer");
    String::from_utf8(answer.body).expect("UTF-8")
}

fn refusal(endpoint: Endpoint, query: &[(&str, &str)]) -> (u16, String) {
    let failure = endpoint(&call(&[], query), &held()).expect_err("a refusal");
    (failure.status().as_u16(), failure.to_string())
}

#[test]
fn a_query_gives_a_vector() {
    assert_eq!(
        ask(query, &[], &[("query", "up"), ("time", "40")]),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"x","job":"a"},"value":[40,"0.1"]},{"metric":{"__name__":"up","job":"b"},"value":[40,"5"]}]}}"#
    );
    assert_eq!(
        ask(query, &[], &[("query", "hist"), ("time", "1.5")]),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"hist"},"histogram":[1.5,{"count":"4","sum":"5","buckets":[[3,"-0.5","0.5","1"],[0,"0.5","1","1"],[0,"1","2","2"]]}]}]}}"#
    );
}

#[test]
fn a_query_gives_scalars_and_strings() {
    assert_eq!(
        ask(query, &[], &[("query", "1/0"), ("time", "1.25")]),
        r#"{"status":"success","data":{"resultType":"scalar","result":[1.25,"+Inf"]}}"#
    );
    assert_eq!(
        ask(query, &[], &[("query", "'a'"), ("time", "0")]),
        r#"{"status":"success","data":{"resultType":"string","result":[0,"a"]}}"#
    );
    assert_eq!(
        ask(query, &[], &[("query", "up{job='a'}[15s]"), ("time", "30")]),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"x","job":"a"},"values":[[20,"1"],[30,"1e+21"]]}]}}"#
    );
}

#[test]
fn a_range_gives_a_matrix_with_remarks() {
    let asked = [("query", "rate(up{job='b'}[20s])"), ("start", "10"), ("end", "40"), ("step", "15")];
    assert_eq!(
        ask(query_range, &[], &asked),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"b"},"values":[[10,"NaN"],[25,"NaN"],[40,"0.1"]]}]},"infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:6)"]}"#
    );
}

#[test]
fn answers_are_cut_and_that_is_said() {
    assert_eq!(
        ask(query, &[], &[("query", "up * 0 + 1"), ("time", "40"), ("limit", "1")]),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"x","job":"a"},"value":[40,"1"]}]},"warnings":["results truncated due to limit"]}"#
    );
    let stats = ask(query, &[], &[("query", "up"), ("time", "40"), ("stats", "all")]);
    assert!(
        stats.contains(r#""samples":{"totalQueryableSamplesPerStep":[[40,2]],"totalQueryableSamples":2"#),
        "{stats}"
    );
    let stats = ask(query, &[], &[("query", "up"), ("time", "40"), ("stats", "true")]);
    assert!(stats.contains(r#""samples":{"totalQueryableSamples":2"#), "{stats}");
}

#[test]
fn mistakes_are_named_as_prometheus_names_them() {
    for (asked, status, message) in [
        (
            vec![("query", "up{")],
            400,
            r#"invalid parameter "query": 1:4: parse error: unexpected end of input inside braces"#,
        ),
        (
            vec![("query", "")],
            400,
            r#"invalid parameter "query": unknown position: parse error: no expression found in input"#,
        ),
        (
            vec![("query", "up"), ("time", "x")],
            400,
            r#"invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp"#,
        ),
        (vec![("query", "up"), ("limit", "-1")], 400, r#"invalid parameter "limit": limit must be non-negative"#),
        (
            vec![("query", "up"), ("timeout", "x")],
            400,
            r#"invalid parameter "timeout": cannot parse "x" to a valid duration"#,
        ),
        (
            vec![("query", "up + on() up"), ("time", "40")],
            422,
            r#"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__="up", instance="x", job="a"}, {__name__="up", job="b"}];many-to-many matching not allowed: matching labels must be unique on one side"#,
        ),
        (vec![("query", "up"), ("timeout", "0.0001")], 504, "the query took longer than query.timeout"),
    ] {
        assert_eq!(refusal(query, &asked), (status, message.to_owned()), "{asked:?}");
    }
    let range = |changed: &[(&'static str, &'static str)]| {
        let mut asked = vec![("query", "up"), ("start", "0"), ("end", "10"), ("step", "1")];
        asked.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        asked.extend_from_slice(changed);
        refusal(query_range, &asked)
    };
    for (changed, message) in [
        (("start", ""), r#"invalid parameter "start": cannot parse "" to a valid timestamp"#),
        (("end", "-1"), r#"invalid parameter "end": end timestamp must not be before start time"#),
        (
            ("step", "0"),
            r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
        ),
        (
            ("end", "11001"),
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            ("query", "up[5m]"),
            r#"invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector"#,
        ),
    ] {
        assert_eq!(range(&[changed]), (400, message.to_owned()), "{changed:?}");
    }
}

#[test]
fn series_and_labels_are_listed() {
    let drilldown = [("match[]", r#"{__name__=~".+",job="a",}"#)];
    assert_eq!(
        ask(series, &[], &drilldown),
        r#"{"status":"success","data":[{"__name__":"up","instance":"x","job":"a"}]}"#
    );
    assert_eq!(
        ask(series, &[], &[("match[]", "up{job=\"b\"}"), ("match[]", "up"), ("limit", "1")]),
        r#"{"status":"success","data":[{"__name__":"up","instance":"x","job":"a"}],"warnings":["results truncated due to limit"]}"#
    );
    assert_eq!(ask(labels, &[], &[]), r#"{"status":"success","data":["__name__","instance","job"]}"#);
    assert_eq!(
        ask(label_values, &[("name", "U______name____")], &[("limit", "2")]),
        r#"{"status":"success","data":["hist","http.requests"],"warnings":["results truncated due to limit"]}"#
    );
    assert_eq!(
        ask(label_values, &[("name", "job")], &[("match[]", "up"), ("match[]", "{\"http.requests\"}")]),
        r#"{"status":"success","data":["a","b","c"]}"#
    );
    assert_eq!(ask(series, &[], &[("match[]", "nothing")]), r#"{"status":"success","data":[]}"#);
    assert_eq!(
        refusal(series, &[("match[]", "{")]),
        (400, r#"invalid parameter "match[]": 1:2: parse error: unexpected end of input inside braces"#.to_owned())
    );
    assert_eq!(refusal(series, &[]), (400, "no match[] parameter provided".to_owned()));
    assert_eq!(
        refusal(labels, &[("match[]", "{x=\"\"}")]),
        (400, "match[] must contain at least one non-empty matcher".to_owned())
    );
    assert_eq!(
        ask(metadata, &[], &[]),
        r#"{"status":"success","data":{"up":[{"type":"gauge","help":"Whether it is there.","unit":""}]}}"#
    );
    assert_eq!(
        ask(query_exemplars, &[], &[("query", "sum(up{job='a'})"), ("start", "0"), ("end", "40")]),
        r#"{"status":"success","data":[{"seriesLabels":{"__name__":"up","instance":"x","job":"a"},"exemplars":[{"labels":{"trace_id":"ab"},"value":"1.5","timestamp":0.5}]}]}"#
    );
    assert_eq!(ask(query_exemplars, &[], &[("query", "1 + 1")]), r#"{"status":"success"}"#);
    assert_eq!(
        ask(format_query, &[], &[("query", "sum(up)by(job)")]),
        r#"{"status":"success","data":"sum by (job) (up)"}"#
    );
}

#[test]
fn what_is_in_memory_is_told() {
    assert_eq!(
        ask(tsdb, &[], &[("limit", "1")]),
        r#"{"data":{"headStats":{"chunkCount":0,"maxTime":-9223372036854775808,"minTime":9223372036854775807,"numLabelPairs":0,"numSeries":3},"labelValueCountByLabelName":[],"memoryInBytesByLabelName":[],"seriesCountByLabelValuePair":[],"seriesCountByMetricName":[{"name":"up","value":2}]},"status":"success"}"#
    );
    assert_eq!(refusal(tsdb, &[("limit", "0")]), (400, "limit must be a positive number".to_owned()));
    assert_eq!(ask(metadata, &[], &[("limit", "0")]), r#"{"status":"success","data":{}}"#);
    assert_eq!(refusal(metadata, &[("limit", "x")]), (400, "limit must be a number".to_owned()));
    let told = flags(&call(&[], &[]), &held()).expect("an answer");
    let told = String::from_utf8(told.body).expect("UTF-8");
    assert!(told.contains(r#""query.lookback-delta":"5m""#), "{told}");
    let about = runtimeinfo(&call(&[], &[]), &held()).expect("an answer");
    let about = String::from_utf8(about.body).expect("UTF-8");
    assert!(about.contains(r#""serverTime":"1970-01-01T00:16:40Z""#), "{about}");
}

#[test]
fn errors_have_prometheus_shape() {
    use crate::http::answer::ErrorStyle;
    let style = ErrorStyle::of("/prometheus/api/v1/query");
    assert_eq!(style, ErrorStyle::Prometheus);
    assert_eq!(Failure::TimedOut.into_response(style).status().as_u16(), 503);
    assert_eq!(Failure::Execution(String::new()).into_response(style).status().as_u16(), 422);
}

#[test]
fn a_query_ends_when_nobody_waits_for_it() {
    let waiting = Arc::new(());
    let call = Call { client: Some(Arc::downgrade(&waiting)), ..call(&[], &[("query", "up"), ("time", "40")]) };
    assert!(query(&call, &held()).is_ok());
    drop(waiting);
    assert!(matches!(query(&call, &held()), Err(Failure::TimedOut)));
}
