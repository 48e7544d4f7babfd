//! What the journal's tests share: small entries, opening, reading everything back.

use std::path::Path;

use bytes::Bytes;
use parking_lot::Mutex;

use weir_proto::TenantId;

use super::super::*;
use crate::reject::{RejectReason, Rejection};

/// Every journal of the tests has this one.
pub(crate) const SALT: u64 = 0x8ef1_0cde_55aa_0b17;

/// An open journal and what it has published.
pub(crate) struct Opened {
    pub(crate) journal: Journal<u64>,
    pub(crate) recovered: Recovered,
    /// Attachments and offsets, in the order of publishing.
    pub(crate) published: Arc<Mutex<Vec<(u64, Offset)>>>,
}

impl Opened {
    pub(crate) fn with(options: JournalOptions, disk: Disk) -> Self {
        let published = Arc::new(Mutex::new(Vec::new()));
        let sink = published.clone();
        let publish = move |group: Vec<Committed<u64>>| {
            let mut sink = sink.lock();
            sink.extend(group.iter().map(|committed| (committed.entry.attachment, committed.offset)));
        };
        let (journal, recovered) = Journal::open(options, disk, Clock::fixed(1), publish).expect("opens");
        Self { journal, recovered, published }
    }

    pub(crate) fn append(&self, n: u64) -> Result<(), JournalAppendError> {
        block_on(self.journal.append(entry(n)))
    }

    pub(crate) fn append_all(&self, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            self.append(n).expect("appended");
        }
    }
}

/// A folder in memory where there is one: syncs cost nothing there.
pub(crate) fn temp_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

/// Opens the journal in `folder` as after a crash, and reads everything.
pub(crate) fn recover_and_read(folder: &Path) -> (Recovered, Content) {
    recover_with(&options(folder))
}

pub(crate) fn recover_with(options: &JournalOptions) -> (Recovered, Content) {
    // The journal's salt is found in the folder.
    let options = JournalOptions { salt: 999, ..options.clone() };
    let (recovered, _) = recovery::recover(&options, &Disk::default(), 1).expect("recovers");
    let content = read(&recovered.files);
    (recovered, content)
}

/// Items that were found, damaged or missing: always the same as the total.
pub(crate) fn accounted(recovered: &Recovered, content: &Content) -> Tallies {
    let mut sum = tallies(content.numbers.iter().copied());
    sum.add(&content.damaged);
    for missing in &recovered.missing {
        sum.add(&missing.tallies);
    }
    sum
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Small files, no waiting for groups.
pub(crate) fn options(folder: &Path) -> JournalOptions {
    JournalOptions {
        file_bytes_max: 4096,
        file_age_max: Duration::from_secs(3600),
        mark_delay: Duration::from_secs(3600),
        commit_delay_max: Duration::ZERO,
        commit_bytes_max: 1024,
        spares: SpareLimits { files_max: 4, window: Duration::from_secs(3600) },
        ..JournalOptions::new(folder.join("journal"), SALT)
    }
}

pub(crate) fn tenant(n: u64) -> TenantId {
    TenantId::new(if n.is_multiple_of(3) { "red" } else { "blue" }).expect("valid names")
}

/// The nth entry: everything in it follows from n.
pub(crate) fn entry(n: u64) -> Entry<u64> {
    let rejected = if n % 4 == 1 { vec![Rejection { ordinal: 0, reason: RejectReason::TooOld }] } else { Vec::new() };
    let header = FrameHeader {
        tenant: tenant(n),
        received_at_ns: 1_000 + n,
        items: (n % 5) as u32 + 1,
        rejected,
        generation: 3,
        cursor: Bytes::copy_from_slice(&n.to_le_bytes()),
        head_dropped: 0,
    };
    Entry { header, payload: payload(n).into(), attachment: n }
}

pub(crate) fn payload(n: u64) -> Bytes {
    (0..n * 37 % 301).map(|i| (i * 31 + n) as u8).collect::<Vec<_>>().into()
}

/// The number of an entry that was read back; panics when it is not what was appended.
pub(crate) fn number_of(frame: &StoredFrame) -> u64 {
    let n = u64::from_le_bytes(frame.header.cursor[..].try_into().expect("eight bytes"));
    let expected = entry(n);
    assert_eq!(frame.header, expected.header, "a wrong header");
    assert_eq!(frame.payload, *expected.payload, "a wrong payload");
    n
}

/// All that the files hold, the damage, and the damaged items.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) numbers: Vec<u64>,
    pub(crate) damages: Vec<Damage>,
    pub(crate) damaged: Tallies,
}

pub(crate) fn read(files: &[Arc<JournalFile>]) -> Content {
    let mut content = Content::default();
    let mut last = None;
    for file in files {
        let mut frames = file.frames();
        for frame in &mut frames {
            match frame {
                Ok(frame) => {
                    assert!(last < Some(frame.offset), "offsets ascend");
                    last = Some(frame.offset);
                    let read = file.read_payload(frame.payload_position, frame.payload.len() as u32).expect("pread");
                    assert_eq!(read, frame.payload);
                    content.numbers.push(number_of(&frame));
                }
                Err(damage) => content.damages.push(damage),
            }
        }
        content.damaged.add(&frames.damaged());
    }
    content
}

pub(crate) fn tallies(numbers: impl IntoIterator<Item = u64>) -> Tallies {
    let mut tallies = Tallies::default();
    for n in numbers {
        tallies.add_frame(&entry(n).header);
    }
    tallies
}
