//! Large traces that were laid out a moment ago: whoever looks at one asks for window after window of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use weir_proto::{TenantId, TraceId};

use crate::explore::layout::Layout;

/// How long one is kept that nobody asks for.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Smaller traces are laid out before anybody notices.
const SPANS_MIN: usize = if cfg!(test) { 5 } else { 5_000 };

/// What is kept, least recently asked for first.
#[derive(Debug, Clone)]
pub(super) struct LaidTraces(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    bytes_max: u64,
    traces: Vec<KeptTrace>,
    /// Whether a task is there that lets go of what nobody asks for.
    is_watched: bool,
}

#[derive(Debug)]
struct KeptTrace {
    of: Laying,
    layout: Arc<Layout>,
    asked: Instant,
}

/// Which trace, and of which rows: see [`weir_store::Scan::identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Laying {
    pub(super) tenant: TenantId,
    pub(super) trace: TraceId,
    pub(super) identity: u64,
}

impl LaidTraces {
    /// Keeps no more than `bytes_max` bytes, about.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self(Arc::new(Mutex::new(Kept { bytes_max, traces: Vec::new(), is_watched: false })))
    }

    /// That trace as it was laid out, when its rows are the same still.
    pub(super) fn get(&self, of: &Laying, now: Instant) -> Option<Arc<Layout>> {
        let mut kept = self.0.lock();
        let at = kept.traces.iter().position(|trace| trace.of == *of)?;
        let mut trace = kept.traces.remove(at);
        trace.asked = now;
        let layout = Arc::clone(&trace.layout);
        kept.traces.push(trace);
        Some(layout)
    }

    /// Keeps a layout, when it is worth it and has room, in place of what the trace was before.
    pub(super) fn put(&self, of: Laying, layout: &Arc<Layout>, now: Instant) {
        let mut kept = self.0.lock();
        let bytes = layout.bytes();
        if layout.spans.len() < SPANS_MIN || bytes > kept.bytes_max {
            return;
        }
        kept.traces.retain(|trace| (&trace.of.tenant, trace.of.trace) != (&of.tenant, of.trace));
        while kept.bytes() + bytes > kept.bytes_max {
            kept.traces.remove(0);
        }
        kept.traces.push(KeptTrace { of, layout: Arc::clone(layout), asked: now });
        if !kept.is_watched
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            kept.is_watched = true;
            runtime.spawn(self.clone().watch());
        }
    }

    /// Lets go of what nobody asked for, until nothing is left.
    async fn watch(self) {
        loop {
            tokio::time::sleep(KEPT_FOR / 2).await;
            let mut kept = self.0.lock();
            kept.let_go(Instant::now());
            if kept.traces.is_empty() {
                kept.is_watched = false;
                return;
            }
        }
    }
}

impl Kept {
    fn bytes(&self) -> u64 {
        self.traces.iter().map(|trace| trace.layout.bytes()).sum()
    }

    fn let_go(&mut self, now: Instant) {
        self.traces.retain(|trace| now.saturating_duration_since(trace.asked) < KEPT_FOR);
        self.traces.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use weir_store::SpanRecord;

    use super::*;
    use crate::{
        batches::{Batches, held::HeldBatches},
        drawn,
        explore::layout::{Draft, columns, request},
    };

    fn layout(drawn: &str) -> Arc<Layout> {
        let rows: Vec<SpanRecord> = drawn::rows(drawn);
        let held = HeldBatches::of(&rows, &request(TraceId([1; 16]), columns()));
        let mut draft = Draft::default();
        for part in 0..held.parts_rows_max().len() {
            let batch: RecordBatch = held.read(part);
            draft.add(part, &batch);
        }
        Arc::new(draft.lay_out())
    }

    fn laying(trace: u8, identity: u64) -> Laying {
        Laying { tenant: TenantId::default(), trace: TraceId([trace; 16]), identity }
    }

    #[test]
    fn what_is_asked_for_is_kept_while_it_is_the_same() {
        let large = layout("web/a 1..9\n  web/b 1..2\n  web/c 2..3\n  web/d 3..4\n  web/e 4..5");
        let small = layout("web/a 1..9");
        let kept = LaidTraces::new(large.bytes() * 2);
        let now = Instant::now();
        kept.put(laying(1, 7), &large, now);
        kept.put(laying(2, 7), &small, now);
        assert!(kept.get(&laying(1, 7), now).is_some() && kept.get(&laying(1, 8), now).is_none());
        assert!(kept.get(&laying(2, 7), now).is_none(), "a small one is laid out anew");
        // One more of the same trace takes its place; of others, the one least recently asked for goes.
        kept.put(laying(1, 8), &large, now);
        assert!(kept.get(&laying(1, 7), now).is_none());
        kept.put(laying(3, 7), &large, now);
        assert!(kept.get(&laying(1, 8), now).is_some());
        kept.put(laying(4, 7), &large, now);
        assert!(kept.get(&laying(1, 8), now).is_some() && kept.get(&laying(3, 7), now).is_none());
        // What nobody asks for goes.
        let later = now + KEPT_FOR / 2;
        assert!(kept.get(&laying(4, 7), later).is_some());
        kept.0.lock().let_go(now + KEPT_FOR);
        assert!(kept.get(&laying(1, 8), later).is_none() && kept.get(&laying(4, 7), later).is_some());
        let none = LaidTraces::new(1);
        none.put(laying(1, 7), &large, now);
        assert!(none.get(&laying(1, 7), now).is_none());
    }
}
