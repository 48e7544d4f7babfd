//! What every receiver on HTTP shares: from an open port to a durable batch, within bounds all the way.

mod body;
mod budget;
pub(crate) mod config;
mod connection;
pub(crate) mod cors;
mod decompress;
mod format;
mod hint;
mod intake;
mod loki;
pub(crate) mod metrics;
mod post;
mod refusal;
mod reply;
mod server;

use std::net::SocketAddr;

pub use self::reply::ReplyBody;
pub(crate) use self::{
    body::collect,
    budget::{Budget, Reservation},
    connection::Lifetime,
    decompress::{ACCEPTED, Encoding, decompress},
    format::{Format, Transcode},
    intake::{Accepted, Intake, Received},
    loki::LokiFormat,
    metrics::{CONNECTIONS_OPEN, CONNECTIONS_REFUSED},
    post::{Arriving, Post, Posted, essence},
    refusal::Refusal,
    reply::Reply,
    server::{Server, ServerOptions},
};

/// A port that was opened.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// What is spoken there: `OTLP/gRPC`, `OTLP/HTTP`, `Zipkin`, `Loki`.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
}
