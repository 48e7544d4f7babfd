//! A native histogram (Prometheus' `model/histogram`): sparse buckets of exponential or of custom bounds.

/// Counts are floats, which hold every integer count up to 2^53 exactly.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Whether it goes on from the one before.
    pub reset_hint: ResetHint,
    /// -4 to 8: each power of two has 2^schema buckets; -53: the bounds are `custom_values`.
    pub schema: i8,
    /// Values up to this far from zero are in the zero bucket.
    pub zero_threshold: f64,
    /// How many of them.
    pub zero_count: f64,
    /// How many values.
    pub count: f64,
    /// Of all values.
    pub sum: f64,
    /// Where the buckets of positive values lie.
    pub positive_spans: Vec<BucketSpan>,
    /// A count for each bucket of the spans.
    pub positive_counts: Vec<f64>,
    /// Where the buckets of negative values lie.
    pub negative_spans: Vec<BucketSpan>,
    /// A count for each.
    pub negative_counts: Vec<f64>,
    /// Upper bounds, ascending, without +Inf.
    pub custom_values: Vec<f64>,
    /// Whether it arrived with counts as floats: then they may be fractions, and its own kind of chunk keeps it.
    pub is_float: bool,
}

/// Neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BucketSpan {
    /// Buckets between the span before and this one; for the first, its index.
    pub offset: i32,
    /// How many.
    pub length: u32,
}

/// Whether counting began anew before this histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// The counts tell.
    #[default]
    Unknown,
    /// It did.
    Reset,
    /// It did not.
    NotReset,
    /// Nothing is counted up.
    Gauge,
}
