//! A journal's files: whatever they hold, it opens, always in the same way, and recovering twice is recovering once.

use std::{path::Path, time::Duration};

use weir_proto::time::Clock;
use weir_store::{
    disk::Disk,
    journal::{Journal, JournalOptions, Missing, Recovered, Tallies},
};

use super::files;

/// The names that an input's files can have.
pub(super) const NAMES: [&str; 6] = [
    "MARK",
    "0000000001.journal",
    "0000000002.journal",
    "0000000003.journal",
    "0000000004.journal",
    "0000000002.journal.tmp",
];

/// What recovery found, and what can be read afterwards.
#[derive(Debug, PartialEq)]
struct Found {
    files: Vec<(u32, u32)>,
    missing: Vec<Missing>,
    total: Tallies,
    frames: Vec<Vec<u8>>,
    damaged: Vec<Tallies>,
}

/// Opens the files twice from the same bytes, and once more from what the first opening left.
pub fn journal_recovery(input: &[u8]) {
    let (first, second) = (files::temp_folder(), files::temp_folder());
    files::write(input, &NAMES, first.path());
    files::write(input, &NAMES, second.path());
    let found = open(first.path());
    assert_eq!(found, open(second.path()), "the same bytes, recovered otherwise");
    let again = open(first.path());
    assert_eq!((&found.total, &found.frames), (&again.total, &again.frames), "recovering twice changes what there is");
}

fn open(folder: &Path) -> Found {
    let options = JournalOptions {
        file_bytes_max: 1 << 20,
        mark_delay: Duration::from_secs(3600),
        is_measured: false,
        ..JournalOptions::new(folder, 7)
    };
    let (journal, recovered) =
        Journal::<()>::open(options, Disk::default(), Clock::fixed(1), |_| {}).expect("data is no reason not to open");
    let found = read(&recovered);
    journal.shutdown();
    found
}

fn read(recovered: &Recovered) -> Found {
    let mut found = Found {
        files: recovered.files.iter().map(|file| (file.number(), file.bytes())).collect(),
        missing: recovered.missing.clone(),
        total: recovered.total.clone(),
        frames: Vec::new(),
        damaged: Vec::new(),
    };
    for file in &recovered.files {
        let mut frames = file.frames();
        for frame in frames.by_ref().flatten() {
            found.frames.push(frame.payload.to_vec());
        }
        found.damaged.push(frames.damaged());
    }
    found
}

/// Seeds: a journal of two files as it was written, without its MARK, and torn in the middle of its last frame.
#[cfg(test)]
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    use bytes::Bytes;
    use weir_proto::TenantId;
    use weir_store::journal::{Entry, FrameHeader};

    let folder = files::temp_folder();
    let options = JournalOptions { file_age_max: Duration::from_secs(3600), ..JournalOptions::new(folder.path(), 7) };
    let (journal, _) = Journal::open(options, Disk::default(), Clock::fixed(1), |_| {}).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for n in 0..6u8 {
        let tenant = TenantId::new(if n % 2 == 0 { "red" } else { "blue" }).expect("a name");
        let header = FrameHeader {
            tenant,
            received_at_ns: u64::from(n),
            items: 2,
            rejected: Vec::new(),
            generation: 1,
            cursor: Bytes::new(),
            head_dropped: 0,
        };
        let entry = Entry { header, payload: vec![n; 40].into(), attachment: () };
        runtime.block_on(journal.append(entry)).expect("appended");
        if n == 2 {
            runtime.block_on(journal.roll());
        }
    }
    journal.shutdown();
    // Files are allocated ahead: what was never written is left out.
    for name in &NAMES[1..5] {
        let path = folder.path().join(name);
        let Ok(mut content) = std::fs::read(&path) else { continue };
        let used = content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        content.truncate(used);
        std::fs::write(&path, content).expect("written");
    }
    let whole = files::pack(folder.path(), &NAMES);
    let unmarked = files::pack(folder.path(), &["", NAMES[1], NAMES[2]]);
    let mut torn = unmarked.clone();
    torn.truncate(unmarked.len() - 150);
    vec![("whole", whole), ("torn", torn), ("unmarked", unmarked)]
}
