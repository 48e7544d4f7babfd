//! Evaluations over samples in memory.

mod kills;
mod memory;
mod reloads;

use std::time::Duration;

use self::memory::{Memory, group, run};
use super::*;
use crate::alerting::state::AlertState;

#[test]
fn an_alert_waits_fires_and_ends() {
    let group = group(
        "- alert: Down\n  expr: up == 0\n  for: 1m\n  labels: {severity: page, job: x}\n  annotations: {summary: gone}\n",
    );
    let mut memory = Memory::default();
    for (minute, value) in [(0, 1.0), (1, 0.0), (2, 0.0), (3, 0.0), (4, 1.0)] {
        memory.put("up{job=\"node\",instance=\"a\"}", minute * 60_000, value);
    }
    let mut state = GroupState::new(&group, Arc::default());
    assert_eq!(state.rules[0].state(), None);
    let told = run(&mut state, &group, &mut memory, (0..5).map(|minute| minute * 60_000));
    let labels = r#"{alertname="Down", instance="a", job="x", severity="page"}"#;
    assert_eq!(
        told,
        [
            format!("120000 firing {labels} from 120000 until 360000 new"),
            format!("240000 resolved {labels} from 120000 until 240000 new"),
        ]
    );
    let alerts = memory.text("ALERTS");
    let pending = r#"ALERTS{alertname="Down", alertstate="pending", instance="a", job="x", severity="page"}"#;
    let firing = pending.replace("pending", "firing");
    assert_eq!(alerts, [format!("{firing} 120000=1 180000=1 240000=stale"), format!("{pending} 60000=1 120000=stale")]);
    let since = memory.text("ALERTS_FOR_STATE");
    assert_eq!(since.len(), 1);
    assert!(since[0].ends_with(" 60000=60 120000=60 180000=60 240000=stale"), "{since:?}");
    assert_eq!(state.rules[0].state(), Some(AlertState::Inactive));
    // What ended is told of for 15 minutes.
    let told = run(&mut state, &group, &mut memory, (5..25).map(|minute| minute * 60_000));
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(told.iter().all(|told| told.contains("resolved") && !told.contains("new")));
    assert!(state.rules[0].alerts.is_empty());
}

