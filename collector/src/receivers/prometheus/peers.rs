//! Alertmanagers and webhooks: found as targets are, spoken to as targets are, but told instead of asked.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;
use serde::Deserialize;
use weir_proto::{
    duration,
    relabel::{LabelSet, RelabelConfig, relabel},
};

use super::{
    client::{Client, ClientError},
    config::{FileDiscovery, HeaderValues, Scheme, TargetGroup, check_targets},
    discovery::{Files, ReadYaml},
    http_config::{Authorization, BasicAuth, HttpKeys, TlsConfig},
};

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// Where Alertmanager takes alerts.
const ALERTS_PATH: &str = "/api/v2/alerts";

/// One of `alerting.alertmanagers`, with Prometheus' keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeersConfig {
    /// http or https. Default http.
    pub scheme: Scheme,
    /// What stands before the API's paths.
    pub path_prefix: String,
    /// How long a request may take. Default 10s.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub timeout: Duration,
    /// v2, the one there is.
    pub api_version: ApiVersion,
    /// Whether redirects to the same host are followed. Default true.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered over TLS. Default true.
    pub enable_http2: bool,
    /// Who tells.
    pub basic_auth: Option<BasicAuth>,
    /// Who tells, by another scheme.
    pub authorization: Option<Authorization>,
    /// Further headers, each with its values.
    pub http_headers: BTreeMap<String, HeaderValues>,
    /// Who is trusted, and who we are.
    pub tls_config: Option<TlsConfig>,
    /// Addresses.
    pub static_configs: Vec<TargetGroup>,
    /// Files with addresses.
    pub file_sd_configs: Vec<FileDiscovery>,
    /// Steps over an address's labels.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Steps over the labels of the alerts that it is told.
    pub alert_relabel_configs: Vec<RelabelConfig>,
}

/// Of Alertmanager's API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiVersion {
    /// The one that Alertmanager has had since 0.16, and the only one since 0.27.
    #[default]
    V2,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self {
            scheme: Scheme::default(),
            path_prefix: String::new(),
            timeout: Duration::from_secs(10),
            api_version: ApiVersion::default(),
            follow_redirects: true,
            enable_http2: true,
            basic_auth: None,
            authorization: None,
            http_headers: BTreeMap::new(),
            tls_config: None,
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
        }
    }
}

/// One of `alerting.webhooks`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to post.
    pub url: String,
    /// Whether it is told of alerts that ended. Default true.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// How long a request may take. Default 10s.
    #[serde(default = "ten_seconds", deserialize_with = "duration::deserialize_positive")]
    pub timeout: Duration,
    /// Whether redirects to the same host are followed. Default true.
    #[serde(default = "yes")]
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered over TLS. Default true.
    #[serde(default = "yes")]
    pub enable_http2: bool,
    /// Who tells.
    #[serde(default)]
    pub basic_auth: Option<BasicAuth>,
    /// Who tells, by another scheme.
    #[serde(default)]
    pub authorization: Option<Authorization>,
    /// Further headers, each with its values.
    #[serde(default)]
    pub http_headers: BTreeMap<String, HeaderValues>,
    /// Who is trusted, and who we are.
    #[serde(default)]
    pub tls_config: Option<TlsConfig>,
}

fn yes() -> bool {
    true
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl PeersConfig {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.http_keys().check()?;
        check_targets(&self.static_configs, &self.file_sd_configs)
    }

    /// Files that are named without a folder lie beside the configuration.
    pub fn resolve_files(&mut self, folder: &Path) {
        let files = self.file_sd_configs.iter_mut().flat_map(|discovery| &mut discovery.files);
        files.for_each(|file| resolve(file, folder));
        resolve_keys(
            (&mut self.basic_auth, &mut self.authorization, &mut self.tls_config),
            &mut self.http_headers,
            folder,
        );
    }

    fn http_keys(&self) -> HttpKeys<'_> {
        HttpKeys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: None,
            bearer_token_file: None,
            http_headers: &self.http_headers,
            tls_config: self.tls_config.as_ref(),
            follow_redirects: self.follow_redirects,
            enable_http2: self.enable_http2,
        }
    }
}

