//! SQL over traces: what is refused before planning, how a query runs and is stopped, how its rows are written.

mod arithmetic;
pub(crate) mod compressed;
pub(crate) mod config;
pub(crate) mod encoding;
pub(crate) mod engine;
pub(crate) mod error;
mod growing;
pub(crate) mod guard;
mod memory;
mod names;
mod places;
mod rows;
mod session;
pub(crate) mod stop;
pub(crate) mod table;
mod words;
