//! The port: accepts connections within limits, serves HTTP/1.1, and drains at shutdown.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{endpoint::with_host, time::Clock};
use weir_store::Store;

use super::{
    Authenticate, QueryConfig,
    allowance::Allowance,
    gate::Gate,
    guests::Guests,
    leash::{Leash, LeashedRouter},
    metrics,
    routes::{App, router},
};
use crate::sql::engine::Engine;

/// The least that hyper takes for its header buffer.
const HEADER_BYTES_MIN: usize = 8192;
/// How long to wait when the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

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
        engine: Arc::new(Engine::start(config.sql.clone(), spill_folder)?),
        clock: Clock::system(),
        config: Arc::new(config.clone()),
        mounts: guests.mounts.into(),
        site: Arc::new(guests.site),
        about: Arc::new(guests.about),
    };
    serve(app, tracker, shutdown).await
}

/// [`start`] with any source of data.
pub(super) async fn serve(app: App, tracker: &TaskTracker, shutdown: CancellationToken) -> io::Result<SocketAddr> {
    let endpoint = &app.config.endpoint;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {endpoint}: {error}"));
    let listener = TcpListener::bind(&*with_host(endpoint)).await.map_err(named)?;
    let address = listener.local_addr().map_err(named)?;
    tracker.spawn(accept(app, listener, tracker.clone(), shutdown));
    Ok(address)
}

async fn accept(app: App, listener: TcpListener, tracker: TaskTracker, shutdown: CancellationToken) {
    let config = Arc::clone(&app.config);
    let places = Arc::new(Semaphore::new(config.connections_max.get().min(Semaphore::MAX_PERMITS)));
    let service = router(&app);
    let graceful = GracefulShutdown::new();
    let give_up = CancellationToken::new();
    loop {
        let next = async {
            // A place first: what has none waits in the kernel's bounded backlog.
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let leash = Leash::new();
        let over = leash.over();
        let connection = graceful.watch(connection(&config, stream, service.clone(), leash));
        let give_up = give_up.clone();
        tracker.spawn(async move {
            let _held = (place, metrics::Connection::open());
            tokio::select! {
                // Errors are the client's: gone, too slow, not HTTP.
                result = connection => if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                },
                () = over => tracing::debug!("connection ended: its answer was not taken in time"),
                () = give_up.cancelled() => {}
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(config.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests did not finish within query.drain_timeout");
        give_up.cancel();
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, LeashedRouter>;

fn connection(config: &QueryConfig, stream: TcpStream, router: Router, leash: Leash) -> Connection {
    tune(config, &stream);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.read_header_timeout)
        .max_buf_size(config.header_bytes_max.get().max(HEADER_BYTES_MIN))
        .serve_connection(TokioIo::new(stream), LeashedRouter { router: TowerToHyperService::new(router), leash })
}

fn tune(config: &QueryConfig, stream: &TcpStream) {
    // Nagle's algorithm would hold back the end of an answer for up to 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // The kernel drops a client that takes nothing off an answer; hyper has no timeout for that.
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(config.write_timeout)) {
        tracing::debug!(%error, "cannot set TCP_USER_TIMEOUT");
    }
}

#[cfg(test)]
mod tests;
