//! The store's metrics as the engine reads them.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use weir_proto::{
    TenantId,
    metrics::{Exemplar, LabelMatcher, Labels, Metadata},
};
use weir_store::{ReadError, SeriesSamples, Snapshot, StoredSeries};

use crate::promql::source::{HistogramSample, Metrics, Samples, Series, Source, SourceError};

/// One tenant's, of one moment.
pub(crate) struct Stored<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) tenant: &'a TenantId,
}

fn unread(error: ReadError) -> SourceError {
    SourceError(error.to_string())
}

impl Source for Stored<'_> {
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
        let found = self.snapshot.series(self.tenant, matchers, from_ms, to_ms).map_err(unread)?;
        Ok(found.into_iter().map(|series| Box::new(One(series)) as Box<dyn Series>).collect())
    }
}

struct One(StoredSeries);

impl Series for One {
    fn labels(&self) -> &Labels {
        self.0.labels()
    }

    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError> {
        // The columns are lent, not copied.
        let mut columns = SeriesSamples {
            times_ms: std::mem::take(&mut into.times),
            values: std::mem::take(&mut into.values),
            start_ms: std::mem::take(&mut into.starts),
            histograms: Vec::new(),
        };
        let read = self.0.read(from_ms, to_ms, &mut columns);
        let SeriesSamples { times_ms, values, start_ms, histograms } = columns;
        (into.times, into.values, into.starts) = (times_ms, values, start_ms);
        into.histograms.extend(histograms.into_iter().map(|one| HistogramSample {
            time_ms: one.time_ms,
            start_ms: one.start_ms,
            histogram: Arc::from(one.histogram),
        }));
        read.map_err(unread)
    }
}

impl Metrics for Stored<'_> {
    fn label_names(&self, matchers: &[LabelMatcher], from_ms: i64, to_ms: i64) -> Result<Vec<String>, SourceError> {
        self.snapshot.label_names(self.tenant, matchers, from_ms, to_ms).map_err(unread)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<String>, SourceError> {
        self.snapshot.label_values(self.tenant, name, matchers, from_ms, to_ms).map_err(unread)
    }

    fn metadata(&self) -> Result<Vec<Metadata>, SourceError> {
        self.snapshot.metric_metadata(self.tenant).map_err(unread)
    }

    fn exemplars(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
        self.snapshot.exemplars(self.tenant, matchers, from_ms, to_ms).map_err(unread)
    }
}
