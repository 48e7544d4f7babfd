//! Power cuts through the whole store: at every moment, with every sync left out once.

use std::path::PathBuf;

use super::{spans::tenant, *};
use crate::{
    disk::recorder::{Recorder, Unsynced},
    snapshot::asked::Snapshot,
    upkeep::open,
};

/// The log before the database: a checkpoint only ever moves pages from the one to the other.
const CATALOG: [&str; 2] = ["catalog.sqlite-wal", "catalog.sqlite"];

/// Whether the catalog outlives the power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Catalog {
    There,
    Lost,
}

/// What must hold in every state that a power cut from this moment on can leave.
type Acknowledged = (usize, Numbers);

/// A run is as many files as there are.
fn options(folder: &Path) -> StoreOptions {
    StoreOptions { seal_bytes_max: u64::MAX, ..super::options(folder) }
}

/// A store on a recorded disk, and what it acknowledged.
struct Run {
    recorder: Recorder,
    disk: Disk,
    store: StillStore,
    acknowledged: Vec<Acknowledged>,
    sent: Numbers,
}

impl Run {
    async fn open(folder: &Path, before: &Numbers, skip_sync: u64) -> Self {
        let recorder = Recorder::new(folder).expect("recorder");
        recorder.follow(&CATALOG);
        let disk = Disk::recording(recorder.clone());
        disk.faults().skip_sync(skip_sync);
        let acknowledged = vec![(recorder.moment(), before.clone())];
        let store = StillStore::open_with(options(folder), disk.clone(), clock()).await;
        Self { recorder, disk, store, acknowledged, sent: before.clone() }
    }

    async fn append(&mut self, numbers: std::ops::Range<u64>) {
        self.sent.extend(numbers.clone());
        let numbers = self.store.append(&tenant("default"), numbers).await;
        self.acknowledged.push((self.recorder.moment(), numbers));
    }

    async fn fill_file(&mut self, numbers: std::ops::Range<u64>) {
        self.append(numbers).await;
        self.store.roll().await;
    }

    /// What is wrong in the first state that a cut leaves and that breaks a promise.
    async fn first_fault(&self, rule: Unsynced, catalog: Catalog) -> Option<String> {
        for moment in self.recorder.cuts() {
            let folder = temp_folder();
            self.recorder.materialise(moment, rule, folder.path()).expect("materialise");
            if catalog == Catalog::Lost {
                CATALOG.iter().for_each(|name| drop(std::fs::remove_file(folder.path().join(name))));
            }
            let made = self.acknowledged.iter().filter(|(made, _)| *made <= moment);
            let acknowledged: Numbers = made.flat_map(|(_, numbers)| numbers).copied().collect();
            if let Err(fault) = look(folder.path(), &acknowledged, &self.sent).await {
                return Some(format!("{fault} after operation {moment}, unsynced: {rule:?}"));
            }
        }
        None
    }

    /// The sync that was left out is missed after some cut, or it is listed as harmless.
    async fn is_missed(&self, folder: &Path, left_out: &mut Vec<PathBuf>, harmless: &[Harmless]) {
        let path = self.disk.faults().skipped().expect("one was left out");
        let path = path.strip_prefix(folder).expect("below the data folder").to_owned();
        let before = left_out.iter().filter(|other| **other == path).count();
        let is_listed = harmless.iter().any(|(name, count, _)| Path::new(name) == path && *count == before);
        let mut fault = self.first_fault(Unsynced::Lost, Catalog::There).await;
        for rule in TORN {
            if fault.is_none() && !is_listed {
                fault = self.first_fault(rule, Catalog::There).await;
            }
        }
        assert_eq!(fault.is_none(), is_listed, "sync {before} of {path:?}: {fault:?}");
        left_out.push(path);
    }
}

/// Opens what a power cut left. Everything acknowledged must be there, and nothing may count as damaged.
async fn look(folder: &Path, acknowledged: &Numbers, sent: &Numbers) -> Result<(), String> {
    let shared =
        open::open(Disk::default(), options(folder), None, clock()).await.map_err(|error| error.to_string())?;
    let snapshot = Snapshot::of(shared.views.current());
    let tenant = tenant("default");
    let mut found = Numbers::new();
    for trace in spans::traces_of(sent.iter().copied()) {
        for record in snapshot.trace(&tenant, trace).map_err(|error| error.to_string())? {
            let n = spans::number_of(&record);
            if !found.insert(n) {
                return Err(format!("span {n} is there twice"));
            }
        }
    }
    if let Some(lost) = acknowledged.difference(&found).next() {
        return Err(format!("span {lost} is lost"));
    }
    let tally = check::tally(&snapshot, &tenant);
    if (tally.accepted, tally.kept, tally.damaged) != (found.len() as u64, found.len() as u64, 0) {
        return Err(format!("{} spans, but the ledger says {tally:?}", found.len()));
    }
    shared.catalog.close().await;
    Ok(())
}

