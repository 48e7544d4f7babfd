//! Bounds, full disks, rolling, retiring, order.

use std::{
    pin::pin,
    sync::mpsc,
    task::{Context, Waker},
};

use parking_lot::Mutex;
use weir_proto::TenantId;

use super::{super::*, support::*};
use crate::disk::recorder::{Recorder, Unsynced};

#[test]
fn a_full_disk_refuses_and_recovers_when_space_returns() {
    let folder = temp_folder();
    let disk = Disk::default();
    let opened = Opened::with(options(folder.path()), disk.clone());
    disk.faults().set_space_bytes(0);
    assert_eq!(opened.append(0), Err(JournalAppendError::DiskFull));
    assert!(opened.journal.files().is_empty());
    disk.faults().set_space_bytes(u64::MAX);
    opened.append_all(1..3);
    disk.faults().set_space_bytes(0);
    assert_eq!(opened.append(3), Err(JournalAppendError::DiskFull));
    block_on(opened.journal.roll());
    disk.faults().set_space_bytes(u64::MAX);
    opened.append_all(4..6);
    assert_eq!(read(&opened.journal.files()).numbers, [1, 2, 4, 5]);
    opened.journal.shutdown();
    let (recovered, content) = recover_and_read(folder.path());
    assert_eq!(content.numbers, [1, 2, 4, 5]);
    assert_eq!(recovered.total, tallies([1, 2, 4, 5]));
}

#[test]
fn space_that_ends_within_a_write_leaves_nothing_behind() {
    // Entry 9 is larger than entry 4: what is left of it reaches beyond the group that takes its place.
    for space in 0..600 {
        let folder = temp_folder();
        let recorder = Recorder::new(folder.path()).expect("recorder");
        let disk = Disk::recording(recorder.clone());
        let opened = Opened::with(options(folder.path()), disk.clone());
        opened.append_all(0..2);
        disk.faults().set_space_bytes(space);
        if opened.append(5) != Err(JournalAppendError::DiskFull) {
            assert!(space > 300, "entry 5 fits into {space} bytes");
            break;
        }
        disk.faults().set_space_bytes(u64::MAX);
        opened.append(9).expect("space is back");
        for rule in [Unsynced::Kept, Unsynced::Lost] {
            let after = temp_folder();
            recorder.materialise(recorder.moment(), rule, after.path()).expect("materialise");
            let (recovered, content) = recover_and_read(after.path());
            assert_eq!(content.numbers, [0, 1, 9], "with space for {space} bytes");
            assert!(content.damages.is_empty() && recovered.total == tallies([0, 1, 9]));
        }
    }
}

#[test]
fn a_panic_of_the_publisher_stops_the_journal() {
    let folder = temp_folder();
    let publish = |_: Vec<Committed<u64>>| panic!("for the test");
    let (journal, _) = Journal::open(options(folder.path()), Disk::default(), Clock::fixed(1), publish).expect("opens");
    assert_eq!(block_on(journal.append(entry(0))), Err(JournalAppendError::Stopped));
    assert!(block_on(journal.failed()).contains("panicked"));
    assert_eq!(block_on(journal.append(entry(1))), Err(JournalAppendError::Stopped));
}

/// A journal whose publisher waits to be let on.
fn held(options: JournalOptions) -> (Journal<u64>, mpsc::Sender<()>, Arc<Mutex<Vec<u64>>>) {
    let (go, gate) = mpsc::channel::<()>();
    let published = Arc::new(Mutex::new(Vec::new()));
    let sink = published.clone();
    let publish = move |group: Vec<Committed<u64>>| {
        sink.lock().extend(group.iter().map(|each| each.entry.attachment));
        // An error means that the test lets everything pass.
        let _ = gate.recv();
    };
    let (journal, _) = Journal::open(options, Disk::default(), Clock::fixed(1), publish).expect("opens");
    (journal, go, published)
}

