//! Damage: cut tails, flipped bits, files gone, blocks from elsewhere. Nothing else is lost, and the ledger stays exact.

use std::path::{Path, PathBuf};

use super::{super::*, support::*};

/// The files of a journal that was killed, to be damaged again and again.
struct Killed {
    files: Vec<(PathBuf, Vec<u8>)>,
    folder: tempfile::TempDir,
    /// Number, file, first and last byte of each entry.
    places: Vec<(u64, u32, std::ops::Range<usize>)>,
}

impl Killed {
    /// Appends entries 0..n and takes a copy of the folder while the journal runs, as `kill -9` would leave it.
    fn after(n: u64, roll_at: &[u64]) -> Self {
        let folder = temp_folder();
        let opened = Opened::with(options(folder.path()), Disk::default());
        for n in 0..n {
            if roll_at.contains(&n) {
                block_on(opened.journal.roll());
            }
            opened.append(n).expect("appended");
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder.path().join("journal")).expect("there") {
            let path = entry.expect("an entry").path();
            files.push((path.file_name().expect("a name").into(), std::fs::read(path).expect("read")));
        }
        files.sort();
        let mut places = Vec::new();
        for file in opened.journal.files() {
            for frame in file.frames() {
                let frame = frame.expect("sound");
                let end = frame.payload_position as usize + frame.payload.len();
                places.push((number_of(&frame), file.number(), frame.offset.position() as usize..end));
            }
        }
        drop(opened);
        Self { files, folder, places }
    }

    fn all(&self) -> Vec<u64> {
        self.places.iter().map(|(n, ..)| *n).collect()
    }

    fn bytes(&self, number: u32) -> Vec<u8> {
        let name = PathBuf::from(file::file_name(number));
        self.files.iter().find(|(each, _)| *each == name).expect("there").1.clone()
    }

    /// Puts the folder back, with some files replaced (or, with `None`, left out).
    fn restore(&self, changes: &[(&str, Option<&[u8]>)]) -> &Path {
        let folder = self.folder.path().join("journal");
        std::fs::remove_dir_all(&folder).expect("removed");
        std::fs::create_dir(&folder).expect("made");
        for (name, bytes) in &self.files {
            match changes.iter().find(|(changed, _)| Path::new(changed) == name) {
                Some((_, Some(bytes))) => std::fs::write(folder.join(name), bytes).expect("written"),
                Some((_, None)) => {}
                None => std::fs::write(folder.join(name), bytes).expect("written"),
            }
        }
        self.folder.path()
    }

    /// The entries that lie in none of these bytes of a file.
    fn outside(&self, number: u32, damaged: std::ops::Range<usize>) -> Vec<u64> {
        let hit = |file: u32, range: &std::ops::Range<usize>| {
            file == number && range.start < damaged.end && damaged.start < range.end
        };
        self.places.iter().filter(|(_, file, range)| !hit(*file, range)).map(|(n, ..)| *n).collect()
    }
}

/// Checks a damaged journal. With the MARK everything acknowledged is accounted for; without it, the last group of a
/// power cut is kept where it is sound.
fn check(killed: &Killed, intact: &[u64], with_mark: bool, what: &str) {
    let (recovered, content) = recover_and_read(killed.folder.path());
    assert_eq!(content.numbers, intact, "{what}");
    assert_eq!(accounted(&recovered, &content), recovered.total, "{what}");
    let all = tallies(killed.all());
    if with_mark {
        assert_eq!(recovered.total, all, "{what}");
    } else {
        let lost = all.since(&recovered.total);
        let last = killed.places.last().expect("some").0;
        assert!(lost.is_empty() || lost == tallies([last]), "{what}: {lost:?}");
    }
}

#[test]
fn every_bit_flipped_loses_no_other_record() {
    let killed = Killed::after(5, &[2]);
    let (name, bytes) = (file::file_name(2), killed.bytes(2));
    let end = killed.places.last().expect("some").2.end;
    for with_mark in [true, false] {
        for bit in 0..end * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut changes = vec![(&name[..], Some(&flipped[..]))];
            if !with_mark {
                changes.push((mark::NAME, None));
            }
            killed.restore(&changes);
            let intact = killed.outside(2, bit / 8..bit / 8 + 1);
            check(&killed, &intact, with_mark, &format!("bit {bit}, mark {with_mark}"));
        }
    }
}

