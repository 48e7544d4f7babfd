//! Opens the lane of metrics.

use std::sync::Arc;

use super::{Ground, lane::OpeningLane};
use crate::{
    head::SeriesFile,
    journal::{Journal, Tallies},
    lane::{
        errors::OpenError,
        metrics::{Definitions, SentFrame, publisher},
    },
    segment::series::SeriesSegment,
    snapshot::{series_view::Horizon, view::Views},
    upkeep::replay_samples,
};

/// Opens the journal of metrics, and reads it into the head.
pub(super) async fn open(
    opening: &mut OpeningLane<'_, SeriesSegment>,
    views: &Arc<Views>,
) -> Result<Journal<SentFrame>, OpenError> {
    let Ground { disk, clock, .. } = opening.ground;
    let registry = views.current().metrics.registry.clone();
    let definitions = Definitions::new(registry.clone());
    let publish = publisher(views.clone());
    let (journal, recovered) =
        Journal::open_with(opening.journal_options(), disk.clone(), clock.clone(), definitions, publish)?;
    let files = recovered.files.iter().map(|file| replay_samples::replay(file, &registry));
    let files: Vec<Arc<SeriesFile>> = files.collect::<Result<_, _>>()?;
    let add_damaged = |number: u32, lost: &Tallies| {
        let file = files.iter().find(|file| file.number() > number).or(files.last());
        file.inspect(|file| file.add_damaged(lost)).is_some()
    };
    opening.count_missing(&recovered, add_damaged).await?;
    let horizon = Arc::new(Horizon(files.iter().map(|file| file.end()).max().unwrap_or_default()));
    let ledger = Arc::new(opening.state.ledger.clone());
    for (tenant, segments) in &opening.segments {
        // The newest one tells of the families that were known when it was sealed.
        match segments.last().map_or(Ok(Vec::new()), |segment| segment.families()) {
            Ok(families) => registry.tenant(tenant).learn_older(&families, registry.limits()),
            Err(error) => tracing::error!(%tenant, %error, "what is known of metric families cannot be read"),
        }
        match segments.last().map_or(Ok(Vec::new()), |segment| segment.notes()) {
            Ok(notes) => registry.tenant(tenant).note_older(notes),
            Err(error) => tracing::error!(%tenant, %error, "notes cannot be read"),
        }
    }
    registry.complete_notes();
    let segments = Arc::new(opening.segments.clone());
    views.change(|view| {
        view.metrics.files = files.clone();
        view.metrics.segments = segments.clone();
        view.metrics.horizon = horizon.clone();
        view.metrics.sealed_ledger = ledger.clone();
    });
    Ok(journal)
}
