//! What a body says of families: handed on when it is otherwise than last time.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use weir_proto::{
    exposition::{Entry, Exposition, TextFormat},
    metrics::{Metadata, MetricType},
};

/// Families that one target may say something of.
const FAMILIES_MAX: usize = 100_000;

/// A fingerprint of all that is said.
#[derive(Debug, Default)]
pub(super) struct Families {
    last: u64,
    now: u64,
}

impl Families {
    /// Takes note of a line.
    pub(super) fn note(&mut self, entry: &Entry<'_>) {
        let state = FixedState::with_seed(0);
        let hash = match entry {
            Entry::Help { family, text } => state.hash_one((0, &**family, &**text)),
            Entry::Type { family, metric_type } => state.hash_one((1, &**family, *metric_type)),
            Entry::Unit { family, unit } => state.hash_one((2, &**family, *unit)),
            Entry::Sample(_) => return,
        };
        self.now = self.now.rotate_left(5) ^ hash;
    }

    /// At the end of a body: what it says, if that is new.
    pub(super) fn finish(&mut self, body: &[u8], format: TextFormat, into: &mut Vec<Metadata>) {
        if self.now != self.last {
            self.last = self.now;
            *into = read(body, format);
        }
        self.now = 0;
    }

    /// The body is void.
    pub(super) fn give_up(&mut self) {
        self.now = 0;
    }
}

/// Everything that a body says, read once more: that is rare.
fn read(body: &[u8], format: TextFormat) -> Vec<Metadata> {
    let mut all: Vec<Metadata> = Vec::new();
    let mut exposition = Exposition::new(body, format);
    while let Ok(Some(entry)) = exposition.next(|_| None) {
        let name = match &entry {
            Entry::Help { family, .. } | Entry::Type { family, .. } | Entry::Unit { family, .. } => family,
            Entry::Sample(_) => continue,
        };
        // What is said of one family stands together.
        if all.last().is_none_or(|last| last.family != **name) {
            if all.len() == FAMILIES_MAX {
                break;
            }
            let family = name.clone().into_owned();
            let metric_type = MetricType::Unknown;
            all.push(Metadata { family, metric_type, unit: String::new(), help: String::new() });
        }
        let last = all.last_mut().expect("just put there");
        match entry {
            Entry::Help { text, .. } => last.help = text.into_owned(),
            Entry::Type { metric_type, .. } => last.metric_type = metric_type,
            Entry::Unit { unit, .. } => last.unit = unit.to_owned(),
            Entry::Sample(_) => {}
        }
    }
    all
}
