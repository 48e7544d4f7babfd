//! Whether an answer is a success: status, headers, body, version and TLS, in blackbox_exporter's order.

use bytes::Bytes;
use http::{
    HeaderMap, StatusCode, Version,
    header::{CONTENT_LENGTH, LAST_MODIFIED},
    response::Parts,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use weir_port::{Budget, Encoding, decompress};
use weir_proto::timestamp;

use super::exchange::{Answer, in_words};
use crate::receivers::synthetic::{
    findings::Findings,
    module::{Compression, Expression, HeaderMatch, HttpProbe},
    probe::Bounds,
};

/// Reads an answer to its end, the phase `transfer`, and judges it.
pub(super) async fn look_at(
    settings: &HttpProbe,
    answer: Answer,
    is_tls: bool,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    let Answer { head, body, .. } = &answer;
    tell(head, body, is_tls, findings);
    let mut judged = status(settings, head.status);
    if judged.is_ok() {
        judged = headers(settings, &head.headers);
        note_condition(&judged, findings);
    }
    let version = written(head.version);
    // Its driver has to live until the body is read.
    let Answer { body, _driver, .. } = answer;
    findings.begin("transfer");
    let limit = match settings.body_size_limit {
        0 => bounds.body_bytes_max,
        limit => limit.min(bounds.body_bytes_max),
    };
    let has_conditions =
        !settings.fail_if_body_matches_regexp.is_empty() || !settings.fail_if_body_not_matches_regexp.is_empty();
    let compression = settings.compression.filter(|compression| *compression != Compression::Identity);
    let keeps = has_conditions || compression.is_some();
    let read = read(body, limit, keeps).await;
    let content = read.and_then(|(bytes, length)| uncompressed(bytes, length, compression, limit));
    findings.end();
    match content {
        Ok((content, length)) => {
            findings.gauges.set("probe_http_uncompressed_body_length", length as f64);
            if judged.is_ok() {
                judged = body_conditions(settings, &content);
                note_condition(&judged, findings);
            }
        }
        Err(problem) => judged = judged.and(Err(problem)),
    }
    if !settings.valid_http_versions.is_empty() && !settings.valid_http_versions.iter().any(|valid| valid == version) {
        judged = judged.and_then(|()| Err(format!("invalid HTTP version number: {version}")));
    }
    if settings.fail_if_ssl && is_tls {
        judged = judged.and_then(|()| Err("final request was over SSL".into()));
    }
    if settings.fail_if_not_ssl && !is_tls {
        judged = judged.and_then(|()| Err("final request was not over SSL".into()));
    }
    judged
}

fn note_condition(judged: &Result<(), String>, findings: &mut Findings) {
    findings.gauges.set("probe_failed_due_to_regex", f64::from(u8::from(judged.is_err())));
}

/// The gauges of an answer's head.
fn tell(head: &Parts, body: &Incoming, is_tls: bool, findings: &mut Findings) {
    let gauges = &mut findings.gauges;
    gauges.set("probe_http_status_code", f64::from(head.status.as_u16()));
    gauges.set("probe_http_ssl", f64::from(u8::from(is_tls)));
    let number = match head.version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    };
    gauges.set("probe_http_version", number);
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<f64>().ok());
    let is_empty = hyper::body::Body::is_end_stream(body);
    gauges.set("probe_http_content_length", declared.unwrap_or(if is_empty { 0.0 } else { -1.0 }));
    let modified = head.headers.get(LAST_MODIFIED).and_then(|time| http_date(time.to_str().ok()?));
    if let Some(seconds) = modified {
        gauges.set("probe_http_last_modified_timestamp_seconds", seconds as f64);
    }
    findings.note("http.response.status_code", i64::from(head.status.as_u16()));
    findings.note("network.protocol.version", written(head.version).trim_start_matches("HTTP/"));
}

