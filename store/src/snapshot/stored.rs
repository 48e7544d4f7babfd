//! A segment in the store: deleted from disk once it is retired and no snapshot names it any more.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;

use super::{
    kind::SegmentKind,
    repeats::Repeats,
    view::{View, Views},
};
use crate::{
    archive::{Archive, ArchiveError},
    catalog::ArchivedSegment,
    disk::Disk,
    segment::{Segment, SegmentId},
};

/// A segment, its directory, and whether the catalog has let go of it.
#[derive(Debug)]
pub(crate) struct StoredSegment<S = Segment> {
    segment: Arc<S>,
    path: PathBuf,
    disk: Disk,
    retired: AtomicBool,
    unmergeable: AtomicBool,
    damaged: AtomicBool,
    unrepairable: AtomicBool,
    /// Where it goes instead of being deleted.
    set_aside: OnceLock<PathBuf>,
    read_errors: Mutex<Repeats>,
}

impl<S> StoredSegment<S> {
    /// A registered segment at `path`.
    pub(crate) fn new(segment: S, path: PathBuf, disk: Disk) -> Self {
        Self {
            segment: Arc::new(segment),
            path,
            disk,
            retired: AtomicBool::new(false),
            unmergeable: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            unrepairable: AtomicBool::new(false),
            set_aside: OnceLock::new(),
            read_errors: Mutex::default(),
        }
    }

    /// One whose rows are in the archive, and what else there is of it at `path`. Nobody merges or mends it here.
    pub(crate) fn archived(segment: S, path: PathBuf, disk: &Disk) -> Self {
        let stored = Self::new(segment, path, disk.clone());
        stored.set_unmergeable();
        stored.set_unrepairable();
        stored
    }

    /// The segment itself, for merging.
    pub(crate) fn segment(&self) -> &Arc<S> {
        &self.segment
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A merge of it failed, and would again.
    pub(crate) fn set_unmergeable(&self) {
        self.unmergeable.store(true, Ordering::Relaxed);
    }

    /// Whether merging is worth a try.
    pub(crate) fn is_mergeable(&self) -> bool {
        !self.unmergeable.load(Ordering::Relaxed)
    }

    /// Somebody read it and found that bytes are not what was written: what is left is to be saved.
    pub(crate) fn set_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Whether damage was found in it, to be saved or not.
    pub(crate) fn has_damage(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Saving what is left failed, and would again, whoever meets the damage next.
    pub(crate) fn set_unrepairable(&self) {
        self.unrepairable.store(true, Ordering::Relaxed);
    }

    /// Whether there is something to save.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed) && !self.unrepairable.load(Ordering::Relaxed)
    }

    /// A read failed. When that is to be logged: how many did since the last line.
    pub(crate) fn read_failed(&self, now: Instant) -> Option<u64> {
        // Two numbers: a panic elsewhere cannot have left them half changed.
        self.read_errors.lock().happened(now)
    }

    /// As [`Self::retire`], but it goes to `path`: what is left of it may be worth a look.
    pub(crate) fn retire_to(&self, path: PathBuf) {
        // It is retired once.
        let _ = self.set_aside.set(path);
        self.retire();
    }

    /// The catalog does not list it any more: delete it when the last reader is done.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl<S> Deref for StoredSegment<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.segment
    }
}

/// A stored segment of whatever kind, as retention sees it.
pub(crate) trait Retained {
    /// Its id and items.
    fn listed(&self) -> (SegmentId, u64);

    /// From when on its age counts, Unix ns.
    fn counts_from_ns(&self) -> u64;

    /// Bytes on disk.
    fn size_bytes(&self) -> u64;

    /// Its first and last moment, Unix ns.
    fn time_ns(&self) -> (u64, u64);

    /// Takes it out of the view; it is deleted when the last snapshot that names it is gone.
    fn let_go(&self, views: &Views);

    /// Opens the archive's copy, which is to take its place. What is lost of that on local disk comes from the bucket first.
    fn stand_in(self: Arc<Self>, archive: &Archive, archived: &ArchivedSegment) -> Result<StandIn, ArchiveError>;
}

/// Puts the archive's copy in a segment's place, in one moment.
pub(crate) type StandIn = Box<dyn FnOnce(&Views)>;

impl<S: SegmentKind> Retained for StoredSegment<S> {
    fn listed(&self) -> (SegmentId, u64) {
        (self.segment.segment_id().clone(), self.segment.items())
    }

    fn counts_from_ns(&self) -> u64 {
        self.segment.aged_from_ns()
    }

    fn size_bytes(&self) -> u64 {
        self.segment.disk_bytes()
    }

    fn time_ns(&self) -> (u64, u64) {
        self.segment.moments_ns()
    }

    fn stand_in(self: Arc<Self>, archive: &Archive, archived: &ArchivedSegment) -> Result<StandIn, ArchiveError> {
        let copy = archive.mended(archived, || S::open_archived(archive, archived))?;
        let copy = Arc::new(StoredSegment::archived(copy, archive.path_of(&archived.id), &self.disk));
        Ok(Box::new(move |views| {
            let id = self.segment.segment_id();
            views.change(|view: &mut View| {
                let segments = S::of_view_mut(view, id.signal).entry(id.tenant.clone()).or_default();
                segments.retain(|segment| segment.segment.segment_id() != id);
                segments.push(copy.clone());
                segments.sort_by_key(|segment| segment.segment_id().first_file);
            });
            self.retire();
        }))
    }

    fn let_go(&self, views: &Views) {
        tracing::info!(segment = %self.path.display(), "retention deletes a segment");
        let id = self.segment.segment_id();
        views.change(|view: &mut View| {
            if let Some(segments) = S::of_view_mut(view, id.signal).get_mut(&id.tenant) {
                segments.retain(|segment| segment.segment.segment_id() != id);
            }
        });
        self.retire();
    }
}

impl<S> Drop for StoredSegment<S> {
    fn drop(&mut self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        let gone = match self.set_aside.get() {
            Some(to) => self.disk.rename(&self.path, to),
            None => self.disk.remove_folder(&self.path),
        };
        if let Err(error) = gone {
            // Not lost: the next start deletes directories that the catalog does not list.
            tracing::warn!(path = %self.path.display(), %error, "cannot delete a retired segment");
        }
    }
}
