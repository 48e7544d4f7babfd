//! Fills a store with the samples of targets, as if they had been scraped, at times of its own.

use weir_proto::{TenantId, metrics::Labels, time::Clock};
use weir_store::{FloatSample, MetricsBatch, SeriesRef, Store, StoreOptions};

use super::node::Node;

/// The first scrape, Unix ms.
pub const START_MS: i64 = 1_790_000_000_000;

/// Between two scrapes.
pub const STEP_MS: i64 = 15_000;

/// A store and its targets.
pub struct Filled {
    /// The store.
    pub store: Store,
    node: Node,
    /// Of each target.
    series: Vec<Vec<SeriesRef>>,
    scrape: u64,
    start_ms: i64,
    step_ms: i64,
}

/// Targets that are scraped at one time: they are spread over the interval.
const TOGETHER: usize = 16;

impl Filled {
    /// Opens a store, and makes the series of so many targets.
    pub async fn open(options: StoreOptions, targets: u64) -> anyhow::Result<Self> {
        Self::open_at(options, targets, (START_MS, STEP_MS)).await
    }

    /// The same with the first scrape's time and what lies between two.
    pub async fn open_at(options: StoreOptions, targets: u64, (start_ms, step_ms): (i64, i64)) -> anyhow::Result<Self> {
        let store = Store::open(options, None, Clock::system()).await?;
        let (node, tenant) = (Node::default(), TenantId::default());
        let mut series = Vec::new();
        for target in 0..targets {
            let of_target: Result<Vec<_>, _> =
                (0..node.series()).map(|line| store.series(&tenant, &labels(&node, target, line))).collect();
            series.push(of_target?);
        }
        Ok(Self { store, node, series, scrape: 0, start_ms, step_ms })
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.series.iter().map(Vec::len).sum()
    }

    /// Appends the samples of so many further scrapes of all targets.
    pub async fn scrapes(&mut self, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            let time_ms = self.start_ms + self.scrape as i64 * self.step_ms;
            let targets: Vec<_> = (0..).zip(&self.series).collect();
            for together in targets.chunks(TOGETHER) {
                let mut waiting = Vec::new();
                for &(target, series) in together {
                    let batch = self.batch(target, series, time_ms + target % STEP_MS);
                    let store = self.store.clone();
                    waiting.push(tokio::spawn(async move { store.append_metrics(batch).await }));
                }
                for appended in waiting {
                    appended.await??;
                }
            }
            self.scrape += 1;
        }
        Ok(())
    }

    fn batch(&self, target: i64, series: &[SeriesRef], time_ms: i64) -> MetricsBatch {
        let mut batch = MetricsBatch::new(TenantId::default(), time_ms as u64 * 1_000_000);
        let float = |(line, series): (usize, &SeriesRef)| FloatSample {
            series: series.clone(),
            time_ms,
            start_ms: 0,
            value: self.node.value(target as u64, line, self.scrape),
        };
        batch.floats = series.iter().enumerate().map(float).collect();
        batch
    }
}

/// The labels of a target's series, with those of the target.
pub fn labels(node: &Node, target: u64, line: usize) -> Labels {
    let instance = format!("node-{target:04}:9100");
    let own = node.labels(line).iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Labels::new(own.chain([("job", "node"), ("instance", &instance)])).expect("names are there once")
}
