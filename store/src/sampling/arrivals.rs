//! Taking frames in: each span goes to its trace's account, or follows a verdict that came before it.

use std::ops::Range;

use weir_proto::TraceId;

use super::{
    ArrivedSpan, TraceAccount,
    inbox::FedFrame,
    sampler::{LateSpans, Sampler, nanos},
    slots::SlotNo,
    table::Tracked,
    verdicts::FramePlace,
};
use crate::{head::SpanFrame, verdict::outcome::FrameTraces};

/// What neighbouring spans of one trace belong to.
enum Known {
    Pending(u32),
    /// Index among the late ones, and whether the verdict is durable.
    Late(usize, bool),
}

impl Sampler {
    /// Adds a frame's spans to their traces.
    pub(super) fn take_in(&mut self, fed: &FedFrame) {
        let frame = fed.frame();
        let now_ns = self.time.of_arrival(frame.offset.file(), frame.received_at_ns);
        let tenant = self.changes.tenant_number(&frame.tenant);
        self.traces.slots.begin_frame();
        self.operations.begin_frame(&fed.file);
        let mut rows = FrameTraces::with_capacity(frame.spans.len());
        let runs = frame.spans.chunk_by(|one, next| one.trace_id == next.trace_id);
        self.traces.look_ahead(tenant, runs.clone().map(|run| run[0].trace_id));
        let mut first = 0;
        for run in runs {
            let slot = match self.look_up(tenant, run[0].trace_id, frame, now_ns) {
                Known::Pending(number) => self.observe(number, (fed, frame), first..first + run.len(), now_ns),
                Known::Late(index, is_durable) => self.add_late(index, is_durable, run.len() as u64),
            };
            self.traces.slots.name(slot, run.len(), &mut rows);
            first += run.len();
        }
        self.changes.arrived(tenant, frame.spans.len() as u64);
        let set = frame.traces.set(rows);
        debug_assert!(set.is_ok(), "frame {} was taken in twice", frame.offset);
        self.taken_in = FramePlace { offset: frame.offset, in_group: fed.in_group };
    }

    /// Where spans of a trace belong: to an account, a new one if need be, or a verdict that came before it.
    fn look_up(&mut self, tenant: u32, id: TraceId, frame: &SpanFrame, now_ns: u64) -> Known {
        match self.traces.find(tenant, id) {
            Some(Tracked::Pending(number)) => Known::Pending(number),
            Some(Tracked::Decided(keep, position)) => {
                let trace = self.traces.decided(keep).get(position);
                let (outcome, is_durable) = (trace.outcome(keep), trace.file != 0);
                let slot = self.traces.slots.take();
                let late = if is_durable { &mut self.late } else { &mut self.late_unsettled };
                late.push(LateSpans { slot, tenant, outcome, spans: 0, offset: frame.offset });
                Known::Late(late.len() - 1, is_durable)
            }
            None => {
                let seat = &mut self.judges.current;
                seat.pending += 1;
                let due_ns = now_ns.saturating_add(nanos(seat.options.decision_wait));
                let trace = TraceAccount::new(id, seat.generation, now_ns);
                Known::Pending(self.traces.open(trace, tenant, frame.offset, due_ns))
            }
        }
    }

    /// Adds neighbouring rows of a frame to the account of the pending trace that they belong to.
    fn observe(
        &mut self,
        number: u32,
        (fed, frame): (&FedFrame, &SpanFrame),
        rows: Range<usize>,
        now_ns: u64,
    ) -> SlotNo {
        let account = &mut self.traces.accounts[number];
        let trace = &mut account.trace;
        let seat = self.judges.of(trace.generation);
        let generation = trace.generation;
        // Gathered here, not in the account: that would be written and read again for each span.
        let (mut bits, mut bytes, mut start_min_ns, mut end_max_ns) = (0, 0, u64::MAX, 0);
        let mut root = None;
        for row in rows.clone() {
            let (span, mark) = (&frame.spans[row], fed.mark(row, generation));
            bits |= mark.bits;
            bytes += u64::from(mark.bytes);
            start_min_ns = start_min_ns.min(span.start_ns);
            end_max_ns = end_max_ns.max(span.start_ns.saturating_add(span.duration_ns));
            if mark.is_root {
                root.get_or_insert(row);
            }
        }
        let is_new_root = root.is_some() && !trace.has_root;
        if is_new_root || trace.spans == 0 {
            let row = root.unwrap_or(rows.start);
            (trace.operation, _) = self.operations.get(&fed.file, frame.spans[row].operation);
        }
        trace.has_root |= is_new_root;
        trace.bits |= bits;
        trace.spans = trace.spans.saturating_add(rows.len() as u32);
        let bytes_before = trace.bytes;
        trace.bytes += bytes;
        trace.start_min_ns = trace.start_min_ns.min(start_min_ns);
        trace.end_max_ns = trace.end_max_ns.max(end_max_ns);
        if seat.observes {
            for row in rows.clone() {
                let span = &frame.spans[row];
                let (operation, texts) = self.operations.get(&fed.file, span.operation);
                let arrived = ArrivedSpan {
                    tenant: &frame.tenant,
                    mark: fed.mark(row, generation),
                    service: &texts.service,
                    name: &texts.name,
                    operation,
                    start_ns: span.start_ns,
                    duration_ns: span.duration_ns,
                    status_code: span.status_code,
                    arrived_ns: now_ns,
                };
                seat.judge.observe(&arrived, trace);
            }
        }
        let slot = account.slot;
        self.status.pending_spans += rows.len() as u64;
        self.status.pending_bytes += bytes;
        let bytes_max = seat.options.trace_bytes_max;
        if bytes_before <= bytes_max && trace.bytes > bytes_max {
            self.too_large.push((number, trace.trace_id));
        }
        if is_new_root && let Some(wait) = seat.options.decision_wait_after_root {
            self.traces.due_sooner(number, now_ns.saturating_add(nanos(wait)));
        }
        slot
    }

    /// Counts spans that came after their trace's verdict.
    fn add_late(&mut self, index: usize, is_durable: bool, spans: u64) -> SlotNo {
        let late = if is_durable { &mut self.late[index] } else { &mut self.late_unsettled[index] };
        late.spans += spans;
        late.slot
    }
}
