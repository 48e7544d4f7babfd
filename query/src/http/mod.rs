//! Everything HTTP on 4320: the web UI's page, the query APIs of Jaeger, Prometheus and Loki, Weir's own, health and metrics.
//!
//! [`routes`] is the table of endpoints; [`gate`] bounds how many queries run and for how long; [`server`] owns the port.

mod about;
mod allowance;
mod answer;
mod api;
mod body;
mod call;
mod config;
mod elsewhere;
#[cfg(test)]
pub(crate) mod fixtures;
mod form;
mod gate;
mod guests;
mod health;
mod host;
mod index;
mod jaeger;
mod jaeger_v3;
mod laid_traces;
mod loki;
mod metrics;
pub(crate) mod moment;
mod mount;
mod otlp_json;
mod process;
mod prometheus;
mod routes;
mod server;
mod site;
mod stream;
mod tail;
mod view;

pub use about::{About, ListensAt};
pub use allowance::most_held as answers_held_most;
pub use config::{PromqlConfig, QueryConfig};
pub use guests::Guests;
pub use loki::LogqlConfig;
pub use mount::Mount;
pub(crate) use prometheus::Stored;
pub use server::start;
pub use site::{Asset, Site};
