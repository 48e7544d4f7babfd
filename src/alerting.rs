//! Rules and notifications: what the configuration says, made into what alerting runs with.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use http_body_util::Full;
use hyper::{Response, StatusCode, body::Bytes};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_collector::receivers::prometheus::ToldPeers;
use weir_proto::{TenantId, time::Clock};
use weir_query::alerting::{
    notify::{NotifyLimits, PeerList, Peers, Posted, Posting, Receiver, ReceiverKind},
    serve::{Alerting, AlertingOptions, Around, rule_files},
};
use weir_query::http::Mount;
use weir_store::Store;

use crate::{
    config::{AlertingConfig, Config, target_groups},
    wiring::Plan,
};

/// Where SQL queries of rules put what they cannot hold in memory, in the data folder.
const SPILL_FOLDER: &str = "tmp/rules";

/// Somebody asks over HTTP that the configuration is read again, and waits for what comes of it.
pub(crate) type ReloadAsked = oneshot::Sender<Result<(), String>>;

/// Alerting, with what it was told last.
#[derive(Clone)]
pub(crate) struct Alerts {
    alerting: Alerting,
    known: Arc<Mutex<(AlertingConfig, u64)>>,
}

impl Alerts {
    /// Without rules yet.
    pub(crate) fn new(plan: &Plan, store: &Store, tracker: &TaskTracker, stop: &CancellationToken) -> Self {
        let alerting = Alerting::new(Around {
            store: store.clone(),
            tenant: TenantId::default(),
            clock: Clock::system(),
            query: plan.config.query.clone(),
            spill_folder: plan.data.join(SPILL_FOLDER),
            evaluations_max: plan.config.alerting.evaluations_max.get(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        });
        Self { alerting, known: Arc::default() }
    }

    /// Takes on what is configured, and reads the files of rules. An error changes nothing.
    pub(crate) async fn set(
        &self,
        config: &Config,
        file: Option<&Path>,
        own: SocketAddr,
        hostname: &str,
    ) -> anyhow::Result<()> {
        let version = {
            let mut known = self.known.lock();
            if (&known.0.alertmanagers, &known.0.webhooks)
                != (&config.alerting.alertmanagers, &config.alerting.webhooks)
            {
                *known = (config.alerting.clone(), known.1 + 1);
            }
            known.1
        };
        let options = options(config, file, (own, hostname), version)?;
        self.alerting.set(options).await.map_err(|problems| anyhow!(problems.join("\n")))
    }

    /// What the query endpoint shows, and takes, of it.
    pub(crate) fn mounts(&self, reload: &mpsc::Sender<ReloadAsked>) -> Vec<Mount> {
        let mut mounts = self.alerting.mounts();
        for path in ["/-/reload", "/prometheus/-/reload"] {
            let reload = reload.clone();
            mounts.push(Mount::post(path, "Reads the configuration and the files of rules again.", move |_| {
                let reload = reload.clone();
                async move { reloaded(&reload).await }
            }));
        }
        mounts
    }
}

/// Finds what is wrong with the files of rules that a configuration in `file` names.
pub(crate) fn check_rules(config: &Config, file: &Path) -> anyhow::Result<()> {
    let patterns = config.alerting.resolved(file.parent()).rule_files;
    rule_files(&patterns).map_err(|problems| anyhow!(problems.join("\n")))?;
    Ok(())
}

async fn reloaded(reload: &mpsc::Sender<ReloadAsked>) -> Response<Full<Bytes>> {
    let (answer, answered) = oneshot::channel();
    let outcome = match reload.send(answer).await {
        Ok(()) => answered.await.unwrap_or_else(|_| Err("stopping".to_owned())),
        Err(_) => Err("stopping".to_owned()),
    };
    let (status, text) = match outcome {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {error}\n")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

/// What a receiver's addresses are found and spoken to with.
struct Told(Arc<ToldPeers>);

impl Peers for Told {
    fn list(&self) -> PeerList {
        let found = self.0.list();
        PeerList { active: found.active, dropped: found.dropped }
    }

    fn post(&self, url: &str, body: Bytes) -> Posting {
        let posting = self.0.post(url, body);
        Box::pin(async move { posting.await.map(|(status, said)| Posted { status, said }) })
    }
}

/// What a configuration that stands in `file` says of alerting; `own` is where the query endpoint listens.
fn options(
    config: &Config,
    file: Option<&Path>,
    (own, hostname): (SocketAddr, &str),
    receivers_version: u64,
) -> anyhow::Result<AlertingOptions> {
    let alerting = config.alerting.resolved(file.and_then(Path::parent));
    let globals = alerting.globals(&config.receivers);
    let mut receivers = Vec::new();
    for peers in &alerting.alertmanagers {
        let told = ToldPeers::alertmanagers(peers, target_groups).context("alerting.alertmanagers")?;
        receivers.push(Receiver {
            kind: ReceiverKind::Alertmanager,
            relabel: peers.alert_relabel_configs.clone(),
            peers: Arc::new(Told(Arc::new(told))),
        });
    }
    for webhook in &alerting.webhooks {
        let told = ToldPeers::webhook(webhook).context("alerting.webhooks")?;
        receivers.push(Receiver {
            kind: ReceiverKind::Webhook { sends_resolved: webhook.send_resolved },
            relabel: Vec::new(),
            peers: Arc::new(Told(Arc::new(told))),
        });
    }
    let reached_at = || {
        let host = if own.ip().is_unspecified() { hostname.to_owned() } else { own.ip().to_string() };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("http://{host}:{}", own.port())
    };
    let external_url = alerting.external_url.clone().unwrap_or_else(reached_at);
    Ok(AlertingOptions {
        evaluation_interval: globals.evaluation_interval,
        rule_query_offset: globals.rule_query_offset,
        external_labels: globals.external_labels.into_iter().collect(),
        external_url: external_url.trim_end_matches('/').to_owned(),
        resend_delay: alerting.resend_delay.0,
        results_max: alerting.results_max.get(),
        receivers_version,
        receivers,
        limits: NotifyLimits {
            queue_alerts_max: alerting.queue_alerts_max.get(),
            batch_alerts_max: alerting.batch_alerts_max.get(),
        },
        alert_relabel: alerting.alert_relabel_configs,
        rule_files: alerting.rule_files,
    })
}