#[test]
fn a_tail_cut_at_every_byte_loses_only_what_was_cut() {
    let killed = Killed::after(7, &[2]);
    let (name, bytes) = (file::file_name(2), killed.bytes(2));
    let end = killed.places.last().expect("some").2.end;
    for cut in 0..=end {
        killed.restore(&[(&name, Some(&bytes[..cut]))]);
        let intact = killed.outside(2, cut..usize::MAX);
        check(&killed, &intact, true, &format!("cut at {cut}"));
        // Without the MARK the cut is a torn end: unvouched, not damaged.
        killed.restore(&[(&name, Some(&bytes[..cut])), (mark::NAME, None)]);
        let (recovered, content) = recover_and_read(killed.folder.path());
        assert_eq!(content.numbers, intact, "cut at {cut} without MARK");
        assert_eq!(accounted(&recovered, &content), recovered.total, "cut at {cut} without MARK");
    }
}

#[test]
fn a_file_deleted_by_hand_is_counted_and_its_number_is_not_used_again() {
    let killed = Killed::after(9, &[3, 6]);
    for (number, lost) in [(1, 0..3), (2, 3..6), (3, 6..9)] {
        killed.restore(&[(&file::file_name(number), None)]);
        let intact = killed.outside(number, 0..usize::MAX);
        check(&killed, &intact, true, &format!("file {number}"));
        let opened = Opened::with(options(killed.folder.path()), Disk::default());
        let missing = Missing { first: number, last: number, tallies: tallies(lost.clone()) };
        assert_eq!(opened.recovered.missing, std::slice::from_ref(&missing));
        opened.append(9).expect("appended");
        assert_eq!(opened.published.lock()[0].1.file(), 4);
        drop(opened);
        let (recovered, content) = recover_and_read(killed.folder.path());
        assert_eq!(recovered.missing, [missing], "reported until it is sealed");
        assert_eq!(recovered.total, tallies(0..10));
        assert_eq!(accounted(&recovered, &content), recovered.total);
    }
    // All of them.
    let gone: Vec<_> = (1..=3).map(file::file_name).collect();
    killed.restore(&gone.iter().map(|name| (&name[..], None)).collect::<Vec<_>>());
    check(&killed, &[], true, "all files");
}

#[test]
fn files_of_garbage_neither_panic_nor_hide_others() {
    let killed = Killed::after(9, &[3, 6]);
    let mut seed = 0x1234_5678_u64;
    let mut garbage = |len: usize| -> Vec<u8> {
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        (0..len).map(|_| byte()).collect()
    };
    for round in 0..60 {
        let number = round % 3 + 1;
        let bytes = garbage([0, 1, 63, 64, 700, 9000][round as usize % 6]);
        let mark = garbage(round as usize * 100);
        killed.restore(&[(&file::file_name(number), Some(&bytes))]);
        check(&killed, &killed.outside(number, 0..usize::MAX), true, &format!("garbage in file {number}"));
        killed.restore(&[(&file::file_name(number), Some(&bytes)), (mark::NAME, Some(&mark))]);
        let (recovered, content) = recover_and_read(killed.folder.path());
        assert_eq!(content.numbers, killed.outside(number, 0..usize::MAX), "garbage in file {number} and the MARK");
        assert_eq!(accounted(&recovered, &content), recovered.total);
        // Behind sound frames.
        let mut longer = killed.bytes(number);
        longer.truncate(killed.places.iter().rfind(|place| place.1 == number).expect("some").2.end);
        longer.extend(&bytes);
        killed.restore(&[(&file::file_name(number), Some(&longer))]);
        check(&killed, &killed.all(), true, &format!("garbage behind file {number}"));
    }
}

#[test]
fn blocks_from_another_place_do_not_pass() {
    let killed = Killed::after(9, &[3, 6]);
    let second = killed.bytes(2);
    killed.restore(&[(&file::file_name(3), Some(&second))]);
    check(&killed, &killed.outside(3, 0..usize::MAX), true, "file 2 in place of file 3");
    killed.restore(&[(&file::file_name(3), Some(&second)), (mark::NAME, None)]);
    let (_, content) = recover_and_read(killed.folder.path());
    assert_eq!(content.numbers, killed.outside(3, 0..usize::MAX));
    // A frame moved by eight bytes within its file.
    let place = killed.places[4].2.clone();
    let mut moved = second.clone();
    moved.copy_within(place.clone(), place.start + 8);
    killed.restore(&[(&file::file_name(2), Some(&moved))]);
    let touched = place.start..place.end + 8;
    check(&killed, &killed.outside(2, touched), true, "a frame moved by eight bytes");
}

