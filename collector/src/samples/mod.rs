//! What everything that brings samples has in common: where series come from and samples go, and which times are taken.

mod shown;
mod window;

use std::sync::Arc;

pub use self::window::{AcceptTimes, AcceptWindow};
pub(crate) use self::{shown::in_braces, window::period_in_words};
use futures_util::future::BoxFuture;
use weir_proto::{
    TenantId,
    metrics::{LabelMatcher, Labels, MatchOp, Sample, SampleValue, is_stale},
};
use weir_store::{
    AppendError, MetricsAppended, MetricsBatch, Note, SeriesRef, SeriesRefused, SeriesSamples, Store, TimedHistogram,
};

/// Finds or makes series.
pub trait SeriesSource: Send + Sync {
    /// The series of a label set; an error for a new one when there are too many.
    fn series(&self, tenant: &TenantId, labels: &Labels) -> Result<SeriesRef, SeriesRefused>;
}

impl SeriesSource for Store {
    fn series(&self, tenant: &TenantId, labels: &Labels) -> Result<SeriesRef, SeriesRefused> {
        Store::series(self, tenant, labels)
    }
}

/// Where batches of samples go.
pub type AppendSamples =
    Arc<dyn Fn(MetricsBatch) -> BoxFuture<'static, Result<MetricsAppended, AppendError>> + Send + Sync>;

/// A series' last sample since a time in Unix ms, what ends it aside.
pub type LastSample = Arc<dyn Fn(&TenantId, &Labels, i64) -> Option<Sample> + Send + Sync>;

/// The notes of a tenant that stand and whose names begin so.
pub type StandingNotes = Arc<dyn Fn(&TenantId, &str) -> Vec<Note> + Send + Sync>;

/// The way of samples into the store.
#[derive(Clone)]
pub struct SampleDoor {
    /// Finds or makes series.
    pub series: Arc<dyn SeriesSource>,
    /// Completes once a batch is durable and visible.
    pub append: AppendSamples,
    /// What a series said last.
    pub last: LastSample,
    /// What was noted beside samples.
    pub notes: StandingNotes,
    /// How far from now a sample may lie.
    pub accept: AcceptWindow,
}

impl SampleDoor {
    /// The store's own.
    pub fn new(store: &Store, accept: AcceptWindow) -> Self {
        let appending = store.clone();
        let append: AppendSamples = Arc::new(move |batch| {
            let store = appending.clone();
            Box::pin(async move { store.append_metrics(batch).await })
        });
        let reading = store.clone();
        let last: LastSample = Arc::new(move |tenant, labels, from_ms| last_sample(&reading, tenant, labels, from_ms));
        let noted = store.clone();
        let notes: StandingNotes = Arc::new(move |tenant, prefix| noted.notes_of(tenant, prefix));
        Self { series: Arc::new(store.clone()), append, last, notes, accept }
    }
}

fn last_sample(store: &Store, tenant: &TenantId, labels: &Labels, from_ms: i64) -> Option<Sample> {
    let equal = |(name, value): (&str, &str)| LabelMatcher {
        name: name.to_owned(),
        op: MatchOp::Equal,
        value: value.to_owned(),
    };
    let matchers: Vec<LabelMatcher> = labels.iter().map(equal).collect();
    let found = store.snapshot().series(tenant, &matchers, from_ms, i64::MAX).ok()?;
    let series = found.iter().find(|series| series.labels() == labels)?;
    let mut samples = SeriesSamples::default();
    series.read(from_ms, i64::MAX, &mut samples).ok()?;
    let histogram = samples.histograms.into_iter().rfind(|one| !is_stale(one.histogram.sum));
    let histogram = histogram.map(|TimedHistogram { time_ms, start_ms, histogram }| Sample {
        time_ms,
        start_ms,
        value: SampleValue::Histogram(histogram),
    });
    let float = samples.values.iter().rposition(|value| !is_stale(*value)).map(|at| Sample {
        time_ms: samples.times_ms[at],
        start_ms: samples.start_ms.get(at).copied().unwrap_or(0),
        value: SampleValue::Float(samples.values[at]),
    });
    [histogram, float].into_iter().flatten().max_by_key(|sample| sample.time_ms)
}
