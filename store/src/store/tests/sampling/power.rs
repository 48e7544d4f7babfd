//! Power cuts with open traces: at every moment, with every sync left out once.

use std::path::{Path, PathBuf};

use super::*;
use crate::{
    disk::{
        Disk,
        recorder::{Recorder, Unsynced},
    },
    options::StoreOptions,
};

/// The log before the database: a checkpoint only ever moves pages from the one to the other.
const CATALOG: [&str; 2] = ["catalog.sqlite-wal", "catalog.sqlite"];

fn options(folder: &Path) -> StoreOptions {
    StoreOptions { seal_bytes_max: u64::MAX, ..super::super::options(folder) }
}

/// A store on a recorded disk, and what it has said at which moment.
struct Run {
    recorder: Recorder,
    disk: Disk,
    store: Sampled,
    script: Script,
    acknowledged: Vec<(usize, Numbers)>,
    decided: Vec<(usize, Standings)>,
    /// How many spans the judge had learned from, when that was written down.
    learned: Vec<(usize, u64)>,
    sent: Numbers,
}

impl Run {
    async fn open(folder: &Path, script: Script, skip_sync: u64) -> Self {
        let recorder = Recorder::new(folder).expect("recorder");
        recorder.follow(&CATALOG);
        let disk = Disk::recording(recorder.clone());
        disk.faults().skip_sync(skip_sync);
        let sampling = script.clone().shared();
        let store = Sampled::open_with(options(folder), disk.clone(), sampling, super::super::clock()).await;
        let (acknowledged, decided, learned, sent) = (Vec::new(), Vec::new(), Vec::new(), Numbers::new());
        Self { recorder, disk, store, script, acknowledged, decided, learned, sent }
    }

    fn checkpoint(&mut self) {
        self.store.checkpoint();
        self.learned.push((self.recorder.moment(), observed(&self.store)));
    }

    async fn append(&mut self, numbers: impl IntoIterator<Item = u64>) {
        let numbers: Numbers = numbers.into_iter().collect();
        self.sent.extend(&numbers);
        self.store.append(numbers.iter().copied()).await;
        self.acknowledged.push((self.recorder.moment(), numbers));
    }

    fn sample(&mut self) {
        self.store.sample();
        let mut decided = self.store.standings();
        decided.retain(|_, standing| *standing != store::Standing::Pending);
        self.decided.push((self.recorder.moment(), decided));
    }

    /// What is wrong in the first state that a cut leaves and that breaks a promise.
    async fn first_fault(&self, rule: Unsynced) -> Option<String> {
        for moment in self.recorder.cuts() {
            let folder = temp_folder();
            self.recorder.materialise(moment, rule, folder.path()).expect("materialise");
            if let Err(fault) = self.look(folder.path(), moment).await {
                return Some(format!("{fault} after operation {moment}, unsynced: {rule:?}"));
            }
        }
        None
    }

    /// Opens what a cut left, decides what is pending, and cuts again: all that was acknowledged is there, or dropped; verdicts that
    /// were in effect stay.
    async fn look(&self, folder: &Path, moment: usize) -> Result<(), String> {
        let made = self.acknowledged.iter().filter(|(made, _)| *made <= moment);
        let acknowledged: Numbers = made.flat_map(|(_, numbers)| numbers).copied().collect();
        let made = self.decided.iter().filter(|(made, _)| *made <= moment);
        let mut decided: Standings = made.flat_map(|(_, decided)| decided.clone()).collect();
        for life in 0..2 {
            let (disk, clock) = (Disk::default(), super::super::clock());
            clock.set(self.store.clock.now_ns() + life * 60_000_000_000);
            let sampling = self.script.clone().shared();
            let shared = super::super::super::open::open(disk, options(folder), sampling.clone(), clock.clone()).await;
            let shared = Arc::new(shared.map_err(|error| error.to_string())?);
            let store = Sampled { shared, clock, sampling };
            self.agrees(&store, &acknowledged, &decided)?;
            let learned = self.learned.iter().filter(|(made, _)| *made <= moment).map(|(_, learned)| *learned).max();
            if life == 0 && learned.is_some_and(|learned| observed(&store) < learned) {
                return Err("what was learned is forgotten".into());
            }
            store.pass(5000);
            store.sample();
            self.agrees(&store, &acknowledged, &decided)?;
            decided.extend(store.standings());
            if decided.values().any(|standing| *standing == store::Standing::Pending) {
                return Err("something is pending for ever".into());
            }
            store.shared.catalog.close().await;
            if life == 1 {
                store.roll().await;
            }
        }
        Ok(())
    }