/// As Go writes versions.
fn written(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn status(settings: &HttpProbe, status: StatusCode) -> Result<(), String> {
    if settings.valid_status_codes.is_empty() {
        return if status.is_success() {
            Ok(())
        } else {
            Err(format!("invalid HTTP response status code {}, wanted 2xx", status.as_u16()))
        };
    }
    if settings.valid_status_codes.contains(&status.as_u16()) {
        return Ok(());
    }
    let valid = &settings.valid_status_codes;
    Err(format!("invalid HTTP response status code {}, wanted one of {valid:?}", status.as_u16()))
}

fn headers(settings: &HttpProbe, headers: &HeaderMap) -> Result<(), String> {
    // A header that has to be there and is not fails as one does that matches.
    let values = |condition: &HeaderMatch| -> Result<Option<Vec<Vec<u8>>>, String> {
        let values: Vec<Vec<u8>> =
            headers.get_all(&condition.header).iter().map(|value| value.as_bytes().to_vec()).collect();
        match (values.is_empty(), condition.allow_missing) {
            (false, _) => Ok(Some(values)),
            (true, true) => Ok(None),
            (true, false) => Err(format!("missing required header {}", condition.header)),
        }
    };
    for condition in &settings.fail_if_header_matches {
        let found = values(condition)?;
        if found.is_some_and(|values| values.iter().any(|value| condition.regexp.is_in(value))) {
            let expression = condition.regexp.as_str();
            return Err(format!("header {} matched regular expression {expression:?}", condition.header));
        }
    }
    for condition in &settings.fail_if_header_not_matches {
        let found = values(condition)?;
        if found.is_some_and(|values| !values.iter().any(|value| condition.regexp.is_in(value))) {
            let expression = condition.regexp.as_str();
            return Err(format!("header {} did not match regular expression {expression:?}", condition.header));
        }
    }
    Ok(())
}

fn body_conditions(settings: &HttpProbe, body: &[u8]) -> Result<(), String> {
    let is_in = |expression: &&Expression| expression.is_in(body);
    if let Some(found) = settings.fail_if_body_matches_regexp.iter().find(is_in) {
        return Err(format!("body matched regular expression {:?}", found.as_str()));
    }
    if let Some(missing) = settings.fail_if_body_not_matches_regexp.iter().find(|expression| !is_in(expression)) {
        return Err(format!("body did not match regular expression {:?}", missing.as_str()));
    }
    Ok(())
}

/// Reads a body, and keeps it where it is looked at; its length.
async fn read(mut body: Incoming, limit: usize, keeps: bool) -> Result<(Vec<u8>, usize), String> {
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("failed to read HTTP response body: {}", in_words(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(format!("failed to read HTTP response body: more than {limit} bytes"));
        }
        if keeps {
            kept.extend_from_slice(&data);
        }
    }
    Ok((kept, length))
}

fn uncompressed(
    bytes: Vec<u8>,
    length: usize,
    compression: Option<Compression>,
    limit: usize,
) -> Result<(Bytes, usize), String> {
    let encoding = match compression {
        None | Some(Compression::Identity) => return Ok((bytes.into(), length)),
        Some(Compression::Gzip) => Encoding::Gzip,
        Some(Compression::Deflate) => Encoding::Deflate,
    };
    let mut reservation = Budget::new(limit.saturating_mul(2).saturating_add(1 << 20)).open();
    let content = decompress(encoding, &bytes, limit, &mut reservation);
    let content = content.map_err(|error| format!("failed to decompress HTTP response body: {error}"))?;
    let length = content.len();
    Ok((content.into(), length))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as Unix seconds (RFC 9110, section 5.6.7; the two obsolete forms are not read).
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?.parse().ok()?);
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? as u32 / 3 + 1;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(0..=9999).contains(&year) || ![hour, minute, second].iter().all(|part| (0..=60).contains(part)) {
        return None;
    }
    let days = timestamp::days_since_epoch(year, month, day)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("yesterday"), None);
        assert_eq!(http_date("Sun, 06 Nov 1994 9223372036854775807:00:00 GMT"), None);
        assert_eq!(http_date("Sun, 06 Nov 99999999 08:49:37 GMT"), None);
        assert_eq!(http_date("Thu, 01 anF 1970 00:00:00 GMT"), None);
    }
}
