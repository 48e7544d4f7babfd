//! Tests of the disk's faults and recording.

use super::{recorder::*, *};

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    std::fs::read(folder.join(name)).ok()
}

fn cut(recorder: &Recorder, moment: usize, unsynced: Unsynced) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp folder");
    recorder.materialise(moment, unsynced, folder.path()).expect("materialise");
    folder
}

#[test]
fn only_what_was_synced_outlives_a_power_cut() {
    let root = tempfile::tempdir().expect("temp folder");
    let recorder = Recorder::new(root.path()).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    let file = disk.create(&root.path().join("a")).expect("create");
    file.write_at(b"one", 0).expect("write");
    file.sync().expect("sync");
    let content_only = recorder.moment();
    disk.sync_folder(root.path()).expect("sync folder");
    let both = recorder.moment();
    file.write_at(b"two", 0).expect("write");
    disk.rename(&root.path().join("a"), &root.path().join("b")).expect("rename");
    let renamed = recorder.moment();
    disk.sync_folder(root.path()).expect("sync folder");
    let end = recorder.moment();

    assert_eq!(read(cut(&recorder, content_only, Unsynced::Lost).path(), "a"), None);
    assert_eq!(read(cut(&recorder, content_only, Unsynced::Kept).path(), "a"), Some(b"one".to_vec()));
    assert_eq!(read(cut(&recorder, both, Unsynced::Lost).path(), "a"), Some(b"one".to_vec()));
    assert_eq!(read(cut(&recorder, renamed, Unsynced::Lost).path(), "a"), Some(b"one".to_vec()));
    assert_eq!(read(cut(&recorder, renamed, Unsynced::Lost).path(), "b"), None);
    let after = cut(&recorder, end, Unsynced::Lost);
    assert_eq!(read(after.path(), "a"), None);
    assert_eq!(read(after.path(), "b"), Some(b"one".to_vec()));
    assert_eq!(read(root.path(), "b"), Some(b"two".to_vec()));
}

#[test]
fn folders_move_with_what_is_in_them() {
    let root = tempfile::tempdir().expect("temp folder");
    let recorder = Recorder::new(root.path()).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    disk.make_folders(&root.path().join("tmp/x")).expect("folders");
    let file = disk.create(&root.path().join("tmp/x/f")).expect("create");
    file.write_at(b"1", 0).expect("write");
    file.sync().expect("sync");
    disk.sync_folder(&root.path().join("tmp/x")).expect("sync");
    disk.rename(&root.path().join("tmp/x"), &root.path().join("y")).expect("rename");
    let before = recorder.moment();
    disk.sync_folder(root.path()).expect("sync");
    assert_eq!(read(cut(&recorder, before, Unsynced::Lost).path(), "tmp/x/f"), Some(b"1".to_vec()));
    assert_eq!(read(cut(&recorder, before, Unsynced::Lost).path(), "y/f"), None);
    assert_eq!(read(cut(&recorder, recorder.moment(), Unsynced::Lost).path(), "y/f"), Some(b"1".to_vec()));
}

#[test]
fn faults_hit_the_nth_sync_and_the_space() {
    let root = tempfile::tempdir().expect("temp folder");
    let recorder = Recorder::new(root.path()).expect("recorder");
    let disk = Disk::recording(recorder.clone());
    let file = disk.create(&root.path().join("a")).expect("create");
    disk.sync_folder(root.path()).expect("sync");
    disk.faults().skip_sync(2);
    disk.faults().fail_sync(3);
    file.write_at(b"123", 0).expect("write");
    file.sync().expect("left out silently");
    assert_eq!(read(cut(&recorder, recorder.moment(), Unsynced::Lost).path(), "a"), Some(vec![]));
    assert_eq!(file.sync().expect_err("EIO").raw_os_error(), Some(rustix::io::Errno::IO.raw_os_error()));
    file.sync().expect("sync");
    assert_eq!(disk.faults().syncs(), 4);

    disk.faults().set_space_bytes(2);
    let error = file.write_at(b"xyz", 3).expect_err("no space");
    assert!(is_refusal(&error));
    assert_eq!(read(root.path(), "a"), Some(b"123xy".to_vec()));
    assert!(is_refusal(&disk.create(&root.path().join("b")).expect_err("no space")));
}

#[test]
fn gathers_more_slices_than_one_call_takes() {
    let root = tempfile::tempdir().expect("temp folder");
    let disk = Disk::default();
    let file = disk.create(&root.path().join("a")).expect("create");
    let parts: Vec<[u8; 3]> = (0..3000u32).map(|n| [n as u8, (n >> 8) as u8, 7]).collect();
    let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    slices.insert(0, IoSlice::new(&[]));
    file.write_gathered_at(&mut slices, 5).expect("write");
    let expected: Vec<u8> = [0; 5].into_iter().chain(parts.concat()).collect();
    assert_eq!(read(root.path(), "a"), Some(expected));
}
