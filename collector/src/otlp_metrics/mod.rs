//! OTLP metrics as samples: names and labels as Prometheus translates them, deltas added up.

mod config;
mod deltas;
mod exemplars;
mod labels;
mod naming;
mod native;
mod samples;
mod translate;

use bytes::Bytes;
pub use config::{DeltaForm, MetricsConfig, TranslationStrategy};
pub(crate) use translate::Translated;
use weir_proto::{Signal, TenantId, otlp::Limits};
use weir_store::AppendError;

use self::{
    deltas::Deltas,
    translate::{Context, translate},
};
use crate::{
    admission::{AdmissionError, PartialSuccess, with_canonical},
    samples::SampleDoor,
};

/// How far back a series' last sample is looked for when a delta arrives for it, in ms: one hour, as long as a sum is remembered.
const LAST_SAMPLE_MS: i64 = 3_600_000;

/// Takes metrics in.
pub(crate) struct MetricsIntake {
    config: MetricsConfig,
    door: SampleDoor,
    deltas: Deltas,
}

impl MetricsIntake {
    pub(crate) fn new(config: MetricsConfig, door: SampleDoor) -> Self {
        let deltas = Deltas::new(config.delta_series_max);
        Self { config, door, deltas }
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
        let last =
            |series: &weir_store::SeriesRef| (self.door.last)(&of_tenant, series.labels(), now_ms - LAST_SAMPLE_MS);
        let context = Context {
            tenant,
            received_at_ns: now_ns,
            limits,
            accept: self.door.accept.around(now_ms),
            config: &self.config,
            series: &*self.door.series,
            deltas: &self.deltas,
            last: &last,
        };
        let (_, translated) = with_canonical(Signal::Metrics, payload, |payload| translate(payload, &context))?;
        Ok(translated)
    }

    /// Appends what was translated: how many points were taken, and what is said of the others.
    pub(crate) async fn append(&self, translated: Translated) -> Result<(u64, Option<PartialSuccess>), AppendError> {
        let Translated { batch, partial, accepted, undo } = translated;
        let is_empty = batch.floats.is_empty()
            && batch.histograms.is_empty()
            && batch.metadata.is_empty()
            && batch.rejected.is_empty();
        if !is_empty && let Err(error) = (self.door.append)(batch).await {
            self.deltas.take_back(undo);
            return Err(error);
        }
        Ok((accepted, partial))
    }
}

#[cfg(test)]
mod tests;
