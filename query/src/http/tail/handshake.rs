//! WebSocket's opening handshake (RFC 6455, section 4.2).

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::sha1::sha1;

/// What is hashed together with the key (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The header `Sec-WebSocket-Accept`; or the answer to what is no such handshake.
pub(super) fn accepted(request: &Request) -> Result<HeaderValue, Box<Response>> {
    let headers = request.headers();
    let refused = |status: StatusCode, words: &'static str| {
        let mut response = (status, format!("{words}\n")).into_response();
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        Err(Box::new(response))
    };
    if !names(headers, header::CONNECTION, "upgrade") || !names(headers, header::UPGRADE, "websocket") {
        return refused(StatusCode::BAD_REQUEST, "this is asked by WebSocket: the request is no upgrade to it");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return refused(StatusCode::BAD_REQUEST, "the version of WebSocket is 13");
    }
    if !is_same_origin(headers) {
        return refused(StatusCode::FORBIDDEN, "pages of other sites may not follow lines");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    if STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
        return refused(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is 16 bytes in base64");
    }
    let accepted = STANDARD.encode(sha1(&[key, GUID].concat()));
    Ok(HeaderValue::from_str(&accepted).expect("base64 is ASCII"))
}

fn names(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(wanted))
}

/// Whether it is no page's, or one's that came from here. Browsers ask nobody before they open a WebSocket.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, site)| site.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn of(changed: &[(&str, &str)]) -> Result<String, u16> {
        let mut request = Request::builder()
            .header("host", "localhost:4320")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Body::empty())
            .expect("a request");
        for (name, value) in changed {
            let name: HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let text = |value: HeaderValue| value.to_str().expect("text").to_owned();
        accepted(&request).map(text).map_err(|refused| refused.status().as_u16())
    }

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        assert_eq!(of(&[]).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(of(&[("origin", "http://localhost:4320")]).is_ok());
        for (changed, status) in [
            (("connection", "close"), 400),
            (("upgrade", "h2c"), 400),
            (("sec-websocket-version", "8"), 400),
            (("sec-websocket-key", "dG9vIHNob3J0"), 400),
            (("origin", "https://elsewhere.example"), 403),
        ] {
            assert_eq!(of(&[changed]), Err(status), "{changed:?}");
        }
    }
}
