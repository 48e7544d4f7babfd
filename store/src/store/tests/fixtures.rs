//! A folder of each format that ever landed: opened, asked, gone on with, sealed, merged and opened again.
//!
//! `tests/formats/` has the folders, as `kill -9` left them, and what was acknowledged into them; its README says how they are made.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use weir_proto::{TraceId, otlp::traces::ScannedSpan};

use super::{spans::tenant, *};
use crate::{
    ask::{
        filter::ScanFilter,
        request::{ScanColumn, ScanRequest},
    },
    ledger::Tally,
    sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, TraceAccount},
    verdict::mark::{SpanMark, SpanMarker},
};

/// What was acknowledged, by tenant.
#[derive(Debug, serde::Deserialize)]
struct Expected {
    tenant: String,
    /// Items of the ledger.
    accepted: u64,
    rejected: u64,
    /// Numbers of the traces that are kept for certain, of those that have no verdict yet, and of those that were dropped.
    kept: BTreeSet<u64>,
    pending: BTreeSet<u64>,
    dropped: BTreeSet<u64>,
}

/// Spans of each trace.
const SPANS: u64 = 3;

fn trace_id(number: u64) -> TraceId {
    let mut id = [0; 16];
    id[0] = 0x0f;
    id[8..].copy_from_slice(&(number + 1).to_be_bytes());
    TraceId(id)
}

/// Decides what has no verdict yet: everything is kept.
#[derive(Debug)]
struct KeepsAll;

impl Sampling for KeepsAll {
    fn generation(&self) -> u32 {
        1
    }

    fn options(&self) -> SamplingOptions {
        SamplingOptions {
            decision_wait: Duration::from_millis(1),
            decision_wait_after_root: None,
            pending_traces_max: 1000,
            pending_bytes_max: 1 << 30,
            trace_bytes_max: 1 << 30,
            kept_cache_traces_max: 1000,
            dropped_cache_traces_max: 1000,
        }
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(self)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(Self)
    }
}

impl SpanMarker for &KeepsAll {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        marks.push(SpanMark { bytes: span.span.bytes.len() as u32, ..SpanMark::default() });
    }
}

impl Judge for KeepsAll {
    fn policies(&self) -> Vec<String> {
        vec!["all".into()]
    }

    fn observe(&mut self, _: &ArrivedSpan<'_>, _: &mut TraceAccount) {}

    fn decide(&mut self, _: &TraceAccount, _: Cause, _: u64) -> Decision {
        Decision { keep: true, policy: 0, adjusted_count: 1.0, is_probabilistic: false }
    }

    fn recall(&mut self, _: u32, _: bool, _: usize, _: u64) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _: &[u8]) {}

    fn report(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

fn folders() -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats");
    let entries = std::fs::read_dir(path).expect("listed").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

async fn open_sampled(folder: &Path) -> Store {
    let options = StoreOptions { segment_rows_max: 1 << 20, ..options(folder) };
    Store::open_on(Disk::default(), options, Some(Arc::new(KeepsAll)), Clock::system()).await.expect("opens")
}

/// Every answer about what was acknowledged.
fn shows(store: &Store, expected: &[Expected], added: &Numbers) {
    let snapshot = store.snapshot();
    for told in expected {
        let tenant = tenant(&told.tenant);
        let mut kept: BTreeSet<TraceId> = told.kept.union(&told.pending).map(|&number| trace_id(number)).collect();
        for &number in told.kept.union(&told.pending) {
            let rows = snapshot.trace(&tenant, trace_id(number)).expect("readable");
            assert_eq!(rows.len() as u64, SPANS, "{}: trace {number}", told.tenant);
            let attribute = |key: &str| rows[0].span.attributes.iter().any(|attribute| attribute.key == key);
            assert!(["n", "http.route", "ratio", "bytes"].into_iter().all(attribute), "{rows:?}");
            assert!(rows.iter().any(|row| !row.span.events.is_empty()) && rows[0].scope.name == "maker");
        }
        for &number in &told.dropped {
            assert!(snapshot.trace(&tenant, trace_id(number)).expect("readable").is_empty(), "trace {number}");
        }
        let mut spans = kept.len() as u64 * SPANS;
        if told.tenant == "default" {
            kept.extend(spans::traces_of(added.iter().copied()));
            spans += added.len() as u64;
        }
        let (traces, partial) = check::search(&snapshot, &tenant, &ScanFilter::default(), 1_000_000);
        assert_eq!((traces.into_iter().collect::<BTreeSet<_>>(), partial), (kept, false), "{}", told.tenant);
        let request = ScanRequest { columns: vec![ScanColumn::AdjustedCount], filter: ScanFilter::default() };
        let scan = snapshot.scan(&tenant, request);
        let rows: u64 = scan.parts().iter().map(|part| scan.read(part).num_rows() as u64).sum();
        assert_eq!((rows, scan.is_partial()), (spans, false), "{}", told.tenant);
        let Tally { accepted, pending, damaged, rejected, .. } = check::tally(&snapshot, &tenant);
        let of_tests = if told.tenant == "default" { added.len() as u64 } else { 0 };
        assert_eq!((accepted - of_tests, damaged), (told.accepted, 0), "{}", told.tenant);
        assert!(pending <= told.pending.len() as u64 * SPANS + of_tests);
        assert!(rejected.values().sum::<u64>() >= told.rejected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_that_landed_is_opened_asked_and_continued() {
    let folders = folders();
    assert!(folders.len() >= 3, "{folders:?}");
    for fixture in folders {
        eprintln!("{}", fixture.display());
        let text = std::fs::read_to_string(fixture.join("expected.json")).expect("there");
        let expected: Vec<Expected> = serde_json::from_str(&text).expect("as the README says");
        let folder = temp_folder();
        copy(&fixture.join("data"), folder.path());
        let mut added = Numbers::new();
        for life in 0..3u64 {
            let store = open_sampled(folder.path()).await;
            shows(&store, &expected, &added);
            added.extend(append_all(&store, &tenant("default"), life * 40..life * 40 + 40).await);
            store.roll().await;
            shows(&store, &expected, &added);
            // The sampler, the sealer and the merger come to their ends.
            until_settled(&store).await;
            shows(&store, &expected, &added);
            store.shutdown().await;
        }
        assert!(!folder.path().join("quarantine").read_dir().expect("there").any(|_| true), "nothing was damaged");
    }
}
