//! An answer that is sent while it is being computed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use http_body::Frame;
use tokio::time::{Instant, Sleep};
use weir_port::{Leash, Leashed};

use super::{answer::say_coding, metrics::Streaming};
use crate::{
    coding::Coding,
    sql::engine::{Chunk, Ended, RunningQuery},
};

/// The answer's beginning, and where the rest comes from.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) content_type: &'static str,
    /// How it is compressed.
    pub(super) coding: Option<Coding>,
    pub(super) first: Chunk,
    pub(super) rest: RunningQuery,
    /// When the client is let go, should nothing more come.
    pub(super) deadline: Instant,
    /// The connection's.
    pub(super) leash: Option<Leash>,
}

/// How long after that a client may take what is left: some hundred kilobytes, and what the kernel has.
const TAKING_MAX: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(10) };

impl Streamed {
    /// The response; `counted` counts it when its last byte is out, or its client gone.
    pub(super) fn into_response(self, counted: Streaming) -> Response {
        // hyper looks for more only when there is room: from here a client that takes nothing would not be seen.
        let leashed = self.leash.map(|leash| leash.until(self.deadline + TAKING_MAX));
        let deadline = Box::pin(tokio::time::sleep_until(self.deadline));
        let chunks =
            Chunks { next: Some(self.first), rest: self.rest, deadline, counted, ended: false, _leashed: leashed };
        let mut response = Response::new(Body::new(chunks));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        say_coding(response.headers_mut(), self.coding);
        response
    }
}

/// The body. Dropping it stops the query.
struct Chunks {
    next: Option<Chunk>,
    rest: RunningQuery,
    deadline: Pin<Box<Sleep>>,
    counted: Streaming,
    ended: bool,
    _leashed: Option<Leashed>,
}

/// Ends the connection instead of the answer: what was sent is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
struct CutOff;

impl Chunks {
    fn cut_off(&mut self, outcome: &'static str) -> Poll<Option<Result<Frame<axum::body::Bytes>, CutOff>>> {
        self.ended = true;
        self.counted.outcome = outcome;
        Poll::Ready(Some(Err(CutOff)))
    }
}

impl http_body::Body for Chunks {
    type Data = axum::body::Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, CutOff>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let chunk = match self.next.take() {
            Some(first) => first,
            None => match self.rest.chunks.poll_recv(context) {
                Poll::Ready(Some(Ok(chunk))) => chunk,
                Poll::Ready(Some(Err(error))) => {
                    return self.cut_off(if error.code() == 504 { "timeout" } else { "failed" });
                }
                Poll::Ready(None) => return self.cut_off("failed"),
                Poll::Pending => {
                    ready!(self.deadline.as_mut().poll(context));
                    return self.cut_off("timeout");
                }
            },
        };
        if let Some(ended) = chunk.ended {
            self.ended = true;
            self.counted.outcome = if ended == Ended::Whole { "ok" } else { "partial" };
        }
        Poll::Ready(Some(Ok(Frame::data(chunk.bytes.into()))))
    }
}
