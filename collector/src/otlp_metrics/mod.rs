//! OTLP metrics as samples: names and labels as Prometheus translates them, deltas added up.

mod config;
mod deltas;
mod exemplars;
mod labels;
mod naming;
mod native;
mod notes;
mod points;
mod samples;
mod stretches;
mod translate;

use bytes::Bytes;
pub use config::{DeltaForm, MetricsConfig, TranslationStrategy};
pub(crate) use translate::Translated;
use weir_proto::{Signal, TenantId, metrics::Sample, otlp::Limits};
use weir_store::{AppendError, MetricsBatch, Note, SeriesRef};

use self::{
    deltas::{Deltas, Known},
    notes::DeltaNotes,
    stretches::Stretches,
    translate::{Context, translate},
};
use crate::{
    admission::{AdmissionError, PartialSuccess, with_canonical},
    samples::SampleDoor,
};

/// How far back a series' last sample is looked for when a delta arrives for it, in ns: one hour, as long as a sum is
/// remembered.
const REMEMBERED_NS: u64 = 3_600_000_000_000;

/// Takes metrics in.
pub(crate) struct MetricsIntake {
    config: MetricsConfig,
    door: SampleDoor,
    deltas: Deltas,
    notes: DeltaNotes,
}

/// What the store knows of a tenant's series.
struct Stored<'s> {
    tenant: &'s TenantId,
    now_ns: u64,
    intake: &'s MetricsIntake,
}

impl Known for Stored<'_> {
    fn last(&self, series: &SeriesRef) -> Option<Sample> {
        let from_ms = (self.now_ns.saturating_sub(REMEMBERED_NS) / 1_000_000) as i64;
        (self.intake.door.last)(self.tenant, series.labels(), from_ms)
    }

    fn stretches(&self, series: &SeriesRef) -> Option<Stretches> {
        let found = (self.intake.door.notes)(self.tenant, &notes::name(series));
        found.first().and_then(|note| Stretches::from_bytes(&note.bytes))
    }

    fn all_notes(&self) -> Vec<Note> {
        (self.intake.door.notes)(self.tenant, notes::PREFIX)
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }
}

impl MetricsIntake {
    pub(crate) fn new(config: MetricsConfig, door: SampleDoor) -> Self {
        let deltas = Deltas::new(config.delta_series_max);
        Self { config, door, deltas, notes: DeltaNotes::default() }
    }

    /// A request's samples. What it adds to sums of deltas is taken back when it cannot be appended.
    pub(crate) fn translate(
        &self,
        tenant: TenantId,
        payload: Bytes,
        now_ns: u64,
        limits: Limits,
    ) -> Result<Translated, AdmissionError> {
        let now_ms = (now_ns / 1_000_000) as i64;
        let of_tenant = tenant.clone();
        let known = Stored { tenant: &of_tenant, now_ns, intake: self };
        let context = Context {
            tenant,
            received_at_ns: now_ns,
            limits,
            accept: self.door.accept.around(now_ms),
            config: &self.config,
            series: &*self.door.series,
            deltas: &self.deltas,
            notes: &self.notes,
            known: &known,
        };
        let (_, translated) = with_canonical(Signal::Metrics, payload, |payload| translate(payload, &context))?;
        Ok(translated)
    }

    /// Appends what was translated: how many points were taken, and what is said of the others.
    pub(crate) async fn append(
        &self,
        mut translated: Translated,
    ) -> Result<(u64, Option<PartialSuccess>), AppendError> {
        let batch = std::mem::replace(&mut translated.batch, MetricsBatch::new(TenantId::default(), 0));
        let (tenant, received_at_ns) = (batch.tenant.clone(), batch.received_at_ns);
        let is_empty = batch.floats.is_empty()
            && batch.histograms.is_empty()
            && batch.metadata.is_empty()
            && batch.rejected.is_empty()
            && batch.notes.is_empty();
        if !is_empty {
            match (self.door.append)(batch).await {
                Ok(appended) => {
                    translated.told_of(&appended);
                    if !appended.conflicts.is_empty() {
                        let mut mending = MetricsBatch::new(tenant, received_at_ns);
                        mending.notes = self.deltas.take_back_noted(translated.conflicting(&appended));
                        if !mending.notes.is_empty() {
                            (self.door.append)(mending).await?;
                        }
                    }
                }
                Err(error) => {
                    self.deltas.take_back(translated.undo);
                    return Err(error);
                }
            }
        }
        Ok((translated.accepted, translated.partial))
    }
}

#[cfg(test)]
mod tests;
