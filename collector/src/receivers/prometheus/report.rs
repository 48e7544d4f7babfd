//! What every scrape says of itself: `up` and four more, and three that have to be asked for.

use std::time::Duration;

use weir_proto::{
    TenantId,
    metrics::{Labels, METRIC_NAME, STALE_NAN},
};
use weir_store::{FloatSample, SeriesRef};

use super::gather::Counts;
use crate::samples::SeriesSource;

const NAMES: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
];

/// What is said when `extra_scrape_metrics` is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct More {
    pub(super) timeout: Duration,
    pub(super) sample_limit: usize,
    /// 0 without a body, -1 when it was too large.
    pub(super) body_bytes: i64,
}

/// The series of a target's own samples, once they were needed.
#[derive(Debug, Default)]
pub(super) struct Report([Option<SeriesRef>; 8]);

impl Report {
    /// The samples of a scrape.
    pub(super) fn samples(
        &mut self,
        series: &dyn SeriesSource,
        tenant: &TenantId,
        target: &Labels,
        time_ms: i64,
        outcome: (bool, Duration, Counts),
        more: Option<More>,
    ) -> Vec<FloatSample> {
        let (is_up, duration, counts) = outcome;
        let mut values = vec![
            f64::from(u8::from(is_up)),
            duration.as_secs_f64(),
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
        ];
        if let Some(More { timeout, sample_limit, body_bytes }) = more {
            values.extend([timeout.as_secs_f64(), sample_limit as f64, body_bytes as f64]);
        }
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
