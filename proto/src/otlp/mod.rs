//! OTLP: zero-copy views over its bytes, its JSON form, and the generated messages for everything that is not hot.

pub mod json;
pub mod traces;
pub mod wire;

/// The messages that prost generates, for views of a few spans, JSON and tests.
pub mod messages {
    pub use opentelemetry_proto::tonic::{collector, common, resource, trace};
}