#[test]
fn a_payload_that_looks_like_the_journal_does_not_pass() {
    let folder = temp_folder();
    let opened = Opened::with(options(folder.path()), Disk::default());
    opened.append_all(0..3);
    let file = opened.journal.files()[0].clone();
    let bytes = std::fs::read(file.path()).expect("read");
    let hostile = Entry { payload: bytes[..600].to_vec().into(), ..entry(3) };
    let payload_len = hostile.payload.len();
    block_on(opened.journal.append(hostile)).expect("appended");
    opened.append_all(4..6);
    let mut frames: Vec<_> = file.frames().map(|frame| frame.expect("sound")).collect();
    let hostile = frames.remove(3);
    let mut damaged = std::fs::read(file.path()).expect("read");
    damaged[hostile.offset.position() as usize] ^= 1;
    std::fs::write(file.path(), damaged).expect("written");
    let found: Vec<_> = file.frames().collect();
    let sound: Vec<_> = found.iter().flatten().map(number_of).collect();
    assert_eq!(sound, [0, 1, 2, 4, 5]);
    let damages: Vec<_> = found.into_iter().filter_map(Result::err).collect();
    assert_eq!(damages.len(), 1);
    assert_eq!(damages[0].range.start, hostile.offset.position());
    assert!(damages[0].range.end >= hostile.payload_position + payload_len as u32);
}

#[test]
fn a_file_header_gone_with_the_mark_loses_nothing() {
    let killed = Killed::after(4, &[]);
    let mut bytes = killed.bytes(1);
    bytes[..file::HEADER_BYTES].fill(0);
    killed.restore(&[(&file::file_name(1), Some(&bytes)), (mark::NAME, None)]);
    check(&killed, &killed.all(), false, "no header, no MARK");
}

#[test]
fn a_damaged_mark_is_not_believed() {
    let killed = Killed::after(4, &[2]);
    let mark = &killed.files.iter().find(|(name, _)| *name == Path::new(mark::NAME)).expect("there").1;
    let used: Vec<_> = (0..mark.len()).filter(|&at| mark[at] != 0).collect();
    for at in used {
        let mut damaged = mark.clone();
        damaged[at] ^= 0x41;
        killed.restore(&[(mark::NAME, Some(&damaged))]);
        check(&killed, &killed.all(), true, &format!("byte {at} of the MARK"));
    }
}

/// The bytes of a file with nothing sound but its frames.
fn without_headers(killed: &Killed, number: u32) -> Vec<u8> {
    let mut bytes = vec![0; killed.bytes(number).len()];
    for (_, _, range) in killed.places.iter().filter(|(_, file, _)| *file == number) {
        bytes[range.clone()].copy_from_slice(&killed.bytes(number)[range.clone()]);
    }
    bytes
}

#[test]
fn a_torn_beginning_of_a_file_costs_the_one_before_nothing() {
    let killed = Killed::after(6, &[3]);
    let old_mark = Killed::after(2, &[]).files.into_iter().find(|(name, _)| *name == Path::new(mark::NAME));
    let old_mark = old_mark.expect("there").1;
    let torn = without_headers(&killed, 2);
    for mark in [None, Some(&old_mark[..])] {
        killed.restore(&[(&file::file_name(2), Some(&torn)), (mark::NAME, mark)]);
        for again in [false, true] {
            check(&killed, &killed.all(), false, &format!("MARK {}, again {again}", mark.is_some()));
        }
    }
}

#[test]
fn what_recovery_copied_is_there_once_when_the_copy_loses_its_beginning() {
    let killed = Killed::after(4, &[]);
    // Without a MARK and the last group header the last two frames are not vouched for: they are copied to the next file.
    let mut unvouched = killed.bytes(1);
    unvouched[killed.places[2].2.end..killed.places[3].2.start].fill(0);
    for frames_lost in [0, 1] {
        killed.restore(&[(&file::file_name(1), Some(&unvouched)), (mark::NAME, None)]);
        let (recovered, _) = recover_and_read(killed.folder.path());
        assert_eq!(recovered.copied, 2);
        let copies: Vec<_> = recovered.files[1].frames().map(|frame| frame.expect("sound").offset.position()).collect();
        let folder = killed.folder.path().join("journal");
        let copy = folder.join(file::file_name(2));
        let mut bytes = std::fs::read(&copy).expect("there");
        bytes[..copies[frames_lost] as usize].fill(0);
        std::fs::write(&copy, &bytes).expect("written");
        std::fs::remove_file(folder.join(mark::NAME)).expect("there");
        for again in [false, true] {
            check(&killed, &killed.all(), false, &format!("{frames_lost} lost, again {again}"));
        }
    }
}
