//! Rows whose texts are long, each its own or one for all: what is read at a time stays within bounds, and is all there.

use arrow_array::{Array, RecordBatch, cast::AsArray};
use weir_proto::{TraceId, otlp::messages::collector::trace::v1::ExportTraceServiceRequest};

use super::{
    assert_same,
    round_trip::{traces, write},
    shop::{Shop, text},
};
use crate::{
    ask::{
        filter::ScanFilter,
        pruned::{Pruned, ReadCounts},
        request::{ReadBounds, ScanColumn, ScanRequest},
        span::{Place, TraceRows},
    },
    segment::Segment,
};

/// Spans.
const SPANS: usize = 900;
/// Letters of a text.
const LETTERS: usize = 4000;

/// All of one trace; each span with a long text.
fn request(is_same: bool) -> ExportTraceServiceRequest {
    let mut request = Shop::new(5).batch(SPANS);
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    for (number, span) in spans.iter_mut().enumerate() {
        span.trace_id = vec![7; 16];
        span.attributes.retain(|attribute| attribute.key != "db.query.text");
        let letters = if is_same { "x".repeat(LETTERS) } else { format!("{number:04}").repeat(LETTERS / 4) };
        span.attributes.push(text("db.query.text", letters));
    }
    request
}

fn read(segment: &Segment, room: &mut dyn FnMut(u64) -> bool) -> TraceRows {
    let located = segment.locate(&[TraceId([7; 16])], usize::MAX).expect("intact").expect("one trace");
    let mut found = [TraceRows::default()];
    segment.read_located(&located, room, &mut found).expect("intact");
    let [found] = found;
    found
}

#[test]
fn a_trace_is_read_as_far_as_there_is_room() {
    for is_same in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let request = request(is_same);
        let segment = write(folder.path(), std::slice::from_ref(&request), 1);
        let [wanted] = Vec::from_iter(traces(&[request]).into_values()).try_into().expect("one trace");
        assert_same(read(&segment, &mut |_| true).rows, wanted);
        let (mut asked, mut left) = (0, 100 * LETTERS as u64);
        let cut = read(&segment, &mut |bytes| {
            asked += 1;
            left.checked_sub(bytes).map(|rest| left = rest).is_some()
        });
        assert!(cut.is_cut && (50..100).contains(&cut.rows.len()), "{}", cut.rows.len());
        assert_eq!(asked, cut.rows.len() + 1, "nothing is made for which there is no room");
    }
}

fn parts(segment: &Segment, filter: &ScanFilter) -> Vec<crate::segment::SegmentPart> {
    segment.parts(filter, &mut Pruned::default(), &|| false).expect("intact")
}

#[test]
fn a_heavy_row_group_is_read_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let segment = write(folder.path(), &[request(false)], 1);
    for trace_ids in [None, Some(vec![TraceId([7; 16])])] {
        let filter = ScanFilter { trace_ids, ..ScanFilter::default() };
        let parts = parts(&segment, &filter);
        // 3.6 MB: 256 KiB at a time in tests, or a page.
        assert!((5..20).contains(&parts.len()), "{}", parts.len());
        let request = ScanRequest { columns: vec![ScanColumn::SpanId], filter };
        let counts = ReadCounts::default();
        let rows = parts
            .iter()
            .map(|part| segment.read_part(part, &request, &ReadBounds::default(), &counts).expect("intact").num_rows());
        assert_eq!(rows.sum::<usize>(), SPANS);
    }
}

#[test]
fn what_is_written_out_is_read_in_pieces() {
    for is_same in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let segment = write(folder.path(), &[request(is_same)], 1);
        let columns = vec![ScanColumn::SpanId, ScanColumn::Attributes(Place::Span)];
        let request = ScanRequest { columns, filter: ScanFilter::default() };
        let counts = ReadCounts::default();
        let mut spans = 0;
        for part in parts(&segment, &request.filter) {
            let pieces = segment.narrow_part(&part, &request, &ReadBounds::default(), (u32::MAX, &counts));
            for piece in pieces.expect("intact") {
                let batch: RecordBatch = segment.read_narrowed(&piece, &request).expect("intact");
                let attributes = batch.column(1).as_any_dictionary();
                let texts = attributes.values().as_string::<i32>();
                let bytes: usize = (0..texts.len()).map(|at| texts.value(at).len()).sum();
                // 64 KiB in tests, and what lies around the long texts.
                assert!(bytes <= 100 << 10, "{bytes}");
                spans += batch.num_rows();
            }
        }
        assert_eq!(spans, SPANS);
    }
}