#[test]
fn the_queue_is_bounded_and_acks_come_in_order_after_publishing() {
    let folder = temp_folder();
    let options = JournalOptions { queue_bytes_max: 4000, ..options(folder.path()) };
    let (journal, go, published) = held(options);
    let mut context = Context::from_waker(Waker::noop());
    let mut appends = Vec::new();
    let refused = loop {
        let n = appends.len() as u64;
        let mut append = Box::pin(journal.append(entry(n)));
        match append.as_mut().poll(&mut context) {
            std::task::Poll::Pending => appends.push(append),
            std::task::Poll::Ready(result) => break result,
        }
    };
    assert_eq!(refused, Err(JournalAppendError::QueueFull));
    assert!((5..20).contains(&appends.len()), "{} entries fit", appends.len());
    for (n, append) in appends.iter_mut().enumerate() {
        assert!(append.as_mut().poll(&mut context).is_pending(), "{n}: nothing is acknowledged before it is published");
    }
    drop(go);
    let count = appends.len() as u64;
    for (n, append) in appends.into_iter().enumerate() {
        assert_eq!(block_on(append), Ok(()));
        let seen = published.lock().clone();
        assert!(seen.len() > n && seen[n] == n as u64);
    }
    assert_eq!(block_on(journal.append(entry(count))), Ok(()), "there is room again");
    let large = Entry { payload: vec![0; 5000].into(), ..entry(1) };
    assert_eq!(block_on(journal.append(large)), Ok(()), "one alone may be larger than the queue");
}

#[test]
fn a_frame_over_the_limit_is_refused() {
    let folder = temp_folder();
    let opened = Opened::with(JournalOptions { frame_bytes_max: 1000, ..options(folder.path()) }, Disk::default());
    let large = Entry { payload: vec![0; 1001].into(), ..entry(1) };
    assert_eq!(block_on(opened.journal.append(large)), Err(JournalAppendError::TooLarge));
    opened.append(1).expect("a small one passes");
}

#[test]
fn entries_that_wait_together_share_one_sync() {
    let folder = temp_folder();
    let disk = Disk::default();
    let options = JournalOptions {
        commit_delay_max: Duration::from_secs(3600),
        commit_bytes_max: 8000,
        ..options(folder.path())
    };
    let opened = Opened::with(options, disk.clone());
    let before = disk.faults().syncs();
    let mut context = Context::from_waker(Waker::noop());
    let mut first = pin!(opened.journal.append(entry(0)));
    assert!(first.as_mut().poll(&mut context).is_pending());
    let large = Entry { payload: vec![7; 8000].into(), ..entry(1) };
    assert_eq!(block_on(opened.journal.append(large)), Ok(()), "a full group does not wait");
    assert_eq!(block_on(first), Ok(()));
    assert_eq!(disk.faults().syncs() - before, 2, "the folder and the group");
}

#[test]
fn a_file_with_frames_is_closed_at_its_age() {
    let folder = temp_folder();
    let options = JournalOptions { file_age_max: Duration::from_millis(5), ..options(folder.path()) };
    let opened = Opened::with(options, Disk::default());
    let mut closed = opened.journal.newest_closed();
    opened.append(0).expect("appended");
    assert_eq!(block_on(closed.wait_for(|&number| number > 0)).map(|number| *number).expect("open"), 1);
    let files = opened.journal.files();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].expected(), Some(tallies([0])));
    assert_eq!(files[0].bytes(), std::fs::metadata(files[0].path()).expect("there").len() as u32, "trimmed");
    opened.append(1).expect("appended");
    block_on(closed.wait_for(|&number| number > 1)).expect("open");
}

#[test]
fn an_idle_journal_vouches_for_its_last_group() {
    let folder = temp_folder();
    let recorder = Recorder::new(folder.path()).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    let options = JournalOptions { mark_delay: Duration::from_millis(1), ..options(folder.path()) };
    let opened = Opened::with(options, disk);
    opened.append(0).expect("appended");
    let file = opened.journal.files()[0].clone();
    let appended = file.frames().next().expect("one").expect("sound");
    let end = appended.payload_position + appended.payload.len() as u32;
    // The file grows by the header that is written alone.
    while file.bytes() <= end.next_multiple_of(8) {
        std::thread::yield_now();
    }
    let after = temp_folder();
    recorder.materialise(recorder.moment(), Unsynced::Lost, after.path()).expect("materialise");
    let (recovered, content) = recover_and_read(after.path());
    assert_eq!((recovered.copied, content.numbers), (0, vec![0]));
}

