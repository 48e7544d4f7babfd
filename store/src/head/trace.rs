//! Asks the head for the spans of traces.

use std::sync::Arc;

use weir_proto::{
    TenantId, TraceId,
    otlp::{
        messages::{
            common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
            resource::v1::Resource,
        },
        traces::{ScannedSpan, scan_chosen},
    },
};

use super::{
    cut::Cut,
    spans::{SpanFile, SpanFrame, TraceRow},
};
use crate::{
    ask::{
        error::ReadError,
        span::{SpanRecord, SpanState},
    },
    verdict::{
        kept::{KeptBy, POLICY_ATTRIBUTE},
        outcome::SpanStanding,
    },
};

impl SpanFile {
    /// The visible rows of traces, frame by frame; of a single trace the newest `rows_max`. `None` when several have more than that.
    pub(crate) fn rows_of_traces(
        &self,
        tenant: &TenantId,
        ids: &[TraceId],
        cut: Cut<'_>,
        rows_max: usize,
    ) -> Option<Vec<(usize, TraceRow<'_>)>> {
        let mut rows = Vec::new();
        for (number, &id) in ids.iter().enumerate() {
            let mut of_trace = self.trace_rows(tenant, id, cut);
            if rows.len() + of_trace.len() > rows_max {
                if ids.len() > 1 {
                    return None;
                }
                of_trace.truncate(rows_max);
            }
            rows.extend(of_trace.into_iter().map(|row| (number, row)));
        }
        rows.sort_by_key(|(_, row)| (row.frame.offset, row.frame.spans[row.index].ordinal));
        Some(rows)
    }

    /// Hands out the spans of such rows, each with its trace's number; those in frames that cannot be read aside.
    pub(crate) fn read_rows(
        &self,
        rows: &[(usize, TraceRow<'_>)],
        cut: Cut<'_>,
        mut visit: impl FnMut(usize, SpanRecord),
    ) {
        for of_frame in rows.chunk_by(|(_, a), (_, b)| a.frame.offset == b.frame.offset) {
            let frame = of_frame[0].1.frame;
            if let Err(error) = self.decode(frame, of_frame, cut, &mut visit) {
                report(frame, &error);
            }
        }
    }

    fn decode(
        &self,
        frame: &SpanFrame,
        wanted: &[(usize, TraceRow<'_>)],
        cut: Cut<'_>,
        visit: &mut impl FnMut(usize, SpanRecord),
    ) -> Result<(), ReadError> {
        let payload = frame.payload.read(self.journal())?;
        let mut resource: Option<(u32, Arc<Resource>)> = None;
        let mut scope: Option<(u32, Arc<InstrumentationScope>)> = None;
        let ordinal_of = |row: &TraceRow<'_>| row.frame.spans[row.index].ordinal;
        let mut next = wanted.iter();
        scan_chosen(&payload, wanted.iter().map(|(_, row)| ordinal_of(row)), |scanned| {
            let Some((number, row)) = next.find(|(_, row)| ordinal_of(row) == scanned.ordinal) else { return };
            let resource = shared(&mut resource, scanned.resource_ordinal, || scanned.resource.to_message());
            let scope = shared(&mut scope, scanned.scope_ordinal, || scanned.scope.to_message());
            visit(*number, record(scanned, resource, scope, row.standing, &cut));
        })
        .map_err(|error| ReadError::Damaged(format!("frame {}: {error}", frame.offset)))
    }
}

/// A span as it will be in a segment, should it stay visible.
fn record(
    scanned: &ScannedSpan<'_>,
    resource: Arc<Resource>,
    scope: Arc<InstrumentationScope>,
    standing: SpanStanding,
    cut: &Cut<'_>,
) -> SpanRecord {
    let mut span = scanned.span.to_message();
    let trace_state = scanned.span.trace_state;
    let kept_by = standing.kept_by(cut);
    if let Some(kept_by) = &kept_by {
        span.attributes.retain(|attribute| attribute.key != POLICY_ATTRIBUTE);
        let value = Some(AnyValue { value: Some(Value::StringValue(kept_by.policy.to_owned())) });
        span.attributes.push(KeyValue { key: POLICY_ATTRIBUTE.to_owned(), value, ..KeyValue::default() });
        let mut text = Vec::new();
        if kept_by.rewrite_trace_state(trace_state, &mut text) {
            span.trace_state = String::from_utf8_lossy(&text).into_owned();
        }
    }
    SpanRecord {
        span,
        resource,
        scope,
        state: standing.state().unwrap_or(SpanState::Kept),
        adjusted_count: KeptBy::adjusted_count_of(kept_by.as_ref(), trace_state),
    }
}

/// A broken frame hurts only itself.
fn report(frame: &SpanFrame, error: &ReadError) {
    tracing::error!(offset = %frame.offset, %error, "a frame of the journal cannot be read; the rest is");
}

/// The message of `ordinal`, made once for all spans in a row that share it.
pub(super) fn shared<M>(last: &mut Option<(u32, Arc<M>)>, ordinal: u32, make: impl FnOnce() -> M) -> Arc<M> {
    match last {
        Some((known, message)) if *known == ordinal => message.clone(),
        _ => last.insert((ordinal, Arc::new(make()))).1.clone(),
    }
}
