//! When a connection must end: nothing said, idle, too old, shutting down.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time::Instant,
};

use crate::request_line::RequestLines;

/// HTTP/2's preface; whoever sends less within the time speaks nothing.
const PREFACE_BYTES: u64 = 24;

/// For a request that crosses our farewell to an idle connection.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// Limits on a connection's life.
#[derive(Debug, Clone, Copy)]
pub struct Lifetime {
    /// From the connection to its first 24 bytes or first request.
    pub first_bytes_timeout: Duration,
    /// Without a request.
    pub idle_max: Option<Duration>,
    /// From its beginning.
    pub age_max: Option<Duration>,
    /// For requests in flight once the connection is too old.
    pub age_grace: Duration,
}

/// What happens on a connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    read_bytes: AtomicU64,
    requests_begun: AtomicU64,
    requests_open: AtomicU32,
}

impl Activity {
    /// Counts a request until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> OpenRequest {
        self.requests_begun.fetch_add(1, Relaxed);
        self.requests_open.fetch_add(1, Relaxed);
        OpenRequest(self.clone())
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<Activity>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.requests_open.fetch_sub(1, Relaxed);
    }
}

/// Compares a connection's activity with its limits.
#[derive(Debug)]
pub(crate) struct Watch {
    lifetime: Lifetime,
    opened: Instant,
    quiet_since: Instant,
    requests_begun: u64,
}

/// What to do with a connection now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing; look again then.
    Later(Instant),
    /// Take no new requests; requests in flight have until then.
    Finish(Instant),
    /// Close it.
    Abort,
}

impl Watch {
    pub(crate) fn new(lifetime: Lifetime, now: Instant) -> Self {
        Self { lifetime, opened: now, quiet_since: now, requests_begun: 0 }
    }

    pub(crate) fn check(&mut self, now: Instant, activity: &Activity) -> Due {
        const FAR: Duration = Duration::from_secs(3600);

        let Lifetime { first_bytes_timeout, idle_max, age_max, age_grace } = self.lifetime;
        let mut wake = now + FAR;
        let begun = activity.requests_begun.load(Relaxed);
        if activity.read_bytes.load(Relaxed) < PREFACE_BYTES && begun == 0 {
            let due = self.opened + first_bytes_timeout;
            if now >= due {
                return Due::Abort;
            }
            wake = wake.min(due);
        }
        if let Some(age_max) = age_max {
            let due = self.opened + age_max;
            if now >= due {
                return Due::Finish(now + age_grace);
            }
            wake = wake.min(due);
        }
        if let Some(idle_max) = idle_max {
            if activity.requests_open.load(Relaxed) > 0 || begun != self.requests_begun {
                self.requests_begun = begun;
                self.quiet_since = now;
            }
            let due = self.quiet_since + idle_max;
            if now >= due {
                return Due::Finish(now + IDLE_GRACE);
            }
            wake = wake.min(due);
        }
        Due::Later(wake)
    }
}

/// A socket that counts what it reads, has request targets as hyper takes them, and comes back when hyper lets go of it.
pub(crate) struct LentSocket {
    socket: Option<TcpStream>,
    activity: Arc<Activity>,
    lines: RequestLines,
    /// Read, for which there was no room: escaping makes targets longer.
    left_over: Bytes,
    give_back: Option<oneshot::Sender<TcpStream>>,
}

impl LentSocket {
    pub(crate) fn new(socket: TcpStream, activity: Arc<Activity>) -> (Self, oneshot::Receiver<TcpStream>) {
        let (give_back, returned) = oneshot::channel();
        let (lines, left_over) = (RequestLines::default(), Bytes::new());
        (Self { socket: Some(socket), activity, lines, left_over, give_back: Some(give_back) }, returned)
    }

    fn socket(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.socket.as_mut().expect("taken only when dropped"))
    }
}

impl Drop for LentSocket {
    fn drop(&mut self) {
        if let (Some(socket), Some(give_back)) = (self.socket.take(), self.give_back.take()) {
            let _ = give_back.send(socket);
        }
    }
}

impl AsyncRead for LentSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        if self.left_over.is_empty() {
            ready!(self.socket().poll_read(cx, buf))?;
            let read = &buf.filled()[before..];
            self.activity.read_bytes.fetch_add(read.len() as u64, Relaxed);
            let Some(escaped) = self.lines.read(read) else { return Poll::Ready(Ok(())) };
            buf.set_filled(before);
            self.left_over = escaped.into();
        }
        let fitting = self.left_over.len().min(buf.remaining());
        buf.put_slice(&self.left_over.split_to(fitting));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LentSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        self.socket().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.socket().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.socket().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.socket().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIFETIME: Lifetime = Lifetime {
        first_bytes_timeout: Duration::from_secs(5),
        idle_max: Some(Duration::from_secs(60)),
        age_max: Some(Duration::from_secs(600)),
        age_grace: Duration::from_secs(10),
    };

    #[test]
    fn silence_idleness_and_age_end_a_connection() {
        let start = Instant::now();
        let at = |seconds: u32| start + SECOND * seconds;
        let activity = Arc::new(Activity::default());
        let mut watch = Watch::new(LIFETIME, start);
        assert_eq!(watch.check(start, &activity), Due::Later(at(5)));
        assert_eq!(Watch::new(LIFETIME, start).check(at(5), &activity), Due::Abort);

        activity.read_bytes.store(23, Relaxed);
        assert_eq!(Watch::new(LIFETIME, start).check(at(5), &activity), Due::Abort);
        activity.read_bytes.store(24, Relaxed);
        assert_eq!(watch.check(at(5), &activity), Due::Later(at(60)));
        let request = activity.begin();
        assert_eq!(watch.check(at(60), &activity), Due::Later(at(120)));
        assert_eq!(watch.check(at(120), &activity), Due::Later(at(180)), "a request in flight is not idleness");
        drop(request);
        assert_eq!(watch.check(at(179), &activity), Due::Later(at(180)));
        assert_eq!(watch.check(at(180), &activity), Due::Finish(at(182)));
        let _request = activity.begin();
        assert_eq!(watch.check(at(600), &activity), Due::Finish(at(610)));
    }
}
