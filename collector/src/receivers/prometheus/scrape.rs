//! A target's life: scraped at its place in every interval, until it is removed or Weir stops.

#![allow(clippy::mutable_key_type, reason = "what a series is equal to and hashed by never changes")]

use std::{hash::Hash, sync::Arc, time::Duration};

use foldhash::HashSet;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use weir_proto::metrics::{Labels, Metadata};
use weir_store::{FloatSample, MetricsBatch, SeriesRef};

use super::{
    fetch::{BODY_TOO_LARGE, Body, fetch},
    gather::{Context, Counts, Memory, gather, stale},
    job::Job,
    metrics::{DUPLICATES, SCRAPES},
    probing::Probed,
    report::{More, Report},
    schedule::{Aligned, is_turn, offset},
    scraper::Shared,
    target::Target,
};
use crate::receivers::intake::metrics::{ITEMS_ACCEPTED, ITEMS_REJECTED};

/// Larger bodies are read where blocking is allowed.
const INLINE_BYTES_MAX: usize = 1 << 20;

/// How a target is scraped; replaced when its job changes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) job: Arc<Job>,
    pub(super) target: Target,
    /// Why every scrape fails, where there are too many targets.
    pub(super) forced_error: Option<String>,
}

/// How the last scrape went, for the page of targets.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    pub(super) last_error: String,
    /// Unix ns; 0 before the first one.
    pub(super) last_scrape_ns: u64,
    pub(super) last_duration: Duration,
    /// What it says of its families.
    pub(super) said: Arc<[Metadata]>,
}

/// One target's task.
pub(super) struct TargetLoop {
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    plans: watch::Receiver<Arc<Plan>>,
    status: Arc<Mutex<Status>>,
    removed: CancellationToken,
    memory: Memory,
    report: Report,
    /// Series that were live when their names began to be made in another way.
    orphans: Vec<SeriesRef>,
    /// What the last probe found, said again until the next one.
    found: Option<Probed>,
    aligned: Aligned,
    next: Instant,
}

impl TargetLoop {
    pub(super) fn new(
        shared: Arc<Shared>,
        plans: watch::Receiver<Arc<Plan>>,
        status: Arc<Mutex<Status>>,
        removed: CancellationToken,
    ) -> Self {
        let plan = plans.borrow().clone();
        Self {
            shared,
            plan,
            plans,
            status,
            removed,
            memory: Memory::default(),
            report: Report::default(),
            orphans: Vec::new(),
            found: None,
            aligned: Aligned::from(0),
            next: Instant::now(),
        }
    }

