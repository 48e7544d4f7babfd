//! Streams of messages: read as they come, kept, and only then read on: a busy store makes senders wait.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpSocket, lookup_host},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};
use weir_port::{Budget, CONNECTIONS_OPEN, CONNECTIONS_REFUSED, Reservation};
use weir_proto::{
    endpoint::with_host,
    syslog::{Framing, Origin, Step},
};

use super::{
    TcpConfig,
    keeping::{Keeping, PROTOCOL},
    tls,
};

/// Read at once. What a connection holds while nothing comes.
const READ_BYTES: usize = 16 << 10;

/// What is read before messages are kept, if so much is there.
const BATCH_BYTES: usize = 1 << 20;

/// For a client to say how it encrypts.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// When the process has no file descriptors left, accepting at once again would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An open port.
pub(super) struct TcpPort {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    config: TcpConfig,
    budget: Budget,
}

impl TcpPort {
    pub(super) async fn bind(config: &TcpConfig, budget: Budget) -> io::Result<Self> {
        const BACKLOG: u32 = 1024;

        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let endpoint = &config.listen_address;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {endpoint}: {error}"));
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host(&*with_host(endpoint)).await.map_err(named)? {
            let open = || {
                let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.set_reuseaddr(true)?;
                // Whoever is gone without a word is found out; connections without messages stay.
                socket.set_keepalive(true)?;
                socket.bind(address)?;
                socket.listen(BACKLOG)
            };
            match open() {
                Ok(listener) => return Ok(Self { listener, acceptor, config: config.clone(), budget }),
                Err(error) => last_error = error,
            }
        }
        Err(named(last_error))
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn protocol(&self) -> &'static str {
        if self.acceptor.is_some() { "Syslog/TLS" } else { "Syslog/TCP" }
    }

    /// Takes connections until `shutdown`.
    pub(super) async fn serve(self, keeping: Arc<Keeping>, tracker: TaskTracker, shutdown: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.config.connections_max));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(protocol = PROTOCOL, %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                CONNECTIONS_REFUSED.with_label_values(&[PROTOCOL]).inc();
                continue;
            };
            let stream = Stream {
                keeping: keeping.clone(),
                framing: Framing::new(self.config.max_log_size as usize),
                bytes_max: self.config.max_log_size as usize,
                peer: if self.config.add_attributes { peer.ip().to_string() } else { String::new() },
                buffer: Vec::new(),
                held: self.budget.open(),
            };
            let (acceptor, shutdown) = (self.acceptor.clone(), shutdown.clone());
            tracker.spawn(async move {
                let open = CONNECTIONS_OPEN.with_label_values(&[PROTOCOL]);
                open.inc();
                match acceptor {
                    None => stream.run(socket, &shutdown).await,
                    Some(acceptor) => match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
                        Ok(Ok(socket)) => stream.run(socket, &shutdown).await,
                        Ok(Err(error)) => debug!(%error, "a connection without TLS"),
                        Err(_) => debug!("a connection that says nothing"),
                    },
                }
                open.dec();
                drop(permit);
            });
        }
    }
}

/// One connection.
struct Stream {
    keeping: Arc<Keeping>,
    framing: Framing,
    bytes_max: usize,
    peer: String,
    buffer: Vec<u8>,
    /// What the buffer takes.
    held: Reservation,
}

impl Stream {
    /// Reads until the end, or until `shutdown`: what was read by then is kept.
    async fn run<S: AsyncRead + Unpin>(mut self, mut socket: S, shutdown: &CancellationToken) {
        let mut is_end = false;
        while !is_end {
            if !self.make_room() {
                // There is no memory for a longer line.
                let len = self.buffer.len();
                self.framing.cut(len);
                if !self.keep(false, Some(len)).await {
                    return;
                }
                continue;
            }
            let read = tokio::select! {
                read = socket.read_buf(&mut self.buffer) => read,
                () = shutdown.cancelled() => Ok(0),
            };
            is_end = match read {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) => {
                    debug!(%error, "a connection ended early");
                    true
                }
            };
            if !self.keep(is_end, None).await {
                return;
            }
        }
    }

    /// Room for more. What every connection has to begin with is bounded by their number, what it grows to by the budget of all.
    fn make_room(&mut self) -> bool {
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        if capacity == 0 {
            self.buffer.reserve_exact(READ_BYTES);
        } else if capacity - len < READ_BYTES / 2 {
            let bytes_max = (self.bytes_max + READ_BYTES).max(BATCH_BYTES);
            let wanted = (capacity * 2).min(bytes_max).max(len + READ_BYTES);
            if self.held.add(wanted - capacity).is_err() {
                return capacity > len;
            }
            self.buffer.reserve_exact(wanted - len);
        }
        true
    }

    /// Keeps every message that is whole; of `cut` bytes, one whose end there is no room for.
    async fn keep(&mut self, is_end: bool, cut: Option<usize>) -> bool {
        let now_ns = self.keeping.intake.clock.now_ns();
        let mut messages = self.keeping.messages(self.buffer.len() * 2);
        let origin = Origin { now_ns, peer: &self.peer, is_cut: false };
        let mut done = 0;
        if let Some(len) = cut {
            messages.push(&self.buffer[..len], Origin { is_cut: true, ..origin });
            done = len;
        }
        loop {
            match self.framing.step(&self.buffer[done..], is_end) {
                Step::More => break,
                Step::Skip(bytes) => done += bytes,
                Step::Message { from, to, consumed, is_cut } => {
                    messages.push(&self.buffer[done + from..done + to], Origin { is_cut, ..origin });
                    done += consumed;
                }
            }
        }
        self.buffer.drain(..done);
        let is_kept = self.keeping.keep(messages).await;
        if self.buffer.is_empty() && self.buffer.capacity() > READ_BYTES && is_kept && done < READ_BYTES {
            // A burst is over.
            self.held.give_back(self.held.bytes());
            self.buffer = Vec::new();
        }
        is_kept
    }
}
