//! Power cuts through the lane of metrics, behind each step and at moments all along the way.

use std::path::Path;

use super::{
    super::{options, temp_folder},
    still::StillMetrics,
    *,
};
use crate::disk::recorder::{Recorder, Unsynced};

const CATALOG: [&str; 2] = ["catalog.sqlite-wal", "catalog.sqlite"];

/// So many moments are looked at beside the landmarks: each takes opening a store.
const CUTS_MAX: usize = 22;

struct Life {
    recorder: Recorder,
    store: StillMetrics,
    /// Samples that were acknowledged, with the moment from which on they must be there.
    acknowledged: Vec<(usize, i64)>,
    sent: i64,
    /// The moments behind each step.
    landmarks: Vec<usize>,
}

fn name(n: i64) -> String {
    format!("__name__=m{},n=x", n % 3)
}

impl Life {
    async fn open(folder: &Path) -> Self {
        let recorder = Recorder::new(folder).expect("recorder");
        recorder.follow(&CATALOG);
        let disk = Disk::recording(recorder.clone());
        let acknowledged = vec![(recorder.moment(), 0)];
        let store = StillMetrics::open_on(options(folder), disk).await;
        Self { recorder, store, acknowledged, sent: 0, landmarks: Vec::new() }
    }

    async fn append(&mut self, samples: i64) {
        let names: Vec<String> = (self.sent..self.sent + samples).map(name).collect();
        let told: Vec<_> = (self.sent..).zip(&names).map(|(n, name)| (&**name, n, n as f64)).collect();
        self.store.append(&tenant("default"), &told).await;
        self.sent += samples;
        self.acknowledged.push((self.recorder.moment(), self.sent));
        self.landmarks.push(self.recorder.moment());
    }

    async fn roll(&mut self) {
        self.store.roll().await;
        self.landmarks.push(self.recorder.moment());
    }

    async fn seal(&mut self) {
        assert!(self.store.seal().await);
        self.landmarks.push(self.recorder.moment());
    }

    /// From nothing to a merged segment.
    async fn whole(folder: &Path) -> Self {
        let mut life = Self::open(folder).await;
        life.append(4).await;
        life.roll().await;
        life.append(3).await;
        life.seal().await;
        life.roll().await;
        life.seal().await;
        life.store.merge_all(&tenant("default")).await;
        life.landmarks.push(life.recorder.moment());
        life.append(2).await;
        life
    }

    /// What is wrong in the first state that a cut leaves and that breaks a promise. Before the first sample there are none.
    async fn first_fault(&self, rule: Unsynced, lives: usize) -> Option<String> {
        let first = self.landmarks[0];
        let between: Vec<usize> = self.recorder.cuts().into_iter().filter(|moment| *moment >= first).collect();
        let step = between.len().div_ceil(CUTS_MAX).max(1);
        let between = between.iter().step_by(step).take(CUTS_MAX);
        for &moment in self.landmarks.iter().chain(between) {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_no_sample() {
    let folder = temp_folder();
    let life = Life::whole(folder.path()).await;
    for (rule, lives) in [(Unsynced::Lost, 2), (Unsynced::Kept, 1), (Unsynced::Torn(1), 1)] {
        assert_eq!(life.first_fault(rule, lives).await, None);
    }
}
