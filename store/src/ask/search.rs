//! Collects the newest traces that match, and tells what need not be looked at any more.

use std::collections::HashMap;

use weir_proto::TraceId;

/// The newest `limit` traces offered, by the start of their newest matching span.
#[derive(Debug)]
pub struct NewestTraces {
    limit: usize,
    newest_start_ns: HashMap<TraceId, u64>,
    floor_ns: u64,
    /// Something was added or became newer since the floor was set.
    changed: bool,
}

impl NewestTraces {
    /// Collects up to `limit` traces (at least 1).
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), newest_start_ns: HashMap::new(), floor_ns: 0, changed: false }
    }

    /// A span that matches.
    pub fn offer(&mut self, trace: TraceId, start_ns: u64) {
        if start_ns < self.floor_ns {
            return;
        }
        let newest = self.newest_start_ns.entry(trace).or_default();
        self.changed |= start_ns >= *newest;
        *newest = start_ns.max(*newest);
        // Pruned in bulk: once per `limit` further traces, not once per span.
        if self.newest_start_ns.len() >= self.limit.saturating_mul(2).saturating_add(16) {
            self.prune();
        }
    }

    /// Spans that start before this cannot change the result: skip what holds only such.
    pub fn floor_ns(&mut self) -> u64 {
        if self.newest_start_ns.len() >= self.limit {
            self.prune();
        }
        self.floor_ns
    }

    /// Newest first; ties by trace id, so that the same data gives the same answer.
    pub fn into_traces(self) -> Vec<TraceId> {
        self.into_newest().into_iter().map(|(trace, _)| trace).collect()
    }

    /// The same, each with the start of its newest span.
    pub fn into_newest(mut self) -> Vec<(TraceId, u64)> {
        self.prune();
        let mut traces: Vec<_> = self.newest_start_ns.into_iter().collect();
        traces.sort_by_key(|&(trace, start_ns)| (std::cmp::Reverse(start_ns), trace));
        traces
    }

    fn prune(&mut self) {
        if self.newest_start_ns.len() < self.limit || !self.changed {
            return;
        }
        self.changed = false;
        let mut traces: Vec<_> = self.newest_start_ns.drain().collect();
        traces.sort_by_key(|&(trace, start_ns)| (std::cmp::Reverse(start_ns), trace));
        traces.truncate(self.limit);
        self.floor_ns = traces.last().map_or(0, |&(_, start_ns)| start_ns);
        self.newest_start_ns = traces.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(n: u8) -> TraceId {
        TraceId([n; 16])
    }

    #[test]
    fn keeps_the_newest_and_raises_the_floor() {
        let mut newest = NewestTraces::new(2);
        newest.offer(trace(1), 10);
        assert_eq!(newest.floor_ns(), 0);
        newest.offer(trace(2), 30);
        newest.offer(trace(1), 20);
        assert_eq!(newest.floor_ns(), 20);
        newest.offer(trace(3), 15);
        newest.offer(trace(4), 25);
        assert_eq!(newest.into_traces(), [trace(2), trace(4)]);
    }

    #[test]
    fn without_a_limit_everything_is_kept() {
        let mut newest = NewestTraces::new(usize::MAX);
        (0..100).for_each(|n| newest.offer(trace(n), u64::from(n)));
        assert_eq!(newest.floor_ns(), 0);
        assert_eq!(newest.into_traces().len(), 100);
    }

    #[test]
    fn agrees_with_sorting_everything() {
        let offers: Vec<_> = (0..500u64).map(|n| (trace((n * 37 % 97) as u8), n * 7919 % 1009)).collect();
        let mut newest = NewestTraces::new(20);
        let mut best = HashMap::new();
        for &(id, start_ns) in &offers {
            newest.offer(id, start_ns);
            let entry = best.entry(id).or_insert(0);
            *entry = start_ns.max(*entry);
        }
        let mut expected: Vec<_> = best.into_iter().collect();
        expected.sort_by_key(|&(id, start_ns)| (std::cmp::Reverse(start_ns), id));
        let expected: Vec<_> = expected.into_iter().take(20).map(|(id, _)| id).collect();
        assert_eq!(newest.into_traces(), expected);
    }
}
