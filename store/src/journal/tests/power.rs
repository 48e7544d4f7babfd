//! Power cuts: at every moment, with every sync left out once.

use std::path::Path;

use parking_lot::Mutex;

use super::{super::*, support::*};
use crate::disk::recorder::{Recorder, Unsynced};

const RULES: [Unsynced; 5] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(1), Unsynced::Torn(2), Unsynced::Torn(3)];

/// What must hold in every state that a power cut from then on can leave.
#[derive(Debug, Clone)]
enum Promise {
    /// This entry is there.
    Acknowledged(u64),
    /// Right now, everything is vouched for: recovery has nothing to copy.
    Marked,
    /// The catalog has taken over what is in files below this one, entries below `entry`.
    Sealed { file: u32, opening: Tallies, entry: u64 },
    /// The files that were sealed are gone.
    Retired,
}

/// A journal whose disk operations are recorded, with the promises it made.
struct Run {
    recorder: Recorder,
    disk: Disk,
    promises: Arc<Mutex<Vec<(usize, Promise)>>>,
    journal: Journal<u64>,
}

impl Run {
    fn open(folder: &Path, skip_sync: u64) -> Self {
        Self::open_with(options(folder), folder, skip_sync)
    }

    fn open_with(options: JournalOptions, folder: &Path, skip_sync: u64) -> Self {
        let recorder = Recorder::new(folder).expect("recorder");
        let disk = Disk::recording(recorder.clone());
        disk.faults().skip_sync(skip_sync);
        let promises = Arc::new(Mutex::new(Vec::new()));
        let (sink, moments) = (promises.clone(), recorder.clone());
        let publish = move |group: Vec<Committed<u64>>| {
            let acknowledged =
                group.iter().map(|each| (moments.moment(), Promise::Acknowledged(each.entry.attachment)));
            sink.lock().extend(acknowledged);
        };
        let (journal, recovered) = Journal::open(options, disk.clone(), Clock::fixed(1), publish).expect("opens");
        let run = Self { recorder, disk, promises, journal };
        // What recovery hands out is promised too.
        for n in read(&recovered.files).numbers {
            run.promise(Promise::Acknowledged(n));
        }
        run
    }

    fn promise(&self, promise: Promise) {
        self.promises.lock().push((self.recorder.moment(), promise));
    }

    fn append(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            block_on(self.journal.append(entry(n))).expect("appended");
        }
    }

    fn roll(&self) {
        block_on(self.journal.roll());
        self.promise(Promise::Marked);
    }

    fn shutdown(&self) {
        self.journal.shutdown();
        self.promise(Promise::Marked);
    }

    fn retire_all_closed(&self) {
        let first_kept = self.journal.files().into_iter().find(|file| !file.is_closed()).expect("one is open");
        let entry = match first_kept.frames().next() {
            Some(frame) => number_of(&frame.expect("sound")),
            None => u64::MAX,
        };
        let file = first_kept.number();
        self.promise(Promise::Sealed { file, opening: first_kept.opening().clone(), entry });
        self.journal.retire(file).expect("retired");
        self.promise(Promise::Retired);
    }

    /// The first broken promise among all states that a cut at any moment can leave.
    fn broken_promise(&self, rules: &[Unsynced]) -> Option<String> {
        let promises = self.promises.lock().clone();
        for moment in 0..=self.recorder.moment() {
            for &rule in rules {
                let folder = temp_folder();
                self.recorder.materialise(moment, rule, folder.path()).expect("materialise");
                if let Some(broken) = broken_in(folder.path(), moment, &promises) {
                    return Some(format!("{broken} after operation {moment}, unsynced: {rule:?}"));
                }
            }
        }
        None
    }
}

fn broken_in(folder: &Path, moment: usize, promises: &[(usize, Promise)]) -> Option<String> {
    let mut acknowledged = Vec::new();
    let mut options = options(folder);
    let (mut sealed_below, mut marked, mut retired) = (0, false, false);
    for (made, promise) in promises.iter().filter(|(made, _)| *made <= moment) {
        match promise {
            Promise::Acknowledged(n) => acknowledged.push(*n),
            Promise::Marked => marked = *made == moment,
            Promise::Sealed { file, opening, entry } => {
                (options.first_number, options.opening, sealed_below) = (*file, opening.clone(), *entry);
            }
            Promise::Retired => retired = true,
        }
    }
    if retired && std::fs::read_dir(&options.folder).expect("there").any(|entry| is_below(&entry, options.first_number))
    {
        return Some("a retired file is back".to_owned());
    }
    let (recovered, content) = recover_with(&options);
    if let Some(lost) = acknowledged.iter().find(|&&n| n >= sealed_below && !content.numbers.contains(&n)) {
        return Some(format!("entry {lost} is lost"));
    }
    if marked && recovered.copied > 0 {
        return Some("the mark is lost".to_owned());
    }
    let mut once = content.numbers.clone();
    once.dedup();
    assert_eq!(once, content.numbers, "an entry is there twice");
    if !content.damages.is_empty() || !content.damaged.is_empty() || !recovered.missing.is_empty() {
        return Some(format!("damage: {content:?} {:?}", recovered.missing));
    }
    // Recovering again, without a clean stop in between, changes nothing.
    let (again, same) = recover_with(&options);
    assert_eq!(same.numbers, content.numbers);
    assert_eq!(again.total, recovered.total);
    None
}

