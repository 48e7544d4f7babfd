//! One scrape's request: from a target to its body, within its bounds.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};
use weir_port::{Budget, Encoding, Refusal, Reservation, collect, decompress};
use weir_proto::exposition::TextFormat;

use super::{
    client::status_error,
    job::{Job, Source},
    media,
    probing::{ProbeAsked, Probed, Probing},
    target::Target,
};

/// What a target exposed.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) format: TextFormat,
    /// Why the target is down although there is a body: a probe failed.
    pub(super) failure: Option<String>,
    /// Holds them of the budget.
    _reservation: Reservation,
}

/// Why a scrape with a body over `body_size_limit` fails.
pub(super) const BODY_TOO_LARGE: &str = "body size limit exceeded";

const AGENT: &str = concat!("Weir/", env!("CARGO_PKG_VERSION"));

/// Asks the target. The error is what its page shows.
pub(super) async fn fetch(job: &Job, target: &Target, budget: &Budget) -> Result<Body, String> {
    let client = match &job.source {
        Source::Scraped(client) => client,
        Source::Probed(probing) => return Ok(Body::of_probe(ask(probing, job, target).await, budget)),
    };
    let asked = async {
        let response = client.get(&target.url, &headers(job, target)).await?;
        if response.status() != StatusCode::OK {
            return Err(status_error(response.status()));
        }
        let (head, body) = response.into_parts();
        let mut reservation = budget.open();
        let bytes_max = job.limits.body_bytes;
        let whole = collect(body, bytes_max, |_| Ok(None), &mut reservation).await.map_err(in_words)?;
        let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let is_gzip = text(CONTENT_ENCODING).is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip"));
        let bytes = if is_gzip {
            let content = decompress(Encoding::Gzip, &whole, bytes_max, &mut reservation).map_err(in_words)?;
            reservation.give_back(whole.len());
            Bytes::from(content)
        } else {
            whole
        };
        let format = if bytes.is_empty() {
            TextFormat::Prometheus
        } else {
            media::format(text(CONTENT_TYPE), job.config.fallback_scrape_protocol)?
        };
        Ok(Body { bytes, format, failure: None, _reservation: reservation })
    };
    match tokio::time::timeout(target.timeout, asked).await {
        Ok(result) => result,
        Err(_) => Err(format!("Get {:?}: context deadline exceeded", target.url)),
    }
}

impl Body {
    /// What a probe found, or found before.
    pub(super) fn of_probe(probed: Probed, budget: &Budget) -> Self {
        let Probed { body, failure } = probed;
        Self { bytes: body, format: TextFormat::Prometheus, failure, _reservation: budget.open() }
    }
}

/// Probes a target; its time is the prober's to keep.
async fn ask(probing: &Probing, job: &Job, target: &Target) -> Probed {
    let asked = ProbeAsked {
        job: job.name().to_owned(),
        module: target.module.clone(),
        target: target.url.clone(),
        timeout: target.timeout,
    };
    (probing.probe)(asked).await
}

fn in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::TooLarge { .. } => BODY_TOO_LARGE.into(),
        other => other.to_string(),
    }
}

fn headers(job: &Job, target: &Target) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    let value = |text: &str| HeaderValue::from_str(text).expect("made of names and numbers");
    headers.insert(ACCEPT, value(&job.accept));
    let encoding = if job.config.enable_compression { "gzip" } else { "identity" };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("x-prometheus-scrape-timeout-seconds", value(&target.timeout.as_secs_f64().to_string()));
    headers
}