    /// Until the target is removed, or Weir stops: then nothing is said of its series, which may go on in the next run.
    pub(super) async fn run(mut self, at_once: bool) {
        self.schedule();
        if at_once {
            // Few targets need no spreading, and whoever starts Weir wants to see something.
            let time_ms = self.now_ms();
            if self.scrape(time_ms, true).await.is_stopping() {
                return;
            }
        }
        loop {
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return,
                () = self.removed.cancelled() => break,
                changed = self.plans.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.take_plan();
                }
                () = sleep_until(self.next) => {
                    let interval = self.plan.target.interval;
                    let time_ms = self.aligned.at(self.now_ms(), interval);
                    match self.scrape(time_ms, at_once).await {
                        Scraped::Done => {}
                        Scraped::Removed => break,
                        Scraped::Stopping => return,
                    }
                    self.next += interval;
                    let now = Instant::now();
                    while self.next < now {
                        self.next += interval;
                    }
                }
            }
        }
        self.end().await;
    }

    fn now_ms(&self) -> i64 {
        (self.shared.clock.now_ns() / 1_000_000) as i64
    }

    /// Finds the next scrape's time.
    fn schedule(&mut self) {
        let target = &self.plan.target;
        let now_ns = self.shared.clock.now_ns();
        let wait = offset(self.name(), target.interval, now_ns);
        self.next = Instant::now() + wait;
        let first_ns = now_ns + wait.as_nanos() as u64;
        self.aligned = Aligned::from((first_ns / 1_000_000) as i64);
    }

    /// What its place in the interval comes from.
    fn name(&self) -> impl Hash + '_ {
        let target = &self.plan.target;
        (target.labels.as_bytes(), &target.url, &self.shared.hostname)
    }

    /// Whether the target is asked now; else what it said is said again.
    fn is_its_turn(&self, time_ms: i64, at_once: bool) -> bool {
        let Target { interval, samples_per_probe, .. } = self.plan.target;
        let whole = interval * samples_per_probe;
        samples_per_probe == 1
            || (at_once && self.found.is_none())
            || is_turn(self.name(), whole, samples_per_probe, time_ms)
    }

    /// The job's configuration is another one.
    fn take_plan(&mut self) {
        let before = std::mem::replace(&mut self.plan, self.plans.borrow_and_update().clone());
        let (old, new) = (&before.job.config, &self.plan.job.config);
        let names_differ = old.honor_labels != new.honor_labels
            || old.metric_relabel_configs != new.metric_relabel_configs
            || before.job.validation != self.plan.job.validation
            || before.job.limits != self.plan.job.limits;
        if names_differ {
            self.orphans.extend(self.memory.lines.take());
        }
        let spread = |plan: &Plan| (plan.target.interval, plan.target.samples_per_probe);
        if spread(&before) != spread(&self.plan) {
            self.schedule();
        }
    }

    /// One scrape, from its request to its frame.
    async fn scrape(&mut self, time_ms: i64, at_once: bool) -> Scraped {
        let is_turn = self.is_its_turn(time_ms, at_once);
        if !is_turn && self.found.is_none() {
            // Its first probe comes at its place in the interval.
            return Scraped::Done;
        }
        let (begin, begin_ns) = (Instant::now(), self.shared.clock.now_ns());
        let plan = self.plan.clone();
        let again = self.found.clone().filter(|_| !is_turn);
        let fetched = match (&plan.forced_error, again) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(found)) => Ok(Body::of_probe(found, &self.shared.budget)),
            (None, None) => tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Scraped::Stopping,
                () = self.removed.cancelled() => return Scraped::Removed,
                fetched = fetch(&plan.job, &plan.target, &self.shared.budget) => fetched,
            },
        };
        let mut batch = MetricsBatch::new(self.shared.tenant.clone(), begin_ns);
        let mut failure = None;
        let body_bytes = match &fetched {
            Ok(body) => body.bytes.len() as i64,
            Err(error) if error == BODY_TOO_LARGE => -1,
            Err(_) => 0,
        };
        let (counts, result) = match fetched {
            Ok(body) if body.bytes.is_empty() => (Counts::default(), Err(String::new())),
            Ok(body) => {
                failure = body.failure.clone();
                if plan.target.samples_per_probe > 1 {
                    self.found = Some(Probed { body: body.bytes.clone(), failure: body.failure.clone() });
                }
                let (read, counts, result) = self.read(body, batch, time_ms).await;
                batch = read;
                (counts, result)
            }
            Err(error) => (Counts::default(), Err(error)),
        };
        self.settle(&mut batch, time_ms, result.is_ok());
        // An empty body is a success without samples.
        let error = result.err().unwrap_or_default();
        let duration = begin.elapsed();
        let outcome = (error.is_empty(), duration, counts);
        let (timeout, sample_limit) = (plan.target.timeout, plan.job.limits.samples);
        let more = plan.job.says_more.then_some(More { timeout, sample_limit, body_bytes });
        let report =
            self.report.samples(&*self.shared.door.series, &batch.tenant, &plan.target.labels, time_ms, outcome, more);
        batch.floats.extend(report);
        if counts.duplicates > 0 {
            DUPLICATES.with_label_values(&[plan.job.name()]).inc_by(counts.duplicates as u64);
        }
        let is_up = error.is_empty();
        // A probe that failed is read well: the target is up as Prometheus means it, and its page says what is wrong.
        let shown = if is_up { failure.unwrap_or_default() } else { error };
        if is_turn {
            self.show(shown, begin_ns, duration, &batch.metadata);
        }
        if self.append(batch).await {
            SCRAPES.with_label_values(&[if is_up { "ok" } else { "failed" }]).inc();
        }
        Scraped::Done
    }

    /// For the page of targets.
    fn show(&self, last_error: String, last_scrape_ns: u64, last_duration: Duration, said: &[Metadata]) {
        // It is there when it is otherwise than last time.
        let said = if said.is_empty() { self.status.lock().said.clone() } else { self.shared.said.kept(said) };
        *self.status.lock() = Status { last_error, last_scrape_ns, last_duration, said };
    }

    /// Reads what was exposed.
    async fn read(
        &mut self,
        body: Body,
        mut batch: MetricsBatch,
        time_ms: i64,
    ) -> (MetricsBatch, Counts, Result<(), String>) {
        let (plan, shared) = (self.plan.clone(), self.shared.clone());
        let mut memory = std::mem::take(&mut self.memory);
        let is_large = body.bytes.len() > INLINE_BYTES_MAX;
        let reading = move || {
            let context = Context {
                job: &plan.job,
                target: &plan.target.labels,
                time_ms,
                accept: shared.door.accept.around(time_ms),
                series: &*shared.door.series,
            };
            let (counts, result) = gather(&body.bytes, body.format, &context, &mut memory, &mut batch);
            (memory, batch, counts, result)
        };
        let (memory, batch, counts, result) = if is_large {
            match tokio::task::spawn_blocking(reading).await {
                Ok(read) => read,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is going down.
                Err(error) => {
                    let nothing = MetricsBatch::new(self.shared.tenant.clone(), self.shared.clock.now_ns());
                    (Memory::default(), nothing, Counts::default(), Err(error.to_string()))
                }
            }
        } else {
            reading()
        };
        self.memory = memory;
        (batch, counts, result)
    }

    /// Adds the markers that reading could not: of everything, after a failure; and of orphans.
    fn settle(&mut self, batch: &mut MetricsBatch, time_ms: i64, is_read: bool) {
        if !is_read {
            batch.floats.extend(self.memory.lines.live().map(|series| stale(series.clone(), time_ms)));
            self.memory.lines.end_all();
        }
        if !self.orphans.is_empty() {
            let present: HashSet<&SeriesRef> = batch.floats.iter().map(|sample| &sample.series).collect();
            let mut orphans = std::mem::take(&mut self.orphans);
            orphans.retain(|series| !present.contains(series));
            batch.floats.extend(orphans.into_iter().map(|series| stale(series, time_ms)));
        }
    }

    async fn append(&self, mut batch: MetricsBatch) -> bool {
        // The target was answered long ago.
        batch.is_patient = true;
        let samples = batch.floats.len() as u64;
        for (reason, count) in &batch.rejected {
            ITEMS_REJECTED.with_label_values(&["metrics", reason.name()]).inc_by(u64::from(*count));
        }
        match (self.shared.door.append)(batch).await {
            Ok(appended) => {
                let conflicts = appended.conflicts.len() as u64;
                ITEMS_ACCEPTED.with_label_values(&["metrics", "scrape"]).inc_by(samples - conflicts.min(samples));
                true
            }
            Err(error) => {
                SCRAPES.with_label_values(&["not_stored"]).inc();
                self.status.lock().last_error = format!("the scrape was not stored: {error}");
                false
            }
        }
    }

    /// The target is gone: its series end, unless it is back within two intervals.
    async fn end(self) {
        let interval = self.plan.target.interval;
        // When the next scrape would have been; a target that moved from one job to another has samples after it.
        let until_next = self.next.saturating_duration_since(Instant::now());
        if !self.waits(until_next).await {
            return;
        }
        let time_ms = self.now_ms();
        if !self.waits(interval + interval / 10).await || self.shared.is_alive(&self.plan.target.labels) {
            return;
        }
        let mut batch = MetricsBatch::new(self.shared.tenant.clone(), self.shared.clock.now_ns());
        let live = self.memory.lines.live().chain(&self.orphans);
        let markers: Vec<FloatSample> = live.map(|series| stale(series.clone(), time_ms)).collect();
        batch.floats = markers;
        batch.floats.extend(self.report.stale(time_ms));
        self.append(batch).await;
    }

    /// Waits; false when Weir stops meanwhile.
    async fn waits(&self, period: Duration) -> bool {
        timeout(period, self.shared.stop.cancelled()).await.is_err()
    }
}

/// What became of a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scraped {
    /// It is in the store, or could not be.
    Done,
    /// Its target was removed meanwhile.
    Removed,
    /// Weir stops.
    Stopping,
}

impl Scraped {
    fn is_stopping(self) -> bool {
        self == Self::Stopping
    }
}

/// A target's labels while it is scraped.
pub(super) struct Alive {
    shared: Arc<Shared>,
    labels: Labels,
}

impl Alive {
    pub(super) fn begin(shared: &Arc<Shared>, labels: &Labels) -> Self {
        *shared.alive.lock().entry(labels.clone()).or_default() += 1;
        Self { shared: shared.clone(), labels: labels.clone() }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut alive = self.shared.alive.lock();
        if let Some(count) = alive.get_mut(&self.labels) {
            *count -= 1;
            if *count == 0 {
                alive.remove(&self.labels);
            }
        }
    }
}
