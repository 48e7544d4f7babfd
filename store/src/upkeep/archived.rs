//! Opens the archive: takes its prefix, learns what the catalog says of it, and, when the catalog is new, what the bucket holds.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::timeout;
use weir_proto::{Signal, time::Clock};

use crate::{
    archive::{ANSWERS_MAX, Archive, ArchiveError, FoundSegment, covers, is_damage},
    catalog::{ArchivedSegment, Catalog, CatalogState, Stage},
    disk::Disk,
    lane::errors::OpenError,
    options::StoreOptions,
    segment::{SegmentError, SegmentId},
    snapshot::{kind::SegmentKind, stored::StoredSegment, view::SegmentsByTenant},
};

/// The archive, as a start finds it.
#[derive(Debug)]
pub(crate) struct Archived {
    /// The archive.
    pub(crate) archive: Arc<Archive>,
    /// What was found in the bucket because the catalog knew nothing.
    found: Vec<FoundSegment>,
    /// Whether the bucket answered: if not, nothing is fetched while others wait for the start.
    answers: bool,
}

/// A bucket that accepts connections and says nothing does not keep a start for longer, when all that it is needed for is elsewhere.
const ANSWER_MAX: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 10 });

/// Opens it, if there is one.
///
/// # Errors
///
/// When another process has the prefix; when the catalog is new and the bucket does not answer, for then what would be sealed might
/// be called as something is called that is there.
pub(crate) async fn open(
    options: &StoreOptions,
    disk: &Disk,
    clock: &Clock,
    catalog: &Catalog,
) -> Result<Option<Archived>, OpenError> {
    let Some(of_archive) = options.archive.clone() else {
        let known = catalog.archived().await?.len();
        if known > 0 {
            tracing::warn!(
                known,
                "segments are in an archive, and storage.archive.url does not say where: answers lack them"
            );
        }
        return Ok(None);
    };
    let chosen = RandomState::new().build_hasher().finish() as i64;
    let instance = catalog.instance(chosen).await?.to_string();
    let archive = Arc::new(Archive::open(of_archive, &options.path, &instance, disk, clock)?);
    // Each by itself: a start that was cut off may have made the state of some.
    let mut new = Vec::new();
    for signal in Signal::ALL {
        if catalog.state(signal).await?.first_unsealed_file.is_none() {
            new.push(signal);
        }
    }
    let is_new = !new.is_empty();
    // Local segments go because the bucket has them: this one, not an empty folder where nothing is mounted today.
    let blank = timeout(ANSWER_MAX, archive.is_blank()).await;
    if !catalog.archived().await?.is_empty() && blank == Ok(true) {
        return Err(ArchiveError::Blank.into());
    }
    archive.expect_prefix(catalog).await?;
    let claimed = match is_new {
        true => archive.claim_and_note(catalog).await,
        false => timeout(ANSWER_MAX, archive.claim_and_note(catalog)).await.unwrap_or(Err(ArchiveError::Silent)),
    };
    let answers = claimed.is_ok();
    match claimed {
        Ok(()) => {}
        // What is here goes on without it, and the archiver waits for it.
        Err(error)
            if !is_new
                && !matches!(error, ArchiveError::InUse(_) | ArchiveError::Another | ArchiveError::UnreadableOwner) =>
        {
            tracing::error!(%error, "the archive does not answer: what is there is missing from answers until it does");
        }
        Err(error) => return Err(error.into()),
    }
    let mut found = Vec::new();
    if is_new {
        found = archive.restore().await?;
        found.retain(|found| new.contains(&found.segment.id.signal));
        let segments: Vec<ArchivedSegment> = found.iter().map(|found| found.segment.clone()).collect();
        catalog.restore_archived(&segments).await?;
    }
    archive.learn(catalog.archived().await?, catalog.pins().await?);
    Ok(Some(Archived { archive, found, answers }))
}

