//! Reads one trace as rows of a waterfall, within bounds, or takes it as it was laid out a moment ago.

use std::{sync::Arc, time::Instant};

use arrow_array::RecordBatch;
use weir_store::ScanColumn;

use super::asked::Because;
use crate::{
    explore::layout::{Draft, Layout, SPAN_BYTES, columns, request},
    http::{answer::Failure, call::Call, laid_traces::Laying, view::View},
};

/// A trace, and what was left out of it.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) layout: Arc<Layout>,
    /// At least.
    pub(super) left_out: u64,
    pub(super) is_damaged: bool,
    pub(super) because: Because,
    /// Of the scan: see [`weir_store::Scan::identity`].
    identity: u64,
}

/// The trace in the call's path.
pub(super) fn laid(call: &Call, view: &dyn View) -> Result<Laid, Failure> {
    let id = call.trace_id()?;
    let batches = view.scan(&call.tenant, request(id, columns()));
    let laying = Laying { tenant: call.tenant.clone(), trace: id, identity: batches.identity() };
    let identity = laying.identity;
    if let Some(layout) = call.laid_traces.get(&laying, Instant::now()) {
        return Ok(Laid { layout, left_out: 0, is_damaged: false, because: Because::default(), identity });
    }
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
        let names_before = draft.name_bytes();
        draft.add(part, &batch);
        if !call.has_room(draft.name_bytes() - names_before) {
            because.add(true, "query.answer_bytes_max");
            break;
        }
    }
    let is_damaged = batches.is_partial();
    because.damaged(is_damaged, call);
    let layout = Arc::new(draft.lay_out());
    if !because.is_partial() && !is_damaged {
        call.laid_traces.put(laying, &layout, Instant::now());
    }
    Ok(Laid { layout, left_out, is_damaged, because, identity })
}

impl Laid {
    /// By row, whether `finds` says so of a batch of these columns: it answers for each of the batch's spans.
    pub(super) fn rows_where(
        &mut self,
        call: &Call,
        view: &dyn View,
        columns: &[ScanColumn],
        finds: &dyn Fn(&RecordBatch) -> Vec<bool>,
    ) -> Result<Vec<bool>, Failure> {
        let batches = view.scan(&call.tenant, request(call.trace_id()?, columns.to_vec()));
        let mut found = vec![false; self.layout.spans.len()];
        // An index that cannot be read any more: its rows are no longer planned, and the others have other numbers.
        if batches.identity() != self.identity {
            self.is_damaged = true;
            self.because.damaged(true, call);
            return Ok(found);
        }
        let mut first_read = 0;
        for &(part, rows) in &self.layout.parts {
            if call.is_late() {
                self.because.late(true);
                break;
            }
            let mut of_part = Vec::with_capacity(rows);
            batches.read_in_pieces(part, &mut |batch, _| of_part.extend(finds(batch)));
            // Fewer when it cannot be read any more.
            if of_part.len() == rows {
                let of_rows = &self.layout.row_of_read[first_read..first_read + rows];
                of_rows.iter().zip(of_part).for_each(|(&row, is_found)| found[row as usize] |= is_found);
            }
            first_read += rows;
        }
        self.is_damaged |= batches.is_partial();
        self.because.damaged(self.is_damaged, call);
        Ok(found)
    }
}
