//! Opens the verdict journal.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use super::Ground;
use crate::{
    catalog::CatalogState,
    journal::{Committed, Journal, JournalOptions, Recovered, SpareLimits},
    lane::{errors::OpenError, shared::verdicts_path},
    sampling::{SampledState, Sampler, Surroundings},
    snapshot::view::Views,
};

/// A file of the verdict journal is closed at this size.
const VERDICT_FILE_BYTES: u64 = if cfg!(test) { 2 << 10 } else { 16 << 20 };

/// A file of the verdict journal is closed at this age.
const VERDICT_FILE_AGE_MAX: Duration = Duration::from_secs(3600);

/// Opens the verdict journal, with a sampler that knows nothing yet.
pub(super) fn open(
    ground: Ground<'_>,
    views: &Arc<Views>,
    sampled: &Arc<SampledState>,
    state: &CatalogState,
) -> Result<(Sampler, Recovered), OpenError> {
    let Ground { options, disk, clock, .. } = ground;
    let journal_options = JournalOptions {
        file_bytes_max: VERDICT_FILE_BYTES,
        file_age_max: VERDICT_FILE_AGE_MAX,
        commit_delay_max: Duration::ZERO,
        // Small files, written with pauses: nothing to gain.
        spares: SpareLimits { files_max: 0, window: Duration::ZERO },
        thread_name: "weir-verdicts",
        is_measured: false,
        #[cfg(test)]
        mark_delay: Duration::from_secs(3600),
        ..JournalOptions::new(verdicts_path(&options.path), RandomState::new().build_hasher().finish())
    };
    let state_of_sampling = sampled.clone();
    let publish = move |committed: Vec<Committed<u32>>| {
        state_of_sampling.settle(committed.iter().map(|frame| (frame.entry.attachment, frame.offset.file())));
    };
    let (verdicts, recovered) = Journal::open(journal_options, disk.clone(), clock.clone(), publish)?;
    let around = Surroundings {
        views: views.clone(),
        state: sampled.clone(),
        verdicts: Arc::new(verdicts),
        verdict_file_bytes_max: VERDICT_FILE_BYTES,
        clock: clock.clone(),
    };
    Ok((Sampler::new(around, state.journal_runs.clone()), recovered))
}
