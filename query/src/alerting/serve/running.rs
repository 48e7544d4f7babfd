//! A group at work: waits for its next moment, evaluates, stores, tells.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use weir_proto::time::Clock;
use weir_store::{MetricsBatch, Note};

use super::{
    asks::{Engines, StoreAsks},
    metrics,
    shown::ShownGroup,
    stored,
};
use crate::alerting::{
    group::{Evaluation, GroupState, Health, Settings, slot_hash},
    notify::{Origin, Receivers},
    rules::RuleGroup,
};

/// What all groups share.
pub(super) struct Shared {
    pub(super) engines: Engines,
    pub(super) clock: Clock,
    /// Evaluations that run at the same time.
    pub(super) turns: Semaphore,
    /// By how much the clock was set so far, in ms.
    pub(super) clock_moves: watch::Sender<i64>,
    pub(super) receivers: RwLock<Option<Arc<Receivers>>>,
}

impl Shared {
    pub(super) fn now_ms(&self) -> i64 {
        (self.clock.now_ns() / 1_000_000) as i64
    }

    pub(super) fn receivers(&self) -> Option<Arc<Receivers>> {
        self.receivers.read().clone()
    }
}

/// One group.
pub(super) struct Running {
    pub(super) origin: Origin,
    pub(super) group: RuleGroup,
    hash: u64,
    file: Arc<str>,
    work: Mutex<Work>,
    shown: RwLock<Arc<ShownGroup>>,
}

struct Work {
    state: GroupState,
    /// Whether the state is not written as it is.
    is_unwritten: bool,
    /// Of groups that this one took over from.
    forgetting: Vec<Note>,
}

/// What an evaluation came to.
pub(super) struct Done {
    pub(super) evaluation: Evaluation,
    pub(super) batch: MetricsBatch,
    seconds: f64,
    began_ns: u64,
}

impl Running {
    pub(super) fn new(origin: Origin, group: RuleGroup, state: GroupState, forgetting: Vec<Note>) -> Self {
        let file: Arc<str> = origin.file.as_str().into();
        let shown = ShownGroup::of(&file, &group, &state, (0.0, 0));
        let is_unwritten = !forgetting.is_empty();
        Self {
            hash: slot_hash(&origin.file, &origin.group),
            file,
            work: Mutex::new(Work { state, is_unwritten, forgetting }),
            shown: RwLock::new(Arc::new(shown)),
            origin,
            group,
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock()
    }

    /// As it was after the last evaluation.
    pub(super) fn shown(&self) -> Arc<ShownGroup> {
        self.shown.read().clone()
    }

    /// What it is evaluated with.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.work().state.settings)
    }

    /// How it stands.
    pub(super) fn state(&self) -> GroupState {
        self.work().state.clone()
    }

