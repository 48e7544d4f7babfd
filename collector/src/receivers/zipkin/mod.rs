//! Zipkin v2: `POST /api/v2/spans` in JSON, as Zipkin's own server takes it.

mod config;
mod handler;

use std::{io, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Authenticate, Budget, Listening, Server};
use weir_proto::{Signal, time::Clock};

pub use config::ZipkinConfig;

use self::handler::{Handler, PROTOCOL};
use super::intake::{Intake, Post};
use crate::{Append, admission::AdmissionRules};

const MIB: usize = 1 << 20;

/// Opens the port and serves until `shutdown`; the tracker's tasks end once the last request is answered.
///
/// `rules` are the config's `span_limits` and the storage's accepted times. Fails when the port cannot be opened or the
/// config is not usable ([`ZipkinConfig::check`]).
pub async fn start(
    config: &ZipkinConfig,
    rules: AdmissionRules,
    clock: Clock,
    append: Append,
    authenticate: Authenticate,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<Listening> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let budget = Budget::new(config.inflight_mib_max * MIB);
    let intake = Arc::new(Intake { append, metrics: None, authenticate, clock, rules, budget });
    let server = Server::bind(&config.endpoint, config.server_options(PROTOCOL)).await?;
    let listening = Listening { protocol: "Zipkin", address: server.address()? };
    let handler = Arc::new(Handler {
        post: Post {
            intake,
            paths: vec![("/api/v2/spans".to_owned(), Signal::Traces)],
            body_bytes_max: config.max_request_body_size,
            read_timeout: config.read_timeout,
        },
        parse_string_tags: config.parse_string_tags,
        cors: config.cors.clone(),
    });
    let answer = move |request| {
        let handler = handler.clone();
        async move { handler.answer(request).await }
    };
    tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    Ok(listening)
}
