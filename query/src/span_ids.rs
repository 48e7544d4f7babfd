//! Numbers the ids of a trace's spans as they come: what hangs on ids is then a list, and each id is hashed once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use weir_proto::SpanId;

/// No id.
const NONE: u32 = u32::MAX;

/// The ids of spans, numbered from 0. Keyed at random: senders choose them.
#[derive(Debug)]
pub(crate) struct SpanIds {
    numbers: HashMap<u64, u32, RandomState>,
    /// By the span's position.
    of_spans: Vec<u32>,
}

impl SpanIds {
    /// Of spans, one each.
    pub(crate) fn of(ids: impl ExactSizeIterator<Item = Option<SpanId>>) -> Self {
        let mut numbers = HashMap::with_capacity_and_hasher(ids.len(), RandomState::default());
        let mut of_spans = Vec::with_capacity(ids.len());
        for id in ids {
            let next = numbers.len() as u32;
            of_spans.push(id.map_or(NONE, |id| *numbers.entry(key(id)).or_insert(next)));
        }
        Self { numbers, of_spans }
    }

    /// Different ids.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether every span has an id, and none two.
    pub(crate) fn are_unique(&self) -> bool {
        self.len() == self.of_spans.len()
    }

    /// The number of a span's id.
    pub(crate) fn of_span(&self, position: usize) -> Option<usize> {
        let number = self.of_spans[position];
        (number != NONE).then_some(number as usize)
    }

    /// The number of an id that a span has.
    pub(crate) fn number(&self, id: SpanId) -> Option<usize> {
        self.numbers.get(&key(id)).map(|number| *number as usize)
    }
}

fn key(id: SpanId) -> u64 {
    u64::from_le_bytes(id.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbered_as_they_come() {
        let id = |number: u8| Some(SpanId([number; 8]));
        let ids = SpanIds::of([id(7), None, id(3), id(7)].into_iter());
        assert_eq!((0..4).map(|position| ids.of_span(position)).collect::<Vec<_>>(), [Some(0), None, Some(1), Some(0)]);
        assert_eq!((ids.number(SpanId([3; 8])), ids.number(SpanId([4; 8])), ids.len()), (Some(1), None, 2));
        assert!(!ids.are_unique() && !SpanIds::of([id(1), None].into_iter()).are_unique());
        assert!(SpanIds::of([id(1), id(2)].into_iter()).are_unique());
    }
}
