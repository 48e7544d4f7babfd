//! What the store says of its archive, and does in it when it is asked to.

use weir_proto::{Signal, TenantId};

use super::Store;
use crate::{
    archive::{Archive, ArchiveCheck, Keys},
    catalog::{ArchivedSegment, Stage},
    segment::SegmentId,
    snapshot::stored::Retained,
};

/// Ranges that stay on local disk at most, of all signals.
const PINS_MAX: usize = 1000;

/// Where a segment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPlace {
    /// Whose items.
    pub signal: Signal,
    /// Its id.
    pub id: String,
    /// Rows, or samples.
    pub rows: u64,
    /// Bytes on local disk; `None` when it is not there.
    pub local_bytes: Option<u64>,
    /// Its first and last moment, Unix ns.
    pub time_ns: (u64, u64),
    /// In the archive: `uploaded`, `committed`; `None` when it is not there.
    pub archived: Option<&'static str>,
    /// The object with its rows.
    pub object: Option<String>,
    /// Bytes of its objects.
    pub archived_bytes: u64,
    /// Whether it stays on local disk because somebody wants it there.
    pub pinned: bool,
}

/// How the archive fares.
#[derive(Debug, Clone)]
pub struct ArchiveStatus {
    /// Where it is.
    pub url: String,
    /// Whether it did not answer lately.
    pub is_away: bool,
    /// Of each signal that goes there.
    pub signals: Vec<ArchivedSignal>,
    /// Ranges that stay on local disk.
    pub pins: Vec<PinStatus>,
    /// What failed lately and is tried again: what, and why.
    pub failing: Vec<(String, String)>,
    /// The last check.
    pub check: ArchiveCheck,
}

/// A range that stays on local disk, and what of a tenant's segments in it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinStatus {
    /// Of which signal.
    pub signal: Signal,
    /// From, Unix ns.
    pub from_ns: u64,
    /// To, included.
    pub to_ns: u64,
    /// All that have something in it.
    pub all: Share,
    /// Those of them that are on local disk: the others are on their way there.
    pub here: Share,
}

/// What of a signal is in the archive, of one tenant.
#[derive(Debug, Clone)]
pub struct ArchivedSignal {
    /// Which.
    pub signal: Signal,
    /// Segments that are on local disk only.
    pub waiting: Share,
    /// Uploaded, and not in the table yet.
    pub uploaded: Share,
    /// In the table.
    pub committed: Share,
    /// Out of the table; objects wait for the grace.
    pub removed: Share,
    /// Seconds that the oldest item is overdue.
    pub lag_s: u64,
}

/// So much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Segments.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Share {
    fn add(&mut self, rows: u64, bytes: u64) {
        self.segments += 1;
        self.rows += rows;
        self.bytes += bytes;
    }
}

impl Store {
    /// Every segment of a tenant, oldest first within a signal: what is where.
    pub fn segments(&self, tenant: &TenantId) -> Vec<SegmentPlace> {
        let shared = &self.0.shared;
        let view = shared.views.current();
        let archive = shared.archive.as_ref();
        let known = |id: &SegmentId| archive.and_then(|archive| archive.known(id));
        let is_kept = |known: Option<&ArchivedSegment>| {
            let key = known.map(Archive::read_key);
            archive.zip(key).is_some_and(|(archive, key)| archive.kept.file(&key).is_some())
        };
        let mut places = Vec::new();
        for signal in Signal::WITH_ROWS {
            for segment in view.segments(signal).get(tenant).into_iter().flatten() {
                let archived = known(segment.id());
                let local_bytes = match segment.is_archived() {
                    false => Some(segment.bytes()),
                    true => is_kept(archived.as_ref()).then(|| segment.bytes()),
                };
                let time_ns = segment.start_ns().unwrap_or((0, 0));
                let mut place = place_of(archived.as_ref(), signal, segment.id().to_string(), segment.rows(), time_ns);
                place.local_bytes = local_bytes;
                place.pinned = archive.is_some_and(|archive| archive.is_pinned(signal, time_ns));
                places.push(place);
            }
        }
        for segment in view.metrics.segments_of(tenant) {
            let id = segment.listed().0;
            let of_archive = known(&id);
            let mut place =
                place_of(of_archive.as_ref(), Signal::Metrics, id.to_string(), segment.samples(), segment.time_ns());
            let is_here = !segment.is_archived() || is_kept(of_archive.as_ref());
            place.local_bytes = is_here.then(|| segment.size_bytes());
            place.pinned = archive.is_some_and(|archive| archive.is_pinned(Signal::Metrics, segment.time_ns()));
            places.push(place);
        }
        places
    }