/// From nothing to the first segment.
async fn first_life(folder: &Path, skip_sync: u64) -> Run {
    let mut run = Run::open(folder, &Numbers::new(), skip_sync).await;
    run.append(0..6).await;
    run.fill_file(6..12).await;
    run.append(12..17).await;
    assert!(run.store.seal().await);
    run.append(17..20).await;
    run
}

/// Comes back from a crash with three segments and an unsealed file; seals, merges and goes on.
async fn second_life(folder: &Path, skip_sync: u64) -> Run {
    let before = temp_folder();
    let mut first = Run::open(before.path(), &Numbers::new(), 0).await;
    for file in 0..3 {
        first.fill_file(file * 6..file * 6 + 6).await;
        assert!(first.store.seal().await);
    }
    first.append(18..22).await;
    let moment = first.recorder.moment();
    first.recorder.materialise(moment, Unsynced::Lost, folder).expect("materialise");

    let mut run = Run::open(folder, &first.sent, skip_sync).await;
    run.fill_file(22..26).await;
    while run.store.seal().await {}
    run.append(26..30).await;
    assert!(run.store.merge().await);
    run.fill_file(30..33).await;
    run.fill_file(33..36).await;
    assert!(run.store.seal().await);
    assert_eq!(run.store.segments(), 2);
    run
}

/// A sync that no power cut misses: its path, how many of that path came before it in that life, and why.
type Harmless = (&'static str, usize, &'static str);

const HARMLESS_IN_FIRST_LIFE: [Harmless; 12] = [
    ("", 0, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 1, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 2, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 3, "a folder without FORMAT is given one when it opens; the catalog's name is synced by SQLite"),
    ("journal", 0, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal", 1, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal", 2, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal", 3, "nothing is sampled: the verdict journal's folder is made again"),
    ("segments", 0, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("segments", 1, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal/traces/0000000002.journal", 0, "a header alone: the first frame's sync covers it before the frame's ack"),
    ("journal/traces", 2, "sealed files that come back are removed by the next start"),
];

const HARMLESS_IN_SECOND_LIFE: [Harmless; 7] = [
    ("journal/traces", 1, "file 6 has no frame yet when the next sync covers its name"),
    ("journal/traces", 2, "sealed files that come back are removed by the next start"),
    ("journal/traces", 4, "file 8 has no frame yet when the next sync covers its name"),
    ("journal/traces", 5, "sealed files that come back are removed by the next start"),
    ("journal/traces/0000000006.journal", 0, "a header alone: the first frame's sync covers it before the frame's ack"),
    ("journal/traces/0000000007.journal", 0, "a header alone: the first frame's sync covers it before the frame's ack"),
    ("journal/traces/0000000008.journal", 0, "a header alone, and no frame comes"),
];

const TORN: [Unsynced; 4] = [Unsynced::Torn(1), Unsynced::Torn(2), Unsynced::Torn(3), Unsynced::Torn(4)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing() {
    let (first_folder, second_folder) = (temp_folder(), temp_folder());
    for run in [first_life(first_folder.path(), 0).await, second_life(second_folder.path(), 0).await] {
        for rule in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(1), Unsynced::Torn(2)] {
            assert_eq!(run.first_fault(rule, Catalog::There).await, None);
        }
        for rule in [Unsynced::Lost, Unsynced::Kept] {
            assert_eq!(run.first_fault(rule, Catalog::Lost).await, None, "and the catalog lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sync_of_the_first_life_is_needed() {
    let folder = temp_folder();
    let syncs = first_life(folder.path(), 0).await.disk.faults().syncs();
    let mut left_out = Vec::new();
    for nth in 1..=syncs {
        let folder = temp_folder();
        let run = first_life(folder.path(), nth).await;
        run.is_missed(folder.path(), &mut left_out, &HARMLESS_IN_FIRST_LIFE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sync_of_the_second_life_is_needed() {
    let folder = temp_folder();
    let syncs = second_life(folder.path(), 0).await.disk.faults().syncs();
    let mut left_out = Vec::new();
    for nth in 1..=syncs {
        let folder = temp_folder();
        let run = second_life(folder.path(), nth).await;
        run.is_missed(folder.path(), &mut left_out, &HARMLESS_IN_SECOND_LIFE).await;
    }
}
