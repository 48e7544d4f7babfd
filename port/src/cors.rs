//! Cross-origin requests: which web pages may send (Fetch standard, "CORS protocol").

use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use crate::{
    config::CorsConfig,
    reply::{Reply, ReplyBody},
};

const ALWAYS_ALLOWED: [&str; 5] = ["accept", "content-type", "content-encoding", "origin", "x-requested-with"];

/// Says yes to `origin`, or nothing when it may not send. An origin that is configured may send with credentials, as
/// `navigator.sendBeacon` always does; one that only `*` allows may not.
fn allow(config: &CorsConfig, origin: &HeaderValue, answer: &mut HeaderMap) -> bool {
    let text = origin.to_str().unwrap_or_default();
    let mut patterns = config.allowed_origins.iter().filter(|pattern| *pattern != "*");
    if patterns.any(|pattern| matches(pattern, text)) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        return true;
    }
    let all = config.allowed_origins.iter().any(|pattern| pattern == "*");
    if all {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    all
}

fn matches(pattern: &str, origin: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(origin) };
    let origin = origin.to_ascii_lowercase();
    let (before, after) = (before.to_ascii_lowercase(), after.to_ascii_lowercase());
    origin.len() >= before.len() + after.len() && origin.starts_with(&before) && origin.ends_with(&after)
}

/// Answers a preflight request; `None` when `request` is not one.
pub fn preflight<B>(config: &CorsConfig, request: &Request<B>) -> Option<Reply> {
    let headers = request.headers();
    let asked = request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !asked || config.allowed_origins.is_empty() {
        return None;
    }
    let mut reply = Reply::new(ReplyBody::default());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let answer = reply.headers_mut();
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    answer.insert(VARY, HeaderValue::from_static(vary));
    if headers[ACCESS_CONTROL_REQUEST_METHOD] != "POST"
        || !headers_allowed(config, headers)
        || !allow(config, &headers[ORIGIN], answer)
    {
        return Some(reply);
    }
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    if config.max_age > 0 {
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(config.max_age));
    }
    Some(reply)
}

fn headers_allowed(config: &CorsConfig, headers: &HeaderMap) -> bool {
    if config.allowed_headers.iter().any(|allowed| allowed == "*") {
        return true;
    }
    for list in headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
        let Ok(list) = list.to_str() else { return false };
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let mut allowed = ALWAYS_ALLOWED.into_iter().chain(config.allowed_headers.iter().map(String::as_str));
            if !allowed.any(|allowed| allowed.eq_ignore_ascii_case(name)) {
                return false;
            }
        }
    }
    true
}

/// Lets the page read the answer to its request.
pub fn mark(config: &CorsConfig, origin: Option<&HeaderValue>, reply: &mut Reply) {
    if config.allowed_origins.is_empty() {
        return;
    }
    reply.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        allow(config, origin, reply.headers_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_whole_with_one_star() {
        let rows = [
            ("https://a.example", "https://a.example", true),
            ("https://A.example", "https://a.example", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://a.example.evil", false),
            ("https://*.example", "https://example", false),
            ("https://aa*aa", "https://aaa", false),
        ];
        for (pattern, origin, expected) in rows {
            assert_eq!(matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }
}
