//! Paths to which bodies are posted, the same for all formats.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header::CONTENT_ENCODING, request::Parts};
use http_body::Body;
use tokio::time::timeout;
use weir_port::{Caller, Encoding, Refusal, Reservation, collect, content_length};
use weir_proto::{Signal, TenantId};

use super::{
    format::Format,
    metrics::REQUESTS,
    take::{Accepted, Intake, Received},
};

/// Takes what is posted to a signal's path.
pub(crate) struct Post {
    pub(crate) intake: Arc<Intake>,
    pub(crate) paths: Vec<(String, Signal)>,
    pub(crate) body_bytes_max: usize,
    pub(crate) read_timeout: Duration,
}

/// A body on its way in: from a port of ours, or from one that hands its pushes on.
pub(crate) trait Arriving: Body<Data = Bytes, Error: std::fmt::Display> {}

impl<B: Body<Data = Bytes, Error: std::fmt::Display>> Arriving for B {}

/// What a request's headers say of its body.
pub(crate) struct Posted {
    /// The label in metrics.
    pub(crate) protocol: &'static str,
    /// Or why the content type is refused.
    pub(crate) format: Result<Format, Refusal>,
}

impl Post {
    /// Whose path it is.
    pub(crate) fn signal(&self, path: &str) -> Option<Signal> {
        self.paths.iter().find(|(known, _)| known == path).map(|(_, signal)| *signal)
    }

    /// Takes one request, whatever it is, and counts it.
    pub(crate) async fn take<B: Arriving>(&self, request: Request<B>, posted: Posted) -> Result<Accepted, Refusal> {
        let protocol = posted.protocol;
        let result = self.receive(request, posted).await;
        let outcome = match &result {
            Ok(accepted) => accepted.outcome(),
            Err(refusal) => refusal.outcome(),
        };
        REQUESTS.with_label_values(&[protocol, outcome]).inc();
        result
    }

    async fn receive<B: Arriving>(&self, request: Request<B>, posted: Posted) -> Result<Accepted, Refusal> {
        let (head, body) = request.into_parts();
        let Some(signal) = self.signal(head.uri.path()) else {
            return Err(Refusal::not_found(head.uri.path(), &self.paths));
        };
        let tenant = self.admit(&head)?;
        let Posted { protocol, format } = posted;
        let format = format?;
        let encoding = head.headers.get(CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
        let encoding = Encoding::parse(encoding)?;
        let bytes_max = self.body_bytes_max;
        let (body, reservation) = self.whole(&head, body).await?;
        self.intake.take(Received { signal, protocol, format, tenant, encoding, body, bytes_max, reservation }).await
    }

    /// Whose the request is, which must be a POST.
    fn admit(&self, head: &Parts) -> Result<TenantId, Refusal> {
        if head.method != Method::POST {
            return Err(Refusal::Method(head.method.to_string()));
        }
        Ok((self.intake.authenticate)(&Caller::of(head))?)
    }

    /// The whole body, as it came.
    async fn whole<B: Arriving>(&self, head: &Parts, body: B) -> Result<(Bytes, Reservation), Refusal> {
        let bytes_max = self.body_bytes_max;
        let length = content_length(&head.headers);
        if length.is_some_and(|length| length > bytes_max as u64) {
            return Err(Refusal::TooLarge { what: "the request", bytes_max });
        }
        let mut reservation = self.intake.budget.open();
        let declared = |_: &[u8]| Ok(length.map(|length| length as usize));
        let collected = collect(body, bytes_max, declared, &mut reservation);
        let body = timeout(self.read_timeout, collected).await.map_err(|_| Refusal::Slow(self.read_timeout))??;
        Ok((body, reservation))
    }
}
