//! What is appended, and what became of it.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_proto::{
    TenantId,
    metrics::{Exemplar, Histogram, Metadata},
};

use crate::{head::SeriesRef, note::Note, reject::RejectReason};

/// One frame: a scrape or a request, visible whole or not at all.
#[derive(Debug)]
pub struct MetricsBatch {
    /// Whose.
    pub tenant: TenantId,
    /// When it arrived, Unix ns.
    pub received_at_ns: u64,
    /// Floats.
    pub floats: Vec<FloatSample>,
    /// Native histograms.
    pub histograms: Vec<HistogramSample>,
    /// Examples of what series count.
    pub exemplars: Vec<(SeriesRef, Exemplar)>,
    /// What is said of families.
    pub metadata: Vec<Metadata>,
    /// Samples refused before they came here, by reason: the ledger counts them.
    pub rejected: Vec<(RejectReason, u32)>,
    /// What whoever writes wants to find again, durable together with the samples.
    pub notes: Vec<Note>,
    /// Nobody waits for an answer: it may wait four times `commit_delay_max` for others to share its sync.
    pub is_patient: bool,
}

impl MetricsBatch {
    /// Nothing of a tenant's.
    pub fn new(tenant: TenantId, received_at_ns: u64) -> Self {
        Self {
            tenant,
            received_at_ns,
            floats: Vec::new(),
            histograms: Vec::new(),
            exemplars: Vec::new(),
            metadata: Vec::new(),
            rejected: Vec::new(),
            notes: Vec::new(),
            is_patient: false,
        }
    }
}

/// A number of a series.
#[derive(Debug, Clone)]
pub struct FloatSample {
    /// Whose.
    pub series: SeriesRef,
    /// Unix ms.
    pub time_ms: i64,
    /// When what it counts began, Unix ms; 0 when nobody said.
    pub start_ms: i64,
    /// Kept bit for bit.
    pub value: f64,
}

/// A native histogram of a series.
#[derive(Debug, Clone)]
pub struct HistogramSample {
    /// Whose.
    pub series: SeriesRef,
    /// Unix ms.
    pub time_ms: i64,
    /// When what it counts began, Unix ms; 0 when nobody said.
    pub start_ms: i64,
    /// The histogram.
    pub histogram: Box<Histogram>,
}

/// Which sample of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleIndex {
    /// An index into its floats.
    Float(u32),
    /// An index into its histograms.
    Histogram(u32),
}

impl SampleIndex {
    /// The index among those of its kind.
    pub(crate) fn in_kind(self) -> u32 {
        match self {
            Self::Float(index) | Self::Histogram(index) => index,
        }
    }
}

/// What became of the samples of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsAppended {
    /// New.
    pub stored: u32,
    /// There already, with the same value: success.
    pub repeated: u32,
    /// Another value is at their time, and stays. Found among the samples that are not sealed yet.
    pub conflicts: Vec<SampleIndex>,
    /// Those of them whose time a sample of the same batch has, with that one.
    pub within: Vec<(SampleIndex, SampleIndex)>,
}

/// A batch on its way through the journal.
#[derive(Debug)]
pub(crate) struct SentFrame {
    pub(crate) floats: Vec<FloatSample>,
    pub(crate) histograms: Vec<HistogramSample>,
    pub(crate) exemplars: Vec<(SeriesRef, Exemplar)>,
    pub(crate) notes: Vec<Note>,
    /// Families that its payload tells of, and the version that the file has with them.
    pub(crate) families: Vec<Metadata>,
    pub(crate) families_version: Option<u64>,
    /// Where the samples were in the batch, when some of it were left out.
    pub(crate) places: Option<Places>,
    /// What was found before it was written.
    pub(crate) outcome: Arc<Mutex<MetricsAppended>>,
}

/// Indexes into the batch of what is left of it.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) floats: Vec<u32>,
    pub(crate) histograms: Vec<u32>,
}

impl SentFrame {
    /// Where a float was in the batch.
    pub(crate) fn float_index(&self, index: usize) -> SampleIndex {
        SampleIndex::Float(self.places.as_ref().map_or(index as u32, |places| places.floats[index]))
    }

    /// Where a histogram was in the batch.
    pub(crate) fn histogram_index(&self, index: usize) -> SampleIndex {
        SampleIndex::Histogram(self.places.as_ref().map_or(index as u32, |places| places.histograms[index]))
    }

    /// All series that it refers to.
    pub(crate) fn series(&self) -> impl Iterator<Item = &SeriesRef> {
        let floats = self.floats.iter().map(|sample| &sample.series);
        let histograms = self.histograms.iter().map(|sample| &sample.series);
        floats.chain(histograms).chain(self.exemplars.iter().map(|(series, _)| series))
    }
}
