//! Random lives of a journal, against what a journal is: a list.

use proptest::prelude::*;

use super::{super::*, support::*};
use crate::disk::recorder::{Recorder, Unsynced};

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Roll,
    Reopen,
    Crash(u8),
    /// The oldest closed files are sealed and retired.
    Retire(u8),
    /// A full disk for one append.
    Full(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..8u8).prop_map(Step::Append),
        1 => Just(Step::Roll),
        1 => Just(Step::Reopen),
        3 => any::<u8>().prop_map(Step::Crash),
        1 => (1..3u8).prop_map(Step::Retire),
        1 => (0..500u16).prop_map(Step::Full),
    ];
    proptest::collection::vec(step, 1..25)
}

/// The journal, and what it must hold.
struct Life {
    folder: tempfile::TempDir,
    recorder: Recorder,
    disk: Disk,
    opened: Opened,
    first_number: u32,
    opening: Tallies,
    acknowledged: Vec<u64>,
    refused: Vec<u64>,
    next: u64,
}

impl Life {
    fn begin() -> Self {
        let folder = temp_folder();
        let (recorder, disk, opened) = open(folder.path(), 1, Tallies::default());
        Self {
            folder,
            recorder,
            disk,
            opened,
            first_number: 1,
            opening: Tallies::default(),
            acknowledged: Vec::new(),
            refused: Vec::new(),
            next: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    self.opened.append(self.next).expect("appended");
                    self.acknowledged.push(self.next);
                    self.next += 1;
                }
            }
            Step::Roll => block_on(self.opened.journal.roll()),
            Step::Reopen => {
                self.opened.journal.shutdown();
                self.come_back(Unsynced::Kept);
                assert_eq!(self.opened.recovered.copied, 0);
            }
            Step::Crash(how) => self.come_back(match how {
                0..64 => Unsynced::Kept,
                64..128 => Unsynced::Lost,
                seed => Unsynced::Torn(u64::from(*seed)),
            }),
            Step::Retire(count) => self.retire(usize::from(*count)),
            Step::Full(space) => {
                self.disk.faults().set_space_bytes(u64::from(*space));
                match self.opened.append(self.next) {
                    Ok(()) => self.acknowledged.push(self.next),
                    Err(error) => {
                        assert_eq!(error, JournalAppendError::DiskFull);
                        self.refused.push(self.next);
                    }
                }
                self.next += 1;
                self.disk.faults().set_space_bytes(u64::MAX);
            }
        }
        self.check();
    }

    fn come_back(&mut self, rule: Unsynced) {
        let folder = temp_folder();
        self.recorder.materialise(self.recorder.moment(), rule, folder.path()).expect("materialise");
        self.folder = folder;
        (self.recorder, self.disk, self.opened) = open(self.folder.path(), self.first_number, self.opening.clone());
        // A refused entry may have come through whole: nobody was told that it did not.
        let content = read(&self.opened.recovered.files);
        for n in &content.numbers {
            if let Some(index) = self.refused.iter().position(|refused| refused == n) {
                self.refused.remove(index);
                self.acknowledged.push(*n);
            }
        }
        self.acknowledged.sort_unstable();
        assert_eq!(accounted(&self.opened.recovered, &content), self.opened.recovered.total.since(&self.opening));
        assert!(content.damages.is_empty() && content.damaged.is_empty());
        assert!(self.opened.recovered.missing.is_empty());
    }

    fn retire(&mut self, count: usize) {
        let files = self.opened.journal.files();
        let Some(file) = files.iter().take(count).rfind(|file| file.is_closed()) else { return };
        let sealed = read(&files[..files.iter().position(|each| each.number() == file.number()).expect("there") + 1]);
        self.acknowledged.retain(|n| !sealed.numbers.contains(n));
        self.first_number = file.number() + 1;
        self.opening = file.closing().expect("closed").clone();
        self.opened.journal.retire(self.first_number).expect("retired");
    }

    fn check(&self) {
        let content = read(&self.opened.journal.files());
        assert_eq!(content.numbers, self.acknowledged);
        assert!(content.damages.is_empty() && content.damaged.is_empty());
    }
}

fn open(folder: &std::path::Path, first_number: u32, opening: Tallies) -> (Recorder, Disk, Opened) {
    let recorder = Recorder::new(folder).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    let options = JournalOptions { first_number, opening, file_bytes_max: 1500, ..options(folder) };
    let opened = Opened::with(options, disk.clone());
    (recorder, disk, opened)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_a_list_that_outlives_everything(steps in steps()) {
        let mut life = Life::begin();
        for step in &steps {
            life.step(step);
        }
    }
}
