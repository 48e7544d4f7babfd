//! What clients of Prometheus get.

use std::sync::Arc;

use weir_proto::metrics::Labels;

use super::*;

fn alert(name: &str, state: AlertState) -> ShownAlert {
    ShownAlert {
        labels: Labels::new([("alertname", name), ("instance", "a")]).expect("a set"),
        annotations: Arc::from(vec![("summary".to_owned(), "it is so".to_owned())]),
        state,
        active_at_ms: 1_700_000_000_500,
        keep_firing_since_ms: 0,
        value: 1.5,
    }
}

fn rule(name: &str, is_alert: bool) -> ShownRule {
    ShownRule {
        name: name.to_owned(),
        is_alert,
        query: "up == 0".to_owned(),
        hold_seconds: 60.0,
        keep_firing_seconds: 0.0,
        labels: vec![("severity".to_owned(), "page".to_owned())],
        annotations: Vec::new(),
        alerts: if is_alert { vec![alert(name, AlertState::Firing)] } else { Vec::new() },
        state: is_alert.then_some(AlertState::Firing),
        health: Health::Good,
        seconds: 0.25,
        evaluated_ns: 1_700_000_030_000_000_001,
    }
}

fn groups() -> Vec<ShownGroup> {
    let group = |file: &str, name: &str, rules| ShownGroup {
        file: file.into(),
        name: name.into(),
        rules,
        interval_ms: 15_000,
        limit: 0,
        seconds: 0.5,
        evaluated_ns: 1_700_000_030_000_000_000,
    };
    let mut fresh = rule("New", true);
    (fresh.health, fresh.state, fresh.evaluated_ns) = (Health::Unknown, None, 0);
    fresh.alerts.clear();
    let mut bad = rule("r:b", false);
    bad.health = Health::Bad("it fails".to_owned());
    vec![
        group("a.yml", "one", vec![rule("Down", true), rule("r:a", false)]),
        group("a.yml", "two", vec![bad]),
        group("b.yml", "one", vec![fresh]),
    ]
}

fn ask(pairs: &[(&str, &str)]) -> Result<String, String> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let found = rules(groups().iter(), &pairs)?;
    Ok(serde_json::to_string(&found).expect("written"))
}

