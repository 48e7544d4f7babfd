//! Where lines leave operators: times are looked at, then the batch has them.

use std::time::Duration;

use super::batch::BatchBuilder;
use crate::operators::{Entry, Value};

/// The attribute that keeps a time which is not taken.
const TIME: &str = "weir.log.time";
/// The attribute that says so.
const TIME_OUTSIDE: &str = "weir.log.time_outside";

/// The way out.
pub(super) struct Outlet {
    pub(super) batch: BatchBuilder,
    accept_past_ns: u64,
    accept_future_ns: u64,
    /// Lines whose time was not taken, since this was asked.
    pub(super) outside: u64,
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
        self.batch.push(&entry);
    }
}
