//! Opens the ports of receivers, and says which of them are also answered on the port for queries.

use anyhow::Context;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_collector::{
    Append,
    admission::AdmissionRules,
    processors::Processing,
    receivers::{
        SpanLimits,
        elasticsearch::{self, ElasticsearchConfig, ElasticsearchPush},
        filelog,
        loki::{self, LokiConfig, PUSH_PATH, Push},
        otlp,
        remote_write::{self, RemoteWrite, RemoteWriteConfig},
        splunk_hec, syslog, zipkin,
    },
    samples::SampleDoor,
};
use weir_port::Listening;
use weir_proto::{TenantId, time::Clock};
use weir_query::http::Mount;
use weir_store::Store;

use crate::{
    config::{Accept, ReceiverConfig, StorageConfig},
    samplers::Samplers,
    wiring::{Plan, everybody},
};

/// The ports that are open.
pub(crate) struct Opened {
    pub(crate) ports: Vec<Listening>,
    /// Pushes are taken on the port for queries, too, whatever receivers there are; what is configured for them holds there as well.
    pub(crate) mounts: Vec<Mount>,
}

/// What takes pushes on two ports.
#[derive(Default)]
struct Shared {
    loki: Option<Push>,
    elasticsearch: Option<ElasticsearchPush>,
}

/// Opens the port of every receiver that has one.
pub(crate) async fn open(
    plan: &Plan,
    append: Append,
    store: &Store,
    door: &SampleDoor,
    samplers: &Samplers,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Opened> {
    let mut ports: Vec<Listening> = Vec::new();
    let mut shared = Shared::default();
    let storage = &plan.config.storage;
    for (id, config) in &plan.config.receivers {
        let (clock, append, stop) = (Clock::system(), append.clone(), stop.clone());
        let processing = samplers.processing(id);
        let started = match config {
            ReceiverConfig::Otlp(config) => {
                let rules = admission_rules(config.span_limits, storage, processing);
                otlp::start(config, rules, clock, append, door.clone(), everybody(), tracker, stop).await
            }
            // Started when the query endpoint listens, or mounted on it.
            ReceiverConfig::Prometheus(_) | ReceiverConfig::Synthetic(_) | ReceiverConfig::RemoteWrite(_) => continue,
            ReceiverConfig::Filelog(config) => {
                let around = filelog::Surroundings {
                    receiver: id.clone(),
                    tenant: TenantId::default(),
                    append,
                    rules: admission_rules(SpanLimits::default(), storage, Processing::NONE),
                    clock,
                    cursors: store.line_cursors(),
                    tracker: tracker.clone(),
                    stop,
                };
                filelog::start(config, around).map_err(std::io::Error::other).map(|()| Vec::new())
            }
            ReceiverConfig::Zipkin(config) => {
                let rules = admission_rules(config.span_limits, storage, processing);
                let started = zipkin::start(config, rules, clock, append, everybody(), tracker, stop).await;
                started.map(|port| vec![port])
            }
            ReceiverConfig::Loki(config) => {
                let push = pushes(plan, config, append);
                shared.loki.get_or_insert_with(|| push.clone());
                loki::start(config, push, tracker, stop).await.map(|port| vec![port])
            }
            ReceiverConfig::Elasticsearch(config) => {
                let push = documents(plan, config, append);
                shared.elasticsearch.get_or_insert_with(|| push.clone());
                elasticsearch::start(config, push, tracker, stop).await.map(|port| vec![port])
            }
            ReceiverConfig::SplunkHec(config) => {
                let rules = admission_rules(config.line_limits, storage, Processing::NONE);
                let started = splunk_hec::start(config, rules, clock, append, everybody(), tracker, stop).await;
                started.map(|port| vec![port])
            }
            ReceiverConfig::Syslog(config) => {
                let rules = admission_rules(config.line_limits, storage, Processing::NONE);
                syslog::start(config, rules, clock, append, TenantId::default(), tracker, stop).await
            }
        };
        ports.extend(started.with_context(|| format!("cannot start receiver {id}"))?);
    }
    Ok(Opened { ports, mounts: mounts(plan, shared, append, door) })
}

fn mounts(plan: &Plan, shared: Shared, append: Append, door: &SampleDoor) -> Vec<Mount> {
    let Shared { loki, elasticsearch } = shared;
    let bulk = elasticsearch.unwrap_or_else(|| documents(plan, &ElasticsearchConfig::default(), append.clone()));
    let push = loki.unwrap_or_else(|| pushes(plan, &LokiConfig::default(), append));
    let about = "Elasticsearch: bulk requests, and what shippers ask before.";
    vec![
        remote_write_mount(plan, door),
        Mount::post(PUSH_PATH, "Loki: push log lines, as JSON or as protobuf behind snappy.", move |request| {
            let push = push.clone();
            async move { push.answer(request).await }
        }),
        Mount::below(elasticsearch::PREFIX, about, move |request| {
            let bulk = bulk.clone();
            async move { bulk.answer(request).await }
        }),
    ]
}

/// Remote write on the query endpoint.
fn remote_write_mount(plan: &Plan, door: &SampleDoor) -> Mount {
    let configured = plan.config.receivers.values().find_map(|config| match config {
        ReceiverConfig::RemoteWrite(config) => Some((**config).clone()),
        _ => None,
    });
    let config = configured.unwrap_or_else(RemoteWriteConfig::default);
    let taking = RemoteWrite::new(&config, door.clone(), everybody(), Clock::system());
    Mount::post(remote_write::PATH, "Prometheus: remote write, 1.0 and 2.0.", move |request| {
        let taking = taking.clone();
        async move { taking.answer(request).await }
    })
}

/// What takes Loki's pushes.
fn pushes(plan: &Plan, config: &LokiConfig, append: Append) -> Push {
    let rules = admission_rules(config.line_limits, &plan.config.storage, Processing::NONE);
    Push::new(config, rules, Clock::system(), append, everybody())
}

/// What takes Elasticsearch's bulk requests.
fn documents(plan: &Plan, config: &ElasticsearchConfig, append: Append) -> ElasticsearchPush {
    let rules = admission_rules(config.line_limits, &plan.config.storage, Processing::NONE);
    ElasticsearchPush::new(config, rules, Clock::system(), append, everybody())
}

/// What makes a span acceptable: the receiver's bounds, and the times that storage takes; and what is done with it.
pub(crate) fn admission_rules(limits: SpanLimits, storage: &StorageConfig, processing: Processing) -> AdmissionRules {
    let (accept_past, accept_future) = match storage.accept {
        Accept::Any => (None, None),
        Accept::Window { past, future } => (Some(past), Some(future)),
    };
    AdmissionRules { limits: limits.into(), accept_past, accept_future, processing, line_ids: storage.line_ids() }
}