impl WebhookConfig {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let uri: Option<http::Uri> = self.url.parse().ok();
        let is_url = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        if !is_url {
            return Err(format!("{:?} is no URL: write http:// or https:// and a host", self.url));
        }
        Ok(self.http_keys().check()?)
    }

    /// Files that are named without a folder lie beside the configuration.
    pub fn resolve_files(&mut self, folder: &Path) {
        let keys = (&mut self.basic_auth, &mut self.authorization, &mut self.tls_config);
        resolve_keys(keys, &mut self.http_headers, folder);
    }

    fn http_keys(&self) -> HttpKeys<'_> {
        HttpKeys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: None,
            bearer_token_file: None,
            http_headers: &self.http_headers,
            tls_config: self.tls_config.as_ref(),
            follow_redirects: self.follow_redirects,
            enable_http2: self.enable_http2,
        }
    }
}

fn resolve(file: &mut String, folder: &Path) {
    if !file.is_empty() && Path::new(&*file).is_relative() {
        *file = folder.join(&*file).to_string_lossy().into_owned();
    }
}

fn resolve_keys(
    (basic, authorization, tls): (&mut Option<BasicAuth>, &mut Option<Authorization>, &mut Option<TlsConfig>),
    headers: &mut BTreeMap<String, HeaderValues>,
    folder: &Path,
) {
    let mut files: Vec<&mut String> = headers.values_mut().flat_map(|values| &mut values.files).collect();
    if let Some(basic) = basic {
        files.extend(basic.username_file.iter_mut().chain(&mut basic.password_file));
    }
    files.extend(authorization.iter_mut().flat_map(|authorization| &mut authorization.credentials_file));
    if let Some(tls) = tls {
        files.extend(tls.ca_file.iter_mut().chain(&mut tls.cert_file).chain(&mut tls.key_file));
    }
    files.into_iter().for_each(|file| resolve(file, folder));
}

/// Addresses, as URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerAddresses {
    /// To be told.
    pub active: Vec<String>,
    /// Left out by relabelling.
    pub dropped: Vec<String>,
}

/// Finds addresses and speaks to them.
pub struct ToldPeers {
    found: Found,
    client: Client,
    timeout: Duration,
}

enum Found {
    Url(String),
    Discovered { config: Box<PeersConfig>, files: Mutex<Files>, read_yaml: ReadYaml },
}

impl ToldPeers {
    /// Alertmanagers. Reads what the TLS configuration names.
    pub fn alertmanagers(config: &PeersConfig, read_yaml: ReadYaml) -> Result<Self, ClientError> {
        let client = Client::new(&config.http_keys())?;
        let files = Mutex::default();
        let found = Found::Discovered { config: Box::new(config.clone()), files, read_yaml };
        Ok(Self { found, client, timeout: config.timeout })
    }

    /// A webhook.
    pub fn webhook(config: &WebhookConfig) -> Result<Self, ClientError> {
        let client = Client::new(&config.http_keys())?;
        Ok(Self { found: Found::Url(config.url.clone()), client, timeout: config.timeout })
    }

    /// The addresses of now. Reads files that changed.
    pub fn list(&self) -> PeerAddresses {
        let (config, files, read_yaml) = match &self.found {
            Found::Url(url) => return PeerAddresses { active: vec![url.clone()], dropped: Vec::new() },
            Found::Discovered { config, files, read_yaml } => (config, files, *read_yaml),
        };
        let mut files = files.lock();
        files.refresh(&config.file_sd_configs, read_yaml, false);
        let mut addresses = PeerAddresses::default();
        for group in config.static_configs.iter().chain(files.groups().map(|(_, group)| group)) {
            for target in &group.targets {
                let (url, is_active) = config.url_of(target, &group.labels);
                let list = if is_active { &mut addresses.active } else { &mut addresses.dropped };
                if !list.contains(&url) {
                    list.push(url);
                }
            }
        }
        addresses
    }

    /// Posts JSON; the status and the beginning of the answer.
    pub fn post(self: &Arc<Self>, url: &str, body: Bytes) -> BoxFuture<'static, Result<(u16, String), String>> {
        let (this, url) = (Arc::clone(self), url.to_owned());
        Box::pin(async move {
            let posting = async {
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Weir/", env!("CARGO_PKG_VERSION"))));
                let response = this.client.post(&url, &headers, body).await?;
                let status = response.status().as_u16();
                // Read to its end, so that the connection can be used again; what is longer is not waited for.
                let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
                let said = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
                Ok((status, said.unwrap_or_default()))
            };
            match tokio::time::timeout(this.timeout, posting).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("Post \"{url}\": no answer within {:?}", this.timeout)),
            }
        })
    }
}

