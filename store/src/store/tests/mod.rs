//! The whole store, on a real folder: under load, after stops of every kind, damaged, full, with the power cut.

mod archive;
mod bodies;
mod by_hand;
mod check;
mod cursors;
mod damage;
mod faults;
mod feed;
mod fixtures;
mod formats;
mod hammer;
mod lines;
mod metrics;
mod old_lines;
mod power;
mod pressure;
mod reopening;
mod retention;
mod sampled;
mod sampled_damage;
mod sampled_figures;
mod sampled_hammer;
mod sampling;
mod scanning;
mod spans;
mod still;
mod tags;
mod tenants;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use weir_proto::{Signal, TenantId, time::Clock};

use self::{check::Numbers, still::StillStore};
use super::Store;
use crate::{disk::Disk, lane::errors::AppendError, options::StoreOptions};

/// How long a test waits for something that background threads do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder in memory where there is one: syncs cost nothing there.
fn temp_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

/// Small files, sealed as soon as one is closed, no waiting for groups; nothing ages by itself.
fn options(folder: &Path) -> StoreOptions {
    StoreOptions {
        free_bytes_min: 0,
        journal_file_bytes_max: 16 << 10,
        journal_file_age_max: Duration::from_secs(3600),
        commit_delay_max: Duration::ZERO,
        commit_bytes_max: 8 << 10,
        head_payload_bytes_max: 8 << 10,
        seal_bytes_max: 1,
        seal_age_max: Duration::ZERO,
        retention_traces: None,
        retention_metrics: None,
        ..StoreOptions::new(folder)
    }
}

/// The tests' time of day: just after the newest span.
fn clock() -> Clock {
    Clock::fixed(spans::start_ns(1 << 20))
}

async fn open(options: StoreOptions) -> Store {
    Store::open_on(Disk::default(), options, None, clock()).await.expect("opens")
}

async fn append(store: &Store, tenant: &TenantId, numbers: &[u64]) -> Result<(), AppendError> {
    store.append_traces(spans::batch(tenant, numbers, clock().now_ns())).await
}

/// Appends these spans, in batches of ten.
async fn append_all(store: &Store, tenant: &TenantId, numbers: std::ops::Range<u64>) -> Numbers {
    let numbers: Vec<u64> = numbers.collect();
    for batch in numbers.chunks(10) {
        append(store, tenant, batch).await.expect("appended");
    }
    numbers.into_iter().collect()
}

/// Waits until the store's background threads have come so far.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while !reached() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        ticks.tick().await;
    }
}

/// Waits until everything in closed files is sealed and nothing is left to merge.
async fn until_settled(store: &Store) {
    let shared = &store.0.shared;
    until("sealed and merged", || {
        let view = shared.views.current();
        let closed = view.logs.files.iter().any(|file| file.journal().is_closed());
        !closed
            && view.traces.files.iter().all(|file| !file.journal().is_closed())
            && Signal::ALL.iter().all(|&signal| super::merger::debt_bytes(shared, signal) == 0)
    })
    .await;
}

/// The files of a folder, by path relative to it.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("listed") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(folder).expect("below it").to_owned()),
            }
        }
    }
    files.sort();
    files
}

/// Copies a folder as it is.
fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(&file);
        std::fs::create_dir_all(target.parent().expect("below a folder")).expect("made");
        std::fs::copy(from.join(&file), &target).expect("copied");
    }
    for folder in ["journal/traces", "segments/traces", "segments/metrics", "quarantine"] {
        std::fs::create_dir_all(to.join(folder)).expect("made");
    }
}
