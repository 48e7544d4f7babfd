//! Few rows are picked out of pages as they are read with all others.

use std::sync::Arc;

use weir_proto::otlp::messages::collector::trace::v1::ExportTraceServiceRequest;

use super::{
    bodies_back::{line, sealed},
    round_trip::write,
    shop::{Random, Shop},
};
use crate::{
    columns::{Column, Values},
    segment::Segment,
};

/// A row's value: bytes, or a number as its bytes.
fn value(column: &Column, row: u32) -> Option<Vec<u8>> {
    let at = column.position(row)?;
    Some(match &column.values {
        Values::Bytes { .. } => column.bytes(at).to_vec(),
        Values::Words(words) => words[at].to_le_bytes().to_vec(),
    })
}

fn assert_picked(segment: &Segment, random: &mut Random) {
    let file = segment.open_rows().expect("there");
    let reader = segment.reader(&file);
    for group in 0..segment.groups() {
        let rows = segment.group_rows(group);
        for (number, spec) in segment.specs().iter().enumerate() {
            if reader.is_empty(group, number) && !spec.required {
                continue;
            }
            let all = reader.read(group, number, 0..rows).expect("read").column;
            for share in [2, 7, 90, 400] {
                let chosen: Vec<u32> = (0..rows).filter(|_| random.below(share) == 0).collect();
                let picked = reader.pick_rows(group, number, &chosen).expect("picked");
                for (at, &row) in (0..).zip(&chosen) {
                    assert_eq!(value(&picked, at), value(&all, row), "{} row {row} of group {group}", spec.name);
                }
            }
        }
    }
}

#[test]
fn few_rows_of_spans_and_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Random(7);
    let mut shop = Shop::new(3);
    let requests: Vec<ExportTraceServiceRequest> = (0..4).map(|_| shop.batch(700)).collect();
    assert_picked(&write(folder.path(), &requests, 1), &mut random);
    let lines: Vec<String> = (0..1500).map(|number| line(number, 11)).collect();
    let segment: Arc<Segment> = sealed(folder.path(), 2, &lines);
    assert_picked(&segment, &mut random);
}
