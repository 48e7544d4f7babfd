//! A series as a snapshot has it: chunks of segments, oldest first, then what the head has.

use std::sync::Arc;

use weir_proto::metrics::Labels;

use super::{stored::StoredSegment, unread::Unread, view::View};
use crate::{
    ask::error::ReadError,
    head::{HeadCut, Series},
    samples::SeriesSamples,
    segment::{
        SegmentError,
        series::{ChunkRef, SeriesSegment},
    },
};

/// A segment with the chunks that one series has in it.
pub(crate) type SealedPart = (Arc<StoredSegment<SeriesSegment>>, Vec<ChunkRef>);

/// A series, as a snapshot has it. Its samples are read when they are asked for.
#[derive(Debug, Clone)]
pub struct StoredSeries {
    /// `None`: the head has them.
    labels: Option<Labels>,
    sealed: Vec<SealedPart>,
    head: Option<Arc<Series>>,
    around: Arc<Around>,
}

/// What all series of an answer have in common.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) cut: HeadCut,
    pub(crate) missing: Unread,
    /// What it names stays while this does.
    pub(crate) _view: Arc<View>,
}

impl Around {
    fn missed(&self, segment: &StoredSegment<SeriesSegment>, error: &SegmentError) {
        segment.report(error);
        self.missing.add(segment, error);
    }
}

impl StoredSeries {
    /// One that the head knows.
    pub(crate) fn of_head(series: Arc<Series>, around: &Arc<Around>) -> Self {
        Self { labels: None, sealed: Vec::new(), head: Some(series), around: around.clone() }
    }

    /// One of a segment.
    pub(crate) fn of_segment(labels: Labels, part: SealedPart, around: &Arc<Around>) -> Self {
        Self { labels: Some(labels), sealed: vec![part], head: None, around: around.clone() }
    }

    /// Takes in what a later source has of the same series.
    pub(crate) fn add(&mut self, later: &mut Self) {
        self.sealed.append(&mut later.sealed);
        if let Some(head) = later.head.take() {
            self.head = Some(head);
            self.labels = None;
        }
    }

    /// What names it.
    pub fn labels(&self) -> &Labels {
        match (&self.labels, &self.head) {
            (Some(labels), _) => labels,
            (None, Some(head)) => &head.labels,
            (None, None) => unreachable!("a series is of a segment or of the head"),
        }
    }

    /// Appends the samples from `from_ms` to `to_ms`, both included, in time order, one of each time: the first that arrived. Markers
    /// that end the series are among them. A damaged chunk is left out: [`Snapshot::is_metrics_damaged`] says so then.
    ///
    /// [`Snapshot::is_metrics_damaged`]: crate::snapshot::asked::Snapshot::is_metrics_damaged
    pub fn read(&self, from_ms: i64, to_ms: i64, into: &mut SeriesSamples) -> Result<(), ReadError> {
        let (floats, histograms) = (into.times_ms.len(), into.histograms.len());
        for (segment, chunks) in &self.sealed {
            for chunk in chunks.iter().filter(|chunk| chunk.overlaps((from_ms, to_ms))) {
                match segment.read_chunk(chunk, (from_ms, to_ms), into) {
                    Ok(()) => {}
                    // It hurts only itself.
                    Err(error @ SegmentError::Damaged { .. }) => self.around.missed(segment, &error),
                    Err(error) => {
                        self.around.missed(segment, &error);
                        return Err(read_error(segment, error));
                    }
                }
            }
        }
        if let Some(head) = &self.head {
            head.read(&self.around.cut, (from_ms, to_ms), into);
        }
        into.settle(floats, histograms);
        Ok(())
    }
}

/// Why a segment could not be read, for who asked.
pub(crate) fn read_error(segment: &StoredSegment<SeriesSegment>, error: SegmentError) -> ReadError {
    match error {
        SegmentError::Io { path, source } => ReadError::Io { what: path.display().to_string(), source },
        other => ReadError::Damaged(format!("{}: {other}", segment.path().display())),
    }
}
