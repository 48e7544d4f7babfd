//! The standard way to do what Weir does, for comparison: prost messages, arrow builders, ArrowWriter, no journal.

mod columns;
mod service;

pub use columns::Columns;
pub use service::{Sender, serve};