    /// Evaluates at every moment until `stop`.
    pub(super) async fn run(self: Arc<Self>, shared: Arc<Shared>, stop: CancellationToken) {
        let mut clock_moves = shared.clock_moves.subscribe();
        let mut moved_ms = *clock_moves.borrow_and_update();
        let interval_ms = self.work().state.interval_ms(&self.group);
        let mut slot = self.first_slot(&shared);
        loop {
            let wait_ms = u64::try_from(slot.saturating_sub(shared.now_ms())).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = stop.cancelled() => return,
                changed = clock_moves.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now_moved_ms = *clock_moves.borrow_and_update();
                    {
                        let mut work = self.work();
                        work.state.clock_moved(now_moved_ms - moved_ms);
                        work.is_unwritten = true;
                    }
                    moved_ms = now_moved_ms;
                    slot = self.first_slot(&shared);
                    continue;
                }
            }
            // Timers may be early by a little, clocks set back by less than is noticed.
            if shared.now_ms() < slot {
                continue;
            }
            metrics::ITERATIONS.inc();
            Arc::clone(&self).iterate(&shared, slot).await;
            slot = slot.saturating_add(interval_ms);
            let late_ms = shared.now_ms().saturating_sub(slot);
            if late_ms >= interval_ms {
                let missed = late_ms / interval_ms;
                metrics::MISSED.inc_by(missed as u64);
                metrics::ITERATIONS.inc_by(missed as u64);
                slot = slot.saturating_add(missed * interval_ms);
            }
        }
    }

    fn first_slot(&self, shared: &Shared) -> i64 {
        self.work().state.next_slot_ms(self.hash, &self.group, shared.now_ms())
    }

    /// One evaluation, from question to answer.
    async fn iterate(self: Arc<Self>, shared: &Arc<Shared>, slot: i64) {
        let Ok(_turn) = shared.turns.acquire().await else { return };
        metrics::LATENESS.observe(shared.now_ms().saturating_sub(slot).max(0) as f64 / 1e3);
        let (this, with) = (Arc::clone(&self), Arc::clone(shared));
        let evaluated = tokio::task::spawn_blocking(move || this.evaluate(&with, slot)).await;
        let Ok(done) = evaluated else {
            tracing::error!(file = self.origin.file, group = self.origin.group, "the evaluation of rules panicked");
            return;
        };
        let Done { evaluation, batch, seconds, began_ns } = done;
        let appended = stored::append(&shared.engines, batch).await;
        {
            let mut work = self.work();
            match &appended {
                Ok(()) => {
                    work.is_unwritten = false;
                    work.forgetting.clear();
                }
                Err(error) => {
                    metrics::FAILURES.inc_by(self.group.rules.len() as u64);
                    tracing::error!(
                        file = self.origin.file, group = self.origin.group, %error,
                        "what rules gave is not stored; their alerts go out all the same"
                    );
                    for rule in work.state.rules.iter_mut().filter(|rule| rule.health == Health::Good) {
                        rule.health = Health::Bad(format!("cannot store: {error}"));
                    }
                }
            }
            let shown = ShownGroup::of(&self.file, &self.group, &work.state, (seconds, began_ns));
            *self.shown.write() = Arc::new(shown);
        }
        if let Some(receivers) = shared.receivers() {
            receivers.send(&self.origin, slot, &evaluation.sent);
        }
    }

    /// What comes of a moment, not stored yet.
    pub(super) fn evaluate(&self, shared: &Shared, slot: i64) -> Done {
        let began_ns = shared.clock.now_ns();
        let begin = Instant::now();
        let mut work = self.work();
        let mut asks = StoreAsks::new(&shared.engines);
        let mut samples = Vec::new();
        let evaluation = work.state.evaluate(&self.group, slot, &mut asks, &mut samples);
        metrics::EVALUATIONS.inc_by(self.group.rules.len() as u64);
        metrics::FAILURES.inc_by(evaluation.failures as u64);
        let mut batch = stored::batch(&shared.engines, samples, began_ns);
        work.is_unwritten |= evaluation.is_changed;
        if work.is_unwritten {
            batch.notes.extend(work.forgetting.iter().cloned());
            batch.notes.extend(stored::state_notes(&self.origin, &self.group, &work.state));
        } else if work.state.rules.iter().any(|rule| rule.active().next().is_some()) {
            batch.notes.push(stored::slot_note(&self.origin, &work.state));
        }
        let seconds = begin.elapsed().as_secs_f64();
        metrics::DURATION.observe(seconds);
        Done { evaluation, batch, seconds, began_ns }
    }
}

/// How often the clock is looked at.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// A clock that goes on within this of what passed was not set.
const CLOCK_MOVE_MS: i64 = 2_000;

/// Notices that the clock was set, until `stop`.
pub(super) async fn watch_clock(shared: Arc<Shared>, stop: CancellationToken) {
    let (mut wall_ms, mut passed) = (shared.now_ms(), Instant::now());
    loop {
        tokio::select! {
            () = tokio::time::sleep(CLOCK_LOOK) => {}
            () = stop.cancelled() => return,
        }
        let (now_ms, now) = (shared.now_ms(), Instant::now());
        let expected_ms = i64::try_from(now.duration_since(passed).as_millis()).unwrap_or(i64::MAX);
        let moved_ms = now_ms.saturating_sub(wall_ms).saturating_sub(expected_ms);
        (wall_ms, passed) = (now_ms, now);
        if moved_ms.abs() >= CLOCK_MOVE_MS {
            tracing::warn!(moved_ms, "the clock was set; what alerts have waited goes on from there");
            shared.clock_moves.send_modify(|all_ms| *all_ms = all_ms.saturating_add(moved_ms));
        }
    }
}
