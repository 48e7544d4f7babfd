//! A running `synthetic` receiver: its jobs as jobs of a scraper, whose targets are probed instead of scraped.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Semaphore;

use super::{
    SyntheticConfig,
    config::ProbeJobConfig,
    probe::{Manner, Ready, Shared, probe},
};
use crate::{
    Append,
    admission::AdmissionRules,
    receivers::prometheus::{
        ClientError, GlobalConfig, Job, Probing, PrometheusConfig, PrometheusFile, ScrapeConfig, Scraper, Surroundings,
    },
};

/// What probes need of their surroundings.
#[derive(Clone)]
pub struct ProbeSurroundings {
    /// What scraping needs: samples go its way.
    pub scraping: Surroundings,
    /// Where traces go.
    pub append: Append,
    /// What makes their spans acceptable, and what is done with them.
    pub rules: AdmissionRules,
}

/// A running `synthetic` receiver.
pub struct Prober {
    scraper: Arc<Scraper>,
    shared: Arc<Shared>,
    hostname: String,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// Starts every job.
    ///
    /// # Errors
    /// Files of a module cannot be used.
    pub fn start(config: &SyntheticConfig, surroundings: ProbeSurroundings) -> Result<Self, ClientError> {
        let ProbeSurroundings { scraping, append, rules } = surroundings;
        let shared = Arc::new(Shared {
            append,
            rules,
            clock: scraping.clock.clone(),
            tenant: scraping.tenant.clone(),
            turns: Arc::new(Semaphore::new(config.probes_max)),
        });
        let hostname = scraping.hostname.clone();
        let scraper = Arc::new(Scraper::of_jobs(scraping));
        let prober = Self { scraper, shared, hostname };
        prober.reload(config)?;
        Ok(prober)
    }

    /// Takes on another configuration; targets that are in both go on. `probes_max` holds from the next start on.
    ///
    /// # Errors
    /// Files of a module cannot be used; nothing has changed then.
    pub fn reload(&self, config: &SyntheticConfig) -> Result<(), ClientError> {
        let mut modules = BTreeMap::new();
        for (name, module) in &config.modules {
            let ready = Ready::new(module).map_err(|error| error.of(&format!("modules.{name}")))?;
            modules.insert(name.clone(), Arc::new(ready));
        }
        let location = if config.location.is_empty() { &self.hostname } else { &config.location };
        let manner = Arc::new(Manner {
            allow: config.allow.clone(),
            location: location.clone(),
            service: config.service_name.clone(),
            traces: config.traces,
            body_bytes_max: config.body_bytes_max,
        });
        let modules = Arc::new(modules);
        let mut jobs = Vec::new();
        for job in &config.probes {
            jobs.push(self.job(job, config, &manner, &modules)?);
        }
        self.scraper.set_jobs(jobs);
        Ok(())
    }

    fn job(
        &self,
        job: &ProbeJobConfig,
        config: &SyntheticConfig,
        manner: &Arc<Manner>,
        modules: &Arc<BTreeMap<String, Arc<Ready>>>,
    ) -> Result<Arc<Job>, ClientError> {
        let (shared, manner, known) = (self.shared.clone(), manner.clone(), modules.clone());
        let location = manner.location.clone();
        let probing = Probing {
            module: job.module.clone(),
            modules: modules.keys().cloned().collect(),
            location,
            repeat_interval_max: config.repeat_interval_max,
            probe: Arc::new(move |asked| {
                let (shared, manner) = (shared.clone(), manner.clone());
                let ready = known.get(&asked.module).cloned();
                Box::pin(async move {
                    let ready = ready.expect("a target whose module is not there is none");
                    probe(&shared, &manner, &ready, asked).await
                })
            }),
        };
        Ok(Job::probed(&scrape_config(job), &whole(config), probing))
    }

    /// What the page of targets shows of it.
    pub fn scraper(&self) -> Arc<Scraper> {
        self.scraper.clone()
    }
}

/// A job in the words of a scrape config.
fn scrape_config(job: &ProbeJobConfig) -> ScrapeConfig {
    ScrapeConfig {
        scrape_interval: Some(job.interval),
        scrape_timeout: job.timeout,
        static_configs: job.static_configs.clone(),
        file_sd_configs: job.file_sd_configs.clone(),
        relabel_configs: job.relabel_configs.clone(),
        metric_relabel_configs: job.metric_relabel_configs.clone(),
        ..ScrapeConfig::named(&job.job_name)
    }
}

fn whole(config: &SyntheticConfig) -> PrometheusConfig {
    let file = PrometheusFile { global: GlobalConfig::default(), scrape_configs: Vec::new() };
    PrometheusConfig { config: file, targets_max: config.targets_max, ..PrometheusConfig::default() }
}
