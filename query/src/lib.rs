//! The reading side: search and the HTTP APIs.

pub mod http;
mod trace;
