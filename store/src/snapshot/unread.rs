//! What the answers from one view lack: segments that could not be read, each with the reason, in words for who asked.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{kind::SegmentKind, stored::StoredSegment};
use crate::{
    catalog::{ArchivedSegment, Stage},
    segment::{SegmentError, SegmentId},
};

/// Segments that are named; those beyond are counted.
const NAMED_MAX: usize = 20;

/// Characters of a reason that are kept.
const REASON_CHARACTERS_MAX: usize = 200;

/// Collects them while a view is read; clones are one.
#[derive(Debug, Clone, Default)]
pub struct Unread(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// By signal, tenant and id.
    named: BTreeMap<(&'static str, String), String>,
    /// Errors of segments beyond those that are named.
    is_more: bool,
}

impl Unread {
    /// A segment could not be read. What was written to the log and counted before is told to who asked here.
    pub(crate) fn add<S: SegmentKind>(&self, segment: &StoredSegment<S>, error: &SegmentError) {
        let id = segment.segment_id();
        let what = match error {
            SegmentError::Damaged { what } => what.clone(),
            other => other.to_string(),
        };
        let what = match what.char_indices().nth(REASON_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}…", &what[..end]),
            None => what,
        };
        let place = if segment.segment().is_elsewhere() { "in the archive" } else { "on local disk" };
        let (items, signal) = (segment.items(), id.signal.name());
        self.note(id, || {
            format!("segment {id} of {signal} {place} cannot be read, up to {items} items are missing: {what}")
        });
    }

    /// A segment in the archive could not be opened when this process started, and not since.
    pub(crate) fn add_absent(&self, absent: &ArchivedSegment) {
        let (id, signal) = (&absent.id, absent.id.signal.name());
        self.note(id, || match absent.stage {
            Stage::Changed => format!(
                "others changed segment {id} of {signal} in the archive's table: what is left of it is there, and missing here"
            ),
            _ => format!("segment {id} of {signal} in the archive cannot be opened, what is in it is missing"),
        });
    }

    fn note(&self, id: &SegmentId, text: impl Fn() -> String) {
        let key = (id.signal.name(), format!("{} {id}", id.tenant));
        let mut found = self.0.lock();
        let is_full = found.named.len() == NAMED_MAX;
        match found.named.entry(key) {
            Entry::Occupied(_) => {}
            Entry::Vacant(_) if is_full => found.is_more = true,
            Entry::Vacant(entry) => drop(entry.insert(text())),
        }
    }

    /// Whether there is anything of a signal.
    pub(crate) fn has(&self, signal: weir_proto::Signal) -> bool {
        self.0.lock().named.keys().any(|(of, _)| *of == signal.name())
    }

    /// A sentence for each.
    pub fn told(&self) -> Vec<String> {
        let found = self.0.lock();
        let more = found.is_more.then(|| "further segments cannot be read".to_owned());
        found.named.values().cloned().chain(more).collect()
    }
}
