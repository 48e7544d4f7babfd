//! Traffic of a shop that does not exist, for benchmarks, tests and the demo.
//!
//! [`Traffic`] copies templates of OTLP batches, encoded once, and writes over what differs: as fast as a load generator must be.
//! [`Demo`] tells a story, trace by trace, with log lines beside the spans.

mod attributes;
mod demo;
mod journey;
pub mod json_lines;
mod lines;
pub mod rng;
mod services;
mod story;
mod template;
mod traffic;
mod wire;

pub use demo::{Demo, Sent};
pub use story::{Chapter, Story};
pub use traffic::{BatchKey, HEAD_LEN, Traffic};
pub use wire::{Kind, Patch, Value, Writer};
