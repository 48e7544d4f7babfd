//! What is sent, to whom: credentials stay with the host that they are for.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE, USER_AGENT,
    },
};
use http_body_util::Full;
use weir_proto::otlp::json::in_base64;

use super::{Ready, method_after};
use crate::receivers::prometheus::HttpKeys;
use crate::receivers::synthetic::module::HttpProbe;

const AGENT: &str = concat!("Weir/", env!("CARGO_PKG_VERSION"));

/// Cookies that one probe remembers.
const COOKIES_MAX: usize = 50;

/// Largest `body_file`.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// Headers that say nothing of who asks: they go along to other hosts.
const HARMLESS: [HeaderName; 5] = [ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];

/// A request that is sent, changed by each redirect.
pub(super) struct Asking<'a> {
    ready: &'a Ready,
    method: Method,
    headers: HeaderMap,
    /// What a module calls the host, instead of what the URL does.
    host: Option<HeaderValue>,
    /// Whom the URL names.
    user: Option<HeaderValue>,
    body: Bytes,
    cookies: Vec<Cookie>,
}

struct Cookie {
    /// Scheme, name and port.
    place: String,
    name: String,
    value: String,
}

impl HttpProbe {
    /// Who asks, in the words of a scrape config.
    pub(in super::super) fn keys(&self) -> HttpKeys<'_> {
        HttpKeys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: self.bearer_token.as_ref(),
            bearer_token_file: self.bearer_token_file.as_ref(),
            http_headers: &self.http_headers,
            tls_config: Some(&self.tls_config),
            follow_redirects: self.follow_redirects,
            enable_http2: self.enable_http2,
        }
    }
}

impl<'a> Asking<'a> {
    /// The first request. Reads the file of its body, if that stands in one.
    pub(super) fn new(ready: &'a Ready, first: &Uri) -> Result<Self, String> {
        let settings = &ready.module.http;
        let method = if settings.method.is_empty() { "GET" } else { &settings.method };
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        let mut host = None;
        for (name, value) in &settings.headers {
            let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no name of a header"))?;
            let value: HeaderValue = value.parse().map_err(|_| format!("the header {name} cannot be sent"))?;
            if name == HOST {
                host = Some(value);
            } else {
                headers.insert(name, value);
            }
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        if let Some(compression) = settings.compression {
            headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(compression.name()));
        }
        Ok(Self { ready, method, headers, host, user: user(first), body: body(settings)?, cookies: Vec::new() })
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// The request to an URL. `is_first_place`: where credentials may go.
    pub(super) fn request(
        &self,
        uri: &Uri,
        is_first_place: bool,
        traceparent: Option<&str>,
        is_http2: bool,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        for (name, value) in &self.headers {
            if is_first_place || HARMLESS.contains(name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        if is_first_place {
            if let Some(user) = &self.user
                && !request.headers().contains_key(AUTHORIZATION)
            {
                request.headers_mut().insert(AUTHORIZATION, user.clone());
            }
            self.ready.identity.mark(request.headers_mut())?;
        }
        if let Some(parent) = traceparent.and_then(|parent| HeaderValue::from_str(parent).ok()) {
            request.headers_mut().entry("traceparent").or_insert(parent);
        }
        self.add_cookies(uri, request.headers_mut());
        let named = self.host.clone().filter(|_| is_first_place);
        let own = uri.authority().map_or("", |authority| authority.as_str());
        let own = own.rsplit_once('@').map_or(own, |(_, host)| host);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if is_http2 {
            let host = named.as_ref().and_then(|host| host.to_str().ok()).unwrap_or(own);
            let target = Uri::builder().scheme("https").authority(host).path_and_query(path).build();
            *request.uri_mut() = target.map_err(|error| format!("{uri}: {error}"))?;
            *request.version_mut() = Version::HTTP_2;
        } else {
            let own = HeaderValue::from_str(own).map_err(|error| format!("{uri}: {error}"))?;
            request.headers_mut().insert(HOST, named.unwrap_or(own));
            *request.uri_mut() = path.parse().map_err(|error| format!("{uri}: {error}"))?;
        }
        Ok(request)
    }

    /// An answer leads elsewhere: its cookies are kept, the method changes where it has to, and a body goes along only
    /// with the method that it is for.
    pub(super) fn redirect(&mut self, status: StatusCode, headers: &HeaderMap, from: &Uri) {
        let place = place(from);
        for cookie in headers.get_all(SET_COOKIE) {
            let Ok(text) = cookie.to_str() else { continue };
            let pair = text.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim());
            self.cookies.retain(|known| known.place != place || known.name != name);
            if self.cookies.len() < COOKIES_MAX {
                self.cookies.push(Cookie { place: place.clone(), name: name.into(), value: value.into() });
            }
        }
        let method = method_after(status, &self.method);
        if method != self.method {
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
            self.method = method;
        }
    }

    fn add_cookies(&self, uri: &Uri, headers: &mut HeaderMap) {
        let place = place(uri);
        let own = self.cookies.iter().filter(|cookie| cookie.place == place);
        let pairs: Vec<String> = own.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if !pairs.is_empty()
            && let Ok(value) = HeaderValue::from_str(&pairs.join("; "))
        {
            headers.append(COOKIE, value);
        }
    }
}

/// Whom cookies are for: narrower than browsers have it, as credentials are.
fn place(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{}:{}", uri.host().unwrap_or_default(), super::port(uri))
}

fn body(settings: &HttpProbe) -> Result<Bytes, String> {
    let Some(file) = &settings.body_file else { return Ok(Bytes::from(settings.body.clone())) };
    let said = |error: std::io::Error| format!("error reading body_file {file}: {error}");
    if std::fs::metadata(file).map_err(said)?.len() > BODY_BYTES_MAX {
        return Err(format!("body_file {file} has more than {BODY_BYTES_MAX} bytes"));
    }
    std::fs::read(file).map(Bytes::from).map_err(said)
}

/// `user:password@` of an URL, as a credential.
fn user(uri: &Uri) -> Option<HeaderValue> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let pair = if user.contains(':') { decoded(user) } else { format!("{}:", decoded(user)) };
    let mut value = HeaderValue::from_str(&format!("Basic {}", in_base64(pair.as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_an_url_names() {
        let named = |url: &str| {
            user(&url.parse::<Uri>().expect("an URL")).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(named("http://a:b%40c@h/").as_deref(), Some("Basic YTpiQGM="));
        assert_eq!(named("http://a@h/").as_deref(), Some("Basic YTo="));
        assert_eq!(named("http://h/"), None);
    }
}
