//! Alerting in a running server: groups at their times, files read again, everything replaced by a reload.

mod asks;
mod files;
mod metrics;
mod overlay;
mod running;
mod shown;
mod stored;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{TenantId, relabel::RelabelConfig, time::Clock};
use weir_store::{MetricsBatch, Store};

pub use self::files::{matching, rule_files};
use self::running::{Running, Shared};
pub(crate) use self::shown::{ShownAlert, ShownGroup, ShownRule};
use super::{
    group::{GroupState, Settings, ended},
    notify::{Links, NotifyLimits, Origin, PeerList, Receiver, Receivers, Told},
    rules::{RuleFile, RuleGroup},
    state::Restored,
};
use crate::http::QueryConfig;

/// How often files are looked at for changes.
const WATCH: Duration = Duration::from_secs(2);

/// What alerting does, as configured.
#[derive(Debug, Clone)]
pub struct AlertingOptions {
    /// Names of files with rules, with wildcards; nothing in them is relative any more.
    pub rule_files: Vec<String>,
    /// How often groups are evaluated that do not say it.
    pub evaluation_interval: Duration,
    /// How far back in time groups ask that do not say it.
    pub rule_query_offset: Duration,
    /// What alerts get where they have no such label.
    pub external_labels: Vec<(String, String)>,
    /// Where people reach Weir, without a slash at the end.
    pub external_url: String,
    /// Firing alerts are told of again after this long.
    pub resend_delay: Duration,
    /// Results of one rule; more are an error.
    pub results_max: usize,
    /// Steps over the labels of all alerts.
    pub alert_relabel: Vec<RelabelConfig>,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// Raised with each change of the receivers: those of one number are the same.
    pub receivers_version: u64,
    /// Bounds of notifications.
    pub limits: NotifyLimits,
}

/// What alerting needs around it.
pub struct Around {
    /// Where samples and state are.
    pub store: Store,
    /// Whose.
    pub tenant: TenantId,
    /// The time.
    pub clock: Clock,
    /// Limits of queries.
    pub query: QueryConfig,
    /// Where queries in SQL put what they cannot hold.
    pub spill_folder: PathBuf,
    /// Evaluations that run at the same time.
    pub evaluations_max: usize,
    /// Waits for what is under way at the end.
    pub tracker: TaskTracker,
    /// The end.
    pub stop: CancellationToken,
}

/// All of it. Clones are the same.
#[derive(Clone)]
pub struct Alerting(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
    groups: RwLock<BTreeMap<Origin, Arc<Running>>>,
    /// One change at a time.
    current: AsyncMutex<Current>,
    patterns: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Current {
    options: Option<AlertingOptions>,
    /// Their tasks.
    tasks: BTreeMap<Origin, (CancellationToken, JoinHandle<()>)>,
    /// What an earlier process left, until the files were read for the first time.
    restored: Vec<(Origin, Restored)>,
}

impl fmt::Debug for Alerting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerting").finish_non_exhaustive()
    }
}

impl Alerting {
    /// Without rules yet. Must be called within a runtime.
    pub fn new(around: Around) -> Self {
        let Around { store, tenant, clock, query, spill_folder, evaluations_max, tracker, stop } = around;
        let shared = Arc::new(Shared {
            engines: asks::Engines::new(store, tenant, query, spill_folder),
            clock,
            turns: Semaphore::new(evaluations_max.clamp(1, Semaphore::MAX_PERMITS)),
            clock_moves: watch::Sender::new(0),
            receivers: RwLock::new(None),
        });
        metrics::show();
        let now_ms = shared.now_ms();
        let restored = stored::restored(&shared.engines, now_ms);
        tracker.spawn(running::watch_clock(Arc::clone(&shared), stop.clone()));
        let inner = Inner {
            shared,
            tracker,
            stop,
            groups: RwLock::default(),
            current: AsyncMutex::new(Current { restored, ..Current::default() }),
            patterns: Mutex::default(),
        };
        let this = Self(Arc::new(inner));
        this.0.tracker.spawn(watch_files(this.clone()));
        this
    }

    /// Takes on what is configured, and reads the files.
    ///
    /// # Errors
    ///
    /// What is wrong with the files; then nothing is changed.
    pub async fn set(&self, options: AlertingOptions) -> Result<(), Vec<String>> {
        let mut current = self.0.current.lock().await;
        let files = self.read(&options.rule_files).await?;
        self.set_receivers(&current, &options);
        self.apply(&mut current, files, &options).await;
        *self.patterns() = options.rule_files.clone();
        current.options = Some(options);
        Ok(())
    }

