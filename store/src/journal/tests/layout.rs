//! What single files look like: leftovers of failed writes, records across chunks.

use std::path::Path;

use bytes::Bytes;

use super::{
    super::{
        group::{Counted, Link},
        reader::{Record, Records},
        writer::{GroupError, NewFile, OpenFile, Writable},
        *,
    },
    support::*,
};

fn create(folder: &Path, disk: &Disk) -> OpenFile {
    let path = folder.join(file::file_name(1));
    let new = NewFile {
        number: 1,
        path: path.clone(),
        salt: SALT,
        link: Link::default(),
        opening: Tallies::default(),
        created_at_ns: 0,
    };
    OpenFile::create(disk, &path, new, 1 << 16).expect("created")
}

fn write(file: &mut OpenFile, payloads: &[Bytes]) -> Result<Layout, GroupError> {
    let header = entry(0).header;
    let frames =
        payloads.iter().map(|payload| Writable { header: &header, payload, payload_crc: crc32c::crc32c(payload) });
    let mut layout = Layout::default();
    let nothing = Tallies::default();
    file.write_group(Counted { all: &nothing, changed: &nothing }, frames, &mut layout)?;
    Ok(layout)
}

fn payloads_in(file: &OpenFile) -> Vec<Bytes> {
    let file = file.journal_file.file();
    let bytes = file.metadata().expect("there").len();
    let records = Records::new(file, SALT, 1, file::HEADER_BYTES as u32, bytes);
    let frames = records.filter_map(|record| match record {
        Record::Frame { frame, .. } => Some(frame.payload),
        _ => None,
    });
    frames.collect()
}

#[test]
fn what_a_failed_write_left_behind_a_shorter_one_is_not_read() {
    let folder = temp_folder();
    let disk = Disk::default();
    let mut file = create(folder.path(), &disk);
    let payload = |byte: u8| Bytes::from(vec![byte; 100]);
    disk.faults().set_space_bytes(700);
    // The first two are written whole.
    assert!(matches!(write(&mut file, &[payload(1), payload(2), vec![3; 1000].into()]), Err(GroupError::Write(_))));
    assert_eq!(payloads_in(&file), [payload(1), payload(2)]);
    disk.faults().set_space_bytes(u64::MAX);
    write(&mut file, &[payload(4)]).expect("written");
    assert_eq!(payloads_in(&file), [payload(4)]);
}

#[test]
fn the_record_after_a_damaged_one_is_found_wherever_chunks_end() {
    let folder = temp_folder();
    for bytes in 3300..3900 {
        let disk = Disk::default();
        let mut file = create(folder.path(), &disk);
        let all: Vec<Bytes> = [3900, 300, bytes, 10].map(|bytes| Bytes::from(vec![bytes as u8; bytes])).into();
        let layout = write(&mut file, &all).expect("written");
        let path = folder.path().join(file::file_name(1));
        let damaged = disk.open(&path).expect("there");
        damaged.write_at(&[0xff], u64::from(layout.places[2].position) + 9).expect("written");
        assert_eq!(payloads_in(&file), [all[0].clone(), all[1].clone(), all[3].clone()], "{bytes} bytes");
        disk.unlink(&path).expect("removed");
    }
}
