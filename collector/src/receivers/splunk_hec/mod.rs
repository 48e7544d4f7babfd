//! Splunk's HTTP Event Collector: `POST /services/collector/event` and `/raw`, answered with its codes.

mod code;
mod config;
mod events;
mod handler;
mod token;

use std::{io, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Authenticate, Budget, Listening, Server};
use weir_proto::{Signal, time::Clock};

pub use config::SplunkHecConfig;

use self::handler::{Handler, TAKEN};
use super::intake::{Intake, Post};
use crate::{Append, admission::AdmissionRules};

/// The label in metrics.
const PROTOCOL: &str = "splunk_hec";

const MIB: usize = 1 << 20;

/// Opens the port and serves until `shutdown`; the tracker's tasks end once the last request is answered.
///
/// `rules` are the config's `line_limits` and the storage's accepted times. Fails when the port cannot be opened or the
/// config is not usable ([`SplunkHecConfig::check`]).
pub async fn start(
    config: &SplunkHecConfig,
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
    let listening = Listening { protocol: "Splunk HEC", address: server.address()? };
    let post = Post {
        intake,
        paths: vec![(TAKEN.to_owned(), Signal::Logs)],
        body_bytes_max: config.max_request_body_size,
        read_timeout: config.read_timeout,
    };
    let handler = Arc::new(Handler { post, tokens: config.tokens.clone() });
    let answer = move |request| {
        let handler = handler.clone();
        async move { handler.answer(request).await }
    };
    tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    Ok(listening)
}
