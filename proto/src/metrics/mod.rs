//! What metrics are made of, after translation: label sets, samples, histograms, metadata. Time is Unix milliseconds.

mod histogram;
mod labels;
mod matcher;

pub use histogram::{BucketSpan, Histogram, ResetHint};
pub use labels::{Labels, LabelsError};
pub use matcher::{LabelMatcher, MatchOp};

/// The label that holds a series' metric name.
pub const METRIC_NAME: &str = "__name__";

/// The bits of the value that ends a series (a NaN with a payload of its own; Prometheus' `value.StaleNaN`).
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that ends a series.
pub const STALE_NAN: f64 = f64::from_bits(STALE_NAN_BITS);

/// Whether a value ends its series. Other NaNs do not.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// One value of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Unix ms.
    pub time_ms: i64,
    /// When what a counter or histogram counts began, Unix ms; 0 when nobody said.
    pub start_ms: i64,
    /// What was measured.
    pub value: SampleValue,
}

/// A number or a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// Bit for bit as it came.
    Float(f64),
    /// Buckets.
    Histogram(Box<Histogram>),
}

/// An example of what a sample counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// `trace_id` and `span_id` among them, in hex.
    pub labels: Labels,
    /// What was measured.
    pub value: f64,
    /// Unix ms.
    pub time_ms: i64,
}

/// What is known of a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The family's name.
    pub family: String,
    /// Its kind.
    pub metric_type: MetricType,
    /// `seconds`; empty when nobody said.
    pub unit: String,
    /// A sentence; empty when nobody said.
    pub help: String,
}

/// What kind of metric a family is (OpenMetrics' types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    #[default]
    /// Nobody said.
    Unknown,
    /// Goes up, or begins anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by buckets.
    Histogram,
    /// Buckets that go up and down.
    GaugeHistogram,
    /// Quantiles made by whoever sent them.
    Summary,
    /// Labels of a thing, its value 1.
    Info,
    /// Which states a thing is in.
    StateSet,
}

impl MetricType {
    /// All, in the order of their numbers in stored data.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
    ];

    /// As in `# TYPE` lines and in Prometheus' metadata API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The one of that name; `untyped`, as the older text format says, is unknown.
    pub fn named(name: &str) -> Option<Self> {
        if name == "untyped" {
            return Some(Self::Unknown);
        }
        Self::ALL.into_iter().find(|metric_type| metric_type.name() == name)
    }
}
