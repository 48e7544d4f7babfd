//! Searches as they are asked, and what is looked for.

use weir_store::TagFilter;

use super::*;
use crate::http::fixtures;

fn search(query: &[(&str, &str)]) -> Result<Search, Failure> {
    Search::of(&fixtures::call(&[], query))
}

fn filter(query: &[(&str, &str)]) -> (ScanFilter, usize) {
    let mut with_service = vec![("service", "cart")];
    with_service.extend(query);
    match search(&with_service) {
        Ok(Search::Like { filter, traces_max }) => (*filter, traces_max),
        other => panic!("{query:?}: {other:?}"),
    }
}

fn refused(query: &[(&str, &str)]) -> String {
    match search(query) {
        Err(Failure::BadRequest(message)) => message,
        other => panic!("{query:?}: {other:?}"),
    }
}

fn tag(key: &str, text: &str) -> TagFilter {
    TagFilter::attribute(key, text)
}

#[test]
fn a_service_alone_finds_everything_it_did() {
    let (filter, traces_max) = filter(&[("operation", ""), ("minDuration", ""), ("tags", "")]);
    assert_eq!((filter.services, filter.names, traces_max), (Some(vec!["cart".into()]), None, 100));
    assert_eq!((filter.duration_ns, filter.start_ns), (0..=u64::MAX, 0..=u64::MAX));
    assert_eq!((filter.kinds, filter.status_codes), (None, None));
    assert_eq!(filter.tags, []);
}

#[test]
fn what_jaegers_ui_sends() {
    let (filter, traces_max) = filter(&[
        ("operation", "GET /"),
        ("start", "1700000000000000"),
        ("end", "1700000001000000"),
        ("lookback", "custom"),
        ("limit", "20"),
        ("minDuration", "1.2ms"),
        ("maxDuration", "5m"),
        ("tags", r#"{"error":"true","http.response.status_code":"500"}"#),
    ]);
    assert_eq!((filter.names, traces_max), (Some(vec!["GET /".into()]), 20));
    assert_eq!(filter.start_ns, 1_700_000_000_000_000_000..=1_700_000_001_000_000_999);
    assert_eq!(filter.duration_ns, 1_200_000..=300_000_000_000);
    let error = tag_filter("error".into(), "true".into());
    assert_eq!(filter.tags, [error, tag("http.response.status_code", "500")]);
}

#[test]
fn tags_come_in_two_forms() {
    let (filter, _) =
        filter(&[("tag", "url:http://x/y"), ("tag", "b:1"), ("tags", r#"{"b":2,"c":true}"#), ("tags", r#"{"d":"é"}"#)]);
    assert_eq!(filter.tags, [tag("b", "2"), tag("c", "true"), tag("d", "é"), tag("url", "http://x/y")]);
}

#[test]
fn lists_and_maps_are_asked_for_by_their_json() {
    let (filter, _) = filter(&[("tags", r#"{"list":["a", 1],"map":{"k":0.5}}"#), ("tag", "empty:")]);
    assert_eq!(filter.tags, [tag("empty", ""), tag("list", r#"["a",1]"#), tag("map", r#"{"k":0.5}"#)]);
}

#[test]
fn looking_back_ends_now() {
    // The fixture's now is 1000 s after 1970.
    assert_eq!(filter(&[("lookback", "10s")]).0.start_ns, 990_000_000_000..=u64::MAX);
    assert_eq!(filter(&[("lookback", "10s"), ("end", "500000000")]).0.start_ns, 490_000_000_999..=500_000_000_999);
    assert_eq!(filter(&[("lookback", "2d")]).0.start_ns, 0..=u64::MAX);
    assert_eq!(filter(&[("start", "-5")]).0.start_ns, 0..=u64::MAX);
    assert_eq!(filter(&[("end", "9223372036854775807")]).0.start_ns, 0..=u64::MAX);
}

#[test]
fn limits_are_bounded() {
    assert_eq!(filter(&[("limit", "4000000000")]).1, 1500);
    assert_eq!(filter(&[("limit", "0")]).1, 100, "as in Jaeger");
    for limit in ["-1", "many", "1.5"] {
        assert!(refused(&[("service", "a"), ("limit", limit)]).contains("limit"), "{limit}");
    }
}

#[test]
fn ids_need_no_service() {
    let ids = [("traceID", "1"), ("traceID", "00000000000000000000000000000001"), ("traceID", "2")];
    match search(&ids) {
        Ok(Search::Ids(ids)) => assert_eq!(ids, ["1".parse().expect("id"), "2".parse().expect("id")]),
        other => panic!("{other:?}"),
    }
    assert!(refused(&[("traceID", "no")]).contains("traceID"));
}

#[test]
fn mistakes_are_named() {
    for (query, said) in [
        (&[][..], "parameter 'service' is required"),
        (&[("service", "")], "parameter 'service' is required"),
        (&[("service", "a"), ("start", "now")], "'start'"),
        (&[("service", "a"), ("start", "2"), ("end", "1")], "must not be after"),
        (&[("service", "a"), ("minDuration", "-1s")], "'minDuration'"),
        (&[("service", "a"), ("minDuration", "2s"), ("maxDuration", "1s")], "greater than"),
        (&[("service", "a"), ("tag", "error")], "key:value"),
        (&[("service", "a"), ("tags", "error=true")], "JSON object"),
        (&[("service", "a"), ("tags", r#"{"a":null}"#)], "has no value"),
        (&[("service", "a"), ("lookback", "long")], "'lookback'"),
    ] {
        let message = refused(query);
        assert!(message.contains(said), "{query:?}: {message}");
    }
}
