//! Shop traffic: templates of OTLP batches, encoded once, then copied and written over for each request.

mod attributes;
mod journey;
mod services;
mod template;
mod traffic;
mod wire;

pub(crate) use wire::{Value, Writer};

pub use traffic::{BatchKey, HEAD_LEN, Traffic};
