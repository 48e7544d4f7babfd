//! Kills at random moments over a store on disk, against a model: nothing fires early, ends falsely or begins to wait anew.

use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use weir_proto::metrics::Labels;
use weir_store::{FloatSample, MetricsBatch, StoreOptions};

use super::{running::Done, *};
use crate::alerting::{group::SentAlert, rules::read, state::AlertState};

const STEP_MS: i64 = 10_000;

/// Evaluations that a result has to be there for before it fires, less one.
const HOLD: i64 = 5;

const RULES: &str = "groups:
- name: g
  interval: 10s
  rules:
  - record: b
    expr: a * 2
  - alert: A
    expr: b == 2
    for: 50s
";

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

/// From one start to the next kill.
struct Life {
    shared: Arc<Shared>,
    running: Running,
}

impl Life {
    async fn begin(folder: &tempfile::TempDir, now_ms: i64) -> Self {
        let clock = Clock::fixed(now_ms.unsigned_abs() * 1_000_000);
        let options = StoreOptions {
            free_bytes_min: 0,
            commit_delay_max: Duration::ZERO,
            retention_metrics: None,
            ..StoreOptions::new(folder.path())
        };
        let store = Store::open(options, None, clock.clone()).await.expect("opens");
        let spill = folder.path().join("tmp");
        let shared = Arc::new(Shared {
            engines: asks::Engines::new(store, TenantId::default(), QueryConfig::default(), spill),
            clock,
            turns: Semaphore::new(1),
            clock_moves: watch::Sender::new(0),
            receivers: RwLock::new(None),
        });
        let group = read("f.yml", RULES).expect("rules").groups.remove(0);
        let origin = Origin { file: "f.yml".to_owned(), group: "g".to_owned() };
        let state = match stored::restored(&shared.engines, now_ms).pop() {
            Some((_, restored)) => GroupState::take_over(&group, Arc::default(), restored),
            None => GroupState::new(&group, Arc::default()),
        };
        Self { shared, running: Running::new(origin, group, state, Vec::new()) }
    }

    async fn put(&self, time_ms: i64, value: f64) {
        let engines = &self.shared.engines;
        let labels = Labels::new([("__name__", "a"), ("host", "x")]).expect("a set");
        let series = engines.store.series(&engines.tenant, &labels).expect("taken");
        let mut batch = MetricsBatch::new(engines.tenant.clone(), 0);
        batch.floats.push(FloatSample { series, time_ms, start_ms: 0, value });
        engines.store.append_metrics(batch).await.expect("appended");
    }

    /// Somebody was told of the news up to a moment.
    async fn told(&self, slot: i64) {
        let engines = &self.shared.engines;
        let mut batch = MetricsBatch::new(engines.tenant.clone(), 0);
        batch.notes.push(stored::told_note(&self.running.origin, slot));
        stored::append(engines, batch).await.expect("stored");
    }

    fn evaluate(&self, slot: i64) -> Done {
        self.running.evaluate(&self.shared, slot)
    }

    async fn end(self) {
        self.shared.engines.store.shutdown().await;
    }
}

/// What an alert has to be, counted in evaluations that were stored.
#[derive(Debug, Default, PartialEq)]
struct Model {
    waited: i64,
    is_firing: bool,
}

impl Model {
    fn step(&mut self, is_bad: bool) {
        if !is_bad {
            *self = Self::default();
            return;
        }
        self.is_firing |= self.waited >= HOLD;
        self.waited += 1;
    }
}

fn news(sent: &[SentAlert]) -> Option<&SentAlert> {
    sent.iter().find(|alert| alert.is_new)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_change_nothing_about_alerts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut now = 1_700_000_000_000;
    let mut life = Life::begin(&folder, now).await;
    let (mut model, mut is_bad, mut kills, mut fired, mut starts_at) = (Model::default(), false, 0, 0, None);
    // Of what was stored, whether somebody was told: firing or not.
    let mut told_firing = false;
    for round in 0..450 {
        is_bad ^= dice.below(7) == 0;
        now += STEP_MS;
        life.put(now, f64::from(u8::from(is_bad))).await;
        let Done { evaluation, batch, .. } = life.evaluate(now);
        // Killed before the commit, behind it, or not at all.
        let kill = dice.below(9);
        if kill != 0 {
            stored::append(&life.shared.engines, batch).await.expect("stored");
            model.step(is_bad);
            let alert = life.running.state().rules[1].active().next().cloned();
            let is_firing = alert.as_ref().is_some_and(|alert| alert.state == AlertState::Firing);
            assert_eq!((alert.is_some(), is_firing), (is_bad, model.is_firing), "round {round}: {model:?} {alert:?}");
            if kill != 1 {
                if let Some(told) = news(&evaluation.sent) {
                    assert_eq!(!told.is_resolved, model.is_firing, "round {round}: {told:?}");
                    assert_eq!(told.is_resolved, told_firing, "round {round}: told twice, or of what nobody knew");
                    life.told(now).await;
                    told_firing = !told.is_resolved;
                    fired += i32::from(told_firing);
                }
                assert_eq!(told_firing, model.is_firing, "round {round}: nobody was told");
            }
            // It goes on with the time at which it began to fire.
            let begun = evaluation.sent.iter().find(|alert| !alert.is_resolved).map(|alert| alert.starts_at_ms);
            match (starts_at, begun) {
                (Some(known), Some(begun)) => assert_eq!(known, begun, "round {round}"),
                (None, Some(begun)) => starts_at = Some(begun),
                (_, None) => {}
            }
            if !model.is_firing {
                starts_at = None;
            }
        }
        if dice.below(10) == 0 {
            life.shared.engines.store.roll().await;
        }
        if kill <= 2 {
            kills += 1;
            now += dice.below(30) as i64 * STEP_MS;
            life.end().await;
            life = Life::begin(&folder, now).await;
        }
    }
    assert!(kills >= 100 && fired > 5, "{kills} kills, {fired} fired");
    life.end().await;
}