    /// Reads the files again.
    ///
    /// # Errors
    ///
    /// What is wrong with them; then nothing is changed.
    pub async fn reload(&self) -> Result<(), Vec<String>> {
        let mut current = self.0.current.lock().await;
        let Some(options) = current.options.clone() else { return Ok(()) };
        let files = self.read(&options.rule_files).await?;
        self.apply(&mut current, files, &options).await;
        Ok(())
    }

    /// The groups, by file and name.
    pub(crate) fn groups(&self) -> Vec<Arc<ShownGroup>> {
        let groups = self.0.groups.read();
        groups.values().map(|running| running.shown()).collect()
    }

    /// The Alertmanagers.
    pub(crate) fn alertmanagers(&self) -> PeerList {
        self.0.shared.receivers().map(|receivers| receivers.alertmanagers()).unwrap_or_default()
    }

    fn patterns(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.patterns.lock()
    }

    async fn read(&self, patterns: &[String]) -> Result<Vec<RuleFile>, Vec<String>> {
        let patterns = patterns.to_vec();
        let read = tokio::task::spawn_blocking(move || rule_files(&patterns)).await;
        let read = read.unwrap_or_else(|_| Err(vec!["reading the files of rules panicked".to_owned()]));
        metrics::RELOADED.set(i64::from(read.is_ok()));
        read
    }

    fn set_receivers(&self, current: &Current, options: &AlertingOptions) {
        let links = Links {
            external_labels: options.external_labels.clone(),
            external_url: options.external_url.clone(),
            relabel: options.alert_relabel.clone(),
        };
        let is_same = current.options.as_ref().is_some_and(|known| {
            known.receivers_version == options.receivers_version
                && known.alert_relabel == options.alert_relabel
                && known.external_labels == options.external_labels
                && known.external_url == options.external_url
                && known.limits == options.limits
        });
        if is_same {
            return;
        }
        let stop = self.0.stop.child_token();
        let receivers = options.receivers.clone();
        let (shared, tracker) = (&self.0.shared, &self.0.tracker);
        let new = Receivers::start(receivers, (options.limits, links), self.told(), &shared.clock, tracker, stop);
        let mut place = self.0.shared.receivers.write();
        if let Some(old) = place.replace(new) {
            old.end();
        }
    }

    /// Writes down what webhooks know, so that no restart tells it again.
    fn told(&self) -> Told {
        // The receivers are part of what is shared.
        let (shared, tracker) = (Arc::downgrade(&self.0.shared), self.0.tracker.clone());
        Arc::new(move |origin: &Origin, slot_ms| {
            let Some(shared) = shared.upgrade() else { return };
            let mut batch = MetricsBatch::new(shared.engines.tenant.clone(), shared.clock.now_ns());
            batch.notes.push(stored::told_note(origin, slot_ms));
            tracker.spawn(async move {
                if let Err(error) = stored::append(&shared.engines, batch).await {
                    tracing::warn!(%error, "what webhooks know is not written: a restart may tell it again");
                }
            });
        })
    }

    /// Ends groups that are gone, goes on with those that stay, begins new ones.
    async fn apply(&self, current: &mut Current, files: Vec<RuleFile>, options: &AlertingOptions) {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let settings = Arc::new(Settings {
            interval_ms: ms(options.evaluation_interval).max(1),
            query_offset_ms: ms(options.rule_query_offset),
            resend_delay_ms: ms(options.resend_delay),
            results_max: options.results_max,
            external_labels: options.external_labels.clone(),
            external_url: options.external_url.clone(),
        });
        let mut wanted: BTreeMap<Origin, RuleGroup> = BTreeMap::new();
        for file in files {
            for group in file.groups {
                wanted.insert(Origin { file: file.path.clone(), group: group.name.clone() }, group);
            }
        }
        let known = self.0.groups.read().clone();
        let mut left: Vec<(Origin, Restored)> = std::mem::take(&mut current.restored);
        let mut staying = BTreeMap::new();
        for (origin, running) in known {
            let is_same = wanted.get(&origin).is_some_and(|group| group.says_the_same(&running.group));
            if is_same && *running.settings() == *settings {
                wanted.remove(&origin);
                staying.insert(origin, running);
                continue;
            }
            if let Some((stop, task)) = current.tasks.remove(&origin) {
                stop.cancel();
                drop(task.await);
            }
            left.push((origin.clone(), running.state().leave(&origin.file, &running.group)));
        }
        let mut from = predecessors(&mut left, &wanted);
        for (origin, group) in wanted {
            let (state, forgetting) = match from.remove(&origin) {
                Some((from, restored)) => {
                    let forgetting = if from == origin { Vec::new() } else { stored::forgetting(&from).to_vec() };
                    (GroupState::take_over(&group, Arc::clone(&settings), restored), forgetting)
                }
                None => (GroupState::new(&group, Arc::clone(&settings)), Vec::new()),
            };
            let running = Arc::new(Running::new(origin.clone(), group, state, forgetting));
            let stop = self.0.stop.child_token();
            let run = Arc::clone(&running).run(Arc::clone(&self.0.shared), stop.clone());
            current.tasks.insert(origin.clone(), (stop, self.0.tracker.spawn(run)));
            staying.insert(origin, running);
        }
        metrics::GROUPS.set(staying.len() as i64);
        metrics::RULES.set(staying.values().map(|running| running.group.rules.len() as i64).sum());
        *self.0.groups.write() = staying;
        for (origin, restored) in left {
            let interval_ms = restored.interval_ms.unwrap_or(settings.interval_ms);
            self.0.tracker.spawn(self.clone().end_series(origin, restored, interval_ms));
        }
    }

