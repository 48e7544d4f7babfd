//! The writing side: receivers and what lies between them and the journal.

pub mod admission;
pub mod append;
pub mod operators;
pub mod otlp_metrics;
pub mod policies;
pub mod processors;
pub mod receivers;
pub mod samples;

pub use append::{Append, Arrival};