#[test]
fn files_retire_as_a_prefix_and_open_readers_go_on() {
    let folder = temp_folder();
    let without_spares = JournalOptions { spares: NO_SPARES, ..options(folder.path()) };
    let opened = Opened::with(without_spares, Disk::default());
    for n in 0..4 {
        opened.append(n).expect("appended");
        block_on(opened.journal.roll());
    }
    let files = opened.journal.files();
    assert_eq!(files.len(), 5);
    opened.journal.retire(3).expect("retired");
    assert_eq!(names(folder.path()), ["0000000003.journal", "0000000004.journal", "0000000005.journal", "MARK"]);
    assert_eq!(opened.journal.files().iter().map(|file| file.number()).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(read(&files).numbers, [0, 1, 2, 3]);
    opened.journal.retire(u32::MAX).expect("retired");
    assert_eq!(opened.journal.files().len(), 1, "the open file stays");
    opened.append(4).expect("appended");
    let opening = opened.journal.files()[0].opening().clone();
    drop(opened);

    let sealed = JournalOptions { first_number: 5, opening, ..options(folder.path()) };
    let again = Opened::with(sealed, Disk::default());
    assert!(again.recovered.missing.is_empty());
    assert_eq!(again.recovered.total, tallies(0..5));
    assert_eq!(read(&again.recovered.files).numbers, [4]);
}

const NO_SPARES: SpareLimits = SpareLimits { files_max: 0, window: Duration::ZERO };

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("journal")).expect("there");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort_unstable();
    names
}

#[test]
fn sealed_files_are_written_again_once_their_readers_have_gone() {
    let folder = temp_folder();
    let spares = SpareLimits { files_max: 2, window: Duration::from_secs(3600) };
    let options = JournalOptions { spares, ..options(folder.path()) };
    let opened = Opened::with(options.clone(), Disk::default());
    let write = |n| {
        opened.append(n).expect("appended");
        block_on(opened.journal.roll());
    };
    (0..3).for_each(write);
    let mut read_still = opened.journal.files();
    read_still.truncate(1);
    opened.journal.retire(4).expect("retired");
    let spares = ["0000000001.journal.spare", "0000000002.journal.spare"];
    assert_eq!(names(folder.path()), [spares[0], spares[1], "0000000004.journal", "MARK"], "two are enough");
    write(3);
    assert_eq!(names(folder.path()), [spares[0], "0000000004.journal", "0000000005.journal", "MARK"]);
    write(4);
    assert_eq!(read(&read_still).numbers, [0], "the first is not touched");
    drop(read_still);
    write(5);
    assert_eq!(names(folder.path())[..3], ["0000000004.journal", "0000000005.journal", "0000000006.journal"]);
    opened.append(6).expect("appended");
    assert_eq!(read(&opened.journal.files()).numbers, [3, 4, 5, 6]);
    opened.journal.retire(5).expect("retired");
    assert_eq!(names(folder.path())[0], "0000000004.journal.spare");
    opened.journal.tidy(false);
    assert_eq!(names(folder.path())[0], "0000000004.journal.spare", "it will be needed");
    opened.journal.tidy(true);
    assert_eq!(names(folder.path())[0], "0000000005.journal", "space is short");

    // What lies in the newest file from its former life does not count, nor do spare files.
    let opening = opened.journal.files()[0].opening().clone();
    drop(opened);
    let again = Opened::with(JournalOptions { first_number: 5, opening, ..options }, Disk::default());
    let content = read(&again.recovered.files);
    assert_eq!(content.numbers, [4, 5, 6]);
    assert!(content.damages.is_empty() && content.damaged.is_empty() && again.recovered.missing.is_empty());
    assert_eq!(again.recovered.total, tallies(0..7));
    assert!(names(folder.path()).iter().all(|name| !name.ends_with(".spare")));
}