impl PeersConfig {
    /// Where an address is told, and whether it is.
    fn url_of(&self, target: &str, group: &BTreeMap<String, String>) -> (String, bool) {
        let prefix = self.path_prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        let mut labels = LabelSet::default();
        labels.set("__address__", target);
        labels.set("__scheme__", self.scheme.name());
        labels.set("__alerts_path__", format!("{slash}{prefix}{ALERTS_PATH}"));
        for (name, value) in group {
            labels.set(name, value.as_str());
        }
        let url = |labels: &LabelSet| {
            let (scheme, address) = (labels.get("__scheme__"), labels.get("__address__"));
            let has_port = address.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok())
                && (address.matches(':').count() == 1 || address.contains("]:"));
            // As Prometheus completes it.
            let port = match (has_port, scheme) {
                (true, _) => "",
                (false, "https") => ":443",
                (false, _) => ":80",
            };
            format!("{scheme}://{address}{port}{}", labels.get("__alerts_path__"))
        };
        let before = url(&labels);
        let is_active = relabel(&mut labels, &self.relabel_configs) && !labels.get("__address__").is_empty();
        if is_active { (url(&labels), true) } else { (before, false) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(written: serde_json::Value) -> PeerAddresses {
        let config: PeersConfig = serde_json::from_value(written).expect("valid");
        config.check().expect("valid");
        ToldPeers::alertmanagers(&config, |_| Ok(Vec::new())).expect("a client").list()
    }

    #[test]
    fn addresses_are_urls_after_relabelling() {
        let addresses = listed(json!({
            "static_configs": [{"targets": ["a:9093", "b", "a:9093"], "labels": {"zone": "1"}}, {"targets": ["c:1"]}],
            "path_prefix": "/am/",
            "relabel_configs": [{"source_labels": ["zone"], "regex": "1", "action": "keep"}]
        }));
        assert_eq!(addresses.active, ["http://a:9093/am/api/v2/alerts", "http://b:80/am/api/v2/alerts"]);
        assert_eq!(addresses.dropped, ["http://c:1/am/api/v2/alerts"]);
    }

    /// A server that gives each connection the next of these answers, and says what it was asked.
    async fn answering(answers: Vec<String>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = Vec::new();
                while !request.ends_with(b"[]") {
                    let read = stream.read_buf(&mut request).await.expect("readable");
                    assert!(read > 0, "the body comes");
                }
                let _ = sender.send(String::from_utf8_lossy(&request).to_lowercase());
                let answer = format!("{answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.expect("written");
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn redirects_are_followed_to_the_same_host_only() {
        let (other, mut told_other) = answering(vec!["HTTP/1.1 200 OK".to_owned()]).await;
        let answers = [
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /there".to_owned(),
            "HTTP/1.1 200 OK".to_owned(),
            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{other}/"),
            "HTTP/1.1 302 Found\r\nlocation: /there".to_owned(),
        ];
        let (address, mut told) = answering(answers.to_vec()).await;
        let written = json!({"url": format!("http://{address}/x"), "basic_auth": {"username": "u", "password": "p"}});
        let config: WebhookConfig = serde_json::from_value(written).expect("valid");
        let peers = Arc::new(ToldPeers::webhook(&config).expect("a client"));
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let posted = peers.post(&config.url, Bytes::from_static(b"[]")).await;
            statuses.push(posted.expect("an answer").0);
        }
        assert_eq!(statuses, [200, 307, 302]);
        for begin in ["post /x ", "post /there ", "post /x ", "post /x "] {
            let request = told.recv().await.expect("asked");
            assert!(request.starts_with(begin) && request.contains("authorization: basic dtpw"), "{request}");
            assert!(request.contains("content-type: application/json"), "{request}");
        }
        assert!(told_other.try_recv().is_err(), "another host was told");
    }

    #[test]
    fn mistakes_are_named() {
        let checked = |written: serde_json::Value| {
            serde_json::from_value::<WebhookConfig>(written).map_err(|error| error.to_string())?.check()
        };
        assert!(checked(json!({"url": "localhost:80"})).expect_err("no URL").contains("is no URL"));
        assert!(checked(json!({"url": "http://a/x", "basic_auth": {}, "authorization": {}})).is_err());
        assert!(checked(json!({"url": "http://a/x", "urls": 1})).expect_err("unknown").contains("unknown field"));
        assert_eq!(checked(json!({"url": "http://a/x"})), Ok(()));
    }
}
