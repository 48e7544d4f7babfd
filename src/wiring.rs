//! Puts the parts together: store, receivers and queries start here, and stop here in the opposite order of need.

use std::{io::Write, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use weir_collector::{
    Append, Arrival,
    receivers::prometheus::Surroundings,
    samples::{AcceptWindow, SampleDoor},
};
use weir_port::{Authenticate, Caller};
use weir_proto::{TenantId, time::Clock};
use weir_query::http::{About, Asset, Guests, ListensAt, Site};
use weir_store::Store;

use crate::{
    alerting::{Alerts, ReloadAsked},
    allocator, banner,
    config::{Accept, Config, FreedMemory, target_groups},
    demo::Shop,
    receivers::{self, Opened},
    samplers::Samplers,
    scrapers::{Around, Scrapers},
    shutdown::{Asked, Signals},
};

/// Where SQL queries put what they cannot hold in memory, in the data folder.
const SPILL_FOLDER: &str = "tmp/sql";

/// Requests to reload that wait.
const RELOADS_WAITING_MAX: usize = 8;

/// What to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Where `config` was read, to read it again on SIGHUP.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) config: Config,
    /// What sends traffic, for a demo.
    pub(crate) shop: Option<Shop>,
}

/// Runs until a signal (Ok once everything is drained) or a failure.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let mut samplers = Samplers::new(plan.config.processors.clone(), plan.config.receivers.keys())?;
    let opening = Store::open(plan.config.storage.options(&plan.data), samplers.tail(), Clock::system());
    let store = tokio::select! {
        opened = opening => opened?,
        // Nothing was acknowledged by this process yet: recovery starts over at the next start.
        name = signals.stop() => {
            info!("{name} while opening the data folder: stopped");
            return Ok(());
        }
    };
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let (reload_asks, mut reloads) = mpsc::channel(RELOADS_WAITING_MAX);
    let scraping = match start(&plan, &store, &samplers, &reload_asks, &tracker, &stop).await {
        Ok(scraping) => scraping,
        Err(error) => {
            drain(&plan, &store, &tracker, &stop, &mut signals).await?;
            return Err(error);
        }
    };
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            Some(answer) = reloads.recv() => {
                drop(answer.send(reload(&plan, &mut samplers, &scraping, &store).await));
                continue;
            }
            why = store.failed() => stop_at_once(&why),
        };
        match asked {
            Asked::Reload => {
                if let Err(error) = reload(&plan, &mut samplers, &scraping, &store).await {
                    error!("SIGHUP: nothing changed: {error}");
                }
            }
            Asked::Stop(name) => {
                info!("{name}: answering what was received, then stopping");
                return drain(&plan, &store, &tracker, &stop, &mut signals).await;
            }
        }
    }
}

/// The scrapers, with what starting another one takes.
struct Scraping {
    scrapers: Scrapers,
    around: Around,
    /// Where the query endpoint listens.
    own: SocketAddr,
    alerts: Alerts,
}

/// Opens every port, begins to scrape and prints the banner.
async fn start(
    plan: &Plan,
    store: &Store,
    samplers: &Samplers,
    reload_asks: &mpsc::Sender<ReloadAsked>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Scraping> {
    let append: Append = {
        let store = store.clone();
        Arc::new(move |batch| {
            let store = store.clone();
            Box::pin(async move {
                match batch {
                    Arrival::Spans(batch) => store.append_traces(batch).await,
                    Arrival::Lines(batch) => store.append_logs(batch).await,
                }
            })
        })
    };
    let door = SampleDoor::new(store, accept_window(plan.config.storage.accept));
    let Opened { ports: receivers, mounts: pushed } =
        receivers::open(plan, append.clone(), store, &door, samplers, tracker, stop).await?;
    let hostname = hostname();
    let scrapers = Scrapers::default();
    let mut mounts = scrapers.mounts(&hostname);
    mounts.extend(pushed);
    let alerts = Alerts::new(plan, store, tracker, stop);
    mounts.extend(alerts.mounts(reload_asks));
    let query = &plan.config.query;
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        started_ns: Clock::system().now_ns(),
        receivers: receivers
            .iter()
            .map(|port| ListensAt { protocol: port.protocol, endpoint: port.address.to_string() })
            .collect(),
        configuration: plan.config.shown.clone(),
    };
    let address = weir_query::http::start(
        query,
        store.clone(),
        &plan.data.join(SPILL_FOLDER),
        everybody(),
        Guests { mounts, site: site(), about },
        tracker,
        stop.clone(),
    )
    .await
    .with_context(|| format!("cannot listen on query.endpoint {}", query.endpoint))?;
    let scraping = Surroundings {
        tenant: TenantId::default(),
        door,
        clock: Clock::system(),
        read_yaml: target_groups,
        hostname,
        tracker: tracker.clone(),
        stop: stop.clone(),
    };
    let around = Around { scraping, append, storage: plan.config.storage.clone() };
    scrapers
        .set(&plan.config.receivers, plan.config_file.as_deref(), address, &around, samplers)
        .context("cannot start scraping")?;
    let hostname = &around.scraping.hostname;
    alerts.set(&plan.config, plan.config_file.as_deref(), address, hostname).await.context("cannot use the rules")?;
    let ids: Vec<&str> = plan.config.receivers.keys().map(String::as_str).collect();
    let banner = banner::text(plan.config_file.as_deref(), &plan.data, (&receivers, &ids), address);
    // Whoever started it may have closed stdout: no reason to stop.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    match plan.config.freed_memory {
        FreedMemory::GiveBack => allocator::let_go_of_program(),
        FreedMemory::Keep => drop(tokio::spawn(allocator::give_back_large_answers())),
    }
    if let Some(shop) = &plan.shop {
        let otlp_http = receivers.iter().find(|port| port.protocol == "OTLP/HTTP");
        let address = otlp_http.context("the demo needs a receiver that speaks OTLP over HTTP")?.address;
        tokio::spawn(shop.clone().open(address, stop.clone()));
    }
    Ok(Scraping { scrapers, around, own: address, alerts })
}

