//! Asks a target: one request, redirects followed, with whatever says who we are.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, LOCATION},
};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use weir_proto::otlp::json::in_base64;

use super::{
    http_config::{HttpKeys, Secret},
    tls,
};

/// As Go's client.
const REDIRECTS_MAX: usize = 10;

/// A connection that nobody uses for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// So many of one address are kept, as by Prometheus: one proxy or gateway may stand before many targets.
const IDLE_PER_HOST_MAX: usize = 1000;

/// A connection that is not there by then never comes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a job's configuration cannot be used for speaking.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(pub(super) String);

impl ClientError {
    /// The same, with the place that it is about in front.
    pub(in crate::receivers) fn of(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

/// Speaks for all targets of a job.
#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    follow_redirects: bool,
    identity: Identity,
}

/// Who asks: a credential, and further headers.
#[derive(Clone)]
pub(in crate::receivers) struct Identity {
    credential: Credential,
    headers: Vec<(HeaderName, Value)>,
}

/// What the header says, or where it stands.
#[derive(Clone)]
enum Value {
    Text(HeaderValue),
    File(String),
}

#[derive(Clone)]
enum Credential {
    None,
    Basic { user: Text, password: Text },
    Scheme { scheme: String, credential: Text },
}

/// A text of the configuration, or of a file that is read each time.
#[derive(Clone)]
enum Text {
    Written(String),
    File(String),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Reads what the TLS configuration names.
    pub(super) fn new(config: &HttpKeys<'_>) -> Result<Self, ClientError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = tls::connector(config.tls_config, config.enable_http2, connector)?;
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .build(connector);
        Ok(Self { pool, follow_redirects: config.follow_redirects, identity: Identity::new(config)? })
    }

    /// The answer, whatever its status, after redirects. Credentials go to the target's own host only.
    pub(super) async fn get(&self, url: &str, headers: &HeaderMap) -> Result<Response<Incoming>, String> {
        let mut uri: Uri = url.parse().map_err(|error| format!("parse {url:?}: {error}"))?;
        let first = uri.clone();
        for _ in 0..=REDIRECTS_MAX {
            let request = self.request(&uri, headers, Bytes::new(), is_same_place(&first, &uri))?;
            let response = self.pool.request(request).await.map_err(|error| in_words(&uri, &error))?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !is_redirect || !self.follow_redirects {
                return Ok(response);
            }
            let Some(location) = response.headers().get(LOCATION) else { return Ok(response) };
            let location = location.to_str().map_err(|_| "a redirect to nowhere".to_owned())?;
            uri = resolved(&uri, location)?;
        }
        Err(format!("stopped after {REDIRECTS_MAX} redirects"))
    }

    /// The answer to a body that is posted. Where a redirect keeps the method (307, 308) and leads to the same host it is
    /// followed; anywhere else it is the answer: nothing is told to somebody who is not configured.
    pub(super) async fn post(&self, url: &str, headers: &HeaderMap, body: Bytes) -> Result<Response<Incoming>, String> {
        let mut uri: Uri = url.parse().map_err(|error| format!("parse {url:?}: {error}"))?;
        let first = uri.clone();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = self.request(&uri, headers, body.clone(), true)?;
            *request.method_mut() = Method::POST;
            let response = self.pool.request(request).await.map_err(|error| in_words(&uri, &error))?;
            let is_redirect = matches!(response.status().as_u16(), 307 | 308) && self.follow_redirects;
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.filter(|_| is_redirect).map(|location| resolved(&uri, location)).transpose()?;
            match next.filter(|next| is_same_place(&first, next)) {
                Some(next) => uri = next,
                None => return Ok(response),
            }
        }
        Err(format!("stopped after {REDIRECTS_MAX} redirects"))
    }

