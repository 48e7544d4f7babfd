//! Kills at random moments, against a model: nothing fires early, ends falsely or begins to wait anew.

use super::{
    memory::{Memory, group, run},
    reloads::restarted,
    *,
};

const STEP: i64 = 10_000;
const HOLD: i64 = 5;

/// A generator that is the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What an alert has to be, counted in evaluations.
#[derive(Debug, Default, PartialEq)]
struct Model {
    waited: i64,
    is_firing: bool,
}

#[test]
fn kills_change_nothing_about_alerts() {
    let mut group = group("- alert: A\n  expr: a == 1\n  for: 50s\n");
    group.interval = Some(Duration::from_millis(STEP as u64));
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut memory, mut model) = (Memory::default(), Model::default());
    let mut state = GroupState::new(&group, Arc::default());
    let (mut now, mut is_bad, mut kills, mut fired, mut ended) = (0, false, 0, 0, 0);
    for round in 0..3000 {
        if dice.below(6) == 0 {
            is_bad = !is_bad;
        }
        if dice.below(10) == 0 {
            kills += 1;
            let down = dice.below(40) as i64;
            let at = now + 1 + down * STEP;
            state = restarted(&state, &group, &group, at);
            now += down * STEP;
        }
        now += STEP;
        memory.put("a", now, f64::from(u8::from(is_bad)));
        let told = run(&mut state, &group, &mut memory, [now].into_iter());
        let was_firing = model.is_firing;
        match is_bad {
            true if model.is_firing => {}
            true => {
                model.is_firing = model.waited >= HOLD;
                model.waited += 1;
            }
            false => model = Model::default(),
        }
        let alert = state.rules[0].active().next();
        let is_firing = alert.is_some_and(|alert| alert.state == AlertState::Firing);
        assert_eq!((alert.is_some(), is_firing), (is_bad, model.is_firing), "round {round}: {model:?} {alert:?}");
        let news: Vec<_> = told.iter().filter(|told| told.ends_with("new")).collect();
        if model.is_firing && !was_firing {
            fired += 1;
            assert!(news[0].contains(" firing "), "round {round}: {told:?}");
        }
        if was_firing && !model.is_firing {
            ended += 1;
            assert!(news[0].contains(" resolved "), "round {round}: {told:?}");
        }
    }
    assert!(kills > 200 && fired > 50 && ended >= fired - 1, "{kills} kills, {fired} fired, {ended} ended");
}