#[test]
fn spares_are_as_many_as_files_were_begun_lately() {
    let window = Duration::from_secs(10);
    let mut spares = Spares::new(SpareLimits { files_max: 3, window });
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    assert_eq!(spares.room(start), 0);
    for n in [0, 1, 2, 8] {
        spares.count_begun(second(n));
    }
    assert_eq!([8, 11, 12, 18, 19].map(|n| spares.room(second(n))), [3, 3, 2, 1, 0]);
    let folder = temp_folder();
    let opened = Opened::with(options(folder.path()), Disk::default());
    for n in 0..2 {
        opened.append(n).expect("appended");
        block_on(opened.journal.roll());
        spares.add(opened.journal.files()[n as usize].clone());
    }
    assert_eq!((spares.room(second(11)), spares.take_surplus(second(12), false)), (1, None));
    let [first, second_one] = [0, 1].map(|n| Some(Spares::path_of(&opened.journal.files()[n])));
    assert_eq!([18, 18].map(|n| spares.take_surplus(second(n), false)), [first, None]);
    assert_eq!([18, 18].map(|n| spares.take_surplus(second(n), true)), [second_one, None]);
}

#[test]
fn a_file_that_cannot_be_removed_is_tried_again() {
    let folder = temp_folder();
    let options = JournalOptions { spares: NO_SPARES, ..options(folder.path()) };
    let opened = Opened::with(options, Disk::default());
    for n in 0..3 {
        opened.append(n).expect("appended");
        block_on(opened.journal.roll());
    }
    // A folder in its place cannot be unlinked, whoever asks.
    let second = folder.path().join("journal/0000000002.journal");
    std::fs::remove_file(&second).expect("there");
    std::fs::create_dir(&second).expect("made");
    opened.journal.retire(4).expect_err("a folder");
    assert_eq!(opened.journal.files().iter().map(|file| file.number()).collect::<Vec<_>>(), [2, 3, 4]);
    std::fs::remove_dir(&second).expect("empty");
    opened.journal.retire(4).expect("retired");
    assert_eq!(names(folder.path()), ["0000000004.journal", "MARK"]);
}

#[test]
fn the_catalogs_knowledge_bounds_the_numbers_of_an_empty_folder() {
    let folder = temp_folder();
    let sealed = JournalOptions { first_number: 41, opening: tallies(0..7), ..options(folder.path()) };
    let opened = Opened::with(sealed, Disk::default());
    assert!(opened.recovered.missing.is_empty());
    assert_eq!(opened.recovered.total, tallies(0..7));
    opened.append(7).expect("appended");
    let file = opened.journal.files()[0].clone();
    assert_eq!((file.number(), file.opening()), (41, &tallies(0..7)));
}

#[test]
fn shutting_down_commits_what_waits_and_refuses_the_rest() {
    let folder = temp_folder();
    let options = JournalOptions { commit_delay_max: Duration::from_secs(3600), ..options(folder.path()) };
    let opened = Opened::with(options, Disk::default());
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = pin!(opened.journal.append(entry(0)));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    opened.journal.shutdown();
    assert_eq!(block_on(waiting), Ok(()));
    assert_eq!(opened.append(1), Err(JournalAppendError::Stopped));
    let (recovered, content) = recover_and_read(folder.path());
    assert_eq!((recovered.copied, content.numbers), (0, vec![0]));
}

#[test]
fn however_much_waits_no_file_outgrows_its_bound() {
    let folder = temp_folder();
    let options = JournalOptions {
        commit_delay_max: Duration::from_secs(3600),
        commit_bytes_max: 1 << 20,
        queue_bytes_max: 1 << 30,
        ..options(folder.path())
    };
    let bound = committer::GROUP_BYTES_MAX + 512;
    let opened = Opened::with(options, Disk::default());
    // All wait for one group, which a shutdown begins.
    let acks: Vec<_> = (0..400).map(|n| opened.journal.submit(entry(n)).expect("room")).collect();
    opened.journal.shutdown();
    for ack in acks {
        assert_eq!(block_on(ack).expect("answered"), Ok(()));
    }
    let files = opened.journal.files();
    assert!(files.len() > 1 && files.iter().all(|file| u64::from(file.bytes()) <= bound), "{}", files.len());
    assert_eq!(read(&files).numbers, Vec::from_iter(0..400));
    let (recovered, content) = recover_and_read(folder.path());
    assert_eq!((content.numbers, recovered.total), (Vec::from_iter(0..400), tallies(0..400)));
}