impl Archived {
    /// Adds what only the archive has to a state that was made from what is on local disk: its share of the ledger, and that journal files
    /// have other numbers than those it is made of.
    pub(crate) fn add_to(&self, signal: Signal, state: &mut CatalogState) {
        let here: Vec<SegmentId> = state.segments.iter().map(|(id, _)| id.clone()).collect();
        let is_here = |id: &SegmentId| here.iter().any(|other| other == id || covers(other, id));
        let mut first_unsealed = state.first_unsealed_file.unwrap_or(1);
        for found in self.found.iter().filter(|found| found.segment.id.signal == signal) {
            let id = &found.segment.id;
            first_unsealed = first_unsealed.max(id.last_file + 1);
            if is_here(id) {
                continue;
            }
            let newest_here = here.iter().filter(|other| other.tenant == id.tenant).map(|other| other.last_file).max();
            let tally = state.ledger.entry(id.tenant.clone()).or_default();
            match &found.ledger_after {
                // In order: the newest one's word is the last. It knows of runs that left no segment, too.
                Some(after) if newest_here.is_none_or(|newest| newest < id.last_file) => *tally = after.clone(),
                _ => tally.add(&found.tally),
            }
        }
        state.first_unsealed_file = Some(first_unsealed);
    }

    /// Whether a segment that is not here any more is there.
    pub(crate) fn has(&self, id: &SegmentId) -> bool {
        self.archive.known(id).is_some_and(|known| known.stage != Stage::Removed)
    }

    /// Opens the segments whose rows are in the archive only. One that cannot be opened is missing from answers, which say so, until it can.
    pub(crate) async fn open_segments<S: SegmentKind>(
        &self,
        signal: Signal,
        disk: &Disk,
        segments: &mut SegmentsByTenant<S>,
    ) {
        let known = self.archive.all_known();
        for archived in known.into_iter().filter(|archived| archived.id.signal == signal) {
            let of_tenant = segments.entry(archived.id.tenant.clone()).or_default();
            if let Some(here) = of_tenant.iter().find(|here| *here.segment_id() == archived.id) {
                here.set_unmergeable();
                continue;
            }
            // What it was merged into here has its rows, too.
            if archived.stage == Stage::Removed || of_tenant.iter().any(|here| covers(here.segment_id(), &archived.id))
            {
                continue;
            }
            // Those that it was merged from are in the table until it is.
            if archived.stage == Stage::Uploaded && !self.archive.merged_from(&archived.id).is_empty() {
                continue;
            }
            if archived.stage == Stage::Changed {
                self.archive.add_absent(archived);
                continue;
            }
            match self.open_segment::<S>(&archived).await {
                Ok(segment) => {
                    let path = self.archive.path_of(&archived.id);
                    of_tenant.push(Arc::new(StoredSegment::archived(segment, path, disk)));
                }
                Err(error) => {
                    tracing::error!(
                        id = %archived.id, tenant = %archived.id.tenant, %error,
                        "a segment in the archive cannot be opened: its rows are missing from answers until it can"
                    );
                    self.archive.add_absent(archived);
                }
            }
        }
        for of_tenant in segments.values_mut() {
            of_tenant.sort_by_key(|segment| segment.segment_id().first_file);
        }
    }

    async fn open_segment<S: SegmentKind>(&self, archived: &ArchivedSegment) -> Result<S, ArchiveError> {
        let mut opened = S::open_archived(&self.archive, archived);
        for _ in 0..ANSWERS_MAX {
            // What belongs here of it is lost or damaged: the bucket has it, too. An answer may be damaged on its way.
            let is_whole = !matches!(opened, Err(SegmentError::Damaged { .. } | SegmentError::Io { .. }));
            if !self.answers || is_whole {
                break;
            }
            match self.archive.fetch(archived.id.clone(), archived.name.clone()).await {
                Ok(_) => opened = S::open_archived(&self.archive, archived),
                Err(error) if is_damage(&error) => opened = Err(SegmentError::Damaged { what: error.to_string() }),
                Err(error) => return Err(error),
            }
        }
        Ok(opened?)
    }
}
