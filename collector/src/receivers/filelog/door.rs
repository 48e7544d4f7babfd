//! Hands packages to the journal, one after the other; what it refuses is offered again until it takes it.

use std::time::Duration;

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use weir_proto::{Signal, TenantId, otlp::Limits, time::Clock};
use weir_store::{AppendError, journal::SourceCursors};

use super::deliver::{Deliver, Package, Stopped};
use crate::{
    Append, Arrival,
    admission::{AdmissionRules, admit_own_lines},
    receivers::intake::metrics::ITEMS_ACCEPTED,
};

/// The label in metrics.
const PROTOCOL: &str = "filelog";

/// Pause before a package is offered again that was refused (the disk is full, the queue is).
const RETRY: Duration = Duration::from_millis(200);

/// Nothing that was read from a file is refused for its size: it was cut before.
pub(super) const LIMITS: Limits = Limits { depth_max: 256, attributes_max: 1024, span_bytes_max: u32::MAX };

/// The journal's door.
pub(super) struct Door {
    offer: Offer,
    runtime: Handle,
    under_way: Option<JoinHandle<Result<(), Stopped>>>,
}

/// How packages are offered.
#[derive(Clone)]
struct Offer {
    tenant: TenantId,
    append: Append,
    rules: AdmissionRules,
    clock: Clock,
    stop: CancellationToken,
}

impl Door {
    pub(super) fn new(
        tenant: TenantId,
        append: Append,
        rules: AdmissionRules,
        clock: Clock,
        stop: CancellationToken,
    ) -> Self {
        // Times were looked at before: no line is refused for its own.
        let rules = AdmissionRules { limits: LIMITS, accept_past: None, accept_future: None, ..rules };
        Self { offer: Offer { tenant, append, rules, clock, stop }, runtime: Handle::current(), under_way: None }
    }
}

impl Deliver for Door {
    fn is_free(&mut self) -> Result<bool, Stopped> {
        match &self.under_way {
            Some(task) if !task.is_finished() => Ok(false),
            _ => self.wait(Duration::ZERO).map(|()| true),
        }
    }

    fn hand_over(&mut self, package: Package) -> Result<(), Stopped> {
        let mut cursors = SourceCursors::default();
        for (source, cursor) in package.cursors {
            cursors.set(source, cursor);
        }
        let payload = Bytes::from(package.payload);
        let arrival = self.offer.admitted(&payload, &cursors);
        // What is handed over now is read again at the next start.
        if self.offer.stop.is_cancelled() {
            return Err(Stopped);
        }
        let offer = self.offer.clone();
        let lines = u64::from(package.lines);
        self.under_way = Some(self.runtime.spawn(async move {
            offer.until_taken(arrival, payload, cursors).await?;
            ITEMS_ACCEPTED.with_label_values(&[Signal::Logs.name(), PROTOCOL]).inc_by(lines);
            Ok(())
        }));
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<(), Stopped> {
        let Some(task) = &mut self.under_way else { return Ok(()) };
        let Ok(ended) = self.runtime.block_on(async { tokio::time::timeout(at_most, task).await }) else {
            return Ok(());
        };
        self.under_way = None;
        ended.unwrap_or(Err(Stopped))
    }
}

impl Offer {
    fn admitted(&self, payload: &Bytes, cursors: &SourceCursors) -> Option<Arrival> {
        match admit_own_lines(self.tenant.clone(), payload.clone(), self.clock.now_ns(), &self.rules) {
            Ok(mut admitted) => {
                admitted.batch.cursors = cursors.clone();
                Some(Arrival::Lines(admitted.batch))
            }
            Err(error) => {
                tracing::error!(%error, "lines of files are not what the journal takes");
                None
            }
        }
    }

    async fn until_taken(self, first: Option<Arrival>, payload: Bytes, cursors: SourceCursors) -> Result<(), Stopped> {
        let mut arrival = first;
        let mut is_told = false;
        loop {
            let Some(offered) = arrival.take() else { return Ok(()) };
            match (self.append)(offered).await {
                Ok(()) => return Ok(()),
                Err(AppendError::Stopped) => return Err(Stopped),
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!(%error, "the journal does not take lines of files for now; they stay in their files");
                    }
                }
            }
            // Not taken when Weir stops: it is read again at the next start.
            if tokio::time::timeout(RETRY, self.stop.cancelled()).await.is_ok() {
                return Err(Stopped);
            }
            arrival = self.admitted(&payload, &cursors);
        }
    }
}
