//! How many series, labels and values there are in memory, and which names have the most.

use std::collections::BTreeSet;

use weir_proto::{TenantId, metrics::METRIC_NAME};

use super::asked::Snapshot;
use crate::head::{Series, SeriesIndex};

/// A name, and how many.
pub type Ranked = (String, u64);

/// Of a tenant's series in memory; each list begins with the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesStatistics {
    /// Series.
    pub series: u64,
    /// Different pairs of name and value.
    pub label_pairs: u64,
    /// Chunks of samples that are not sealed.
    pub chunks: u64,
    /// The earliest and the latest of their samples, Unix ms; the wrong way round without any.
    pub time_ms: (i64, i64),
    /// Series by metric name.
    pub series_by_metric: Vec<Ranked>,
    /// Values by label name.
    pub values_by_label: Vec<Ranked>,
    /// Bytes of the values in all series, by label name.
    pub bytes_by_label: Vec<Ranked>,
    /// Series by `name=value`.
    pub series_by_pair: Vec<Ranked>,
}

/// Of no series.
impl Default for SeriesStatistics {
    fn default() -> Self {
        Self {
            series: 0,
            label_pairs: 0,
            chunks: 0,
            time_ms: (i64::MAX, i64::MIN),
            series_by_metric: Vec::new(),
            values_by_label: Vec::new(),
            bytes_by_label: Vec::new(),
            series_by_pair: Vec::new(),
        }
    }
}

impl Snapshot {
    /// What a tenant has in memory, with lists of up to `limit` names.
    pub fn series_statistics(&self, tenant: &TenantId, limit: usize) -> SeriesStatistics {
        let Some(known) = self.0.metrics.registry.known_tenant(tenant) else { return SeriesStatistics::default() };
        let (mut statistics, all) = {
            let index = known.index();
            (of_index(&index, limit), index.all().to_vec())
        };
        // Not under the index' lock: new series must not wait.
        all.iter().for_each(|series| statistics.add(series));
        statistics
    }
}

fn of_index(index: &SeriesIndex, limit: usize) -> SeriesStatistics {
    let mut statistics = SeriesStatistics { series: index.len() as u64, ..SeriesStatistics::default() };
    let [mut metrics, mut values, mut bytes, mut pairs] = std::array::from_fn(|_| Most::of(limit));
    for name in index.label_names() {
        let (mut count, mut size) = (0, 0);
        for (value, slots) in index.values_of(name) {
            let series = slots.len() as u64;
            count += 1;
            size += value.len() as u64 * series;
            if name == METRIC_NAME {
                metrics.add(series, || value.to_owned());
            }
            pairs.add(series, || format!("{name}={value}"));
        }
        statistics.label_pairs += count;
        values.add(count, || name.to_owned());
        bytes.add(size, || name.to_owned());
    }
    statistics.series_by_metric = metrics.ranked();
    statistics.values_by_label = values.ranked();
    statistics.bytes_by_label = bytes.ranked();
    statistics.series_by_pair = pairs.ranked();
    statistics
}

impl SeriesStatistics {
    fn add(&mut self, series: &Series) {
        let Some((chunks, first_ms, last_ms)) = series.extent() else { return };
        self.chunks += chunks;
        self.time_ms = (self.time_ms.0.min(first_ms), self.time_ms.1.max(last_ms));
    }
}

/// The largest so many.
struct Most {
    limit: usize,
    /// By count; of equal ones the later name is left out first.
    found: BTreeSet<(u64, std::cmp::Reverse<String>)>,
}

impl Most {
    fn of(limit: usize) -> Self {
        Self { limit, found: BTreeSet::new() }
    }

    fn add(&mut self, count: u64, name: impl FnOnce() -> String) {
        let is_full = self.found.len() >= self.limit;
        if is_full && self.found.first().is_none_or(|(least, _)| *least > count) {
            return;
        }
        self.found.insert((count, std::cmp::Reverse(name())));
        if is_full {
            self.found.pop_first();
        }
    }

    fn ranked(self) -> Vec<Ranked> {
        self.found.into_iter().rev().map(|(count, name)| (name.0, count)).collect()
    }
}
