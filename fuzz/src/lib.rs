//! What must hold for any bytes: one plain function for each target, called by the fuzzer and, over the corpora, by `make test`.

#[cfg(feature = "store")]
pub mod chunk;
#[cfg(feature = "store")]
mod files;
#[cfg(feature = "store")]
pub mod journal;
#[cfg(feature = "query")]
pub mod logql;
#[cfg(feature = "query")]
pub mod promql;
#[cfg(feature = "query")]
pub mod rules;
#[cfg(feature = "store")]
pub mod segment;
pub mod shipped;
#[cfg(feature = "query")]
pub mod sql;
pub mod wire;
