//! What a scan need not read, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What planning left out, by what told so. Reading nothing but catalog, footers and trace indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Segments of the tenant.
    pub segments: u64,
    /// Of these, outside the time range.
    pub segments_by_time: u64,
    /// Of these, without such an operation.
    pub segments_by_operation: u64,
    /// Of these, without such an attribute.
    pub segments_by_attribute: u64,
    /// Of these, without such a trace, says the trace-id index.
    pub segments_by_trace_index: u64,
    /// Segments that could not be read.
    pub segments_damaged: u64,
    /// Row groups of the segments that are left.
    pub row_groups: u64,
    /// Of these, left out by statistics.
    pub row_groups_by_statistics: u64,
    /// Of these, left out by the trace-id index.
    pub row_groups_by_trace_index: u64,
    /// The tenant's frames in the head.
    pub head_frames: u64,
    /// Of these, left out by time or trace.
    pub head_frames_pruned: u64,
}

impl Pruned {
    /// Segments that are read.
    pub fn segments_left(&self) -> u64 {
        let Self { segments_by_time, segments_by_operation, segments_by_attribute, segments_by_trace_index, .. } = self;
        let pruned = segments_by_time + segments_by_operation + segments_by_attribute + segments_by_trace_index;
        self.segments.saturating_sub(pruned + self.segments_damaged)
    }

    /// Row groups that are read.
    pub fn row_groups_left(&self) -> u64 {
        self.row_groups.saturating_sub(self.row_groups_by_statistics + self.row_groups_by_trace_index)
    }
}

impl std::fmt::Display for Pruned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segments={}/{}", self.segments_left(), self.segments)?;
        let segments = [
            ("time", self.segments_by_time),
            ("operation", self.segments_by_operation),
            ("attribute", self.segments_by_attribute),
            ("trace_index", self.segments_by_trace_index),
            ("damaged", self.segments_damaged),
        ];
        write_reasons(f, &segments)?;
        write!(f, ", row_groups={}/{}", self.row_groups_left(), self.row_groups)?;
        let groups = [("statistics", self.row_groups_by_statistics), ("trace_index", self.row_groups_by_trace_index)];
        write_reasons(f, &groups)?;
        write!(f, ", head_frames={}/{}", self.head_frames - self.head_frames_pruned, self.head_frames)
    }
}

fn write_reasons(f: &mut std::fmt::Formatter<'_>, reasons: &[(&str, u64)]) -> std::fmt::Result {
    let mut separator = " (pruned by ";
    for (reason, count) in reasons.iter().filter(|(_, count)| *count > 0) {
        write!(f, "{separator}{reason}: {count}")?;
        separator = ", ";
    }
    if separator == ", " { write!(f, ")") } else { Ok(()) }
}

/// What reading found and left out, counted as it goes.
#[derive(Debug, Default)]
pub struct ReadCounts {
    pub(crate) row_groups: AtomicU64,
    pub(crate) row_groups_by_bloom: AtomicU64,
    pub(crate) row_groups_by_values: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) head_payloads: AtomicU64,
    pub(crate) damaged: AtomicU64,
}

impl ReadCounts {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Row groups begun.
    pub fn row_groups(&self) -> u64 {
        self.row_groups.load(Ordering::Relaxed)
    }

    /// Of these, left out because a bloom filter says so.
    pub fn row_groups_by_bloom(&self) -> u64 {
        self.row_groups_by_bloom.load(Ordering::Relaxed)
    }

    /// Of these, left because no row fulfils the filter.
    pub fn row_groups_by_values(&self) -> u64 {
        self.row_groups_by_values.load(Ordering::Relaxed)
    }

    /// Rows that came out.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Payloads of the head that were scanned span by span.
    pub fn head_payloads(&self) -> u64 {
        self.head_payloads.load(Ordering::Relaxed)
    }

    /// Parts that could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }
}
