//! `probabilistic_sampler`: keeps a share of the spans as they arrive, before the journal, each by itself.
//!
//! Modes, hash and thresholds are the Collector's, so that both keep the same spans. Consistent with `ot=th` and `ot=rv`:
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>.

use serde::{Deserialize, Deserializer, de};
use weir_proto::{
    TraceId,
    otlp::traces::{Attributes, SpanView, ValueView},
    tracestate::{self, OtelState, Randomness, Threshold},
};

use crate::policies::fnv1a_32;

/// The hash seed mode tells 2^14 hashes apart.
const BUCKETS_LOG2: u32 = 14;
const BUCKETS: u32 = 1 << BUCKETS_LOG2;

/// Bits of a random number beside those of its bucket.
const BELOW_BUCKET: u32 = 56 - BUCKETS_LOG2;

/// Smallest share of the modes that use thresholds.
const SHARE_MIN: f64 = 1.0 / (1_u64 << 56) as f64;

/// The attribute that goes before chance.
const PRIORITY: &[u8] = b"sampling.priority";

/// A block, as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbabilisticSamplerConfig {
    /// 100 and more: all.
    #[serde(deserialize_with = "percentage")]
    pub sampling_percentage: f32,
    /// Left out: `proportional`, or `hash_seed` when there is one.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Changes which spans are kept in the mode `hash_seed`.
    #[serde(default)]
    pub hash_seed: u32,
    /// What becomes of spans whose tracestate cannot be used: dropped, or (false) kept as they are.
    #[serde(default = "yes")]
    pub fail_closed: bool,
    /// Hex digits of a threshold, 1 to 14.
    #[serde(default = "precision", deserialize_with = "digits")]
    pub sampling_precision: u32,
    /// For logs.
    #[serde(default)]
    pub attribute_source: AttributeSource,
    /// For logs.
    #[serde(default)]
    pub from_attribute: String,
    /// For logs.
    #[serde(default)]
    pub sampling_priority: String,
}

/// How spans are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By a hash of the trace id.
    HashSeed,
    /// By thresholds: what was sampled before is sampled no further than to the percentage.
    Equalizing,
    /// By thresholds: the percentage of what arrives.
    Proportional,
}

/// Where the random number of a log record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum AttributeSource {
    /// Its trace id.
    #[default]
    #[serde(rename = "traceID")]
    TraceId,
    /// `from_attribute`.
    #[serde(rename = "record")]
    Record,
}

fn yes() -> bool {
    true
}

fn precision() -> u32 {
    4
}

fn digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        digits @ 1..=14 => Ok(digits),
        other => Err(de::Error::custom(format!("{other} is not 1 to 14 digits"))),
    }
}

fn percentage<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    let percentage = f32::deserialize(deserializer)?;
    if !percentage.is_finite() || percentage < 0.0 {
        return Err(de::Error::custom(format!("{percentage} is not a percentage")));
    }
    if percentage > 0.0 && f64::from(percentage) / 100.0 < SHARE_MIN {
        return Err(de::Error::custom(format!("{percentage} is too small a percentage; at least 2^-56 of all")));
    }
    Ok(percentage)
}

/// The sampler at work: pure, so that any thread uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadSampler {
    share: Share,
    fail_closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Share {
    None,
    Hash { seed: u32, threshold: Threshold },
    Equal { threshold: Threshold },
    Proportional { share: f64, digits: u32 },
}

/// What becomes of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Unchanged,
    /// It stays, with this tracestate.
    TraceState(Vec<u8>),
    /// It goes.
    Dropped,
}

impl HeadSampler {
    /// As configured.
    pub fn new(config: &ProbabilisticSamplerConfig) -> Self {
        let percentage = config.sampling_percentage.min(100.0);
        let share = f64::from(percentage) / 100.0;
        let mode = config.mode.unwrap_or(if config.hash_seed == 0 { Mode::Proportional } else { Mode::HashSeed });
        let share = match mode {
            _ if percentage == 0.0 => Share::None,
            Mode::Proportional => Share::Proportional { share, digits: config.sampling_precision },
            Mode::Equalizing => Threshold::of_probability_with(share, config.sampling_precision)
                .map_or(Share::None, |threshold| Share::Equal { threshold }),
            Mode::HashSeed => {
                // In 32 bits and cut off, as the Collector reckons.
                let kept = (percentage * (BUCKETS as f32 / 100.0)) as u32;
                let rejected = u64::from(BUCKETS - kept.min(BUCKETS)) << BELOW_BUCKET;
                Threshold::new(rejected)
                    .filter(|_| kept > 0)
                    .map_or(Share::None, |threshold| Share::Hash { seed: config.hash_seed, threshold })
            }
        };
        Self { share, fail_closed: config.fail_closed }
    }

