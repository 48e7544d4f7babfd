//! Datagrams, a message each: gathered while those before them are kept. Nobody can be made to wait: what is too much is lost, and counted.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{UdpSocket, lookup_host},
    sync::mpsc,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;
use weir_proto::{
    endpoint::with_host,
    syslog::{Messages, Origin},
};

use super::{
    UdpConfig,
    keeping::{Keeping, LOST},
};

/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;

/// How long messages are gathered at least while others wait to be kept.
const GATHERED_FOR: Duration = Duration::from_millis(5);

/// Messages that are handed on together, at most.
const BATCH_BYTES: usize = 1 << 20;

/// An open port.
pub(super) struct UdpPort {
    socket: UdpSocket,
    config: UdpConfig,
}

impl UdpPort {
    pub(super) async fn bind(config: &UdpConfig) -> io::Result<Self> {
        let endpoint = &config.listen_address;
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {endpoint} (UDP): {error}"));
        let addresses: Vec<SocketAddr> = lookup_host(&*with_host(endpoint)).await.map_err(named)?.collect();
        let socket = UdpSocket::bind(&addresses[..]).await.map_err(named)?;
        Ok(Self { socket, config: config.clone() })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes datagrams until `shutdown`; what came by then is kept.
    pub(super) fn serve(self, keeping: &Arc<Keeping>, tracker: &TaskTracker, shutdown: &CancellationToken) {
        let batches_max = (self.config.queue_bytes_max as usize / BATCH_BYTES).max(1);
        let (sender, mut batches) = mpsc::channel::<Messages>(batches_max);
        let keeps = keeping.clone();
        tracker.spawn(async move {
            while let Some(batch) = batches.recv().await {
                keeps.keep(batch).await;
            }
        });
        tracker.spawn(self.receive(keeping.clone(), sender, shutdown.clone()));
    }

    async fn receive(self, keeping: Arc<Keeping>, batches: mpsc::Sender<Messages>, shutdown: CancellationToken) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut messages = keeping.messages(DATAGRAM_BYTES_MAX);
        loop {
            self.take_waiting(&keeping, &mut messages, &mut datagram);
            // While others wait to be kept, messages are gathered.
            let is_due = messages.len() >= BATCH_BYTES || batches.capacity() == batches.max_capacity();
            if !messages.is_empty() && is_due {
                messages = self.hand_on(&keeping, &batches, messages);
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                readable = self.socket.readable() => if let Err(error) = readable {
                    warn!(%error, "cannot receive datagrams");
                    sleep(GATHERED_FOR).await;
                },
                () = sleep(GATHERED_FOR), if !messages.is_empty() => {}
                () = shutdown.cancelled() => {
                    self.hand_on(&keeping, &batches, messages);
                    return;
                }
            }
        }
    }

    /// Takes what has come, as much as fits into a batch.
    fn take_waiting(&self, keeping: &Keeping, messages: &mut Messages, datagram: &mut [u8]) {
        while messages.len() < BATCH_BYTES {
            match self.socket.try_recv_from(datagram) {
                Ok((len, peer)) => self.push(keeping, messages, &datagram[..len], peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that was sent elsewhere, and came back: the next may be fine.
                Err(error) => {
                    warn!(%error, "cannot receive a datagram");
                    return;
                }
            }
        }
    }

    fn push(&self, keeping: &Keeping, messages: &mut Messages, datagram: &[u8], peer: SocketAddr) {
        let end = datagram.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
        if end == 0 {
            return;
        }
        let peer = if self.config.add_attributes { peer.ip().to_string() } else { String::new() };
        let origin = Origin { now_ns: keeping.intake.clock.now_ns(), peer: &peer, is_cut: false };
        messages.push(&datagram[..end], origin);
    }

    /// Hands a batch on, and begins the next. A full queue loses it.
    fn hand_on(&self, keeping: &Keeping, batches: &mpsc::Sender<Messages>, messages: Messages) -> Messages {
        let count = messages.count();
        if count > 0 && batches.try_send(messages).is_err() {
            LOST.with_label_values(&["queue_full"]).inc_by(count);
        }
        keeping.messages(DATAGRAM_BYTES_MAX)
    }
}
