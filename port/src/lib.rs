//! A socket within bounds: accepts connections up to a limit, collects and decompresses bodies within a budget, knows who calls,
//! and says why not in each protocol's words. What is served there is others' business.

mod body;
mod budget;
mod caller;
mod config;
mod connection;
pub mod cors;
mod decompress;
mod headers;
mod leash;
mod metrics;
mod refusal;
mod reply;
mod request_line;
mod server;

pub use self::{
    body::collect,
    budget::{Budget, Reservation},
    caller::{Authenticate, Caller, Peer, Unauthenticated},
    config::{Check, CorsConfig, HEADER_BYTES, InvalidConfig},
    connection::Lifetime,
    decompress::{ACCEPTED, Encoding, decompress},
    headers::{content_length, essence},
    leash::{Leash, Leashed},
    metrics::{CONNECTIONS_OPEN, CONNECTIONS_REFUSED},
    refusal::Refusal,
    reply::{Reply, ReplyBody},
    server::{Crowd, Listening, Server, ServerOptions},
};