    fn agrees(&self, store: &Sampled, acknowledged: &Numbers, decided: &Standings) -> Result<(), String> {
        let visible = store.visible(&self.sent);
        let head = store.standings();
        let tally = store.ledger();
        if tally.damaged > 0 || tally.accepted < acknowledged.len() as u64 {
            return Err(format!("{} spans, but the ledger says {tally:?}", acknowledged.len()));
        }
        for n in acknowledged {
            let is_visible = visible.contains(n);
            match (decided.get(n), head.get(n)) {
                (Some(before), Some(now)) if before != now => {
                    return Err(format!("span {n} was {before:?} and is {now:?}"));
                }
                (Some(store::Standing::Dropped(_)), _) if is_visible => return Err(format!("span {n} is back")),
                (_, Some(store::Standing::Dropped(_))) => {}
                (Some(store::Standing::Dropped(_)), None) => {}
                _ if !is_visible => return Err(format!("span {n} is lost")),
                _ => {}
            }
        }
        Ok(())
    }
}

fn observed(store: &Sampled) -> u64 {
    store.status().policies["observed"].as_u64().expect("a count")
}

/// Two rounds of verdicts, late spans, a seal, a checkpoint, a trace that is still pending.
async fn a_life(folder: &Path, cached: u64, skip_sync: u64) -> Run {
    let script = Script { mood: script::Mood::Learns, ..Script::caching(cached) };
    let mut run = Run::open(folder, script, skip_sync).await;
    run.append([0, 1, 2, 5, 6, 7]).await;
    run.sample();
    run.store.pass(1010);
    run.sample();
    run.append([3, 8, 10]).await;
    run.sample();
    run.checkpoint();
    run.store.pass(500);
    run.append([17, 20, 11]).await;
    run.store.pass(600);
    run.sample();
    run.store.roll().await;
    run.store.pass(600);
    run.sample();
    assert_eq!(run.store.seal().await, 1);
    run.store.tidy();
    run.append([4, 9, 12, 30]).await;
    run.sample();
    run.store.pass(1010);
    run.append([33]).await;
    run.sample();
    run.checkpoint();
    run
}

const RULES: [Unsynced; 4] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(1), Unsynced::Torn(2)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_changes_no_verdict_and_loses_no_span() {
    for cached in [0, 1, 1000] {
        let folder = temp_folder();
        let run = a_life(folder.path(), cached, 0).await;
        for rule in RULES {
            assert_eq!(run.first_fault(rule).await, None, "cache of {cached}");
        }
    }
}

/// A sync that no power cut misses: its path, how many of that path came before it in that life, and why.
type Harmless = (&'static str, usize, &'static str);

const HARMLESS: [Harmless; 12] = [
    ("", 0, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 1, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 2, "the next sync of the data folder covers it, and nothing is acknowledged before"),
    ("", 3, "a folder without FORMAT is given one when it opens; the catalog's name is synced by SQLite"),
    ("journal", 0, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal", 1, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal", 2, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("segments", 0, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("segments", 1, "the next sync of this folder covers it, and nothing is acknowledged before"),
    ("journal/traces", 1, "file 2 has no frame yet when the next sync covers its name"),
    ("journal/traces", 2, "sealed files that come back are removed by the next start"),
    ("journal/traces/0000000002.journal", 0, "a header alone: the first frame's sync covers it before the frame's ack"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sync_is_needed() {
    let folder = temp_folder();
    let syncs = a_life(folder.path(), 0, 0).await.disk.faults().syncs();
    let mut left_out: Vec<PathBuf> = Vec::new();
    let mut wrong = Vec::new();
    for nth in 1..=syncs {
        let folder = temp_folder();
        let run = a_life(folder.path(), 0, nth).await;
        let path = run.disk.faults().skipped().expect("one was left out");
        let path = path.strip_prefix(folder.path()).expect("below the data folder").to_owned();
        let before = left_out.iter().filter(|other| **other == path).count();
        let is_listed = HARMLESS.iter().any(|(name, count, _)| Path::new(name) == path && *count == before);
        let mut fault = None;
        for rule in [Unsynced::Lost, Unsynced::Torn(1), Unsynced::Torn(2)] {
            if fault.is_none() {
                fault = run.first_fault(rule).await;
            }
        }
        if fault.is_none() != is_listed {
            wrong.push(format!("sync {before} of {path:?}: {fault:?}"));
        }
        left_out.push(path);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