    /// Decides on a span with a valid trace id.
    pub fn fate(&self, span: &SpanView<'_>) -> Fate {
        let forced = match priority(span.attributes) {
            Some(false) => return Fate::Dropped,
            Some(true) => true,
            None => false,
        };
        match self.weigh(span, forced) {
            Ok(fate) => fate,
            Err(Unusable) if forced || !self.fail_closed => Fate::Unchanged,
            Err(Unusable) => Fate::Dropped,
        }
    }

    fn weigh(&self, span: &SpanView<'_>, forced: bool) -> Result<Fate, Unusable> {
        let id = TraceId::from_wire(span.trace_id).ok_or(Unusable)?;
        let state = OtelState::read(span.trace_state);
        let hashed = match self.share {
            Share::Hash { seed, .. } => Some(hashed(id, seed)),
            _ => None,
        };
        // Hashes and consistent thresholds say different things of the same trace.
        if hashed.is_some() && (state.threshold.is_some() || state.randomness.is_some()) {
            return Err(Unusable);
        }
        let random = hashed.or(state.randomness).unwrap_or_else(|| Randomness::of_trace(id));
        if state.threshold.is_some_and(|threshold| !threshold.keeps(random)) {
            return Err(Unusable);
        }
        let threshold = match self.share {
            _ if forced => Threshold::ALWAYS,
            Share::None => return Ok(Fate::Dropped),
            Share::Hash { threshold, .. } | Share::Equal { threshold } => threshold,
            Share::Proportional { share, digits } => {
                let before = state.threshold.map_or(1.0, |threshold| 1.0 / threshold.adjusted_count());
                match Threshold::of_probability_with(before * share, digits) {
                    Some(threshold) => threshold,
                    None => return Ok(Fate::Dropped),
                }
            }
        };
        if !threshold.keeps(random) {
            return Ok(Fate::Dropped);
        }
        // A threshold never falls: what was lost before stays lost.
        if hashed.is_none() && state.threshold.is_some_and(|before| before >= threshold) {
            return Ok(Fate::Unchanged);
        }
        let mut trace_state = Vec::with_capacity(span.trace_state.len() + 40);
        if tracestate::write(span.trace_state, Some(threshold), hashed, &mut trace_state) {
            Ok(Fate::TraceState(trace_state))
        } else {
            Err(Unusable)
        }
    }
}

/// The tracestate is malformed, or contradicts itself or the mode.
struct Unusable;

/// The random number behind a hash: its first 14 bits say what the hash's last 14 did, the other way round, so that what is
/// kept lies above a threshold.
fn hashed(id: TraceId, seed: u32) -> Randomness {
    let hash = fnv1a_32([&seed.to_le_bytes(), &id.0]);
    let bucket = u64::from(hash & (BUCKETS - 1));
    let unused = u64::from(hash >> (32 - BUCKETS_LOG2));
    let mixed = unused ^ (unused << 10);
    let bits = (u64::from(BUCKETS) - 1 - bucket) << BELOW_BUCKET | mixed << BUCKETS_LOG2 | bucket;
    Randomness::new(bits).expect("14, 28 and 14 bits")
}

/// `sampling.priority`: above 0 the span is kept, 0 it is not; `None` without one, or with one that says nothing.
fn priority(attributes: Attributes<'_>) -> Option<bool> {
    let attribute = attributes.raw().find(|attribute| attribute.key == PRIORITY)?.view()?;
    let value = match attribute.value {
        ValueView::Int(value) => value as f64,
        ValueView::Double(value) => value,
        ValueView::Str(text) => str::from_utf8(text).ok()?.parse().ok()?,
        _ => return None,
    };
    if value == 0.0 {
        Some(false)
    } else if value > 0.0 {
        Some(true)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