/// The names of rules that are found.
fn names(pairs: &[(&str, &str)]) -> String {
    let json: serde_json::Value = serde_json::from_str(&ask(pairs).expect("found")).expect("JSON");
    let groups = json["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    rules.map(|rule| rule["name"].as_str().expect("a name")).collect::<Vec<_>>().join(" ")
}

#[test]
fn rules_are_shown_as_prometheus_shows_them() {
    assert_eq!(
        ask(&[("rule_group[]", "one"), ("file[]", "a.yml")]).expect("found"),
        concat!(
            r#"{"groups":[{"name":"one","file":"a.yml","rules":[{"state":"firing","name":"Down","query":"up == 0","#,
            r#""duration":60,"keepFiringFor":0,"labels":{"severity":"page"},"annotations":{},"alerts":[{"#,
            r#""labels":{"alertname":"Down","instance":"a"},"annotations":{"summary":"it is so"},"state":"firing","#,
            r#""activeAt":"2023-11-14T22:13:20.5Z","value":"1.5e+00"}],"health":"ok","evaluationTime":0.25,"#,
            r#""lastEvaluation":"2023-11-14T22:13:50.000000001Z","type":"alerting"},{"name":"r:a","query":"up == 0","#,
            r#""labels":{"severity":"page"},"health":"ok","evaluationTime":0.25,"#,
            r#""lastEvaluation":"2023-11-14T22:13:50.000000001Z","type":"recording"}],"interval":15,"limit":0,"#,
            r#""evaluationTime":0.5,"lastEvaluation":"2023-11-14T22:13:50Z"}]}"#
        )
    );
    let fresh = ask(&[("file[]", "b.yml")]).expect("found");
    for part in [r#""state":"unknown""#, r#""health":"unknown""#, r#""lastEvaluation":"0001-01-01T00:00:00Z","type""#] {
        assert!(fresh.contains(part), "{fresh}");
    }
    let bad = ask(&[("rule_group[]", "two")]).expect("found");
    assert!(bad.contains(r#""health":"err","lastError":"it fails""#), "{bad}");
}

#[test]
fn rules_are_chosen() {
    assert_eq!(names(&[]), "Down r:a r:b New");
    assert_eq!(names(&[("type", "alert")]), "Down New");
    assert_eq!(names(&[("type", "record"), ("rule_name[]", "r:b"), ("rule_name[]", "Down")]), "r:b");
    assert_eq!(names(&[("match[]", "{severity=\"ticket\"}")]), "");
    assert_eq!(names(&[("match[]", "{severity=\"x\"}"), ("match[]", "{severity=~\"p.*\"}")]), "Down r:a r:b New");
    let without = ask(&[("exclude_alerts", "true")]).expect("found");
    assert!(!without.contains("activeAt") && without.contains(r#""alerts":null"#), "{without}");
    assert_eq!(names(&[("file[]", "none.yml")]), "");
}

#[test]
fn groups_come_in_pages() {
    let page = |pairs: &[(&str, &str)]| {
        let json: serde_json::Value = serde_json::from_str(&ask(pairs).expect("found")).expect("JSON");
        json["groupNextToken"].as_str().map(str::to_owned)
    };
    let next = page(&[("group_limit", "2")]).expect("more");
    assert_eq!(names(&[("group_limit", "2"), ("group_next_token", &next)]), "New");
    assert_eq!(page(&[("group_limit", "2"), ("group_next_token", &next)]), None);
    assert_eq!(page(&[("group_limit", "3")]), None);
}

#[test]
fn mistakes_are_named_as_prometheus_names_them() {
    for (pair, said) in [
        (("type", "x"), r#"invalid parameter "type": not supported value "x""#),
        (
            ("exclude_alerts", "maybe"),
            r#"invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
        (("group_limit", "0"), r#"invalid parameter "group_limit": group_limit needs to be greater than 0"#),
        (
            ("group_limit", "x"),
            r#"invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax"#,
        ),
        (
            ("group_limit", "3000000000"),
            r#"invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "3000000000": value out of range"#,
        ),
        (
            ("group_next_token", "x"),
            r#"invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups"#,
        ),
    ] {
        assert_eq!(ask(&[pair]).expect_err("refused"), said);
    }
    let gone = ask(&[("group_limit", "1"), ("group_next_token", "x")]).expect_err("refused");
    assert_eq!(
        gone,
        r#"invalid parameter "group_next_token": invalid group_next_token 'x'. were rule groups changed?"#
    );
    let unread = ask(&[("match[]", "{"), ("type", "x")]).expect_err("refused");
    assert!(unread.starts_with("1:2: parse error: "), "{unread}");
    let every = ask(&[("match[]", "{a=~\".*\"}")]).expect_err("refused");
    assert_eq!(every, "match[] must contain at least one non-empty matcher");
}

#[test]
fn alerts_and_alertmanagers_are_listed() {
    let all = serde_json::to_string(&alerts(groups().iter())).expect("written");
    assert_eq!(
        all,
        concat!(
            r#"{"alerts":[{"labels":{"alertname":"Down","instance":"a"},"annotations":{"summary":"it is so"},"#,
            r#""state":"firing","activeAt":"2023-11-14T22:13:20.5Z","value":"1.5e+00"}]}"#
        )
    );
    let list = PeerList { active: vec!["http://a/api/v2/alerts".to_owned()], dropped: Vec::new() };
    assert_eq!(
        serde_json::to_string(&alertmanagers(list)).expect("written"),
        r#"{"activeAlertmanagers":[{"url":"http://a/api/v2/alerts"}],"droppedAlertmanagers":[]}"#
    );
}
