//! Questions to the head: the spans of a trace, the newest traces that fit a filter.

use std::{sync::Arc, time::Instant};

use weir_proto::{
    TenantId, TraceId,
    otlp::{
        messages::{common::v1::InstrumentationScope, resource::v1::Resource},
        traces::{Checks, scan},
    },
};

use super::{
    file::{HeadFile, HeadFrame},
    matching::AttributeConditions,
    summary::SpanSummary,
};
use crate::{Offset, ReadError, SpanFilter, SpanRecord, SpanState, search::NewestTraces};

impl HeadFile {
    /// The newest `rows_max` spans of a trace at or before `visible`, those in frames that cannot be read aside.
    pub(crate) fn trace(&self, tenant: &TenantId, id: TraceId, visible: Offset, rows_max: usize) -> Vec<SpanRecord> {
        let mut records = Vec::new();
        let mut wanted: Vec<u32> = Vec::new();
        let mut rows = self.trace_rows(tenant, id, visible);
        rows.truncate(rows_max);
        for frame_rows in rows.chunk_by(|(a, _), (b, _)| a.offset == b.offset) {
            wanted.clear();
            wanted.extend(frame_rows.iter().map(|(_, span)| span.ordinal));
            wanted.sort_unstable();
            let frame = frame_rows[0].0;
            if let Err(error) = self.decode(frame, &wanted, &mut records) {
                report(frame, &error);
            }
        }
        records
    }

    /// Offers the traces of spans that fit. Answers false when the deadline cut it short, or a frame cannot be read.
    pub(crate) fn search(
        &self,
        tenant: &TenantId,
        filter: &SpanFilter,
        visible: Offset,
        newest: &mut NewestTraces,
        deadline: Instant,
    ) -> bool {
        let operations = self.matching_operations(|operation| {
            operation.tenant == *tenant
                && filter.service.as_ref().is_none_or(|service| *operation.service == *service.as_bytes())
                && filter.name.as_ref().is_none_or(|name| *operation.name == *name.as_bytes())
                && filter.kind.is_none_or(|kind| operation.kind == kind)
        });
        if !operations.contains(&true) {
            return true;
        }
        let mut whole = true;
        let conditions = AttributeConditions::new(filter);
        let frames: Vec<&HeadFrame> = self.frames(visible).collect();
        let mut candidates: Vec<&SpanSummary> = Vec::new();
        for frame in frames.into_iter().rev() {
            if Instant::now() >= deadline {
                return false;
            }
            let floor_ns = newest.floor_ns();
            candidates.clear();
            candidates.extend(frame.spans.iter().filter(|span| {
                span.start_ns >= floor_ns
                    && operations.get(span.operation as usize) == Some(&true)
                    && fits_summary(span, filter)
            }));
            if candidates.is_empty() {
                continue;
            }
            if conditions.is_empty() {
                candidates.iter().for_each(|span| newest.offer(span.trace_id, span.start_ns));
                continue;
            }
            let searched = frame.payload.read(self.journal()).and_then(|payload| {
                let hopeless = !conditions.may_match(&payload);
                if hopeless { Ok(()) } else { offer_matching(&payload, &candidates, &conditions, newest) }
            });
            if let Err(error) = searched {
                report(frame, &error);
                whole = false;
            }
        }
        whole
    }

    fn decode(&self, frame: &HeadFrame, ordinals: &[u32], records: &mut Vec<SpanRecord>) -> Result<(), ReadError> {
        let payload = frame.payload.read(self.journal())?;
        let mut resource: Option<(u32, Arc<Resource>)> = None;
        let mut scope: Option<(u32, Arc<InstrumentationScope>)> = None;
        scan(&payload, Checks::Journalled, |scanned| {
            if ordinals.binary_search(&scanned.ordinal).is_err() {
                return;
            }
            let resource = shared(&mut resource, scanned.resource_ordinal, || scanned.resource.to_message());
            let scope = shared(&mut scope, scanned.scope_ordinal, || scanned.scope.to_message());
            let span = scanned.span.to_message();
            records.push(SpanRecord { span, resource, scope, state: SpanState::Kept });
        })
        .map_err(|error| ReadError::Damaged(format!("frame {}: {error}", frame.offset)))
    }
}

/// A broken frame hurts only itself.
fn report(frame: &HeadFrame, error: &ReadError) {
    tracing::error!(offset = %frame.offset, %error, "a frame of the journal cannot be read; the rest is");
}

/// The message of `ordinal`, made once for all spans in a row that share it.
fn shared<M>(last: &mut Option<(u32, Arc<M>)>, ordinal: u32, make: impl FnOnce() -> M) -> Arc<M> {
    match last {
        Some((known, message)) if *known == ordinal => message.clone(),
        _ => last.insert((ordinal, Arc::new(make()))).1.clone(),
    }
}

fn fits_summary(span: &SpanSummary, filter: &SpanFilter) -> bool {
    filter.start_ns.contains(&span.start_ns)
        && filter.duration_ns.contains(&span.duration_ns)
        && filter.status_code.is_none_or(|code| i32::from(span.status_code) == code)
        && filter.status_code_not.is_none_or(|code| i32::from(span.status_code) != code)
}

/// Walks a payload and its candidates (both in ordinal order) side by side.
fn offer_matching(
    payload: &[u8],
    candidates: &[&SpanSummary],
    conditions: &AttributeConditions<'_>,
    newest: &mut NewestTraces,
) -> Result<(), ReadError> {
    let mut next = candidates.iter().peekable();
    scan(payload, Checks::Journalled, |scanned| {
        let Some(candidate) = next.next_if(|candidate| candidate.ordinal == scanned.ordinal) else {
            return;
        };
        if conditions.match_span(&scanned) {
            newest.offer(candidate.trace_id, candidate.start_ns);
        }
    })
    .map_err(|error| ReadError::Damaged(format!("payload in the journal: {error}")))
}
