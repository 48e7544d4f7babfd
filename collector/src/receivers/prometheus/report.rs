//! What every scrape says of itself: `up` and four more.

use std::time::Duration;

use weir_proto::{
    TenantId,
    metrics::{Labels, METRIC_NAME, STALE_NAN},
};
use weir_store::{FloatSample, SeriesRef};

use super::gather::Counts;
use crate::samples::SeriesSource;

const NAMES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// The series of a target's own samples, once they were needed.
#[derive(Debug, Default)]
pub(super) struct Report([Option<SeriesRef>; 5]);

impl Report {
    /// The samples of a scrape.
    pub(super) fn samples(
        &mut self,
        series: &dyn SeriesSource,
        tenant: &TenantId,
        target: &Labels,
        time_ms: i64,
        outcome: (bool, Duration, Counts),
    ) -> Vec<FloatSample> {
        let (is_up, duration, counts) = outcome;
        let values = [
            f64::from(u8::from(is_up)),
            duration.as_secs_f64(),
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
        ];
        let mut samples = Vec::with_capacity(values.len());
        for ((name, value), known) in NAMES.into_iter().zip(values).zip(&mut self.0) {
            if known.is_none() {
                let pairs = target.iter().filter(|(label, _)| *label != METRIC_NAME).chain([(METRIC_NAME, name)]);
                let labels = Labels::new(pairs).expect("a target's labels are a set");
                *known = series.series(tenant, &labels).ok();
            }
            if let Some(series) = known {
                samples.push(FloatSample { series: series.clone(), time_ms, start_ms: 0, value });
            }
        }
        samples
    }

    /// Markers for all of them.
    pub(super) fn stale(&self, time_ms: i64) -> impl Iterator<Item = FloatSample> + '_ {
        let known = self.0.iter().flatten();
        known.map(move |series| FloatSample { series: series.clone(), time_ms, start_ms: 0, value: STALE_NAN })
    }
}
