//! The web UI's page and files. The root hands them in; this says how browsers may keep them and what the page may do.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Instant,
};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{answer::HTML, metrics};

/// What stands in the page for the nonce of an answer.
const NONCE: &str = "__NONCE__";
/// The name of page and files in the metrics of endpoints.
const ENDPOINT: &str = "ui";

/// The page, where it is shown, and what it loads.
#[derive(Debug, Default)]
pub struct Site {
    /// HTML; `__NONCE__` in it becomes the nonce of each answer's content security policy.
    pub page: &'static str,
    /// The paths that it answers, as axum writes them.
    pub paths: &'static [&'static str],
    /// What the page loads.
    pub assets: Vec<Asset>,
}

/// A file that the page loads. Below `/assets/` its name changes with its content.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Where it is asked for.
    pub path: &'static str,
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// As it is.
    pub plain: &'static [u8],
    /// In the coding `br`.
    pub brotli: Option<&'static [u8]>,
    /// In the coding `gzip`.
    pub gzip: Option<&'static [u8]>,
}

impl Site {
    /// Adds page and files to what is served.
    pub(super) fn mount(&self, mut router: Router) -> Router {
        let page = self.page;
        let tag = page_tag(page);
        for path in self.paths {
            let tag = tag.clone();
            router =
                router.route(path, get(move |headers: HeaderMap| async move { page_answer(page, &tag, &headers) }));
        }
        for asset in &self.assets {
            let asset = *asset;
            router = router.route(asset.path, get(move |headers: HeaderMap| async move { asset.answer(&headers) }));
        }
        router
    }
}

/// Changes when the page does: it names its files by their hashes.
fn page_tag(page: &str) -> Arc<str> {
    let mut hasher = DefaultHasher::new();
    page.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish()).into()
}

/// The page is asked for again each time, and sent again only when it has changed.
fn page_answer(page: &str, tag: &str, headers: &HeaderMap) -> Response {
    let begin = Instant::now();
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = Response::new(Body::empty());
    if is_known {
        // Without a policy: the one that the browser keeps beside its page has the nonce that is in that page.
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let Some(nonce) = nonce() else {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            metrics::count(ENDPOINT, "failed", begin);
            return response;
        };
        *response.body_mut() = page.replace(NONCE, &nonce).into();
        set(&mut response, header::CONTENT_TYPE, HTML);
        set(&mut response, header::CONTENT_SECURITY_POLICY, &policy(&nonce));
        set(&mut response, header::REFERRER_POLICY, "same-origin");
    }
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    set(&mut response, header::ETAG, tag);
    metrics::count(ENDPOINT, "ok", begin);
    response
}

/// Everything from here, nothing from elsewhere; styles that scripts write carry the nonce.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; font-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// 128 bits that nobody can foresee; `None` when the system has none to give.
fn nonce() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

impl Asset {
    /// Below `/assets/` another content has another name: browsers may keep it for ever.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let begin = Instant::now();
        let brotli = self.brotli.filter(|_| accepts(headers, "br")).map(|body| ("br", body));
        let gzip = self.gzip.filter(|_| accepts(headers, "gzip")).map(|body| ("gzip", body));
        let coded = brotli.or(gzip);
        let mut response = Response::new(Body::from(coded.map_or(self.plain, |(_, body)| body)));
        set(&mut response, header::CONTENT_TYPE, self.content_type);
        set(&mut response, header::VARY, "accept-encoding");
        let is_named_by_hash = self.path.starts_with("/assets/");
        let keep = if is_named_by_hash { "public, max-age=31536000, immutable" } else { "no-cache" };
        set(&mut response, header::CACHE_CONTROL, keep);
        if let Some((coding, _)) = coded {
            set(&mut response, header::CONTENT_ENCODING, coding);
        }
        metrics::count(ENDPOINT, "ok", begin);
        response
    }
}

/// Whether `Accept-Encoding` names the coding and does not refuse it.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let (name, rest) = item.split_once(';').unwrap_or((item, ""));
        let quality = rest.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
        name.trim().eq_ignore_ascii_case(coding) && quality.parse::<f32>().map_or(rest.trim().is_empty(), |q| q > 0.0)
    })
}

fn set(response: &mut Response, name: http::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("made of printable ASCII");
    response.headers_mut().insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<meta nonce="__NONCE__"><style nonce="__NONCE__">"#;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().expect("text"))
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().expect("a value"))])
    }

    #[tokio::test]
    async fn each_page_has_a_nonce_of_its_own_and_is_sent_once() {
        let tag = page_tag(PAGE);
        let mut policies = Vec::new();
        for _ in 0..2 {
            let response = page_answer(PAGE, &tag, &HeaderMap::new());
            let policy = header(&response, "content-security-policy").expect("a policy").to_owned();
            assert!(!policy.contains("unsafe") && header(&response, "cache-control") == Some("no-cache"), "{policy}");
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
            let body = String::from_utf8(body.to_vec()).expect("text");
            let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
            assert_eq!(body, PAGE.replace(NONCE, nonce));
            policies.push(policy);
        }
        assert_ne!(policies[0], policies[1]);
        for known in [tag.to_string(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let response = page_answer(PAGE, &tag, &headers("if-none-match", &known));
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(header(&response, "content-security-policy"), None);
        }
        assert_eq!(page_answer(PAGE, &tag, &headers("if-none-match", "\"x\"")).status(), StatusCode::OK);
    }

    #[test]
    fn files_are_sent_as_the_browser_likes_them() {
        let file = Asset {
            path: "/assets/a-1.js",
            content_type: "text/javascript",
            plain: b"plain",
            brotli: Some(b"b"),
            gzip: Some(b"g"),
        };
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("br;q=0", None),
            ("identity", None),
        ] {
            let response = file.answer(&headers("accept-encoding", accepted));
            assert_eq!(header(&response, "content-encoding"), coding, "{accepted}");
            assert!(header(&response, "cache-control").is_some_and(|value| value.contains("immutable")));
            assert_eq!(header(&response, "vary"), Some("accept-encoding"));
        }
    }
}
