//! Where lines leave operators: times are looked at, then the batch has them.

use std::{collections::VecDeque, time::Duration};

use super::batch::BatchBuilder;
use crate::operators::{Entry, Origin, Value};

/// The attribute that keeps a time which is not taken.
const TIME: &str = "weir.log.time";
/// The attribute that says so.
const TIME_OUTSIDE: &str = "weir.log.time_outside";

/// The attribute of lines of which something is left out.
pub(super) const CUT: &str = "weir.log.cut";

/// A full batch takes no line that would make it larger than this: operators let go of many at once.
const BATCH_BYTES_MAX: usize = if cfg!(test) { 16 << 10 } else { 48 << 20 };

/// A line that is larger than a frame may have is cut so that no value has more than this, or a half, or a quarter.
const VALUE_BYTES_MAX: usize = 16 << 20;

/// Attributes of such a line.
const ATTRIBUTES_MAX: usize = 1024;

/// The way out.
pub(super) struct Outlet {
    pub(super) batch: BatchBuilder,
    accept_past_ns: u64,
    accept_future_ns: u64,
    /// Lines whose time was not taken, since this was asked.
    pub(super) outside: u64,
    /// Lines of which something was left out, since this was asked.
    pub(super) cut: u64,
    /// Lines for the next batch.
    waiting: VecDeque<Entry<'static>>,
}

impl Outlet {
    /// Takes times that storage takes; others are kept as an attribute.
    pub(super) fn new(accept_past: Option<Duration>, accept_future: Option<Duration>) -> Self {
        let ns =
            |limit: Option<Duration>| limit.map_or(u64::MAX, |limit| limit.as_nanos().try_into().unwrap_or(u64::MAX));
        Self {
            batch: BatchBuilder::new(),
            accept_past_ns: ns(accept_past),
            accept_future_ns: ns(accept_future),
            outside: 0,
            cut: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Takes a line.
    pub(super) fn push(&mut self, mut entry: Entry<'_>) {
        let now_ns = entry.observed_ns;
        let is_outside = entry.time_ns > 0
            && (entry.time_ns < now_ns.saturating_sub(self.accept_past_ns)
                || entry.time_ns > now_ns.saturating_add(self.accept_future_ns));
        if is_outside {
            let side = if entry.time_ns < now_ns { "past" } else { "future" };
            entry.write_out();
            entry.attributes.set(TIME, Value::Int(i64::try_from(entry.time_ns).unwrap_or(i64::MAX)));
            entry.attributes.set(TIME_OUTSIDE, Value::text(side));
            entry.time_ns = 0;
            self.outside += 1;
        }
        let is_too_much = || self.batch.bytes() + entry.bytes() > BATCH_BYTES_MAX;
        match !self.waiting.is_empty() || (self.batch.is_full() && is_too_much()) {
            true => self.waiting.push_back(entry.into_owned()),
            false => self.add(entry),
        }
    }

    fn add(&mut self, mut entry: Entry<'_>) {
        let mut bytes_max = VALUE_BYTES_MAX;
        while !self.batch.push(&entry) {
            if bytes_max == VALUE_BYTES_MAX {
                self.cut += 1;
                entry.write_out();
            }
            for fields in [&mut entry.attributes, &mut entry.resource] {
                fields.retain(|name| name.len() <= bytes_max);
                fields.cut(ATTRIBUTES_MAX);
                fields.iter_mut().for_each(|value| value.cut(bytes_max));
            }
            entry.body.cut(bytes_max);
            entry.attributes.set(CUT, Value::Bool(true));
            bytes_max /= 2;
        }
    }

    /// Lines that had no room in the batch before are in this one, as many as have.
    pub(super) fn refill(&mut self) {
        while !self.batch.is_full()
            && let Some(entry) = self.waiting.pop_front()
        {
            self.add(entry);
        }
    }

    /// Where lines came from that have no room in this batch.
    pub(super) fn held(&self, visit: &mut dyn FnMut(Origin)) {
        self.waiting.iter().flat_map(Entry::origins).for_each(visit);
    }

    /// Whether there are any.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
