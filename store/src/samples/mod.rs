//! Samples in bytes: chunks of a series, journal payloads, histograms. No files, no locks; docs/formats.md has the bytes.

pub(crate) mod bytes;
pub(crate) mod chunk;
mod columns;
mod decimal;
pub(crate) mod histogram;
pub(crate) mod payload;
pub(crate) mod waypoint;

pub use columns::{SeriesSamples, TimedHistogram};