    fn request(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        with_credential: bool,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        if with_credential {
            self.identity.mark(request.headers_mut())?;
        }
        Ok(request)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// As configured. Fails where a header cannot be sent.
    pub(in crate::receivers) fn new(config: &HttpKeys<'_>) -> Result<Self, ClientError> {
        Ok(Self { credential: Credential::of(config), headers: headers(config)? })
    }

    /// Adds its headers; files are read now.
    pub(in crate::receivers) fn mark(&self, to: &mut HeaderMap) -> Result<(), String> {
        for (name, value) in &self.headers {
            let value = match value {
                Value::Text(value) => value.clone(),
                Value::File(file) => header_value(&Text::File(file.clone()).read()?)?,
            };
            to.append(name, value);
        }
        if let Some(credential) = self.credential.header()? {
            to.insert(AUTHORIZATION, credential);
        }
        Ok(())
    }
}

fn headers(config: &HttpKeys<'_>) -> Result<Vec<(HeaderName, Value)>, ClientError> {
    let mut headers = Vec::new();
    for (name, values) in config.http_headers {
        let name: HeaderName = name.parse().map_err(|_| ClientError(format!("{name:?} is no name of a header")))?;
        let secrets = values.secrets.iter().map(|Secret(secret)| secret);
        for text in values.values.iter().chain(secrets) {
            headers.push((name.clone(), Value::Text(header_value(text).map_err(ClientError)?)));
        }
        headers.extend(values.files.iter().map(|file| (name.clone(), Value::File(file.clone()))));
    }
    Ok(headers)
}

impl Credential {
    fn of(config: &HttpKeys<'_>) -> Self {
        let text = |written: Option<&Secret>, file: Option<&String>| match file {
            Some(file) => Text::File(file.clone()),
            None => Text::Written(written.map_or(String::new(), |Secret(secret)| secret.clone())),
        };
        if let Some(basic) = config.basic_auth {
            let user = match &basic.username_file {
                Some(file) => Text::File(file.clone()),
                None => Text::Written(basic.username.clone()),
            };
            return Self::Basic { user, password: text(basic.password.as_ref(), basic.password_file.as_ref()) };
        }
        if let Some(authorization) = config.authorization {
            let scheme = authorization.scheme.as_deref().map_or("", str::trim);
            return Self::Scheme {
                scheme: if scheme.is_empty() { "Bearer".into() } else { scheme.into() },
                credential: text(authorization.credentials.as_ref(), authorization.credentials_file.as_ref()),
            };
        }
        if config.bearer_token.is_some() || config.bearer_token_file.is_some() {
            let credential = text(config.bearer_token, config.bearer_token_file);
            return Self::Scheme { scheme: "Bearer".into(), credential };
        }
        Self::None
    }

    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic { user, password } => {
                format!("Basic {}", in_base64(format!("{}:{}", user.read()?, password.read()?).as_bytes()))
            }
            Self::Scheme { scheme, credential } => {
                let credential = credential.read()?;
                if credential.is_empty() {
                    return Ok(None);
                }
                format!("{scheme} {credential}")
            }
        };
        let mut value = header_value(&text)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl Text {
    fn read(&self) -> Result<String, String> {
        match self {
            Self::Written(text) => Ok(text.clone()),
            Self::File(file) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(format!("unable to read {file}: {error}")),
            },
        }
    }
}

fn header_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a header with characters that no header can have".to_owned())
}

/// Whether credentials for `first` may go to `other`: the same host, and no step from TLS into the open.
pub(in crate::receivers) fn is_same_place(first: &Uri, other: &Uri) -> bool {
    first.host() == other.host()
        && first.port_u16() == other.port_u16()
        && (first.scheme_str() == other.scheme_str() || other.scheme_str() == Some("https"))
}

/// Where a redirect leads.
pub(in crate::receivers) fn resolved(from: &Uri, location: &str) -> Result<Uri, String> {
    let scheme = from.scheme_str().unwrap_or("http");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    // Another one may stand in its query.
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme_end = location.find(|c| !is_of_scheme(c)).unwrap_or(location.len());
    let text = if scheme_end > 0 && location[scheme_end..].starts_with("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let text = text.split('#').next().unwrap_or_default();
    let uri: Uri = text.parse().map_err(|_| format!("failed to parse Location header {location:?}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        other => Err(format!("unsupported protocol scheme {:?}", other.unwrap_or_default())),
    }
}

/// The error and what is behind it: hyper's own words are only "client error".
fn in_words(uri: &Uri, error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = format!("Get \"{uri}\": ");
    let mut cause = error.source().unwrap_or(error);
    let mut last = cause.to_string();
    words += &last;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        let next = cause.to_string();
        if !last.ends_with(&next) {
            words += &format!(": {next}");
        }
        last = next;
    }
    words
}

/// A status that is none of success, in Go's words.
pub(super) fn status_error(status: StatusCode) -> String {
    let reason = status.canonical_reason().map_or(String::new(), |reason| format!(" {reason}"));
    format!("server returned HTTP status {}{reason}", status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_somewhere() {
        let from: Uri = "http://a:1/b/c".parse().expect("a URI");
        for (location, expected) in [
            ("/d", "http://a:1/d"),
            ("d?x=1", "http://a:1/b/d?x=1"),
            ("//e/f", "http://e/f"),
            ("https://e:2/f#g", "https://e:2/f"),
        ] {
            assert_eq!(resolved(&from, location).expect("a place").to_string(), expected);
        }
        assert!(resolved(&from, "ftp://e/f").is_err());
        let uri = |text: &str| text.parse::<Uri>().expect("a URI");
        assert!(is_same_place(&uri("http://a:1/x"), &uri("http://a:1/y")));
        assert!(!is_same_place(&uri("http://a:1/x"), &uri("http://b:1/x")));
        assert!(!is_same_place(&uri("https://a:1/x"), &uri("http://a:1/x")));
    }
}
