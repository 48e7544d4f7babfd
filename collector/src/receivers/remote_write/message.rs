//! Which message a request is, by its headers (remote write 2.0, "protobuf message").

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use weir_port::Refusal;
use weir_proto::remote_write::WriteVersion;

const MEDIA: &str = "application/x-protobuf";
const KNOWN: &str =
    "application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request";

/// What the content type says; without one, or without the parameter, it is version 1.
pub(super) fn version(headers: &HeaderMap) -> Result<WriteVersion, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(WriteVersion::V1) };
    let unknown = || Refusal::content_type(value.as_bytes(), KNOWN);
    let text = value.to_str().map_err(|_| unknown())?;
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    if media.is_empty() && text.is_empty() {
        return Ok(WriteVersion::V1);
    }
    if !media.eq_ignore_ascii_case(MEDIA) {
        return Err(unknown());
    }
    for part in parts {
        let Some((name, message)) = part.split_once('=') else { return Err(unknown()) };
        if name.trim() != "proto" {
            continue;
        }
        return match message.trim().trim_matches('"') {
            "prometheus.WriteRequest" => Ok(WriteVersion::V1),
            "io.prometheus.write.v2.Request" => Ok(WriteVersion::V2),
            _ => Err(unknown()),
        };
    }
    Ok(WriteVersion::V1)
}

/// Snappy's block format is the only one; old senders do not say so.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let encoding = headers.get(CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes);
    if encoding.is_empty() || encoding.eq_ignore_ascii_case(b"snappy") {
        return Ok(());
    }
    let name: String = String::from_utf8_lossy(encoding).chars().take(64).collect();
    let words = format!("{name} encoding (compression) is not accepted by this server; only snappy is acceptable");
    Err(Refusal::UnknownContentType(words, "Content-Encoding: snappy"))
}
