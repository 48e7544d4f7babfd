//! A series: its label set, the number that journal files know it by, its unsealed samples.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use parking_lot::Mutex;
use weir_proto::metrics::Labels;

use super::data::SeriesData;

/// A series that samples are sent for. Cheap to clone, to compare and to hash; while one is held the store keeps the series known.
#[derive(Clone)]
pub struct SeriesRef(pub(crate) Arc<Series>);

impl SeriesRef {
    /// What names it.
    pub fn labels(&self) -> &Labels {
        &self.0.labels
    }

    /// The time of its latest sample that is not sealed, Unix ms; the lowest number without any.
    pub fn last_ms(&self) -> i64 {
        self.0.last_ms()
    }
}

/// Two are equal when they are one: a store has one for each tenant and label set.
impl PartialEq for SeriesRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SeriesRef {}

impl Hash for SeriesRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for SeriesRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.labels().fmt(f)
    }
}

/// What the registry keeps of a series. In this order: what a scrape looks at lies together, beside the count of references, and what
/// a sample changes behind it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Series {
    /// Nothing in memory, or on its way there, is later. Read without the lock: what is later than this is no second sample of its time.
    pub(super) last_ms: AtomicI64,
    pub(crate) number: u64,
    /// The journal file that durably says what the number stands for.
    defined_in: AtomicU32,
    /// The group commit that last tried to say it.
    offered_in: AtomicU32,
    /// The last file that a sample of it came in.
    sampled_in: AtomicU32,
    /// The group commit that last had a sample of it.
    grouped_in: AtomicU32,
    pub(crate) labels: Labels,
    pub(super) data: Mutex<SeriesData>,
}

impl Series {
    pub(super) fn new(number: u64, labels: Labels) -> Self {
        Self {
            number,
            last_ms: AtomicI64::new(i64::MIN),
            defined_in: AtomicU32::new(0),
            offered_in: AtomicU32::new(0),
            sampled_in: AtomicU32::new(0),
            grouped_in: AtomicU32::new(0),
            data: Mutex::default(),
            labels,
        }
    }

    /// Whether a frame that goes to `file` in a group has to say what the number stands for. Only the committer asks.
    pub(crate) fn is_definition_due(&self, file: u32, group: u32) -> bool {
        if self.defined_in.load(Ordering::Relaxed) == file {
            return false;
        }
        self.offered_in.swap(group, Ordering::Relaxed) != group
    }

    /// A sample is about to be written in a group. Only the committer asks.
    pub(crate) fn offer(&self, time_ms: i64, group: u32) -> Offer {
        let is_first = self.grouped_in.load(Ordering::Relaxed) != group;
        if is_first {
            self.grouped_in.store(group, Ordering::Relaxed);
        }
        if time_ms > self.last_ms() {
            self.last_ms.store(time_ms, Ordering::Relaxed);
            return Offer::Latest;
        }
        if is_first { Offer::First } else { Offer::Further }
    }

    /// A file has it, durably.
    pub(crate) fn set_defined(&self, file: u32) {
        if self.defined_in.load(Ordering::Relaxed) != file {
            self.defined_in.store(file, Ordering::Relaxed);
        }
    }

    /// A sample came in a file: whether it is the first of the series there. Files come in their order.
    pub(crate) fn is_first_in(&self, file: u32) -> bool {
        self.sampled_in.load(Ordering::Relaxed) != file && self.sampled_in.swap(file, Ordering::Relaxed) != file
    }

    /// The latest time in memory.
    pub(crate) fn last_ms(&self) -> i64 {
        self.last_ms.load(Ordering::Relaxed)
    }

    /// Memory, about: itself and what it alone points to.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (size_of::<Self>() + 16 + self.labels.as_bytes().len()) as u64 + self.data.lock().heap_bytes() as u64
    }
}

/// What a sample is to its series before anybody looks closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Later than all: new.
    Latest,
    /// The only one of the group so far: what is in memory decides.
    First,
    /// There are others in the group.
    Further,
}

/// There are millions: with the counts of references it fills a size of the allocator's, and no more.
const _: () = assert!(size_of::<Series>() + 16 <= 224);