fn is_below(entry: &std::io::Result<std::fs::DirEntry>, first_number: u32) -> bool {
    let name = entry.as_ref().expect("an entry").file_name();
    file::file_number(&name.to_string_lossy()).is_some_and(|number| number < first_number)
}

fn first_life(folder: &Path, skip_sync: u64) -> Run {
    let run = Run::open(folder, skip_sync);
    run.append(0..4);
    run.roll();
    run.append(4..7);
    run.shutdown();
    run
}

/// Begins where a power cut left unvouched frames behind; retires.
fn second_life(folder: &Path, skip_sync: u64) -> Run {
    let first_folder = temp_folder();
    let first = Run::open(first_folder.path(), 0);
    first.append(0..4);
    let moment = first.recorder.moment();
    first.recorder.materialise(moment, Unsynced::Lost, folder).expect("materialise");
    let run = Run::open(folder, skip_sync);
    run.append(4..6);
    run.roll();
    run.append(6..8);
    run.retire_all_closed();
    run.append(8..9);
    run.shutdown();
    run
}

/// Retires, and writes to what was retired: to two files, the second of which is not even full when all ends.
fn third_life(folder: &Path, skip_sync: u64) -> Run {
    let run = Run::open(folder, skip_sync);
    run.append(0..3);
    run.roll();
    run.append(3..5);
    run.roll();
    run.append(5..6);
    run.retire_all_closed();
    run.append(6..7);
    run.roll();
    run.append(7..8);
    run.roll();
    run.append(8..9);
    run.shutdown();
    run
}

fn every_omission_is_noticed(life: fn(&Path, u64) -> Run) {
    let folder = temp_folder();
    let whole = life(folder.path(), 0);
    assert_eq!(whole.broken_promise(&RULES), None);
    for nth in 1..=whole.disk.faults().syncs() {
        let folder = temp_folder();
        let faulty = life(folder.path(), nth);
        assert_ne!(faulty.broken_promise(&RULES), None, "nobody noticed that sync {nth} was left out");
    }
}

#[test]
fn a_power_cut_loses_nothing_and_each_sync_is_needed() {
    every_omission_is_noticed(first_life);
}

#[test]
fn a_second_power_cut_loses_nothing_and_each_sync_is_needed() {
    every_omission_is_noticed(second_life);
}

#[test]
fn a_power_cut_among_files_written_again_loses_nothing_and_each_sync_is_needed() {
    every_omission_is_noticed(third_life);
}

/// The first group of a file, which vouches for the last of the file before, has many sectors: its beginning may be torn, and frames be there.
#[test]
fn a_power_cut_in_the_first_group_of_a_file_loses_nothing() {
    let folder = temp_folder();
    let never = Duration::from_secs(3600);
    let run = Run::open_with(
        JournalOptions { commit_bytes_max: 5_000, commit_delay_max: never, ..options(folder.path()) },
        folder.path(),
        0,
    );
    let mut n = 0;
    while run.journal.files().len() < 3 {
        let (mut bytes, mut group) = (0, Vec::new());
        while bytes < 5_000 {
            let entry = entry(n);
            bytes += queue::entry_bytes(&entry);
            group.push(run.journal.submit(entry).expect("there is room"));
            n += 1;
        }
        for acked in group {
            block_on(acked).expect("a group is full").expect("committed");
        }
    }
    let torn: Vec<_> = (1..=40).map(Unsynced::Torn).collect();
    assert_eq!(run.broken_promise(&torn), None);
}

#[test]
fn a_failed_sync_stops_everything_and_loses_nothing() {
    let counted = temp_folder();
    let syncs = second_life(counted.path(), 0).disk.faults().syncs();
    for nth in 3..=syncs {
        let folder = temp_folder();
        let recorder = Recorder::new(folder.path()).expect("recorder");
        let disk = Disk::recording(recorder.clone());
        disk.faults().fail_sync(nth);
        let opened = Opened::with(options(folder.path()), disk.clone());
        let mut acknowledged = Vec::new();
        let mut n = 0;
        while disk.faults().syncs() < nth {
            match opened.append(n) {
                Ok(()) => acknowledged.push(n),
                Err(error) => assert_eq!(error, JournalAppendError::Stopped),
            }
            n += 1;
        }
        let reason = block_on(opened.journal.failed());
        assert!(reason.contains("sync"), "{reason}");
        let stopped_at = recorder.moment();
        assert_eq!(opened.append(n), Err(JournalAppendError::Stopped));
        block_on(opened.journal.roll());
        opened.journal.shutdown();
        assert_eq!(recorder.moment(), stopped_at, "nothing is written any more");
        for rule in RULES {
            let after = temp_folder();
            recorder.materialise(stopped_at, rule, after.path()).expect("materialise");
            let (recovered, content) = recover_with(&options(after.path()));
            assert!(content.numbers.starts_with(&acknowledged), "{acknowledged:?} {content:?}");
            assert!(recovered.missing.is_empty() && content.damages.is_empty() && content.damaged.is_empty());
        }
    }
}
