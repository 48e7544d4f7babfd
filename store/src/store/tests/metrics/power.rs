//! Power cuts through the lane of metrics: at moments all along the way, with every sync of it left out once.

use std::path::{Path, PathBuf};

use super::{
    super::{options, temp_folder},
    still::StillMetrics,
    *,
};
use crate::disk::recorder::{Recorder, Unsynced};

const CATALOG: [&str; 2] = ["catalog.sqlite-wal", "catalog.sqlite"];

/// So many moments are looked at beside the landmarks: each takes opening a store.
const CUTS_MAX: usize = 22;

/// What the lane has of the data folder.
const LANE: [&str; 2] = ["journal/metrics", "segments/metrics"];

struct Life {
    recorder: Recorder,
    disk: Disk,
    store: StillMetrics,
    /// Samples that were acknowledged, with the moment from which on they must be there.
    acknowledged: Vec<(usize, i64)>,
    sent: i64,
    /// The moments behind each step: what a sync was for is missed there first.
    landmarks: Vec<usize>,
    /// The first landmark behind the sync that is left out.
    first_looked_at: usize,
}

fn name(n: i64) -> String {
    format!("__name__=m{},n=x", n % 3)
}

impl Life {
    async fn open(folder: &Path, skip_sync: u64) -> Self {
        let recorder = Recorder::new(folder).expect("recorder");
        recorder.follow(&CATALOG);
        let disk = Disk::recording(recorder.clone());
        disk.faults().skip_sync(skip_sync);
        let acknowledged = vec![(recorder.moment(), 0)];
        let store = StillMetrics::open_on(options(folder), disk.clone()).await;
        Self { recorder, disk, store, acknowledged, sent: 0, landmarks: Vec::new(), first_looked_at: 0 }
    }

    async fn append(&mut self, samples: i64) {
        let names: Vec<String> = (self.sent..self.sent + samples).map(name).collect();
        let told: Vec<_> = (self.sent..).zip(&names).map(|(n, name)| (&**name, n, n as f64)).collect();
        self.store.append(&tenant("default"), &told).await;
        self.sent += samples;
        self.acknowledged.push((self.recorder.moment(), self.sent));
        self.step_done();
    }

    async fn roll(&mut self) {
        self.store.roll().await;
        self.step_done();
    }

    async fn seal(&mut self) {
        assert!(self.store.seal().await);
        self.step_done();
    }

    fn step_done(&mut self) {
        if self.disk.faults().skipped().is_none() {
            self.first_looked_at = self.landmarks.len() + 1;
        }
        self.landmarks.push(self.recorder.moment());
    }

    /// From nothing to a merged segment.
    async fn whole(folder: &Path, skip_sync: u64) -> Self {
        let mut life = Self::open(folder, skip_sync).await;
        life.append(4).await;
        life.roll().await;
        life.append(3).await;
        life.seal().await;
        life.roll().await;
        life.seal().await;
        life.store.merge_all(&tenant("default")).await;
        life.step_done();
        life.append(2).await;
        life
    }

    /// What is wrong in the first state that a cut leaves and that breaks a promise. Before the first sample there are none.
    async fn first_fault(&self, rule: Unsynced, lives: usize, cuts_max: usize) -> Option<String> {
        let first = self.landmarks[0];
        // Of no step before it can a sync be missed; by the one that it belongs to most likely.
        let (_, landmarks) = self.landmarks.split_at(self.first_looked_at.min(self.landmarks.len()));
        let landmarks = if self.disk.faults().skipped().is_some() { landmarks } else { &self.landmarks };
        let between: Vec<usize> = self.recorder.cuts().into_iter().filter(|moment| *moment >= first).collect();
        let step = between.len().div_ceil(cuts_max.max(1)).max(1);
        let between = between.iter().step_by(step).take(cuts_max);
        for &moment in landmarks.iter().chain(between) {
            let folder = temp_folder();
            self.recorder.materialise(moment, rule, folder.path()).expect("materialise");
            let made = self.acknowledged.iter().filter(|(made, _)| *made <= moment);
            let acknowledged = made.map(|(_, sent)| *sent).max().unwrap_or(0);
            if let Err(fault) = look(folder.path(), acknowledged, lives).await {
                return Some(format!("{fault} after operation {moment}, unsynced: {rule:?}"));
            }
        }
        None
    }
}

