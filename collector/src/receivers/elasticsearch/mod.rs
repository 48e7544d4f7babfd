//! What shippers to Elasticsearch send: bulk requests, and the questions that they ask before.

mod answers;
mod bulk;
mod config;
mod failure;
mod filter_path;
mod push;
mod written;

use std::io;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Listening, Server};

pub use config::ElasticsearchConfig;
pub(super) use push::pairs;
pub use push::{ElasticsearchPush, PREFIX};

/// The label in metrics.
const PROTOCOL: &str = "elasticsearch";

/// The version that shippers are told: the last one before 9, which clients of 8 and of 9 take.
const VERSION: &str = "8.19.0";

/// Opens the port and serves until `shutdown`; the tracker's tasks end once the last request is answered.
///
/// `push` was made with the same config. Fails when the port cannot be opened or the config is not usable
/// ([`ElasticsearchConfig::check`]).
pub async fn start(
    config: &ElasticsearchConfig,
    push: ElasticsearchPush,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<Listening> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let server = Server::bind(&config.endpoint, config.server_options(PROTOCOL)).await?;
    let listening = Listening { protocol: "ES bulk", address: server.address()? };
    let answer = move |request| {
        let push = push.clone();
        async move { push.reply(request).await }
    };
    tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    Ok(listening)
}
