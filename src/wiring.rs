//! Puts the parts together: store, receivers and queries start here, and stop here in the opposite order of need.

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use weir_collector::{
    Append,
    admission::AdmissionRules,
    receivers::otlp::{self, Listening, OtlpConfig},
};
use weir_proto::{TenantId, time::Clock};
use weir_store::Store;

use crate::{
    banner,
    config::{Accept, Config},
    shutdown::{Asked, Signals},
};

/// What to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Where `config` was read, to read it again on SIGHUP.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) config: Config,
}

/// Runs until a signal (Ok once everything is drained) or a failure.
pub(crate) async fn run(plan: Plan) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let opening = Store::open(plan.config.storage.options(&plan.data), Clock::system());
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
    if let Err(error) = start(&plan, &store, &tracker, &stop).await {
        drain(&plan, &store, &tracker, &stop, &mut signals).await?;
        return Err(error);
    }
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            why = store.failed() => stop_at_once(&why),
        };
        match asked {
            Asked::Reload => reload(&plan),
            Asked::Stop(name) => {
                info!("{name}: answering what was received, then stopping");
                return drain(&plan, &store, &tracker, &stop, &mut signals).await;
            }
        }
    }
}

/// Opens every port and prints the banner.
async fn start(plan: &Plan, store: &Store, tracker: &TaskTracker, stop: &CancellationToken) -> anyhow::Result<()> {
    let append: Append = {
        let store = store.clone();
        Arc::new(move |batch| {
            let store = store.clone();
            Box::pin(async move { store.append_traces(batch).await })
        })
    };
    // The one authenticator hook: who names no tenant is the default one.
    let mut receivers: Vec<Listening> = Vec::new();
    for (id, config) in &plan.config.receivers {
        let authenticate = Arc::new(|_: &_| Ok(TenantId::default()));
        let rules = admission_rules(config, plan.config.storage.accept);
        let ports = otlp::start(config, rules, Clock::system(), append.clone(), authenticate, tracker, stop.clone())
            .await
            .with_context(|| format!("cannot start receiver {id}"))?;
        receivers.extend(ports);
    }
    let authenticate = Arc::new(|_: &_| Some(TenantId::default()));
    let query = &plan.config.query;
    let address = weir_query::http::start(query, store.clone(), authenticate, tracker, stop.clone())
        .await
        .with_context(|| format!("cannot listen on query.endpoint {}", query.endpoint))?;
    let banner = banner::text(plan.config_file.as_deref(), &plan.data, &receivers, address);
    // Whoever started it may have closed stdout: no reason to stop.
    let _ = std::io::stdout().write_all(banner.as_bytes());
    Ok(())
}

/// What makes a span acceptable: the receiver's bounds, and the times that storage takes.
fn admission_rules(config: &OtlpConfig, accept: Accept) -> AdmissionRules {
    let (accept_past, accept_future) = match accept {
        Accept::Any => (None, None),
        Accept::Window { past, future } => (Some(past), Some(future)),
    };
    AdmissionRules { limits: config.span_limits.into(), accept_past, accept_future }
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

/// SIGHUP: checks the file and says what a restart would change. Nothing can be changed at run time yet, so a good file
/// changes as little as a bad one.
fn reload(plan: &Plan) {
    let Some(file) = &plan.config_file else {
        warn!("SIGHUP: weir runs without a configuration file; nothing to reload");
        return;
    };
    match Config::load(file) {
        Err(error) => error!("SIGHUP: nothing changed: {error}"),
        Ok(next) => match plan.config.differences(&next).as_slice() {
            [] => info!("SIGHUP: {} is valid and says what is running already", file.display()),
            sections => warn!(
                "SIGHUP: {} is valid; nothing changed yet, these sections need a restart: {}",
                file.display(),
                sections.join(", ")
            ),
        },
    }
}
