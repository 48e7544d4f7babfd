//! Prometheus' remote write, 1.0 and 2.0: one path, mounted on the query endpoint.

mod batch;
mod config;
mod handler;
mod message;

pub use config::RemoteWriteConfig;
pub use handler::{PATH, RemoteWrite};

#[cfg(test)]
mod tests;
