//! One port: accepts connections up to a limit, serves HTTP/1 and HTTP/2 on them, ends them in good order.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use prometheus::IntGauge;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};
use weir_proto::endpoint::with_host;

use crate::{
    caller::Peer,
    connection::{Activity, Due, LentSocket, Lifetime, Watch},
    leash::Leash,
    metrics::{CONNECTIONS_OPEN, CONNECTIONS_REFUSED},
};

/// What a stream, and all streams of a connection, may send before we read: whole batches without a pause.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;

/// A batch of 1,000 spans in one frame needs no copy.
const FRAME_BYTES: u32 = 1 << 20;

/// Streams that a client opened and reset before they were served, and streams that we reset for the client's errors:
/// more of either end the connection (CVE-2023-44487, "rapid reset", and RUSTSEC-2024-0003).
const RESET_STREAMS_MAX: usize = 20;
const ERROR_STREAMS_MAX: usize = 128;

/// Headers of one request by number.
const HEADERS_MAX: usize = 100;

/// What a client still sends after our last word is read for this long: a socket closed with unread data would take the
/// answer away from it.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// What becomes of a connection for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// It is closed at once, and counted: a sender tries another address.
    Refuse,
    /// It waits in the kernel's backlog, which is bounded: a reader would rather wait.
    Wait,
}

/// A port that was opened.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// What is spoken there: `OTLP/gRPC`, `OTLP/HTTP`, `Zipkin`, `Loki`.
    pub protocol: &'static str,
    /// Where.
    pub address: SocketAddr,
}

/// How a port serves.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The label in metrics.
    pub protocol: &'static str,
    /// Connections at once.
    pub connections_max: usize,
    /// What becomes of those beyond.
    pub crowd: Crowd,
    /// Whether HTTP/2 is spoken beside HTTP/1.
    pub speaks_http2: bool,
    /// Headers of one request, in bytes.
    pub header_bytes_max: u32,
    /// For HTTP/1, where it also bounds the wait for the next request.
    pub header_timeout: Duration,
    /// HTTP/2 streams of one connection.
    pub streams_max: u32,
    /// HTTP/2 pings of a quiet connection.
    pub ping_interval: Duration,
    /// How long an answer to them may take.
    pub ping_timeout: Duration,
    /// When a connection must end.
    pub lifetime: Lifetime,
    /// How long a client may take nothing off an answer before the kernel drops it; `None`: as the kernel does.
    pub taking_timeout: Option<Duration>,
    /// Requests in flight have this long when the process stops.
    pub shutdown_grace: Duration,
}

impl ServerOptions {
    /// For plain HTTP, where clients come and go as they like, with the usual limits on connections and requests.
    pub fn http(protocol: &'static str, header_timeout: Duration, idle_timeout: Duration) -> Self {
        Self {
            protocol,
            connections_max: 4096,
            crowd: Crowd::Refuse,
            speaks_http2: true,
            header_bytes_max: 64 << 10,
            header_timeout,
            streams_max: 256,
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            lifetime: Lifetime {
                first_bytes_timeout: header_timeout,
                idle_max: Some(idle_timeout),
                age_max: None,
                age_grace: Duration::from_secs(10),
            },
            taking_timeout: None,
            shutdown_grace: SHUTDOWN_GRACE,
        }
    }
}

/// Requests in flight have this long at most ports.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// A port that is open.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    options: ServerOptions,
}

impl Server {
    /// Opens `endpoint`, `host:port` or `:port`.
    ///
    /// # Errors
    /// When it has no address, or none that is free; `endpoint` is named.
    pub async fn bind(endpoint: &str, options: ServerOptions) -> io::Result<Self> {
        const BACKLOG: u32 = 1024;

        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {endpoint}: {error}"));
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host(&*with_host(endpoint)).await.map_err(named)? {
            let open = || {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                // A restart must not wait for the last connections' TIME_WAIT.
                socket.set_reuseaddr(true)?;
                socket.bind(address)?;
                socket.listen(BACKLOG)
            };
            match open() {
                Ok(listener) => return Ok(Self { listener, options }),
                Err(error) => last_error = error,
            }
        }
        Err(named(last_error))
    }