/// The one place where callers get their tenant, on every port: who names none has the default one.
pub(crate) fn everybody() -> Authenticate {
    Arc::new(|_: &Caller<'_>| Ok(TenantId::default()))
}

/// This machine's name, as far as it is known.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| name.trim().to_owned())
}

/// The times that samples may lie at.
fn accept_window(accept: Accept) -> AcceptWindow {
    match accept {
        Accept::Any => AcceptWindow::default(),
        Accept::Window { past, future } => AcceptWindow { past: Some(past), future: Some(future) },
    }
}

/// The web UI as it was built into this binary.
fn site() -> Site {
    let built = weir_ui::built();
    let asset = |file: &weir_ui::File| Asset {
        path: file.path,
        content_type: file.content_type(),
        plain: file.plain,
        brotli: file.brotli,
        gzip: file.gzip,
    };
    Site { page: built.page, paths: built.paths, assets: built.files.iter().map(asset).collect() }
}

/// Stops taking requests, waits for those under way, then writes down what the store still holds.
async fn drain(
    plan: &Plan,
    store: &Store,
    tracker: &TaskTracker,
    stop: &CancellationToken,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let drained = async {
        stop.cancel();
        tracker.close();
        wait_for_requests(tracker, plan.config.drain_max).await;
        store.shutdown().await;
    };
    tokio::select! {
        () = drained => {
            info!("stopped");
            Ok(())
        }
        name = signals.stop() => bail!("{name} again: stopped without draining; what was acknowledged is in the journal"),
        why = store.failed() => stop_at_once(&why),
    }
}

/// Waits until no request is under way, `drain_max` at most.
async fn wait_for_requests(tracker: &TaskTracker, drain_max: Duration) {
    if tokio::time::timeout(drain_max, tracker.wait()).await.is_err() {
        warn!("requests still under way after {drain_max:?} (service.drain_max) were cut off; none was acknowledged");
    }
}

/// The store cannot go on (a failed fsync): nothing more may be acknowledged, so the process ends here and now.
fn stop_at_once(why: &str) -> ! {
    error!("the store stopped: {why}");
    eprintln!("weir: the store stopped: {why}");
    std::process::exit(1)
}

/// SIGHUP: takes on the file's processors, scrape configs, rules and who is told of alerts, and says which other sections
/// need a restart. A bad file changes nothing.
async fn reload(plan: &Plan, samplers: &mut Samplers, scraping: &Scraping, store: &Store) -> Result<(), String> {
    let Some(file) = &plan.config_file else {
        warn!("SIGHUP: weir runs without a configuration file; nothing to reload");
        return Ok(());
    };
    let next = Config::load(file).map_err(|error| error.to_string())?;
    for warning in &next.warnings {
        warn!("SIGHUP: {warning}");
    }
    let file = file.display();
    let Scraping { scrapers, around, own, alerts } = scraping;
    let in_words = |error: anyhow::Error| format!("{error:#}");
    // Rules first: their files are what may be wrong.
    alerts.set(&next, plan.config_file.as_deref(), *own, &around.scraping.hostname).await.map_err(in_words)?;
    let scrapes_otherwise =
        scrapers.set(&next.receivers, plan.config_file.as_deref(), *own, around, samplers).map_err(in_words)?;
    if scrapes_otherwise {
        info!("SIGHUP: {file}: its scrape configs hold from now on");
    }
    let is_changed = samplers.reload(next.processors.clone(), store).await.map_err(in_words)?;
    if is_changed {
        info!("SIGHUP: {file}: its processors hold for spans that arrive, and traces that begin, from now on");
    }
    let mut sections = plan.config.differences(&next);
    sections.retain(|section| *section != "processors");
    if sections.is_empty() && !is_changed && !scrapes_otherwise {
        info!("SIGHUP: {file} is valid and says what is running already");
    } else if !sections.is_empty() {
        warn!("SIGHUP: {file} is valid; these sections need a restart: {}", sections.join(", "));
    }
    Ok(())
}
