//! What tests ask a segment's scan for: its batches, and a column of them as texts.

use arrow_array::{Array, RecordBatch, cast::AsArray, types::UInt32Type};

use crate::{Pruned, ReadBounds, ReadCounts, ScanColumn, ScanFilter, ScanRequest, segment::Segment};

/// What a segment has for a filter, part by part.
pub(super) fn batches(segment: &Segment, filter: ScanFilter, columns: &[ScanColumn]) -> Vec<RecordBatch> {
    let request = ScanRequest { columns: columns.to_vec(), filter };
    let counts = ReadCounts::default();
    let parts = segment.parts(&request.filter, &mut Pruned::default(), &|| false).expect("parts");
    let bounds = ReadBounds { start_min_ns: 0, newest: None, rows_max: None };
    parts.iter().map(|part| segment.read_part(part, &request, &bounds, &counts).expect("read")).collect()
}

/// A column of texts, row by row.
pub(super) fn texts(batches: &[RecordBatch], column: usize) -> Vec<Option<String>> {
    let of_batch = |batch: &RecordBatch| {
        let codes = batch.column(column).as_dictionary::<UInt32Type>().clone();
        let text = move |row: usize| {
            let values = codes.values().as_string::<i32>();
            codes.is_valid(row).then(|| values.value(codes.keys().value(row) as usize).to_owned())
        };
        (0..batch.num_rows()).map(text).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}
