//! Puts the parts together: store, receivers and queries start here, and stop here in the opposite order of need.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use weir_collector::{
    Append, Arrival,
    admission::AdmissionRules,
    processors::Processing,
    receivers::{Listening, SpanLimits, otlp, zipkin},
};
use weir_proto::{TenantId, time::Clock};
use weir_query::http::{About, Asset, Guests, ListensAt, Site};
use weir_store::Store;

use crate::{
    banner,
    config::{Accept, Config, ReceiverConfig},
    demo::Shop,
    samplers::Samplers,
    shutdown::{Asked, Signals},
};

/// Where SQL queries put what they cannot hold in memory, in the data folder.
const SPILL_FOLDER: &str = "tmp/sql";

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
    if let Err(error) = start(&plan, &store, &samplers, &tracker, &stop).await {
        drain(&plan, &store, &tracker, &stop, &mut signals).await?;
        return Err(error);
    }
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            why = store.failed() => stop_at_once(&why),
        };
        match asked {
            Asked::Reload => reload(&plan, &mut samplers, &store).await,
            Asked::Stop(name) => {
                info!("{name}: answering what was received, then stopping");
                return drain(&plan, &store, &tracker, &stop, &mut signals).await;
            }
        }
    }
}

/// Opens every port and prints the banner.
async fn start(
    plan: &Plan,
    store: &Store,
    samplers: &Samplers,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
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
    // The one authenticator hook: who names no tenant is the default one.
    let mut receivers: Vec<Listening> = Vec::new();
    for (id, config) in &plan.config.receivers {
        let authenticate = Arc::new(|_: &_| Ok(TenantId::default()));
        let (accept, clock, append, stop) = (plan.config.storage.accept, Clock::system(), append.clone(), stop.clone());
        let processing = samplers.processing(id);
        let started = match config {
            ReceiverConfig::Otlp(config) => {
                let rules = admission_rules(config.span_limits, accept, processing);
                otlp::start(config, rules, clock, append, authenticate, tracker, stop).await
            }
            ReceiverConfig::Zipkin(config) => {
                let rules = admission_rules(config.span_limits, accept, processing);
                let started = zipkin::start(config, rules, clock, append, authenticate, tracker, stop).await;
                started.map(|port| vec![port])
            }
        };
        receivers.extend(started.with_context(|| format!("cannot start receiver {id}"))?);
    }
    let authenticate = Arc::new(|_: &_| Some(TenantId::default()));
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
        authenticate,
        Guests { mounts: Vec::new(), site: site(), about },
        tracker,
        stop.clone(),
    )
    .await
    .with_context(|| format!("cannot listen on query.endpoint {}", query.endpoint))?;
    let banner = banner::text(plan.config_file.as_deref(), &plan.data, &receivers, address);
    // Whoever started it may have closed stdout: no reason to stop.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    if let Some(shop) = &plan.shop {
        let otlp_http = receivers.iter().find(|port| port.protocol == "OTLP/HTTP");
        let address = otlp_http.context("the demo needs a receiver that speaks OTLP over HTTP")?.address;
        tokio::spawn(shop.clone().open(address, stop.clone()));
    }
    Ok(())
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

/// What makes a span acceptable: the receiver's bounds, and the times that storage takes; and what is done with it.
fn admission_rules(limits: SpanLimits, accept: Accept, processing: Processing) -> AdmissionRules {
    let (accept_past, accept_future) = match accept {
        Accept::Any => (None, None),
        Accept::Window { past, future } => (Some(past), Some(future)),
    };
    AdmissionRules { limits: limits.into(), accept_past, accept_future, processing }
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

/// SIGHUP: takes on the file's processors, and says which other sections need a restart. A bad file changes nothing.
async fn reload(plan: &Plan, samplers: &mut Samplers, store: &Store) {
    let Some(file) = &plan.config_file else {
        warn!("SIGHUP: weir runs without a configuration file; nothing to reload");
        return;
    };
    let next = match Config::load(file) {
        Ok(next) => next,
        Err(error) => return error!("SIGHUP: nothing changed: {error}"),
    };
    for warning in &next.warnings {
        warn!("SIGHUP: {warning}");
    }
    let file = file.display();
    let is_changed = match samplers.reload(next.processors.clone(), store).await {
        Ok(is_changed) => is_changed,
        Err(error) => return error!("SIGHUP: nothing changed: {error:#}"),
    };
    if is_changed {
        info!("SIGHUP: {file}: its processors hold for spans that arrive, and traces that begin, from now on");
    }
    let mut sections = plan.config.differences(&next);
    sections.retain(|section| *section != "processors");
    if sections.is_empty() && !is_changed {
        info!("SIGHUP: {file} is valid and says what is running already");
    } else if !sections.is_empty() {
        warn!("SIGHUP: {file} is valid; these sections need a restart: {}", sections.join(", "));
    }
}
