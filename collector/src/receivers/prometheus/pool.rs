//! A job's targets: discovered, relabelled, each with its loop.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    discovery::Files,
    job::Job,
    metrics::TARGETS,
    scrape::{Alive, Plan, Status, TargetLoop},
    scraper::Shared,
    target::{Populated, Target, TargetKey},
};

/// How often it is looked whether a file of targets was written.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Jobs of up to so many targets are scraped as soon as they begin; more are spread over the interval.
const AT_ONCE_TARGETS_MAX: usize = 10;

/// What the page of targets shows of a job.
#[derive(Debug, Default)]
pub(super) struct PoolView {
    pub(super) active: Vec<(Arc<Plan>, Arc<Mutex<Status>>)>,
    /// The first so many of those that relabelling drops.
    pub(super) dropped: Vec<BTreeMap<String, String>>,
    pub(super) dropped_count: usize,
}

/// A job's task.
pub(super) struct Pool {
    shared: Arc<Shared>,
    job: Arc<Job>,
    jobs: watch::Receiver<Arc<Job>>,
    removed: CancellationToken,
    files: Files,
    loops: HashMap<TargetKey, Running>,
    view: Arc<Mutex<PoolView>>,
}

/// A loop as its pool holds it.
struct Running {
    plans: watch::Sender<Arc<Plan>>,
    status: Arc<Mutex<Status>>,
    removed: CancellationToken,
    _alive: Alive,
}

impl Pool {
    pub(super) fn new(
        shared: Arc<Shared>,
        jobs: watch::Receiver<Arc<Job>>,
        removed: CancellationToken,
        view: Arc<Mutex<PoolView>>,
    ) -> Self {
        let job = jobs.borrow().clone();
        Self { shared, job, jobs, removed, files: Files::default(), loops: HashMap::new(), view }
    }

    pub(super) async fn run(mut self) {
        self.discover(true);
        self.sync();
        let mut refresh = Instant::now();
        loop {
            let has_files = !self.job.config.file_sd_configs.is_empty();
            let look = Instant::now() + LOOK_INTERVAL;
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return,
                () = self.removed.cancelled() => break,
                changed = self.jobs.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.job = self.jobs.borrow_and_update().clone();
                    self.discover(true);
                    self.sync();
                }
                () = sleep_until(look), if has_files => {
                    let every = self.job.config.file_sd_configs.iter().map(|files| files.refresh_interval).min();
                    let is_due = every.is_some_and(|every| refresh.elapsed() >= every);
                    if is_due {
                        refresh = Instant::now();
                    }
                    if self.discover(is_due) {
                        self.sync();
                    }
                }
            }
        }
        for running in self.loops.into_values() {
            running.removed.cancel();
        }
        for state in ["active", "dropped"] {
            let _ = TARGETS.remove_label_values(&[self.job.name(), state]);
        }
    }

    /// Reads the files of targets. Whether anything changed.
    fn discover(&mut self, anew: bool) -> bool {
        self.files.refresh(&self.job.config.file_sd_configs, self.shared.read_yaml, anew)
    }

    /// Makes the loops those of the targets that there are now.
    fn sync(&mut self) {
        let mut view = PoolView::default();
        let mut targets: Vec<Target> = Vec::new();
        for (address, labels) in self.addresses() {
            match Target::populate(&self.job, &address, &labels) {
                Ok(Populated::Active(target)) => targets.push(*target),
                Ok(Populated::Dropped(discovered)) => {
                    view.dropped_count += 1;
                    let most = self.job.limits.dropped_targets;
                    if most == 0 || view.dropped.len() < most {
                        view.dropped.push(discovered);
                    }
                }
                Err(problem) => {
                    tracing::warn!(job = self.job.name(), address, problem, "a target cannot be scraped");
                }
            }
        }
        let found = targets.len();
        if found > self.job.targets_max {
            tracing::warn!(
                job = self.job.name(),
                "{found} targets, of which receivers.prometheus.targets_max takes {}",
                self.job.targets_max
            );
            targets.truncate(self.job.targets_max);
        }
        let limit = self.job.limits.targets;
        let forced_error = (limit > 0 && found > limit)
            .then(|| format!("target_limit exceeded (number of targets: {found}, limit: {limit})"));
        self.start(targets, forced_error, &mut view);
        TARGETS.with_label_values(&[self.job.name(), "active"]).set(view.active.len() as i64);
        TARGETS.with_label_values(&[self.job.name(), "dropped"]).set(view.dropped_count as i64);
        *self.view.lock() = view;
    }

    fn start(&mut self, targets: Vec<Target>, forced_error: Option<String>, view: &mut PoolView) {
        let at_once = targets.len() <= AT_ONCE_TARGETS_MAX;
        let mut before = std::mem::take(&mut self.loops);
        for target in targets {
            let key = target.key();
            if self.loops.contains_key(&key) {
                // Discovered twice.
                continue;
            }
            let plan = Arc::new(Plan { job: self.job.clone(), target, forced_error: forced_error.clone() });
            let running = match before.remove(&key) {
                Some(running) => {
                    running.plans.send_replace(plan.clone());
                    running
                }
                None => self.begin(plan.clone(), at_once),
            };
            view.active.push((plan, running.status.clone()));
            self.loops.insert(key, running);
        }
        for running in before.into_values() {
            running.removed.cancel();
        }
    }

    fn begin(&self, plan: Arc<Plan>, at_once: bool) -> Running {
        let alive = Alive::begin(&self.shared, &plan.target.labels);
        let (plans, receiver) = watch::channel(plan);
        let (status, removed) = (Arc::default(), CancellationToken::new());
        let target_loop = TargetLoop::new(self.shared.clone(), receiver, Arc::clone(&status), removed.clone());
        self.shared.tracker.spawn(target_loop.run(at_once));
        Running { plans, status, removed, _alive: alive }
    }

    /// Each address with its group's labels.
    fn addresses(&self) -> Vec<(String, BTreeMap<String, String>)> {
        let mut addresses = Vec::new();
        for group in &self.job.config.static_configs {
            addresses.extend(group.targets.iter().map(|address| (address.clone(), group.labels.clone())));
        }
        for (path, group) in self.files.groups() {
            let mut labels = group.labels.clone();
            labels.insert("__meta_filepath".into(), path.display().to_string());
            addresses.extend(group.targets.iter().map(|address| (address.clone(), labels.clone())));
        }
        addresses
    }
}
