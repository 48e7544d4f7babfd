//! Reads one trace as rows of a waterfall, within bounds.

use weir_store::ScanColumn;

use super::asked::Because;
use crate::{
    explore::layout::{Draft, Finds, Layout, SPAN_BYTES, request},
    http::{answer::Failure, call::Call, view::View},
};

/// A trace, and what was left out of it.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) layout: Layout,
    /// At least.
    pub(super) left_out: u64,
    pub(super) is_damaged: bool,
    pub(super) because: Because,
}

/// The trace in the call's path. With `more` columns, `finds` says which spans are a match.
pub(super) fn laid(
    call: &Call,
    view: &dyn View,
    more: &[ScanColumn],
    finds: Option<Finds<'_>>,
) -> Result<Laid, Failure> {
    let id = call.trace_id()?;
    let batches = view.scan(&call.tenant, request(id, more));
    let (mut draft, mut because, mut left_out) = (Draft::default(), Because::default(), 0);
    for part in 0..batches.parts_rows_max().len() {
        if call.is_late() {
            because.late(true);
            break;
        }
        let batch = batches.read(part);
        let bytes = batch.num_rows() as u64 * SPAN_BYTES;
        if draft.spans.len() + batch.num_rows() > call.trace_rows_max || !call.has_room(bytes) {
            because.add(true, "query.trace_rows_max or query.answer_bytes_max");
            left_out += batch.num_rows() as u64;
            continue;
        }
        draft.add(&batch, finds);
    }
    let is_damaged = batches.is_partial();
    because.damaged(is_damaged, call);
    Ok(Laid { layout: draft.lay_out(), left_out, is_damaged, because })
}