/// Opens what a power cut left, once or more often: everything acknowledged must be there once, and nothing may count as damaged.
async fn look(folder: &Path, acknowledged: i64, lives: usize) -> Result<(), String> {
    let mut found = 0;
    for life in 0..lives {
        let store = StillMetrics::open(options(folder)).await;
        let snapshot = store.snapshot();
        let mut numbers = Vec::new();
        for series in snapshot.series(&tenant("default"), &[], i64::MIN, i64::MAX).map_err(|error| error.to_string())? {
            let mut samples = SeriesSamples::default();
            series.read(i64::MIN, i64::MAX, &mut samples).map_err(|error| error.to_string())?;
            for (time, value) in samples.times_ms.iter().zip(&samples.values) {
                if *value != *time as f64 || *series.labels() != labels(&name(*time)) {
                    return Err(format!("{} has {value} at {time}", series.labels()));
                }
                numbers.push(*time);
            }
        }
        numbers.sort_unstable();
        if numbers.iter().copied().ne(0..numbers.len() as i64) {
            return Err(format!("life {life}: {numbers:?}"));
        }
        if (numbers.len() as i64) < acknowledged || (life == 1 && numbers.len() != found) {
            return Err(format!("life {life}: {} of {acknowledged} samples", numbers.len()));
        }
        found = numbers.len();
        let tally = snapshot.ledger().metrics.remove(&tenant("default")).unwrap_or_default();
        if (tally.accepted, tally.kept, tally.damaged) != (found as u64, found as u64, 0) {
            return Err(format!("{found} samples, but the ledger says {tally:?}"));
        }
        if snapshot.is_metrics_damaged(&tenant("default")) {
            return Err("damaged".to_owned());
        }
        drop(snapshot);
        if life + 1 < lives {
            // What was copied out of the oldest file must do without it.
            store.seal().await;
        }
        store.close().await;
    }
    Ok(())
}

/// A sync that no power cut misses: its path, how many of that path came before it, and why.
type Harmless = (&'static str, usize, &'static str);

const HARMLESS: [Harmless; 5] = [
    (
        "journal/metrics/0000000002.journal",
        0,
        "a header alone: the first frame's sync covers it before the frame's ack",
    ),
    (
        "journal/metrics/0000000003.journal",
        0,
        "a header alone: the first frame's sync covers it before the frame's ack",
    ),
    ("journal/metrics", 2, "sealed files that come back are removed by the next start"),
    ("journal/metrics", 3, "file 3 has no frame yet when the next sync covers its name"),
    ("journal/metrics", 4, "sealed files that come back are removed by the next start"),
];

const TORN: [Unsynced; 1] = [Unsynced::Torn(1)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_no_sample() {
    let folder = temp_folder();
    let life = Life::whole(folder.path(), 0).await;
    for (rule, lives) in [(Unsynced::Lost, 2), (Unsynced::Kept, 1), (Unsynced::Torn(1), 1)] {
        assert_eq!(life.first_fault(rule, lives, CUTS_MAX).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sync_of_the_lane_is_needed() {
    let folder = temp_folder();
    let paths = Life::whole(folder.path(), 0).await.disk.faults().paths();
    let of_lane = |path: &Path| LANE.iter().any(|part| path.starts_with(folder.path().join(part)));
    // The others are looked at by the tests of traces.
    let of_lane: Vec<u64> = (1..).zip(&paths).filter(|(_, path)| of_lane(path)).map(|(nth, _)| nth).collect();
    assert!(of_lane.len() > HARMLESS.len(), "{paths:?}");
    let mut left_out: Vec<PathBuf> = Vec::new();
    let mut wrong = Vec::new();
    for nth in of_lane {
        let folder = temp_folder();
        let life = Life::whole(folder.path(), nth).await;
        let path = life.disk.faults().skipped().expect("one was left out");
        let path = path.strip_prefix(folder.path()).expect("below the data folder").to_owned();
        let before = left_out.iter().filter(|other| **other == path).count();
        let is_listed = HARMLESS.iter().any(|(name, count, _)| Path::new(name) == path && *count == before);
        let mut fault = life.first_fault(Unsynced::Lost, 1, 0).await;
        for rule in TORN {
            if fault.is_none() && !is_listed {
                fault = life.first_fault(rule, 1, 0).await;
            }
        }
        if fault.is_none() != is_listed {
            wrong.push(format!("sync {before} of {path:?}: {fault:?}"));
        }
        left_out.push(path);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
