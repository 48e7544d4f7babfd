//! Append, commit, publish, acknowledge, reopen.

use super::{super::*, support::*};

#[test]
fn what_is_acknowledged_was_published_and_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("temp folder");
    let opened = Opened::with(options(folder.path()), Disk::default());
    assert!(opened.journal.files().is_empty());
    for n in 0..100 {
        opened.append(n).expect("appended");
        let published = opened.published.lock();
        assert_eq!(published.last().map(|&(attachment, _)| attachment), Some(n), "published before the ack");
    }
    let files = opened.journal.files();
    assert!(files.len() > 3, "rolled by size: {}", files.len());
    assert!(files.iter().rev().skip(1).all(|file| file.is_closed()));
    assert!(!files.last().expect("some").is_closed());
    assert_eq!(read(&files).numbers, Vec::from_iter(0..100));
    let offsets = opened.published.lock().clone();
    drop(opened);

    let again = Opened::with(options(folder.path()), Disk::default());
    let content = read(&again.recovered.files);
    assert_eq!(content.numbers, Vec::from_iter(0..100));
    assert!(content.damages.is_empty() && content.damaged.is_empty());
    assert_eq!(again.recovered.copied, 0, "a clean stop writes the mark");
    assert_eq!(again.recovered.total, tallies(0..100));
    assert!(again.recovered.missing.is_empty());
    for file in &again.recovered.files {
        let mut frames = file.frames();
        for frame in frames.by_ref() {
            let frame = frame.expect("sound");
            assert!(offsets.contains(&(number_of(&frame), frame.offset)));
        }
        assert_eq!(Some(frames.intact().clone()), file.expected());
    }
    again.append_all(100..120);
    assert_eq!(read(&again.journal.files()).numbers, Vec::from_iter(0..120));
}
