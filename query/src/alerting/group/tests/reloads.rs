//! What groups take over from one another: by reloads, restarts and new names.

use super::{
    memory::{Memory, group, run},
    *,
};
use crate::alerting::{
    rules::RuleGroup,
    state::{read_state, write_state},
};

/// As a process that was killed leaves it, and another one finds it at a moment.
pub(super) fn restarted(state: &GroupState, old: &RuleGroup, new: &RuleGroup, now_ms: i64) -> GroupState {
    told_and_restarted(state, (old, new), now_ms, None)
}

/// The same; of news up to `told_ms` everybody knows.
fn told_and_restarted(
    state: &GroupState,
    (old, new): (&RuleGroup, &RuleGroup),
    now_ms: i64,
    told_ms: Option<i64>,
) -> GroupState {
    let bytes = write_state("f.yml", old, state);
    if bytes.is_empty() {
        return GroupState::new(new, Arc::default());
    }
    let mut restored = read_state(&bytes, state.last_slot_ms).expect("readable");
    restored.resumed_at(now_ms, told_ms);
    GroupState::take_over(new, Arc::default(), restored)
}

const MINUTE: i64 = 60_000;

#[test]
fn rules_meet_their_state_by_name_and_labels() {
    let old = group(
        "- alert: A\n  expr: a\n  labels: {x: '1'}\n- alert: A\n  expr: a\n- record: r\n  expr: a\n- record: gone\n  expr: a\n",
    );
    let new = group(
        "- record: r\n  expr: a\n- alert: A\n  expr: a > 0\n- alert: A\n  expr: a\n  labels: {x: '1'}\n  for: 10m\n",
    );
    let mut memory = Memory::default();
    memory.put("a", 1000, 1.0);
    let mut state = GroupState::new(&old, Arc::default());
    run(&mut state, &old, &mut memory, [1000].into_iter());
    let restored = state.leave("f.yml", &old);
    assert!(restored.resembles(&new));
    let mut state = GroupState::take_over(&new, Arc::default(), restored);
    let told = run(&mut state, &new, &mut memory, [2 * MINUTE].into_iter());
    // The one whose `for` became longer waits again.
    assert_eq!(told, [r#"120000 firing {alertname="A"} from 1000 until 360000"#]);
    assert_eq!(memory.text("gone"), ["gone 1000=1 120000=stale"]);
    assert_eq!(memory.text("r"), ["r 1000=1 120000=1"]);
    let waiting = state.rules[2].active().next().expect("there");
    assert_eq!((waiting.state, waiting.active_at), (AlertState::Pending, 1000));
}

#[test]
fn pending_goes_on_where_it_was_and_time_down_does_not_count() {
    let group = group("- alert: A\n  expr: vector(1)\n  for: 3m\n");
    let mut memory = Memory::default();
    let mut state = GroupState::new(&group, Arc::default());
    run(&mut state, &group, &mut memory, [0, MINUTE].into_iter());
    // Killed for less than an interval: nothing is lost.
    let mut quick = restarted(&state, &group, &group, MINUTE + 10_000);
    let told = run(&mut quick, &group, &mut memory, [2 * MINUTE, 3 * MINUTE].into_iter());
    assert_eq!(told, [r#"180000 firing {alertname="A"} from 180000 until 420000 new"#]);
    // Killed for an hour: two minutes of waiting are left.
    let mut late = restarted(&state, &group, &group, 60 * MINUTE);
    let told = run(&mut late, &group, &mut memory, (61..65).map(|minute| minute * MINUTE));
    assert_eq!(told[0], format!(r#"{0} firing {{alertname="A"}} from {0} until {1} new"#, 62 * MINUTE, 66 * MINUTE));
}

#[test]
fn what_fired_goes_on_and_nothing_ends_for_want_of_data() {
    let group = group("- alert: A\n  expr: max_over_time(a[5m]) > 0\n");
    let mut memory = Memory::default();
    memory.put("a", 0, 1.0);
    let mut state = GroupState::new(&group, Arc::default());
    assert_eq!(run(&mut state, &group, &mut memory, [0].into_iter()).len(), 1);
    let mut state = restarted(&state, &group, &group, 60 * MINUTE);
    assert_eq!(memory.text("ALERTS").len(), 1);
    let firing =
        |minute: i64| format!(r#"{} firing {{alertname="A"}} from 0 until {}"#, minute * MINUTE, (minute + 4) * MINUTE);
    let mut slots = (61..70).map(|minute| minute * MINUTE);
    let told = run(&mut state, &group, &mut memory, slots.by_ref().take(3));
    // Told anew by the first evaluation, then as ever; nobody is known to know of it.
    assert_eq!(told, [format!("{} new", firing(61)), firing(63)]);
    // Data are there again, but not for long enough.
    memory.put("a", 63 * MINUTE + 1, 0.0);
    let told = run(&mut state, &group, &mut memory, slots.by_ref().take(5));
    assert_eq!(told, [firing(65), firing(67)]);
    let told = run(&mut state, &group, &mut memory, slots);
    assert_eq!(told, [format!(r#"{0} resolved {{alertname="A"}} from 0 until {0} new"#, 69 * MINUTE)]);
}

#[test]
fn what_ended_is_forgotten_in_time_over_a_restart() {
    let group = group("- alert: A\n  expr: a > 0\n");
    let mut memory = Memory::default();
    memory.put("a", 0, 1.0);
    memory.put("a", MINUTE, 0.0);
    let mut state = GroupState::new(&group, Arc::default());
    run(&mut state, &group, &mut memory, [0, MINUTE, 2 * MINUTE].into_iter());
    let mut again = told_and_restarted(&state, (&group, &group), 3 * MINUTE, Some(MINUTE));
    let told = run(&mut again, &group, &mut memory, [4 * MINUTE].into_iter());
    assert_eq!(told, [r#"240000 resolved {alertname="A"} from 0 until 60000"#]);
    let mut late = restarted(&state, &group, &group, 60 * MINUTE);
    assert_eq!(run(&mut late, &group, &mut memory, [60 * MINUTE].into_iter()), Vec::<String>::new());
    assert!(late.rules[0].alerts.is_empty());
}
