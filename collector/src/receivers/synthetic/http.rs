//! Probes over HTTP: redirects followed to pinned addresses, and the answer looked at as blackbox_exporter does.

mod answer;
mod exchange;
mod request;

use http::{Method, StatusCode, Uri, header::LOCATION};

pub(super) use self::exchange::in_words;
use self::{answer::look_at, exchange::exchange, request::Asking};
use super::{
    findings::Findings,
    probe::{Bounds, Ready},
    resolve::{Resolved, Wanted},
    stream::{self, Stream},
};
use crate::receivers::prometheus::{is_same_place, resolved, without_password};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 10;

const PHASES: [&str; 5] = ["resolve", "connect", "tls", "processing", "transfer"];

/// Probes an URL; without a scheme it is one in the open.
pub(super) async fn probe(
    ready: &Ready,
    target: &str,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    findings.count_phases("probe_http_duration_seconds", &PHASES);
    for family in [
        "probe_http_content_length",
        "probe_http_uncompressed_body_length",
        "probe_http_redirects",
        "probe_http_ssl",
        "probe_http_status_code",
        "probe_http_version",
        "probe_failed_due_to_regex",
    ] {
        findings.gauges.set(family, 0.0);
    }
    let settings = &ready.module.http;
    let first = url(target)?;
    let mut asking = Asking::new(ready, &first)?;
    findings.note("url.full", shown(&first));
    findings.note("http.request.method", asking.method().as_str());
    findings.note("server.address", first.host().unwrap_or_default());
    findings.note("server.port", i64::from(port(&first)));
    let mut resolved_hosts = Resolved::default();
    let mut uri = first.clone();
    let mut redirects = 0;
    loop {
        let is_first_place = is_same_place(&first, &uri);
        let stream = open(ready, (&first, &uri), bounds, (&mut resolved_hosts, &mut *findings)).await?;
        let is_tls = stream.is_tls();
        let request = asking.request(&uri, is_first_place, findings.traceparent.as_deref(), stream.speaks_http2())?;
        let answer = exchange(stream, request, &uri, findings).await?;
        let next = match followed(&answer.head.status, answer.head.headers.get(LOCATION), &uri) {
            Err(_) if !settings.follows() => None,
            next => next?,
        };
        let Some(next) = next else { return look_at(settings, answer, is_tls, bounds, findings).await };
        redirects += 1;
        findings.gauges.set("probe_http_redirects", redirects as f64);
        if redirects > REDIRECTS_MAX || !settings.follows() {
            return look_at(settings, answer, is_tls, bounds, findings).await;
        }
        forget_tls(findings);
        asking.redirect(answer.head.status, &answer.head.headers, &uri);
        uri = next;
    }
}

/// What the last answer's connection says counts, not that of one before.
fn forget_tls(findings: &mut Findings) {
    for family in [
        "probe_ssl_earliest_cert_expiry",
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        "probe_ssl_last_chain_info",
        "probe_tls_version_info",
        "probe_tls_cipher_info",
    ] {
        findings.gauges.forget(family);
    }
}

/// A target as an URL.
fn url(target: &str) -> Result<Uri, String> {
    let with_scheme = target.starts_with("http://") || target.starts_with("https://");
    let text = if with_scheme { target.to_owned() } else { format!("http://{target}") };
    let text = text.split('#').next().unwrap_or_default();
    let uri: Uri =
        text.parse().map_err(|error| format!("could not parse target URL {:?}: {error}", without_password(target)))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("could not parse target URL {:?}: it names no host", without_password(target)));
    }
    Ok(uri)
}

/// An URL without whoever it names.
fn shown(uri: &Uri) -> String {
    let text = uri.to_string();
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return text };
    match authority.as_str().rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{}", uri.path_and_query().map_or("", |path| path.as_str())),
        None => text,
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// Connects to where an URL leads: phases `resolve` (of a new host), `connect` and `tls`.
async fn open(
    ready: &Ready,
    (first, uri): (&Uri, &Uri),
    bounds: Bounds<'_>,
    (hosts, findings): (&mut Resolved, &mut Findings),
) -> Result<Stream, String> {
    let settings = &ready.module.http;
    let host = uri.host().unwrap_or_default();
    let wanted = Wanted { protocol: settings.preferred_ip_protocol, fallback: settings.ip_protocol_fallback };
    let address = hosts.address(host, wanted, bounds.allow, findings).await?;
    findings.begin("connect");
    let tcp = stream::connect((address, port(uri)).into(), None).await?;
    findings.end();
    if uri.scheme_str() != Some("https") {
        return Ok(Stream::Plain(tcp));
    }
    findings.begin("tls");
    let tls = ready.tls.connect(tcp, host, first.host() == uri.host()).await?;
    findings.end();
    ready.tls.tell(&tls, findings);
    Ok(Stream::Tls(Box::new(tls)))
}

/// Where an answer leads: only with a status of redirection, and a place.
fn followed(status: &StatusCode, location: Option<&http::HeaderValue>, from: &Uri) -> Result<Option<Uri>, String> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = location else { return Ok(None) };
    let location = location.to_str().map_err(|_| "a redirect to nowhere".to_owned())?;
    resolved(from, location).map(Some)
}

/// The method after a redirect: as browsers and Go's client do it.
fn method_after(status: StatusCode, method: &Method) -> Method {
    match status.as_u16() {
        301..=303 if *method != Method::GET && *method != Method::HEAD => Method::GET,
        _ => method.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_urls() {
        for (target, expected) in [
            ("a", "http://a/"),
            ("a:8080/x?y=1#z", "http://a:8080/x?y=1"),
            ("https://a/b", "https://a/b"),
            ("[::1]:80", "http://[::1]:80/"),
        ] {
            assert_eq!(url(target).expect("an URL").to_string(), expected);
        }
        assert!(url("").is_err() && url("http://").is_err() && url("a b").is_err());
        assert_eq!(shown(&url("https://u:p@a/b").expect("an URL")), "https://a/b");
        assert_eq!(port(&url("https://a/").expect("an URL")), 443);
    }

    #[test]
    fn methods_after_redirects() {
        let after =
            |status: u16, method: Method| method_after(StatusCode::from_u16(status).expect("a status"), &method);
        assert_eq!(after(302, Method::POST), Method::GET);
        assert_eq!(after(303, Method::PUT), Method::GET);
        assert_eq!(after(301, Method::HEAD), Method::HEAD);
        assert_eq!(after(307, Method::POST), Method::POST);
        assert_eq!(after(308, Method::DELETE), Method::DELETE);
    }
}
