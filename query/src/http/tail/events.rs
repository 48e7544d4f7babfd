//! The body of server-sent events (WHATWG HTML, "Server-sent events").

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use http_body::{Body, Frame};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{ENDED, Seat};

/// Without lines for so long a comment is sent: proxies close what is silent, and a client that is gone is found out.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Events of one client. Dropping it ends whoever reads for it.
pub(super) struct Events {
    messages: mpsc::Receiver<String>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    silence: Interval,
    why: &'static str,
    _place: Seat,
}

impl Events {
    pub(super) fn new(messages: mpsc::Receiver<String>, stop: CancellationToken, place: Seat) -> Self {
        let mut silence = interval(SILENCE_MAX);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { messages, stop: Box::pin(stop.cancelled_owned()), silence, why: "gone", _place: place }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        ENDED.with_label_values(&[self.why]).inc();
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.stop.as_mut().poll(context).is_ready() {
            self.why = "stopped";
            return Poll::Ready(None);
        }
        match self.messages.poll_recv(context) {
            Poll::Ready(Some(text)) => {
                self.silence.reset();
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
            Poll::Ready(None) => {
                self.why = "failed";
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        // The first one comes at once: the client sees that it is answered.
        match self.silence.poll_tick(context) {
            Poll::Ready(_) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": here\n\n"))))),
            Poll::Pending => Poll::Pending,
        }
    }
}
