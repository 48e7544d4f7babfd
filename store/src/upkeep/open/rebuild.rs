//! Whether the catalog can be relied on, and what the folders say when it cannot.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use weir_proto::{Signal, TenantId};

use super::segments::{segment_folders, set_aside};
use crate::{
    catalog::CatalogState,
    disk::Disk,
    journal::Survey,
    lane::{errors::OpenError, shared::journal_path},
    ledger::Tally,
    segment::SegmentId,
    snapshot::kind::SegmentKind,
};

/// Whether the catalog is older than the segments (its write-ahead log was lost, or an old copy was put back): then it knows
/// nothing of segments whose journal files or inputs are gone already, and they must not be deleted.
pub(super) fn is_behind(signal: Signal, data: &Path, disk: &Disk, state: &CatalogState) -> Result<bool, OpenError> {
    let first_unsealed = state.first_unsealed_file.unwrap_or(1);
    let folders: BTreeSet<SegmentId> = segment_folders(signal, data, disk)?.into_iter().map(|(_, id)| id).collect();
    let listed: BTreeSet<SegmentId> = state.segments.iter().map(|(id, _)| id.clone()).collect();
    if folders.is_subset(&listed) {
        return Ok(false);
    }
    let journal = survey(signal, data, disk)?;
    let behind = folders.difference(&listed).find(|id| {
        let replaces_lost = listed.difference(&folders).any(|lost| covers(id, lost));
        replaces_lost || (id.first_file.max(first_unsealed)..=id.last_file).any(|file| !journal.numbers.contains(&file))
    });
    if let Some(id) = behind {
        tracing::error!(%id, tenant = %id.tenant, "the catalog is older than this segment; making it anew from the segments");
    }
    Ok(behind.is_some())
}

/// What the folders say when the catalog is lost. A run whose journal files all exist is sealed again; any other keeps its segments.
pub(super) fn rebuild<S: SegmentKind>(signal: Signal, data: &Path, disk: &Disk) -> Result<CatalogState, OpenError> {
    let mut state = CatalogState::default();
    let journal = survey(signal, data, disk)?;
    let mut found: Vec<S> = Vec::new();
    for (path, _) in segment_folders(signal, data, disk)? {
        match S::open_folder(&path) {
            Ok(segment) => found.push(segment),
            Err(error) => {
                tracing::error!(segment = %path.display(), %error, "set aside: damaged");
                set_aside(signal, data, disk, &path)?;
            }
        }
    }
    let mut first_unsealed = 1;
    let sealed_again = |id: &SegmentId, first_unsealed: u32| {
        id.first_file >= first_unsealed && (id.first_file..=id.last_file).all(|file| journal.numbers.contains(&file))
    };
    // What one tenant keeps may reach to files that another tenant's segment is made of: then that one is kept too.
    while let Some(kept) =
        (found.iter().map(S::segment_id)).find(|id| id.last_file >= first_unsealed && !sealed_again(id, first_unsealed))
    {
        first_unsealed = kept.last_file + 1;
    }
    state.first_unsealed_file = Some(first_unsealed);
    found.retain(|segment| segment.segment_id().last_file < first_unsealed);
    // A merger makes what it was made of superfluous.
    let covered = |id: &SegmentId| found.iter().any(|other| covers(other.segment_id(), id));
    let mut newest: BTreeMap<&TenantId, &S> = BTreeMap::new();
    for segment in found.iter().filter(|segment| !covered(segment.segment_id())) {
        let id = segment.segment_id();
        state.ledger.entry(id.tenant.clone()).or_default().add(segment.own_tally());
        state.segments.push((id.clone(), segment.items()));
        let newest = newest.entry(&id.tenant).or_insert(segment);
        if newest.segment_id().last_file < id.last_file {
            *newest = segment;
        }
    }
    // The newest segment knows the runs before it that left no segment, too.
    for (tenant, segment) in newest {
        if let Some(ledger) = segment.tally_after() {
            state.ledger.insert(tenant.clone(), ledger.clone());
        }
    }
    // The journal's files know how much was accepted before them, also by tenants whose segments are gone.
    if let Some(opening) = journal.opening(first_unsealed) {
        for (tenant, count) in opening.iter() {
            let tally = state.ledger.entry(tenant.clone()).or_default();
            tally.complete(Tally::of_count(count));
        }
    }
    Ok(state)
}

fn survey(signal: Signal, data: &Path, disk: &Disk) -> Result<Survey, OpenError> {
    let folder = journal_path(data, signal);
    Survey::of(disk, &folder).map_err(|source| OpenError::Io { path: folder, source })
}

/// Whether a segment was merged from `other` and its neighbours.
fn covers(id: &SegmentId, other: &SegmentId) -> bool {
    id.tenant == other.tenant
        && id.generation > other.generation
        && id.first_file <= other.first_file
        && other.last_file <= id.last_file
}
