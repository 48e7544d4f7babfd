//! One probe: within its time, to gauges, a trace, and why it failed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::Semaphore, time::Instant};
use weir_proto::{Signal, TenantId, time::Clock};

use super::{
    allow::Network,
    dns,
    findings::Findings,
    grpc, http, icmp,
    metrics::{PROBES, TRACES_LOST},
    module::{Module, ProberKind},
    resolve,
    stream::TlsKeys,
    tcp,
    trace::{Ids, Told},
};
use crate::{
    Append, Arrival,
    admission::{AdmissionRules, admit},
    receivers::{
        intake::metrics::{ITEMS_ACCEPTED, ITEMS_REJECTED},
        prometheus::{ClientError, Identity, ProbeAsked, Probed},
    },
};

/// The label in metrics.
const PROTOCOL: &str = "synthetic";

/// Characters of a reason that a span and a page get.
const FAILURE_CHARS_MAX: usize = 1000;

/// A module that can be used: what its files say is read.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) module: Module,
    pub(super) tls: TlsKeys,
    pub(super) identity: Identity,
}

impl Ready {
    /// Reads the files that it names.
    pub(super) fn new(module: &Module) -> Result<Self, ClientError> {
        let (tls_config, protocols): (_, &[&[u8]]) = match module.prober {
            ProberKind::Http if module.http.enable_http2 => (&module.http.tls_config, &[b"h2", b"http/1.1"]),
            ProberKind::Http => (&module.http.tls_config, &[b"http/1.1"]),
            ProberKind::Grpc => (&module.grpc.tls_config, &[b"h2"]),
            ProberKind::Dns => (&module.dns.tls_config, &[]),
            ProberKind::Tcp | ProberKind::Icmp => (&module.tcp.tls_config, &[]),
        };
        let identity = Identity::new(&module.http.keys())?;
        Ok(Self { module: module.clone(), tls: TlsKeys::new(tls_config, protocols)?, identity })
    }
}

/// What all probes of a receiver share.
pub(super) struct Shared {
    pub(super) append: Append,
    pub(super) rules: AdmissionRules,
    pub(super) clock: Clock,
    pub(super) tenant: TenantId,
    pub(super) turns: Arc<Semaphore>,
}

/// What a probe may do, and how it is told of.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) allow: Vec<Network>,
    pub(super) location: String,
    pub(super) service: String,
    pub(super) traces: bool,
    pub(super) body_bytes_max: usize,
}

/// Bounds of a probe, for its prober.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) allow: &'a [Network],
    pub(super) body_bytes_max: usize,
    pub(super) timeout: Duration,
}

/// Probes once.
pub(super) async fn probe(shared: &Shared, manner: &Manner, ready: &Ready, asked: ProbeAsked) -> Probed {
    let _turn = shared.turns.acquire().await;
    let ids = if manner.traces { Ids::random() } else { None };
    if manner.traces && ids.is_none() {
        TRACES_LOST.with_label_values(&["no_randomness"]).inc();
    }
    let mut findings = Findings::new(ids.map(|ids| ids.traceparent()));
    let timeout = ready.module.timeout.map_or(asked.timeout, |own| own.min(asked.timeout));
    let bounds = Bounds { allow: &manner.allow, body_bytes_max: manner.body_bytes_max, timeout };
    let (begin, begin_ns) = (Instant::now(), shared.clock.now_ns());
    resolve::begin(&mut findings);
    let outcome = tokio::time::timeout(timeout, by_prober(ready, &asked.target, bounds, &mut findings)).await;
    let end = Instant::now();
    let failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => {
            let phase = findings.open_phase().map_or(String::new(), |phase| format!(" in phase {phase}"));
            Some(format!("no end within {timeout:?}{phase}"))
        }
    };
    let failure = failure.map(|words| words.chars().take(FAILURE_CHARS_MAX).collect::<String>());
    findings.gauges.set("probe_success", f64::from(u8::from(failure.is_none())));
    findings.gauges.set("probe_duration_seconds", (end - begin).as_secs_f64());
    let outcome = if failure.is_none() { "ok" } else { "failed" };
    PROBES.with_label_values(&[ready.module.prober.name(), outcome]).inc();
    if let Some(ids) = ids {
        let told = Told {
            service: &manner.service,
            location: &manner.location,
            job: &asked.job,
            module: &asked.module,
            target: &asked.target,
            begin,
            begin_ns,
            end,
            failure: failure.as_deref(),
        };
        keep(shared, told.encoded(&ids, &findings)).await;
        if let Some(failure) = &failure {
            tracing::debug!(target = asked.target, trace = ids.trace_id(), failure, "a probe failed");
        }
    }
    Probed { body: findings.gauges.exposed().into(), failure }
}

async fn by_prober(ready: &Ready, target: &str, bounds: Bounds<'_>, findings: &mut Findings) -> Result<(), String> {
    match ready.module.prober {
        ProberKind::Http => http::probe(ready, target, bounds, findings).await,
        ProberKind::Tcp => tcp::probe(ready, target, bounds, findings).await,
        ProberKind::Dns => dns::probe(ready, target, bounds, findings).await,
        ProberKind::Icmp => icmp::probe(&ready.module.icmp, target, bounds, findings).await,
        ProberKind::Grpc => grpc::probe(ready, target, bounds, findings).await,
    }
}

/// Hands a trace over as any other arrives. What the store cannot take is lost and counted: the samples say the same.
async fn keep(shared: &Shared, payload: Vec<u8>) {
    let admitted = match admit(shared.tenant.clone(), Bytes::from(payload), shared.clock.now_ns(), &shared.rules) {
        Ok(admitted) => admitted,
        Err(error) => {
            tracing::warn!(%error, "a probe's trace is not acceptable");
            TRACES_LOST.with_label_values(&["not_stored"]).inc();
            return;
        }
    };
    let arrival = Arrival::Spans(admitted.batch);
    let accepted = arrival.accepted();
    if let Err(error) = (shared.append)(arrival).await {
        tracing::warn!(%error, "a probe's trace is not stored");
        TRACES_LOST.with_label_values(&["not_stored"]).inc();
        return;
    }
    ITEMS_ACCEPTED.with_label_values(&[Signal::Traces.name(), PROTOCOL]).inc_by(accepted);
    for (reason, count) in admitted.partial.iter().flat_map(|partial| &partial.reasons) {
        ITEMS_REJECTED.with_label_values(&[Signal::Traces.name(), reason.name()]).inc_by(u64::from(*count));
    }
}