    /// Where it is.
    ///
    /// # Errors
    /// As the system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection.
    async fn accept(&self) -> io::Result<TcpStream> {
        let (socket, _) = self.listener.accept().await?;
        // Small answers leave at once: with Nagle's algorithm they wait for the client's delayed ACK, 40 ms.
        socket.set_nodelay(true)?;
        if let Err(error) = SockRef::from(&socket).set_tcp_user_timeout(self.options.taking_timeout) {
            debug!(%error, "cannot set TCP_USER_TIMEOUT");
        }
        Ok(socket)
    }

    /// Serves until `shutdown`; then each connection, a task of `tracker`, ends once its last request is answered.
    pub async fn serve<H, F, B>(self, handler: H, tracker: TaskTracker, shutdown: CancellationToken)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        /// When the process has no file descriptors left, accepting at once again would spin.
        const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

        let protocol = self.options.protocol;
        let permits = Arc::new(Semaphore::new(self.options.connections_max.min(Semaphore::MAX_PERMITS)));
        let builder = Arc::new(http_builder(&self.options));
        let refused = CONNECTIONS_REFUSED.with_label_values(&[protocol]);
        loop {
            let next = async {
                let place = match self.options.crowd {
                    Crowd::Refuse => None,
                    Crowd::Wait => Some(permits.clone().acquire_owned().await.expect("never closed")),
                };
                (self.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                next = next => next,
                () = shutdown.cancelled() => return,
            };
            let socket = match accepted {
                Ok(socket) => socket,
                Err(error) => {
                    warn!(protocol, %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(permit) = place.or_else(|| permits.clone().try_acquire_owned().ok()) else {
                refused.inc();
                continue;
            };
            let (builder, handler, shutdown) = (builder.clone(), handler.clone(), shutdown.clone());
            let options = self.options.clone();
            tracker.spawn(async move {
                let _counted = OpenConnection::new(protocol, permit);
                serve_connection(socket, &builder, &options, handler, shutdown).await;
            });
        }
    }
}

/// A connection's place among `connections_max`, given back however its task ends.
struct OpenConnection {
    open: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl OpenConnection {
    fn new(protocol: &str, permit: OwnedSemaphorePermit) -> Self {
        let open = CONNECTIONS_OPEN.with_label_values(&[protocol]);
        open.inc();
        Self { open, _permit: permit }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.dec();
    }
}

fn http_builder(options: &ServerOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !options.speaks_http2 {
        builder = builder.http1_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.header_bytes_max as usize)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(options.streams_max)
        .max_header_list_size(options.header_bytes_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(ERROR_STREAMS_MAX)
        .keep_alive_interval(options.ping_interval)
        .keep_alive_timeout(options.ping_timeout);
    builder
}

/// What a client that speaks TLS to a port without it is told; clients show the beginning of it.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 85\r\n\
    connection: close\r\n\r\nthe client speaks TLS, this port does not: use http:// (insecure), or a proxy before\n";

/// The first byte of TLS: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// Whether what comes first is TLS; `None` when nothing comes in time.
async fn begins_with_tls(socket: &TcpStream, within: Duration) -> Option<bool> {
    let mut first = [0];
    match timeout(within, socket.peek(&mut first)).await {
        Ok(Ok(count)) => Some(count == 1 && first[0] == TLS_HANDSHAKE),
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn serve_connection<H, F, B>(
    mut socket: TcpStream,
    builder: &auto::Builder<TokioExecutor>,
    options: &ServerOptions,
    handler: H,
    shutdown: CancellationToken,
) where
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let lifetime = options.lifetime;
    let begins_with_tls = tokio::select! {
        biased;
        begins_with_tls = begins_with_tls(&socket, lifetime.first_bytes_timeout) => begins_with_tls,
        () = shutdown.cancelled() => return,
    };
    match begins_with_tls {
        None => return,
        Some(true) => {
            if socket.write_all(NOT_TLS).await.is_ok() {
                let _ = timeout(LINGER_TIMEOUT, linger(socket)).await;
            }
            return;
        }
        Some(false) => {}
    }
    let peer = socket.peer_addr().map(|address| Peer { address }).ok();
    let activity = Arc::new(Activity::default());
    let leash = Leash::new();
    let (socket, returned) = LentSocket::new(socket, activity.clone());
    let service = service_fn(|mut request: Request<Incoming>| {
        let open = activity.begin();
        request.extensions_mut().insert(leash.clone());
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let answer = handler(request);
        async move {
            let reply = answer.await;
            drop(open);
            Ok::<_, Infallible>(reply)
        }
    });
    {
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(socket), service));
        let mut over = pin!(leash.over());
        let mut watch = Watch::new(lifetime, Instant::now());
        let mut wake = pin!(sleep_until(Instant::now()));
        let mut finishing = false;
        loop {
            let finish_by = tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        debug!(error, "a connection ended early");
                    }
                    break;
                }
                () = wake.as_mut() => {
                    if finishing {
                        return;
                    }
                    match watch.check(Instant::now(), &activity) {
                        Due::Later(at) => {
                            wake.as_mut().reset(at);
                            continue;
                        }
                        Due::Finish(by) => by,
                        Due::Abort => return,
                    }
                }
                () = over.as_mut() => {
                    debug!("a connection ended: its answer was not taken in time");
                    return;
                }
                () = shutdown.cancelled(), if !finishing => Instant::now() + options.shutdown_grace,
            };
            finishing = true;
            wake.as_mut().reset(finish_by);
            connection.as_mut().graceful_shutdown();
        }
    }
    if let Ok(socket) = returned.await {
        let _ = timeout(LINGER_TIMEOUT, linger(socket)).await;
    }
}

/// Says that nothing more comes, and reads until the client says so too.
async fn linger(mut socket: TcpStream) -> io::Result<()> {
    socket.shutdown().await?;
    let mut unread = vec![0; 16 << 10];
    while socket.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ServerOptions {
        let second = Duration::from_secs(1);
        ServerOptions { connections_max: 1, streams_max: 1, ..ServerOptions::http("test", second, second) }
    }

    #[tokio::test]
    async fn answers_are_not_delayed_by_nagle_nor_kept_for_who_takes_nothing() {
        let taking_timeout = Some(Duration::from_secs(7));
        let options = ServerOptions { taking_timeout, ..options() };
        let server = Server::bind("127.0.0.1:0", options).await.expect("a free port");
        let _client = TcpStream::connect(server.address().expect("bound")).await.expect("listening");
        let socket = server.accept().await.expect("a connection");
        assert!(socket.nodelay().expect("an open socket"));
        assert_eq!(SockRef::from(&socket).tcp_user_timeout().expect("a socket"), taking_timeout);
    }

    #[tokio::test]
    async fn a_port_is_free_again_at_once() {
        let server = Server::bind("127.0.0.1:0", options()).await.expect("a free port");
        let address = server.address().expect("bound");
        let mut client = TcpStream::connect(address).await.expect("listening");
        // Our side closes first: the address stays in TIME_WAIT.
        drop(server.accept().await.expect("a connection"));
        assert_eq!(client.read(&mut [0; 1]).await.expect("closed"), 0);
        drop((client, server));
        Server::bind(&address.to_string(), options()).await.expect("no wait for TIME_WAIT");
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_had_is_named() {
        let taken = Server::bind("localhost:0", options()).await.expect("a free port");
        let endpoint = taken.address().expect("bound").to_string();
        for bad in [&endpoint, "127.0.0.1", "no host:1", "127.0.0.1:99999"] {
            let error = Server::bind(bad, options()).await.expect_err("taken or not an address").to_string();
            assert!(error.contains(bad), "{error}");
        }
    }
}
