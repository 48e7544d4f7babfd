//! Sampling policies: each looks at a trace that is due and votes. One file and one row for each.

mod account;
mod always_sample;
mod and;
mod anomaly;
mod boolean_attribute;
mod budget;
mod bytes_limiting;
mod composite;
mod config;
mod drop;
mod fnv;
mod latency;
mod limiter;
mod luck;
mod not;
mod numeric_attribute;
mod ottl;
mod ottl_condition;
mod plan;
mod predicates;
mod probabilistic;
mod rare;
mod rate_limiting;
mod saved;
mod span_count;
mod status_code;
mod string_attribute;
mod table;
mod text;
mod trace_flags;
mod trace_state;
mod tree;

use std::fmt::Debug;

use weir_store::sampling::{ArrivedSpan, TraceAccount};

pub(crate) use self::config::policies;
pub(crate) use self::{
    account::{DueTrace, Settlement, Vote},
    fnv::fnv1a_32,
    luck::{Luck, chance_of},
    plan::{Named, Plan},
    predicates::Predicates,
    tree::{observe, observes, recall, report, restore, save, settle},
};
pub use self::{config::PolicyConfig, plan::PlanError};

/// A policy at work. What it remembers is bounded.
pub(crate) trait Policy: Send + Debug {
    /// Its opinion of a trace. When `luck` only supposes (see [`Luck`]), nothing may change.
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote;

    /// The policies inside it.
    fn parts(&self) -> &[Named] {
        &[]
    }

    /// The same, to change them.
    fn parts_mut(&mut self) -> &mut [Named] {
        &mut []
    }

    /// Whether it wants to see every span as it arrives.
    fn observes(&self) -> bool {
        false
    }

    /// A span arrived, in journal order.
    fn observe(&mut self, _span: &ArrivedSpan<'_>, _account: &mut TraceAccount) {}

    /// What became of a trace after all votes.
    fn settle(&mut self, _trace: &DueTrace<'_>, _settlement: Settlement) {}

    /// A trace kept by an earlier process; `decided` when this policy, or the one around it, was the one that kept it.
    fn recall(&mut self, _spans: u32, _decided: bool, _now_ns: u64) {}

    /// What it has learned, versioned and bounded.
    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes back what [`Policy::save`] gave; ignores what it cannot read.
    fn restore(&mut self, _saved: &[u8]) {}

    /// Its own figures.
    fn report(&self) -> Option<serde_json::Value> {
        None
    }
}

/// A policy as configured.
pub(crate) trait PolicySettings {
    /// Finds values that it cannot work with, in words.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Makes the policy; asks `plan` for predicates over spans and for its own bits and random variables, in the same order each time.
    fn build(&self, name: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError>;

    /// What it is without settings, where that means something.
    fn when_absent() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

table::policies! {
    AlwaysSample "always_sample" always_sample::AlwaysSample,
    Latency "latency" latency::Latency,
    NumericAttribute "numeric_attribute" numeric_attribute::NumericAttribute,
    StringAttribute "string_attribute" string_attribute::StringAttribute,
    BooleanAttribute "boolean_attribute" boolean_attribute::BooleanAttribute,
    Probabilistic "probabilistic" probabilistic::Probabilistic,
    StatusCode "status_code" status_code::StatusCode,
    TraceState "trace_state" trace_state::TraceState,
    TraceFlags "trace_flags" trace_flags::TraceFlags,
    RateLimiting "rate_limiting" rate_limiting::RateLimiting,
    BytesLimiting "bytes_limiting" bytes_limiting::BytesLimiting,
    SpanCount "span_count" span_count::SpanCount,
    OttlCondition "ottl_condition" ottl_condition::OttlCondition,
    And "and" and::And,
    Not "not" not::Not,
    Drop "drop" drop::Drop,
    Composite "composite" composite::Composite,
    Anomaly "anomaly" anomaly::Anomaly,
    Rare "rare" rare::Rare,
    Budget "budget" budget::Budget,
}

#[cfg(test)]
mod tests;