    /// How the archive fares for a tenant; `None` without one.
    pub fn archive_status(&self, tenant: &TenantId) -> Option<ArchiveStatus> {
        let shared = &self.0.shared;
        let archive = shared.archive.as_ref()?;
        let view = shared.views.current();
        let retained = view.retained();
        let signals = Signal::ALL.into_iter().map(|signal| {
            let mut status = ArchivedSignal {
                signal,
                waiting: Share::default(),
                uploaded: Share::default(),
                committed: Share::default(),
                removed: Share::default(),
                lag_s: crate::upkeep::archiver::lag_s(shared, archive, signal),
            };
            for segment in &retained {
                let (id, items) = segment.listed();
                if id.signal == signal && id.tenant == *tenant && items > 0 && archive.known(&id).is_none() {
                    status.waiting.add(items, segment.size_bytes());
                }
            }
            for known in archive.all_known() {
                if known.id.signal == signal && known.id.tenant == *tenant {
                    let share = match known.stage {
                        Stage::Uploaded => &mut status.uploaded,
                        Stage::Committed => &mut status.committed,
                        Stage::Removed | Stage::Changed => &mut status.removed,
                    };
                    share.add(known.rows, known.bytes);
                }
            }
            status
        });
        let pins = archive.all_pins();
        let places = if pins.is_empty() { Vec::new() } else { self.segments(tenant) };
        Some(ArchiveStatus {
            url: archive.options.url.clone(),
            is_away: archive.bucket.is_away(),
            signals: signals.collect(),
            pins: pins.into_iter().map(|pin| pin_status(&places, pin)).collect(),
            failing: archive.resting.told(tenant),
            check: archive.check_status(),
        })
    }

    /// Begins to look whether the bucket has what the catalog says, unless that is under way; `None` without an archive.
    pub fn check_archive(&self, deep: bool) -> Option<ArchiveCheck> {
        Some(self.0.shared.archive.as_ref()?.begin_check(deep))
    }

    /// Keeps what a signal has in a range of time (Unix ns, both included) on local disk, or, with `is_wanted` false, no more. Segments that
    /// have left it already are brought back in the background. May wait for the catalog; `None` without an archive.
    pub fn pin(&self, signal: Signal, (from_ns, to_ns): (u64, u64), is_wanted: bool) -> Option<Result<(), String>> {
        let shared = &self.0.shared;
        let archive = shared.archive.as_ref()?;
        let pins = archive.all_pins();
        if is_wanted && pins.len() >= PINS_MAX && !pins.contains(&(signal, from_ns, to_ns)) {
            return Some(Err(format!("{PINS_MAX} ranges are pinned, and no more can be: unpin some")));
        }
        let changed = shared.runtime.block_on(async {
            match is_wanted {
                true => shared.catalog.pin(signal, from_ns, to_ns).await?,
                false => drop(shared.catalog.unpin(signal, from_ns, to_ns).await?),
            }
            shared.catalog.pins().await
        });
        Some(changed.map(|pins| archive.set_pins(pins)).map_err(|error| error.to_string()))
    }
}

/// What of these segments a pinned range has.
fn pin_status(places: &[SegmentPlace], (signal, from_ns, to_ns): (Signal, u64, u64)) -> PinStatus {
    let (mut all, mut here) = (Share::default(), Share::default());
    let is_within = |place: &SegmentPlace| place.time_ns.0 <= to_ns && from_ns <= place.time_ns.1;
    for place in places.iter().filter(|place| place.signal == signal && is_within(place)) {
        all.add(place.rows, place.local_bytes.unwrap_or(place.archived_bytes));
        if let Some(bytes) = place.local_bytes {
            here.add(place.rows, bytes);
        }
    }
    PinStatus { signal, from_ns, to_ns, all, here }
}

fn place_of(
    archived: Option<&ArchivedSegment>,
    signal: Signal,
    id: String,
    rows: u64,
    time_ns: (u64, u64),
) -> SegmentPlace {
    SegmentPlace {
        signal,
        id,
        rows,
        local_bytes: None,
        time_ns,
        archived: archived.map(|archived| archived.stage.name()),
        object: archived.map(|archived| Keys::of(&archived.id, &archived.name).rows),
        archived_bytes: archived.map_or(0, |archived| archived.bytes),
        pinned: false,
    }
}