#[test]
fn rules_see_the_results_of_those_before_and_series_end() {
    let group = group("- record: a:b\n  expr: a * 2\n  labels: {x: y}\n- record: c\n  expr: a:b{x=\"y\"} + 1\n");
    let mut memory = Memory::default();
    memory.put("a{i=\"1\"}", 0, 1.0);
    memory.put("a{i=\"2\"}", 0, 2.0);
    memory.put("a{i=\"1\"}", 60_000, 3.0);
    memory.put_stale("a{i=\"2\"}", 60_000);
    let mut state = GroupState::new(&group, Arc::default());
    run(&mut state, &group, &mut memory, [0, 60_000].into_iter());
    assert_eq!(memory.text("a:b"), [r#"a:b{i="1", x="y"} 0=2 60000=6"#, r#"a:b{i="2", x="y"} 0=4 60000=stale"#]);
    assert_eq!(memory.text("c"), [r#"c{i="1", x="y"} 0=3 60000=7"#, r#"c{i="2", x="y"} 0=5 60000=stale"#]);
}

#[test]
fn samples_lie_at_the_slot_less_the_offset() {
    let mut group = group("- record: r\n  expr: time()\n- alert: A\n  expr: vector(1)\n");
    group.query_offset = Some(Duration::from_secs(30));
    let mut memory = Memory::default();
    let mut state = GroupState::new(&group, Arc::default());
    let told = run(&mut state, &group, &mut memory, [60_000].into_iter());
    assert_eq!(memory.text("r"), ["r 30000=30"]);
    assert_eq!(memory.text("ALERTS_FOR_STATE"), [r#"ALERTS_FOR_STATE{alertname="A"} 30000=60"#]);
    assert_eq!(told, [r#"60000 firing {alertname="A"} from 60000 until 300000 new"#]);
}

#[test]
fn results_that_are_one_after_labels_and_limits_are_errors() {
    let text = "- record: r\n  expr: a\n  labels: {i: x}\n- alert: A\n  expr: a\n  labels: {i: x}\n- record: s\n  expr: a\n- alert: B\n  expr: a\n- record: t\n  expr: '\"x\"'\n";
    let mut group = group(text);
    group.limit = 1;
    let mut memory = Memory::default();
    let mut state = GroupState::new(&group, Arc::default());
    memory.put("a{i=\"1\"}", 0, 1.0);
    run(&mut state, &group, &mut memory, [0].into_iter());
    let health = |state: &GroupState| {
        let words = state.rules.iter().map(|rule| match &rule.health {
            Health::Unknown => "unknown".to_owned(),
            Health::Good => "good".to_owned(),
            Health::Bad(error) => error.clone(),
        });
        words.collect::<Vec<_>>()
    };
    assert_eq!(health(&state)[..4], ["good"; 4]);
    assert_eq!(health(&state)[4], "rule result is not a vector or scalar");
    memory.put("a{i=\"1\"}", 60_000, 1.0);
    memory.put("a{i=\"2\"}", 60_000, 1.0);
    run(&mut state, &group, &mut memory, [60_000].into_iter());
    assert_eq!(
        health(&state)[..4],
        [
            "vector contains metrics with the same labelset after applying rule labels",
            "vector contains metrics with the same labelset after applying alert labels",
            "exceeded limit of 1 with 2 series",
            "exceeded limit of 1 with 2 alerts",
        ]
    );
    // Nothing ended, nothing is told; but beyond the limit no alert is left.
    assert!(memory.all().iter().all(|line| !line.contains("stale")), "{:?}", memory.all());
    assert_eq!((state.rules[1].alerts.len(), state.rules[3].alerts.len()), (1, 0));
}

#[test]
fn an_evaluation_that_fails_ends_nothing() {
    let group = group("- alert: A\n  expr: a\n");
    let mut memory = Memory::default();
    memory.put("a", 1000, 1.0);
    let mut state = GroupState::new(&group, Arc::default());
    run(&mut state, &group, &mut memory, [1000].into_iter());
    memory.fails = true;
    assert_eq!(run(&mut state, &group, &mut memory, [60_000, 600_000].into_iter()), Vec::<String>::new());
    memory.fails = false;
    memory.put("a", 660_000, 1.0);
    let told = run(&mut state, &group, &mut memory, [660_000].into_iter());
    assert_eq!(told, [r#"660000 firing {alertname="A"} from 1000 until 900000"#]);
}

#[test]
fn an_alert_keeps_firing_for_a_while() {
    let group = group("- alert: A\n  expr: a == 1\n  keep_firing_for: 2m\n");
    let mut memory = Memory::default();
    for (minute, value) in [(0, 1.0), (1, 0.0), (2, 1.0), (3, 0.0), (4, 0.0), (5, 0.0)] {
        memory.put("a", minute * 60_000, value);
    }
    let mut state = GroupState::new(&group, Arc::default());
    let told = run(&mut state, &group, &mut memory, (0..6).map(|minute| minute * 60_000));
    assert_eq!(told.last().expect("told"), r#"300000 resolved {alertname="A"} from 0 until 300000 new"#);
    assert_eq!(
        memory.text("ALERTS"),
        [r#"ALERTS{alertname="A", alertstate="firing"} 0=1 60000=1 120000=1 180000=1 240000=1 300000=stale"#]
    );
}

#[test]
fn a_clock_that_is_set_neither_fires_early_nor_begins_anew() {
    for by_ms in [600_000_i64, -600_000] {
        let group = group("- alert: A\n  expr: vector(1)\n  for: 5m\n");
        let mut memory = Memory::default();
        let mut state = GroupState::new(&group, Arc::default());
        let begin = 10_000_000;
        run(&mut state, &group, &mut memory, [begin, begin + 60_000].into_iter());
        state.clock_moved(by_ms);
        let slots = (2..8).map(|minute| begin + by_ms + minute * 60_000);
        let told = run(&mut state, &group, &mut memory, slots);
        let fired = begin + by_ms + 300_000;
        assert!(told[0].starts_with(&format!("{fired} firing {{alertname=\"A\"}} from {fired} ")), "{told:?}");
        assert_eq!(told.iter().filter(|told| told.ends_with("new")).count(), 1);
    }
}

#[test]
fn a_rule_may_not_give_any_number_of_results() {
    let group = group("- record: r\n  expr: a\n- alert: A\n  expr: a\n");
    let mut memory = Memory::default();
    (0..3).for_each(|number| memory.put(&format!("a{{i=\"{number}\"}}"), 1000, 1.0));
    let mut state = GroupState::new(&group, Arc::new(Settings { results_max: 2, ..Settings::default() }));
    assert_eq!(run(&mut state, &group, &mut memory, [1000].into_iter()), Vec::<String>::new());
    assert_eq!(state.rules[0].health, Health::Bad("exceeded limit of 2 with 3 series".to_owned()));
    assert_eq!(state.rules[1].health, Health::Bad("exceeded limit of 2 with 3 alerts".to_owned()));
    assert_eq!(memory.all().len(), 3, "nothing is stored");
}

#[test]
fn a_clock_that_is_set_back_tells_nobody_again() {
    let group = group("- alert: A\n  expr: vector(1)\n");
    let mut memory = Memory::default();
    let mut state = GroupState::new(&group, Arc::default());
    let begin = 10_000_000;
    assert_eq!(run(&mut state, &group, &mut memory, [begin].into_iter()).len(), 1);
    state.clock_moved(-600_000);
    let told = run(&mut state, &group, &mut memory, (1..5).map(|minute| begin - 600_000 + minute * 60_000));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|told| told.contains(&format!(" from {begin} ")) && !told.ends_with("new")), "{told:?}");
}