    /// Ends the series of a group that is gone, once one that gives them on had two intervals to begin.
    async fn end_series(self, origin: Origin, restored: Restored, interval_ms: i64) {
        let gone_ms = self.0.shared.now_ms().saturating_sub(restored.query_offset_ms);
        let wait = Duration::from_millis(2 * u64::try_from(interval_ms).unwrap_or(0));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.0.stop.cancelled() => return,
        }
        let others: Vec<Arc<Running>> = {
            let groups = self.0.groups.read();
            if groups.contains_key(&origin) {
                return;
            }
            groups.values().cloned().collect()
        };
        let states: Vec<GroupState> = others.iter().map(|running| running.state()).collect();
        let mut series = restored.series();
        for labels in states.iter().flat_map(GroupState::series) {
            series.remove(labels);
        }
        let samples = series.into_iter().map(|labels| ended(labels, gone_ms)).collect();
        let mut batch = stored::batch(&self.0.shared.engines, samples, self.0.shared.clock.now_ns());
        batch.notes.extend(stored::forgetting(&origin));
        if let Err(error) = stored::append(&self.0.shared.engines, batch).await {
            tracing::error!(file = origin.file, group = origin.group, %error, "the series of a group that is gone do not end");
        }
    }
}

/// What groups go on from: what was left of each, or of one that is gone and has a rule of it, with another name or in
/// another file, or both. The nearest ones are found first.
fn predecessors(
    left: &mut Vec<(Origin, Restored)>,
    wanted: &BTreeMap<Origin, RuleGroup>,
) -> BTreeMap<Origin, (Origin, Restored)> {
    type Fits = fn(&Origin, &Restored, &Origin, &RuleGroup) -> bool;
    let own: Fits = |from, _, origin, _| from == origin;
    let near: Fits = |from, restored, origin, group| {
        (from.file == origin.file || from.group == origin.group) && restored.resembles(group)
    };
    let far: Fits = |_, restored, _, group| restored.resembles(group);
    let mut found = BTreeMap::new();
    for fits in [own, near, far] {
        for (origin, group) in wanted {
            if found.contains_key(origin) {
                continue;
            }
            let at = left.iter().position(|(from, restored)| fits(from, restored, origin, group));
            if let Some(at) = at {
                found.insert(origin.clone(), left.swap_remove(at));
            }
        }
    }
    found
}

/// Reads the files again when they change.
async fn watch_files(alerting: Alerting) {
    let marks = |alerting: &Alerting| {
        let patterns = alerting.patterns().clone();
        tokio::task::spawn_blocking(move || (files::marks(&patterns), patterns))
    };
    let mut known = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(WATCH) => {}
            () = alerting.0.stop.cancelled() => return,
        }
        let Ok(now) = marks(&alerting).await else { return };
        let before = known.replace(now);
        // The first look reads them again: they may have changed since they were read.
        if before == known {
            continue;
        }
        match alerting.reload().await {
            Ok(()) if before.is_some() => tracing::info!("files of rules changed and were read"),
            Ok(()) => {}
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!("rules stay as they were: {problem}"));
            }
        }
    }
}

impl RuleGroup {
    /// Whether another one is evaluated just so, wherever it stands in its file.
    fn says_the_same(&self, other: &Self) -> bool {
        let of_rule = |rule: &super::rules::Rule| {
            let times = (rule.hold, rule.keep_firing);
            (rule.kind.clone(), rule.expr.clone(), times, rule.labels.clone(), rule.annotations.clone())
        };
        let own = (&self.name, self.interval, self.query_offset, self.limit, &self.labels, self.language);
        let others = (&other.name, other.interval, other.query_offset, other.limit, &other.labels, other.language);
        own == others && self.rules.iter().map(of_rule).eq(other.rules.iter().map(of_rule))
    }
}
