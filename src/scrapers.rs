//! The scrapers and probers of a running weir: started once the query endpoint listens, changed on SIGHUP, shown by the API.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};
use parking_lot::Mutex;
use weir_collector::{
    Append,
    receivers::{
        SpanLimits,
        prometheus::{self, PrometheusConfig, Scraper, Surroundings},
        synthetic::{ProbeSurroundings, Prober, SyntheticConfig},
    },
};
use weir_proto::metrics::Labels;
use weir_query::{LabelTest, http::Mount};

use crate::{
    config::{ReceiverConfig, StorageConfig},
    receivers::admission_rules,
    samplers::Samplers,
};

/// The job by which Weir scrapes itself, as configs/all_in_one.yaml writes it.
const OWN_JOB: &str = "weir";
const OWN_TARGET: &str = "127.0.0.1:4320";

/// All of them, by the receiver's id, with what they run.
#[derive(Clone, Default)]
pub(crate) struct Scrapers(Arc<Mutex<BTreeMap<String, Running>>>);

struct Running {
    asking: Asking,
    config: Wanted,
}

enum Asking {
    Scraper(Arc<Scraper>),
    Prober(Prober),
}

#[derive(Clone, PartialEq)]
enum Wanted {
    Prometheus(PrometheusConfig),
    Synthetic(SyntheticConfig),
}

/// What starting another one takes.
pub(crate) struct Around {
    pub(crate) scraping: Surroundings,
    /// Where traces of probes go.
    pub(crate) append: Append,
    pub(crate) storage: StorageConfig,
}

impl Around {
    fn start(&self, id: &str, config: &Wanted, samplers: &Samplers) -> anyhow::Result<Asking> {
        Ok(match config {
            Wanted::Prometheus(config) => Asking::Scraper(Arc::new(Scraper::start(config, self.scraping.clone())?)),
            Wanted::Synthetic(config) => {
                let (scraping, append) = (self.scraping.clone(), self.append.clone());
                let rules = admission_rules(SpanLimits::default(), &self.storage, samplers.processing(id));
                Asking::Prober(Prober::start(config, ProbeSurroundings { scraping, append, rules })?)
            }
        })
    }
}

impl Asking {
    /// Takes on another configuration; one of the other kind cannot come.
    fn reload(&self, config: &Wanted) -> anyhow::Result<()> {
        match (self, config) {
            (Self::Scraper(scraper), Wanted::Prometheus(config)) => Ok(scraper.reload(config)?),
            (Self::Prober(prober), Wanted::Synthetic(config)) => Ok(prober.reload(config)?),
            (Self::Scraper(scraper), Wanted::Synthetic(_)) => Ok(scraper.reload(&PrometheusConfig::default())?),
            (Self::Prober(prober), Wanted::Prometheus(_)) => Ok(prober.reload(&SyntheticConfig::default())?),
        }
    }

    fn end(&self) -> anyhow::Result<()> {
        match self {
            Self::Scraper(scraper) => Ok(scraper.reload(&PrometheusConfig::default())?),
            Self::Prober(prober) => Ok(prober.reload(&SyntheticConfig::default())?),
        }
    }

    fn scraper(&self) -> Arc<Scraper> {
        match self {
            Self::Scraper(scraper) => scraper.clone(),
            Self::Prober(prober) => prober.scraper(),
        }
    }
}

impl Scrapers {
    /// Starts what is new, changes what is there, ends what is gone; whether there was any such. The configuration is that of `file`;
    /// `own` is where the query endpoint listens.
    pub(crate) fn set(
        &self,
        receivers: &BTreeMap<String, ReceiverConfig>,
        file: Option<&Path>,
        own: SocketAddr,
        around: &Around,
        samplers: &Samplers,
    ) -> anyhow::Result<bool> {
        let mut running = self.0.lock();
        let mut wanted = BTreeMap::new();
        for (id, config) in receivers {
            let folder = file.and_then(Path::parent);
            match config {
                ReceiverConfig::Prometheus(config) => {
                    let mut config = at_own(config, own);
                    folder.into_iter().for_each(|folder| config.resolve_files(folder));
                    wanted.insert(id.clone(), Wanted::Prometheus(config));
                }
                ReceiverConfig::Synthetic(config) => {
                    let mut config = (**config).clone();
                    folder.into_iter().for_each(|folder| config.resolve_files(folder));
                    wanted.insert(id.clone(), Wanted::Synthetic(config));
                }
                _ => {}
            }
        }
        let mut is_changed = false;
        for (_, gone) in running.extract_if(.., |id, _| !wanted.contains_key(id)) {
            gone.asking.end().context("ending jobs")?;
            is_changed = true;
        }
        for (id, config) in wanted {
            match running.get_mut(&id) {
                Some(known) if known.config == config => continue,
                Some(known) => {
                    known.asking.reload(&config).with_context(|| format!("receiver {id}"))?;
                    known.config = config;
                }
                None => {
                    let started = around.start(&id, &config, samplers);
                    let asking = started.with_context(|| format!("receiver {id}"))?;
                    running.insert(id, Running { asking, config });
                }
            }
            is_changed = true;
        }
        Ok(is_changed)
    }

    fn all(&self) -> Vec<Arc<Scraper>> {
        self.0.lock().values().map(|running| running.asking.scraper()).collect()
    }

    /// What the query endpoint shows of them.
    pub(crate) fn mounts(&self, hostname: &str) -> Vec<Mount> {
        let (targets, said, pools, hostname) = (self.clone(), self.clone(), self.clone(), hostname.to_owned());
        vec![
            Mount::get("/prometheus/api/v1/targets", "Prometheus: what is scraped, and how it goes.", move |request| {
                let query = request.uri().query().unwrap_or_default();
                let body = prometheus::targets(&targets.all(), query, &hostname);
                async move { json(body) }
            }),
            Mount::get(
                "/prometheus/api/v1/targets/metadata",
                "Prometheus: what targets say of their metrics.",
                move |request| {
                    let query = request.uri().query().unwrap_or_default();
                    let reads = |selector: &str| {
                        let test = LabelTest::parse(selector)?;
                        Ok(move |labels: &Labels| test.takes(labels))
                    };
                    let said = prometheus::targets_metadata(&said.all(), query, reads);
                    async move { said.map_or_else(|problem| bad_data(&problem), json) }
                },
            ),
            Mount::get("/prometheus/api/v1/scrape_pools", "Prometheus: the jobs.", move |_| {
                let body = prometheus::scrape_pools(&pools.all());
                async move { json(body) }
            }),
        ]
    }
}

fn json(body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn bad_data(problem: &str) -> Response<Full<Bytes>> {
    let error = serde_json::json!({"status": "error", "errorType": "bad_data", "error": problem});
    let mut response = json(error.to_string());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Weir's own job asks the port that was opened, whatever the configuration called it.
fn at_own(config: &PrometheusConfig, own: SocketAddr) -> PrometheusConfig {
    let mut config = config.clone();
    let host = match own.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let own = SocketAddr::new(host, own.port()).to_string();
    for job in config.config.scrape_configs.iter_mut().filter(|job| job.job_name == OWN_JOB) {
        for target in job.static_configs.iter_mut().flat_map(|group| &mut group.targets) {
            if target == OWN_TARGET {
                target.clone_from(&own);
            }
        }
    }
    config
}