#[test]
fn a_full_disk_is_no_reason_not_to_start() {
    let folder = temp_folder();
    let opened = Opened::with(options(folder.path()), Disk::default());
    opened.append_all(0..5);
    // As kill -9 leaves it, and a power cut that took the MARK back: the last group is vouched for by nothing.
    let killed = temp_folder();
    std::fs::create_dir(killed.path().join("journal")).expect("made");
    for entry in std::fs::read_dir(folder.path().join("journal")).expect("listed") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), killed.path().join("journal").join(entry.file_name())).expect("copied");
    }
    std::fs::remove_file(killed.path().join("journal/MARK")).expect("there");
    opened.journal.shutdown();
    for life in 0..3 {
        let disk = Disk::default();
        disk.faults().set_space_bytes(0);
        let opened = Opened::with(options(killed.path()), disk.clone());
        assert_eq!(opened.recovered.total, tallies(0..5), "life {life}");
        assert_eq!(read(&opened.recovered.files).numbers, Vec::from_iter(0..5), "life {life}");
        assert_eq!(opened.append(90), Err(JournalAppendError::DiskFull));
        opened.journal.shutdown();
    }
    let opened = Opened::with(options(killed.path()), Disk::default());
    opened.append_all(5..8);
    opened.journal.shutdown();
    let (recovered, content) = recover_and_read(killed.path());
    assert_eq!((content.numbers, recovered.total), (Vec::from_iter(0..8), tallies(0..8)));
    assert!(content.damages.is_empty() && recovered.missing.is_empty());
}

/// One item of a tenant of many.
fn of_tenant(n: u64) -> Entry<u64> {
    let header = FrameHeader { tenant: TenantId::new(&format!("tenant-{n:05}")).expect("valid"), ..entry(0).header };
    Entry { header, payload: payload(0).into(), attachment: n }
}

#[test]
fn what_is_written_with_each_group_does_not_grow_with_the_tenants_that_have_nothing_new() {
    const TENANTS: u64 = 1_000;
    let folder = temp_folder();
    let recorder = Recorder::new(folder.path()).expect("recorder");
    let wide = JournalOptions { file_bytes_max: 64 << 20, commit_bytes_max: 64 << 20, ..options(folder.path()) };
    let opened = Opened::with(wide.clone(), Disk::recording(recorder.clone()));
    let append = |n| block_on(opened.journal.append(of_tenant(n))).expect("appended");
    let bytes = || opened.journal.files().iter().map(|file| u64::from(file.bytes())).sum::<u64>();
    let mut expected = Tallies::default();
    for n in 0..TENANTS {
        append(n);
        expected.add_frame(&of_tenant(n).header);
    }
    let before = bytes();
    const GROUPS: u64 = 500;
    for n in 0..GROUPS {
        append(n % 7);
        expected.add_frame(&of_tenant(n % 7).header);
    }
    let of_group = (bytes() - before) / GROUPS;
    assert!(of_group < 300, "{of_group} bytes are written with each group");
    // As after a kill, with all that there is, and without MARK; then without the newest file, of which MARK alone knows.
    let name = file::file_name(opened.journal.files().last().expect("there is one").number());
    for gone in [None, Some(mark::NAME), Some(name.as_str())] {
        let after = temp_folder();
        recorder.materialise(recorder.moment(), Unsynced::Kept, after.path()).expect("materialise");
        if let Some(gone) = gone {
            std::fs::remove_file(after.path().join("journal").join(gone)).expect("there");
        }
        let found = JournalOptions { folder: after.path().join("journal"), ..wide.clone() };
        let (recovered, _) = recovery::recover(&found, &Disk::default(), 1).expect("recovers");
        assert_eq!(recovered.total, expected, "without {gone:?}");
    }
}
