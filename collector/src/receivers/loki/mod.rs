//! Loki's push: `POST /loki/api/v1/push` in JSON, or in protobuf behind snappy, as Loki's own distributor takes it.

mod config;
mod push;

use std::io;
use weir_port::{Listening, Server};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use config::{LokiConfig, LokiHttpConfig, LokiProtocols};
pub use push::{PUSH_PATH, Push};

use self::push::PROTOCOL;

/// Opens the port and serves until `shutdown`; the tracker's tasks end once the last request is answered.
///
/// `push` was made with the same config. Fails when the port cannot be opened or the config is not usable
/// ([`LokiConfig::check`]).
pub async fn start(
    config: &LokiConfig,
    push: Push,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<Listening> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let http = &config.protocols.http;
    let server = Server::bind(&http.endpoint, http.server_options(PROTOCOL)).await?;
    let listening = Listening { protocol: "Loki", address: server.address()? };
    let answer = move |request| {
        let push = push.clone();
        async move { push.reply(request).await }
    };
    tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    Ok(listening)
}
