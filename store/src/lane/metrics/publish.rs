//! Makes committed samples visible: to their series first, then by one swap of the view.

use std::sync::Arc;

use super::batch::SentFrame;
use crate::{
    head::{Arrival, Arrived, Blocks, SeriesFile},
    journal::Committed,
    offset::Offset,
    snapshot::{
        series_view::{Horizon, Horizons},
        view::Views,
    },
};

/// What the committer of metrics calls after each fsync, before the acknowledgements.
pub(crate) fn publisher(views: Arc<Views>) -> impl FnMut(Vec<Committed<SentFrame>>) + Send + 'static {
    let mut horizons = Horizons::default();
    move |committed| publish(&views, &mut horizons, committed)
}

fn publish(views: &Views, horizons: &mut Horizons, committed: Vec<Committed<SentFrame>>) {
    let current = views.current();
    horizons.note(&current.metrics.horizon);
    let mut files = current.metrics.files.clone();
    let registry = current.metrics.registry.clone();
    drop(current);
    let known_files = files.len();
    let seen = horizons.seen();
    let mut projected = Offset::default();
    for frame in committed {
        let file = match files.last() {
            Some(file) if file.number() == frame.file.number() => file.clone(),
            _ => {
                files.push(Arc::new(SeriesFile::new(frame.file.clone(), registry.limits())));
                files[files.len() - 1].clone()
            }
        };
        let arrival = arrival(file.blocks(), frame.offset, seen);
        let (header, sent) = (frame.entry.header, frame.entry.attachment);
        if let Some(version) = sent.families_version {
            registry.tenant(&header.tenant).set_families_written(arrival.file(), version);
        }
        registry.tenant(&header.tenant).note(&sent.notes);
        let arrived = add_samples(arrival, sent);
        file.add(arrival, &header, arrived);
        projected = frame.offset;
    }
    let horizon = Arc::new(Horizon(projected));
    let added = &files[known_files..];
    views.change(|view| {
        view.metrics.files.extend_from_slice(added);
        view.metrics.horizon = horizon.clone();
    });
}

fn arrival(blocks: &Arc<Blocks>, offset: Offset, seen: Offset) -> Arrival<'_> {
    let seen = if seen.file() == offset.file() { seen.position() } else { 0 };
    Arrival { blocks, position: offset.position(), seen }
}

fn add_samples(arrival: Arrival<'_>, sent: SentFrame) -> Arrived {
    let file = arrival.file();
    let mut arrived = Arrived::default();
    // Which of them are new was decided before they were written.
    for sample in &sent.floats {
        let series = &sample.series.0;
        series.set_defined(file);
        series.add_float(arrival, (sample.time_ms, sample.start_ms), sample.value);
        arrived.count(&sample.series, file);
    }
    for sample in &sent.histograms {
        let series = &sample.series.0;
        series.set_defined(file);
        series.add_histogram(arrival, (sample.time_ms, sample.start_ms), &sample.histogram);
        arrived.count(&sample.series, file);
    }
    sent.outcome.lock().stored = (sent.floats.len() + sent.histograms.len()) as u32;
    sent.exemplars.iter().for_each(|(series, _)| series.0.set_defined(file));
    arrived.exemplars = sent.exemplars;
    arrived.metadata = sent.families;
    arrived
}

impl Arrived {
    /// A sample was stored.
    pub(crate) fn count(&mut self, series: &crate::head::SeriesRef, file: u32) {
        self.samples += 1;
        if series.0.is_first_in(file) {
            self.new_series.push(series.clone());
        }
    }
}
