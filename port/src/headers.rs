//! What a request's headers say of its body.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

/// The declared length; hyper has checked that it is a number and the only one.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The content type without its parameters; empty without the header.
pub fn essence(headers: &HeaderMap) -> &[u8] {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii()
}
