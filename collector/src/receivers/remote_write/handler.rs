//! Answers remote write as Prometheus does: 204 when all was written, 400 with the rest written, 503 to come again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use http_body::Body;
use tokio::time::timeout;
use weir_port::{Authenticate, Budget, Caller, Refusal, Reply, ReplyBody, Reservation, collect};
use weir_proto::{remote_write::WriteVersion, time::Clock};
use weir_store::{MetricsAppended, MetricsBatch, SampleIndex};

use super::{
    RemoteWriteConfig,
    batch::{Problems, read},
    message::{check_encoding, version},
};
use crate::{
    receivers::intake::{
        Arriving,
        metrics::{ITEMS_ACCEPTED, ITEMS_REJECTED, PAYLOAD_BYTES, REQUESTS, WIRE_BYTES},
        refused,
    },
    samples::SampleDoor,
};

/// Where it is mounted.
pub const PATH: &str = "/prometheus/api/v1/write";

/// The label in metrics.
const PROTOCOL: &str = "remote_write";

/// Payloads beyond this are read where blocking is allowed.
const INLINE_BYTES_MAX: usize = 1 << 20;

/// Takes what Prometheus, or whoever speaks like it, writes.
#[derive(Clone)]
pub struct RemoteWrite {
    door: SampleDoor,
    authenticate: Authenticate,
    clock: Clock,
    budget: Budget,
    body_bytes_max: usize,
    labels_max: usize,
    read_timeout: Duration,
}

/// What was written, for the headers of version 2.
#[derive(Debug, Default)]
struct Written {
    samples: usize,
    histograms: usize,
    exemplars: usize,
    problems: Problems,
}

impl RemoteWrite {
    /// Within the bounds of `config`.
    pub fn new(config: &RemoteWriteConfig, door: SampleDoor, authenticate: Authenticate, clock: Clock) -> Self {
        Self {
            door,
            authenticate,
            clock,
            budget: Budget::new(config.inflight_mib_max << 20),
            body_bytes_max: config.max_request_body_size,
            labels_max: config.labels_max,
            read_timeout: config.read_timeout,
        }
    }

    /// Answers one POST.
    pub async fn answer<B>(&self, request: Request<B>) -> http::Response<ReplyBody>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display>,
    {
        let asked = version(request.headers());
        let is_second = asked.as_ref().is_ok_and(|version| *version == WriteVersion::V2);
        let result = match asked {
            Ok(version) => self.take(request, version).await,
            Err(refusal) => Err(refusal),
        };
        let (outcome, mut reply, written) = match result {
            Ok(written) if written.problems.is_empty() => {
                let mut reply = Reply::new(ReplyBody::default());
                *reply.status_mut() = StatusCode::NO_CONTENT;
                ("ok", reply, written)
            }
            Ok(written) => {
                let mut reply = Reply::new(ReplyBody::new(written.problems.in_words()));
                *reply.status_mut() = StatusCode::BAD_REQUEST;
                ("partial", reply, written)
            }
            Err(refusal) => {
                let mut reply = Reply::new(ReplyBody::new(format!("{refusal}\n")));
                refusal.mark(&mut reply);
                (refusal.outcome(), reply, Written::default())
            }
        };
        REQUESTS.with_label_values(&[PROTOCOL, outcome]).inc();
        let headers = reply.headers_mut();
        if outcome != "ok" {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        if is_second {
            headers.insert("x-prometheus-remote-write-samples-written", written.samples.into());
            headers.insert("x-prometheus-remote-write-histograms-written", written.histograms.into());
            headers.insert("x-prometheus-remote-write-exemplars-written", written.exemplars.into());
        }
        reply
    }

    async fn take<B: Arriving>(&self, request: Request<B>, version: WriteVersion) -> Result<Written, Refusal> {
        let (head, body) = request.into_parts();
        let tenant = (self.authenticate)(&Caller::of(&head))?;
        check_encoding(&head.headers)?;
        let (body, mut reservation) = self.whole(&head, body).await?;
        WIRE_BYTES.with_label_values(&[PROTOCOL, "snappy"]).inc_by(body.len() as u64);
        let now_ns = self.clock.now_ns();
        let accept = self.door.accept.around((now_ns / 1_000_000) as i64);
        let declared = declared_len(&body, self.body_bytes_max)?;
        // Labels as they are looked up, samples with what they need in the batch.
        reservation.add(declared)?;
        let (source, labels_max) = (Arc::clone(&self.door.series), self.labels_max);
        let reading = move || {
            let payload = decompress(&body, declared)?;
            let mut batch = MetricsBatch::new(tenant, now_ns);
            let problems = read(version, &payload, &*source, (accept, labels_max), &mut batch)
                .map_err(|error| Refusal::Malformed(error.to_string()))?;
            Ok::<_, Refusal>((batch, problems, payload.len()))
        };
        let (batch, problems, payload_bytes) = if declared > INLINE_BYTES_MAX {
            match tokio::task::spawn_blocking(reading).await {
                Ok(read) => read?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Refusal::Stopped),
            }
        } else {
            reading()?
        };
        PAYLOAD_BYTES.with_label_values(&[PROTOCOL, "snappy"]).inc_by(payload_bytes as u64);
        let written = self.append(batch, problems).await;
        drop(reservation);
        written
    }

