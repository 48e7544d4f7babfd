//! Probes by gRPC's health protocol (grpc.health.v1), over HTTP/2 in the open or with TLS.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{task::JoinSet, time::Instant};

use super::{
    findings::Findings,
    http::in_words,
    probe::{Bounds, Ready},
    resolve::{Resolved, Wanted, split},
    stream::{self, Stream},
};

const DURATION: &str = "probe_grpc_duration_seconds";
const STATUS: &str = "probe_grpc_status_code";

/// `ServingStatus`, by number.
const SERVING: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// Codes of gRPC that are ours to say.
const UNKNOWN: u32 = 2;
const UNAVAILABLE: u32 = 14;

/// Largest answer: a status is a few bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Asks `host:port` for the health of a service.
pub(super) async fn probe(
    ready: &Ready,
    target: &str,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    findings.gauges.add(DURATION, &[("phase", "resolve")], 0.0);
    findings.gauges.set("probe_grpc_ssl", 0.0);
    findings.gauges.set(STATUS, 0.0);
    for status in SERVING {
        findings.gauges.set_labelled("probe_grpc_healthcheck_response", &[("serving_status", status)], 0.0);
    }
    let settings = &ready.module.grpc;
    let target = target.trim_start_matches("http://").trim_start_matches("https://");
    let target = target.split('/').next().unwrap_or_default();
    let (host, port) = split(target)?;
    let port = port.unwrap_or(if settings.tls { 443 } else { 80 });
    findings.note("rpc.system", "grpc");
    findings.note("rpc.service", "grpc.health.v1.Health");
    findings.note("rpc.method", "Check");
    findings.note("server.address", host);
    findings.note("server.port", i64::from(port));
    let wanted = Wanted { protocol: settings.preferred_ip_protocol, fallback: settings.ip_protocol_fallback };
    let begin = Instant::now();
    let address = Resolved::default().address(host, wanted, bounds.allow, findings).await?;
    findings.gauges.add(DURATION, &[("phase", "resolve")], begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    // What a call that never ended is called.
    findings.gauges.set(STATUS, f64::from(UNAVAILABLE));
    let checked = check(ready, (host, (address, port).into(), target), bounds, findings).await;
    findings.gauges.add(DURATION, &[("phase", "check")], begin.elapsed().as_secs_f64());
    let (code, said) = checked?;
    findings.gauges.set(STATUS, f64::from(code));
    findings.note("rpc.grpc.status_code", i64::from(code));
    let status = said.map_err(|problem| format!("can't connect grpc server: {problem}"))?;
    let name = usize::try_from(status).ok().and_then(|status| SERVING.get(status)).unwrap_or(&SERVING[0]);
    findings.gauges.set_labelled("probe_grpc_healthcheck_response", &[("serving_status", name)], 1.0);
    if *name == "SERVING" { Ok(()) } else { Err(format!("the service is {name}")) }
}

/// The code of the call, and the status that it brought or what is said instead.
async fn check(
    ready: &Ready,
    (host, address, authority): (&str, SocketAddr, &str),
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(u32, Result<i32, String>), String> {
    findings.begin("connect");
    let tcp = stream::connect(address, None).await?;
    findings.end();
    let stream = if ready.module.grpc.tls {
        findings.begin("tls");
        let tls = ready.tls.connect(tcp, host, true).await?;
        findings.end();
        ready.tls.tell(&tls, findings);
        findings.gauges.set("probe_grpc_ssl", 1.0);
        Stream::Tls(Box::new(tls))
    } else {
        Stream::Plain(tcp)
    };
    findings.begin("check");
    let said = |error: hyper::Error| format!("can't connect grpc server: {}", in_words(&error));
    let mut driver = JoinSet::new();
    let handshake = http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(said)?;
    driver.spawn(async move { drop(connection.await) });
    let request = request(ready, authority, bounds, findings.traceparent.as_deref())?;
    let (head, body) = sender.send_request(request).await.map_err(said)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| format!("can't connect grpc server: {error}"))?;
    findings.end();
    // An answer without a message has its trailers in front.
    let (code, message) = match body.trailers().and_then(outcome).or_else(|| outcome(&head.headers)) {
        Some(outcome) => outcome,
        None => (UNKNOWN, format!("no grpc-status; the answer's status is {}", head.status.as_u16())),
    };
    if code != 0 {
        return Ok((code, Err(format!("code {code}: {message}"))));
    }
    let bytes = body.to_bytes();
    let content = bytes.get(5..).filter(|_| bytes[0] == 0).ok_or("the answer has no message".to_owned());
    let status = content.and_then(|content| HealthCheckResponse::decode(content).map_err(|error| error.to_string()));
    Ok((0, status.map(|response| response.status)))
}

fn request(
    ready: &Ready,
    authority: &str,
    bounds: Bounds<'_>,
    traceparent: Option<&str>,
) -> Result<Request<Full<Bytes>>, String> {
    let settings = &ready.module.grpc;
    let content = HealthCheckRequest { service: settings.service.clone() }.encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&(content.len() as u32).to_be_bytes());
    framed.extend_from_slice(&content);
    let scheme = if settings.tls { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query("/grpc.health.v1.Health/Check").build();
    let mut request = Request::post(uri.map_err(|error| format!("{authority}: {error}"))?);
    let headers = request.headers_mut().ok_or("the request cannot be made")?;
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("user-agent", HeaderValue::from_static(concat!("Weir/", env!("CARGO_PKG_VERSION"))));
    let timeout = format!("{}m", bounds.timeout.as_millis().min(99_999_999));
    headers.insert("grpc-timeout", HeaderValue::from_str(&timeout).map_err(|error| error.to_string())?);
    if let Some(parent) = traceparent.and_then(|parent| HeaderValue::from_str(parent).ok()) {
        headers.insert("traceparent", parent);
    }
    for (name, values) in &settings.metadata {
        for value in values {
            let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let (name, value) = pair.ok_or_else(|| format!("metadata {name:?} cannot be sent"))?;
            headers.append(name, value);
        }
    }
    request.body(Full::new(Bytes::from(framed))).map_err(|error| error.to_string())
}

/// `grpc-status` and `grpc-message`.
fn outcome(headers: &HeaderMap) -> Option<(u32, String)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code = text("grpc-status")?.parse().unwrap_or(UNKNOWN);
    Some((code, text("grpc-message").unwrap_or_default().to_owned()))
}
