//! A signal's lane on its way: what catalog and folders say of it, its journal's options, and what of the journal is missing.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use weir_proto::Signal;

use super::{
    Ground,
    rebuild::{is_behind, rebuild},
    segments,
};
use crate::{
    catalog::CatalogState,
    head::HeadFile,
    journal::{JournalOptions, Recovered, SourceCursors, Tallies, read_cursors},
    lane::{
        errors::OpenError,
        lane::{FRAME_BYTES_MAX, Laned},
        metrics::complete_copied,
        shared::journal_path,
    },
    ledger::{Tally, journal_tallies},
    segment::Segment,
    snapshot::{
        kind::SegmentKind,
        view::{SegmentsByTenant, Views},
    },
    upkeep::run::RUN_BYTES_MAX,
};

/// So much of a file of metrics is allocated in advance: it may become much larger, and mostly does not.
const METRICS_ALLOCATED_BYTES_MAX: u64 = 64 << 20;

/// A signal's lane on its way.
pub(super) struct OpeningLane<'a, S> {
    pub(super) ground: Ground<'a>,
    signal: Signal,
    pub(super) state: CatalogState,
    pub(super) segments: SegmentsByTenant<S>,
    pub(super) first_unsealed: u32,
}

impl<'a, S: SegmentKind> OpeningLane<'a, S> {
    /// What catalog and folders say of a signal. A folder from before there was such a signal says nothing, and goes on with it.
    pub(super) async fn of(signal: Signal, ground: Ground<'a>) -> Result<Self, OpenError> {
        let Ground { options, disk, catalog, archived, .. } = ground;
        let mut state = catalog.state(signal).await?;
        if state.first_unsealed_file.is_none() || is_behind(signal, &options.path, disk, &state)? {
            state = rebuild::<S>(signal, &options.path, disk)?;
            state.cursors = read_cursors(&journal_path(&options.path, signal));
            if let Some(archived) = archived {
                archived.add_to(signal, &mut state);
            }
            catalog.rebuild(signal, &state).await?;
        }
        let mut segments = segments::open(signal, ground, &mut state).await?;
        match archived {
            Some(archived) => archived.open_segments(signal, disk, &mut segments).await,
            // Its files there would not be what a merge made of it here.
            None => segments::keep_as_archived(catalog, &segments).await?,
        }
        let first_unsealed = state.first_unsealed_file.unwrap_or(1);
        Ok(Self { ground, signal, state, segments, first_unsealed })
    }

    pub(super) fn journal_options(&self) -> JournalOptions {
        let options = self.ground.options;
        let (file_bytes_max, file_age_max) = match self.signal {
            // A run is at least one file, and must fit a segment's builder.
            Signal::Traces | Signal::Logs => {
                (options.journal_file_bytes_max.min(RUN_BYTES_MAX), options.journal_file_age_max)
            }
            Signal::Metrics => (options.metrics_file_bytes_max, options.metrics_file_age_max),
        };
        JournalOptions {
            frame_bytes_max: FRAME_BYTES_MAX as u64,
            first_number: self.first_unsealed,
            opening: journal_tallies(&self.state.ledger),
            file_bytes_max,
            file_age_max,
            allocate_bytes_max: match self.signal {
                Signal::Metrics => METRICS_ALLOCATED_BYTES_MAX,
                _ => u64::MAX,
            },
            completing: (self.signal == Signal::Metrics).then_some(complete_copied),
            commit_delay_max: options.commit_delay_max,
            commit_bytes_max: options.commit_bytes_max,
            queue_bytes_max: options.append_queue_bytes_max,
            thread_name: match self.signal {
                Signal::Traces => "weir-journal",
                Signal::Logs => "weir-logs",
                Signal::Metrics => "weir-metrics",
            },
            // Tests count syncs: none may come by itself.
            #[cfg(test)]
            mark_delay: std::time::Duration::from_secs(3600),
            ..JournalOptions::new(journal_path(&options.path, self.signal), RandomState::new().build_hasher().finish())
        }
    }
}

impl OpeningLane<'_, Segment> {
    /// Counts what is missing, and puts what was found into the view.
    pub(super) async fn show<L: Laned>(
        &mut self,
        views: &Views,
        recovered: &Recovered,
        files: Vec<Arc<HeadFile<L>>>,
    ) -> Result<(), OpenError> {
        let add_damaged = |number: u32, lost: &Tallies| {
            let file = files.iter().find(|file| file.number() > number).or(files.last());
            file.inspect(|file| file.add_damaged(lost)).is_some()
        };
        self.count_missing(recovered, add_damaged).await?;
        let (segments, ledger) = (Arc::new(self.segments.clone()), Arc::new(self.state.ledger.clone()));
        let cursors = Arc::new(self.state.cursors.clone());
        views.change(|view| {
            let view = L::of_view_mut(view);
            // The newest file may be empty: it was rolled just before the stop.
            view.projected = files.iter().map(|file| file.end()).max().unwrap_or_default();
            view.files = files.clone();
            view.segments = segments.clone();
            view.sealed_ledger = ledger.clone();
            view.sealed_cursors = cursors.clone();
        });
        Ok(())
    }
}

impl<S> OpeningLane<'_, S> {
    /// Journal files that are gone were acknowledged: the ledger says so, with the next file that is sealed, or at once when
    /// there is none.
    pub(super) async fn count_missing(
        &mut self,
        recovered: &Recovered,
        // Adds what was lost to the first file behind a number; false when there is no file.
        add_damaged: impl Fn(u32, &Tallies) -> bool,
    ) -> Result<(), OpenError> {
        for missing in &recovered.missing {
            let signal = self.signal;
            tracing::error!(%signal, first = missing.first, last = missing.last, "journal files are missing; counted as damaged");
            if add_damaged(missing.last, &missing.tallies) {
                continue;
            }
            let mut lost = BTreeMap::new();
            for (tenant, count) in missing.tallies.iter() {
                lost.insert(tenant.clone(), Tally::lost(count));
            }
            let files = self.first_unsealed..missing.last + 1;
            self.ground.catalog.seal(signal, files, &[], &lost, &SourceCursors::default()).await?;
            self.first_unsealed = missing.last + 1;
            for (tenant, tally) in lost {
                self.state.ledger.entry(tenant).or_default().add(&tally);
            }
        }
        Ok(())
    }
}