    async fn append(&self, batch: MetricsBatch, mut problems: Problems) -> Result<Written, Refusal> {
        let (floats, histograms, exemplars) = (batch.floats.len(), batch.histograms.len(), batch.exemplars.len());
        let is_empty = floats + histograms + exemplars + batch.metadata.len() + batch.rejected.len() == 0;
        for (reason, count) in &batch.rejected {
            ITEMS_REJECTED.with_label_values(&["metrics", reason.name()]).inc_by(u64::from(*count));
        }
        let appended =
            if is_empty { MetricsAppended::default() } else { (self.door.append)(batch).await.map_err(refused)? };
        let of_floats = appended.conflicts.iter().filter(|conflict| matches!(conflict, SampleIndex::Float(_))).count();
        let conflicts = appended.conflicts.len();
        for _ in 0..conflicts {
            problems.add(|| "duplicate sample for timestamp: another value is there, and stays".to_owned());
        }
        let (samples, histograms) = (floats - of_floats, histograms - (conflicts - of_floats));
        ITEMS_ACCEPTED.with_label_values(&["metrics", PROTOCOL]).inc_by((samples + histograms) as u64);
        Ok(Written { samples, histograms, exemplars, problems })
    }

    /// The whole body, as it came.
    async fn whole<B: Arriving>(&self, head: &Parts, body: B) -> Result<(Bytes, Reservation), Refusal> {
        let bytes_max = self.body_bytes_max;
        let length = content_length(&head.headers);
        if length.is_some_and(|length| length > bytes_max as u64) {
            return Err(Refusal::TooLarge { what: "the request", bytes_max });
        }
        let mut reservation = self.budget.open();
        let declared = |_: &[u8]| Ok(length.map(|length| length as usize));
        let collected = collect(body, bytes_max, declared, &mut reservation);
        let body = timeout(self.read_timeout, collected).await.map_err(|_| Refusal::Slow(self.read_timeout))??;
        Ok((body, reservation))
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the block says that it holds: checked before anything is allocated for it.
fn declared_len(body: &[u8], bytes_max: usize) -> Result<usize, Refusal> {
    let corrupt = |error: snap::Error| Refusal::Malformed(format!("corrupt snappy: {error}"));
    let declared = snap::raw::decompress_len(body).map_err(corrupt)?;
    if declared > bytes_max {
        return Err(Refusal::TooLarge { what: "the decompressed request", bytes_max });
    }
    Ok(declared)
}

fn decompress(body: &[u8], declared: usize) -> Result<Vec<u8>, Refusal> {
    let corrupt = |error: snap::Error| Refusal::Malformed(format!("corrupt snappy: {error}"));
    let mut payload = vec![0; declared];
    let length = snap::raw::Decoder::new().decompress(body, &mut payload).map_err(corrupt)?;
    payload.truncate(length);
    Ok(payload)
}
