//! Opens the data folder: catalog, segments, journal, in the order in which each relies on the one before.

mod catalog;
mod lane;
mod metrics;
mod rebuild;
mod replay;
mod segments;
mod verdicts;

use std::sync::Arc;

use parking_lot::Mutex;
use weir_proto::{Signal, time::Clock};

use self::{lane::OpeningLane, replay::replay};
use super::{
    archived::{self, Archived},
    newer,
};
use crate::{
    catalog::{ArchivedSegment, Catalog},
    disk::Disk,
    head::{LineRows, PayloadBudget, Registry, SeriesLimits, SpanRows},
    journal::{Journal, Recovered},
    lane::{
        errors::OpenError,
        folder,
        lane::{Lane, RowsLane},
        publish::{logs_publisher, replay_logs, replay_traces, traces_publisher},
        shared::{Lanes, Opened, Shared, verdicts_path},
    },
    options::StoreOptions,
    sampling::{Checkpoint, SampledState, Sampling},
    snapshot::{
        series_view::MetricsView,
        view::{View, Views},
    },
};

/// So many bits of a series' number are for those that are made in the same millisecond.
const SERIES_PER_MS_BITS: u32 = 12;

/// Opens a folder, or makes it.
pub(crate) async fn open(
    disk: Disk,
    options: StoreOptions,
    sampling: Option<Arc<dyn Sampling>>,
    clock: Clock,
) -> Result<Shared, OpenError> {
    let folder = folder::open(&options.path, &disk)?;
    newer::refuse(&options.path)?;
    let catalog = catalog::open(&options.path, &disk).await?;
    let archived = archived::open(&options, &disk, &clock, &catalog).await?;
    let ground =
        Ground { options: &options, disk: &disk, clock: &clock, catalog: &catalog, archived: archived.as_ref() };
    let mut traces = OpeningLane::of(Signal::Traces, ground).await?;
    let mut logs = OpeningLane::of(Signal::Logs, ground).await?;
    let mut metrics = OpeningLane::of(Signal::Metrics, ground).await?;

    let sampled = Arc::new(SampledState::new(sampling.clone()));
    // Higher than the numbers of any run before: what recovery copies may go on in a file of this one.
    let first_number = (clock.now_ns() / 1_000_000) << SERIES_PER_MS_BITS;
    let registry = Arc::new(Registry::new(first_number, SeriesLimits::of(&options)));
    let of_metrics = MetricsView { registry, ..MetricsView::default() };
    let view = View { policies: sampled.names.clone(), metrics: of_metrics, ..View::default() };
    let views = Arc::new(Views::new(view));
    let budget = Arc::new(Mutex::new(PayloadBudget::new(options.head_payload_bytes_max)));
    let (mut sampler, verdicts_recovered) = verdicts::open(ground, &views, &sampled, &traces.state)?;

    let publish = traces_publisher(views.clone(), sampled.clone(), budget.clone());
    let (traces_journal, recovered) = Journal::open(traces.journal_options(), disk.clone(), clock.clone(), publish)?;
    let checkpoint = Checkpoint::read(&verdicts_path(&options.path));
    let mut replaying = sampler.begin_replay(&verdicts_recovered.files, checkpoint)?;
    let sampling_now = sampling.as_deref();
    let files = replay(
        &recovered,
        |file| replay_traces(file, sampling_now),
        |(file, frames)| {
            sampler.replay(&mut replaying, &file, frames);
            file
        },
    )?;
    budget.lock().add_all_replayed(&files);
    traces.show::<SpanRows>(&views, &recovered, files).await?;
    sampler.finish_replay(replaying);
    if sampling.is_some() || !verdicts_recovered.files.is_empty() {
        let (first_file, shift_ns) = sampler.begin_run(next_file(&recovered, traces.first_unsealed));
        match catalog.begin_run(first_file, shift_ns, traces.first_unsealed).await {
            // A full disk is no reason not to start: queries and retention go on. To the next start this run's time is the clock's.
            Err(error) if error.is_refusal() => tracing::error!(%error, "the catalog cannot note that a run begins"),
            begun => begun?,
        }
    }

    let publish = logs_publisher(views.clone(), budget.clone());
    let (logs_journal, recovered) = Journal::open(logs.journal_options(), disk.clone(), clock.clone(), publish)?;
    let files = replay(&recovered, |file| replay_logs(file, &options.line_ids), |file| file)?;
    logs.show::<LineRows>(&views, &recovered, files).await?;

    let metrics_journal = metrics::open(&mut metrics, &views).await?;

    let lanes = Lanes {
        traces: RowsLane::new(traces_journal, traces.first_unsealed),
        logs: RowsLane::new(logs_journal, logs.first_unsealed),
        metrics: Lane::new(Signal::Metrics, metrics_journal, metrics.first_unsealed),
    };
    let archive = archived.map(|archived| archived.archive);
    if let Some(archive) = &archive {
        let absent: Arc<[ArchivedSegment]> = archive.all_absent().into();
        views.change(|view| view.absent = absent.clone());
    }
    let opened = Opened { options, clock, disk, folder, catalog, lanes, views, sampled, sampler, budget, archive };
    Ok(Shared::new(opened))
}

/// What every lane is opened upon.
#[derive(Clone, Copy)]
struct Ground<'a> {
    options: &'a StoreOptions,
    disk: &'a Disk,
    clock: &'a Clock,
    catalog: &'a Catalog,
    archived: Option<&'a Archived>,
}

/// The first journal file that frames of this run can be in.
fn next_file(recovered: &Recovered, first_unsealed: u32) -> u32 {
    let next = recovered.files.last().map_or(1, |last| last.number() + u32::from(last.is_closed()));
    next.max(first_unsealed)
}
