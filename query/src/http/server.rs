//! Puts the query endpoint on its port: the routes, behind the limits of `query`.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Authenticate, Crowd, Lifetime, Server, ServerOptions};
use weir_proto::time::Clock;
use weir_store::Store;

use super::{
    QueryConfig,
    allowance::Allowance,
    gate::Gate,
    guests::Guests,
    laid_traces::LaidTraces,
    routes::{App, router},
};
use crate::sql::engine::Engine;

/// The least that hyper takes for its header buffer.
const HEADER_BYTES_MIN: usize = 8192;

/// Opens the port and serves until `shutdown`; the tracker's tasks end once the last request is answered or
/// `drain_timeout` is over. What SQL queries cannot hold in memory goes to `spill_folder`, which is emptied. `guests` are answered beside the routes.
pub async fn start(
    config: &QueryConfig,
    store: Store,
    spill_folder: &Path,
    authenticate: Authenticate,
    guests: Guests,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<SocketAddr> {
    let app = App {
        source: Arc::new(store),
        authenticate,
        gate: Gate::new(config),
        allowance: Allowance::of(config),
        laid_traces: LaidTraces::new(config.laid_traces_bytes_max as u64),
        engine: Arc::new(Engine::start(config.sql.clone(), spill_folder)?),
        clock: Clock::system(),
        config: Arc::new(config.clone()),
        mounts: guests.mounts.into(),
        site: Arc::new(guests.site),
        about: Arc::new(guests.about),
        tails: Arc::new(Semaphore::new(config.logql.tails_max.get().min(Semaphore::MAX_PERMITS))),
        stop: shutdown.clone(),
    };
    serve(app, tracker, shutdown).await
}

/// [`start`] with any source of data.
pub(super) async fn serve(app: App, tracker: &TaskTracker, shutdown: CancellationToken) -> io::Result<SocketAddr> {
    let server = Server::bind(&app.config.endpoint, options(&app.config)).await?;
    let address = server.address()?;
    let router = TowerToHyperService::new(router(&app));
    let answer = move |request: Request<Incoming>| {
        let answering = router.call(request);
        async move {
            match answering.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    tracker.spawn(server.serve(answer, tracker.clone(), shutdown));
    Ok(address)
}

fn options(config: &QueryConfig) -> ServerOptions {
    ServerOptions {
        connections_max: config.connections_max.get(),
        crowd: Crowd::Wait,
        // The APIs' clients speak HTTP/1.1.
        speaks_http2: false,
        header_bytes_max: u32::try_from(config.header_bytes_max.get().max(HEADER_BYTES_MIN)).unwrap_or(u32::MAX),
        // The wait for a connection's next request is the same.
        lifetime: Lifetime {
            first_bytes_timeout: config.read_header_timeout,
            idle_max: None,
            age_max: None,
            age_grace: Duration::ZERO,
        },
        // The kernel drops a client that takes nothing off an answer; hyper has no timeout for that.
        taking_timeout: Some(config.write_timeout),
        shutdown_grace: config.drain_timeout,
        ..ServerOptions::http("query", config.read_header_timeout, config.read_header_timeout)
    }
}

#[cfg(test)]
mod tests;
