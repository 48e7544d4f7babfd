//! Opens a store with unsealed samples, as after `kill -9`: CPU and time until it is open.
//!
//! `cargo run --release -p weir-store --example replay -- [millions of samples] [series]`

use std::time::Instant;

use weir_proto::{TenantId, metrics::Labels, time::Clock};
use weir_store::{FloatSample, MetricsBatch, Store, StoreOptions};

/// Series of one target.
const TARGET: u64 = 800;

/// The first scrape, Unix ms.
const START_MS: i64 = 1_790_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let of = |at: usize, usual| numbers.get(at).copied().unwrap_or(usual);
    let (samples, series) = (of(0, 30) * 1_000_000, of(1, 303_000));
    let folder = tempfile::tempdir_in(std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into()))?;
    let options = || StoreOptions { retention_metrics: None, ..StoreOptions::new(folder.path()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let store = runtime.block_on(Store::open(options(), None, Clock::system()))?;
    runtime.block_on(fill(&store, series, samples / series))?;
    // Not sealed: what was written stays in the journal.
    runtime.block_on(store.shutdown());
    let (begun, cpu_s) = (Instant::now(), cpu_s());
    let store = runtime.block_on(Store::open(options(), None, Clock::system()))?;
    let status = store.status(&TenantId::default()).signals;
    let there: u64 = status.iter().map(|status| status.head_items).sum();
    println!("{there} samples: open after {:.2?}, {:.2} CPU s", begun.elapsed(), self::cpu_s() - cpu_s);
    runtime.block_on(store.shutdown());
    Ok(())
}

async fn fill(store: &Store, series: u64, scrapes: u64) -> Result<(), Box<dyn std::error::Error>> {
    let tenant = TenantId::default();
    let labels = |n: u64| {
        let (target, line) = (n / TARGET, n % TARGET);
        let (name, mode) = (format!("node_metric_{}_seconds_total", line / 8), format!("mode{}", line % 8));
        let instance = format!("node-{target:04}:9100");
        let pairs =
            [("__name__", &*name), ("cpu", &mode[4..]), ("mode", &mode), ("job", "node"), ("instance", &instance)];
        Labels::new(pairs)
    };
    let all: Result<Vec<_>, Box<dyn std::error::Error>> =
        (0..series).map(|n| Ok(store.series(&tenant, &labels(n)?)?)).collect();
    let all = all?;
    for scrape in 0..scrapes {
        let mut waiting = Vec::new();
        for (target, series) in (0..).zip(all.chunks(TARGET as usize)) {
            let time_ms = START_MS + scrape as i64 * 15_000 + target;
            let mut batch = MetricsBatch::new(tenant.clone(), time_ms as u64 * 1_000_000);
            // Halves that stand still, and those that count seconds, bytes or something that cannot be told.
            let value = |line: usize| match line % 8 {
                0..4 => line as f64,
                4 | 5 => (line as f64 * 1e4 + scrape as f64 * 1499.0) / 100.0,
                6 => line as f64 * 1e6 + scrape as f64 * 4321.0,
                _ => (line as f64 + scrape as f64).sqrt(),
            };
            let float = |(line, series): (usize, &weir_store::SeriesRef)| FloatSample {
                series: series.clone(),
                time_ms,
                start_ms: 0,
                value: value(line),
            };
            batch.floats = series.iter().enumerate().map(float).collect();
            let store = store.clone();
            waiting.push(tokio::spawn(async move { store.append_metrics(batch).await }));
        }
        for appended in waiting {
            appended.await??;
        }
    }
    Ok(())
}

/// CPU time of this process.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
