//! All jobs of one receiver: started, changed while they run, and shown.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::Budget;
use weir_proto::{TenantId, metrics::Labels, time::Clock};

use super::{
    client::ClientError,
    config::PrometheusConfig,
    discovery::ReadYaml,
    job::Job,
    pool::{Pool, PoolView},
    said::Said,
};
use crate::samples::SampleDoor;

const MIB: usize = 1 << 20;

/// What a scraper needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Whose the samples are.
    pub tenant: TenantId,
    /// Where they go.
    pub door: SampleDoor,
    /// Now.
    pub clock: Clock,
    /// Reads files of targets that are written in YAML.
    pub read_yaml: ReadYaml,
    /// This machine's name: scrapers on several machines do not ask a target at the same moment.
    pub hostname: String,
    /// Ends when every loop has ended.
    pub tracker: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
}

/// What all loops of a scraper share.
pub(super) struct Shared {
    pub(super) tenant: TenantId,
    pub(super) door: SampleDoor,
    pub(super) clock: Clock,
    pub(super) read_yaml: ReadYaml,
    pub(super) hostname: String,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    pub(super) budget: Budget,
    /// Labels of the targets that are scraped now.
    pub(super) alive: Mutex<HashMap<Labels, usize>>,
    /// What targets say of their families: most say what others do.
    pub(super) said: Said,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Whether a target of these labels is scraped.
    pub(super) fn is_alive(&self, labels: &Labels) -> bool {
        self.alive.lock().contains_key(labels)
    }
}

/// A running `prometheus` receiver.
#[derive(Debug)]
pub struct Scraper {
    shared: Arc<Shared>,
    pools: Mutex<BTreeMap<String, Running>>,
}

/// A pool as its scraper holds it.
#[derive(Debug)]
struct Running {
    job: Arc<Job>,
    jobs: watch::Sender<Arc<Job>>,
    removed: CancellationToken,
    view: Arc<Mutex<PoolView>>,
}

impl Scraper {
    /// Starts every job. Fails where files of a TLS configuration cannot be used.
    pub fn start(config: &PrometheusConfig, surroundings: Surroundings) -> Result<Self, ClientError> {
        let scraper = Self::without_jobs(surroundings, config.inflight_mib_max * MIB);
        scraper.reload(config)?;
        Ok(scraper)
    }

    /// One whose jobs somebody else makes.
    pub(in crate::receivers) fn of_jobs(surroundings: Surroundings) -> Self {
        Self::without_jobs(surroundings, 0)
    }

    fn without_jobs(surroundings: Surroundings, inflight_bytes_max: usize) -> Self {
        let Surroundings { tenant, door, clock, read_yaml, hostname, tracker, stop } = surroundings;
        let budget = Budget::new(inflight_bytes_max);
        let (alive, said) = (Mutex::default(), Said::default());
        let shared = Shared { tenant, door, clock, read_yaml, hostname, tracker, stop, budget, alive, said };
        Self { shared: Arc::new(shared), pools: Mutex::default() }
    }

    /// Takes on another configuration: targets that are in both go on without a gap. After an error nothing has changed.
    /// `inflight_mib_max` holds from the next start on.
    pub fn reload(&self, config: &PrometheusConfig) -> Result<(), ClientError> {
        let mut next = Vec::new();
        for scrape_config in &config.config.scrape_configs {
            let known = self.pools.lock().get(&scrape_config.job_name).map(|pool| pool.job.clone());
            let job = Job::new(scrape_config, config)?;
            // A job that says the same keeps its connections.
            next.push(known.filter(|known| known.is_like(&job)).unwrap_or(job));
        }
        self.set_jobs(next);
        Ok(())
    }

    /// Takes on these jobs.
    pub(in crate::receivers) fn set_jobs(&self, next: Vec<Arc<Job>>) {
        let mut pools = self.pools.lock();
        let mut before = std::mem::take(&mut *pools);
        for job in next {
            let name = job.name().to_owned();
            let running = match before.remove(&name) {
                Some(mut running) => {
                    if !Arc::ptr_eq(&running.job, &job) {
                        running.job = job.clone();
                        running.jobs.send_replace(job);
                    }
                    running
                }
                None => self.begin(job),
            };
            pools.insert(name, running);
        }
        for running in before.into_values() {
            running.removed.cancel();
        }
    }

    fn begin(&self, job: Arc<Job>) -> Running {
        let (jobs, receiver) = watch::channel(job.clone());
        let (removed, view) = (CancellationToken::new(), Arc::<Mutex<PoolView>>::default());
        let pool = Pool::new(self.shared.clone(), receiver, removed.clone(), view.clone());
        self.shared.tracker.spawn(pool.run());
        Running { job, jobs, removed, view }
    }

    /// The jobs' names.
    pub fn pools(&self) -> Vec<String> {
        self.pools.lock().keys().cloned().collect()
    }

    /// Each job with what is shown of it.
    pub(super) fn views(&self) -> Vec<(String, Arc<Mutex<PoolView>>)> {
        self.pools.lock().iter().map(|(name, running)| (name.clone(), running.view.clone())).collect()
    }
}
