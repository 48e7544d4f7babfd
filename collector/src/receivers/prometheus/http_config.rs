//! Who asks a target, and whom it trusts: Prometheus' keys of an HTTP client.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use super::config::HeaderValues;

/// All keys about how somebody is spoken to, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub(in crate::receivers) struct HttpKeys<'a> {
    pub(in crate::receivers) basic_auth: Option<&'a BasicAuth>,
    pub(in crate::receivers) authorization: Option<&'a Authorization>,
    pub(in crate::receivers) bearer_token: Option<&'a Secret>,
    pub(in crate::receivers) bearer_token_file: Option<&'a String>,
    pub(in crate::receivers) http_headers: &'a BTreeMap<String, HeaderValues>,
    pub(in crate::receivers) tls_config: Option<&'a TlsConfig>,
    pub(in crate::receivers) follow_redirects: bool,
    pub(in crate::receivers) enable_http2: bool,
}

impl HttpKeys<'_> {
    /// What is wrong with them.
    pub(in crate::receivers) fn check(&self) -> Result<(), &'static str> {
        let ways = [
            self.basic_auth.is_some(),
            self.authorization.is_some(),
            self.bearer_token.is_some() || self.bearer_token_file.is_some(),
        ];
        if ways.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err("at most one of basic_auth, authorization and bearer_token can be configured");
        }
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            return Err("at most one of bearer_token & bearer_token_file must be configured");
        }
        self.basic_auth.map_or(Ok(()), BasicAuth::check)?;
        self.authorization.map_or(Ok(()), Authorization::check)?;
        self.tls_config.map_or(Ok(()), TlsConfig::check)
    }
}

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// `basic_auth`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasicAuth {
    /// Who.
    pub username: String,
    /// Or the file that says who.
    pub username_file: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Or the file that it stands in.
    pub password_file: Option<String>,
}

impl BasicAuth {
    fn check(&self) -> Result<(), &'static str> {
        if !self.username.is_empty() && self.username_file.is_some() {
            return Err("at most one of basic_auth username & username_file must be configured");
        }
        if self.password.is_some() && self.password_file.is_some() {
            return Err("at most one of basic_auth password & password_file must be configured");
        }
        Ok(())
    }
}

/// `authorization`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authorization {
    /// Default Bearer.
    #[serde(rename = "type")]
    pub scheme: Option<String>,
    /// What comes behind it.
    pub credentials: Option<Secret>,
    /// Or the file that it stands in.
    pub credentials_file: Option<String>,
}

impl Authorization {
    fn check(&self) -> Result<(), &'static str> {
        if self.credentials.is_some() && self.credentials_file.is_some() {
            return Err("at most one of authorization credentials & credentials_file must be configured");
        }
        if self.scheme.as_deref().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("basic")) {
            return Err("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
        }
        Ok(())
    }
}

/// `tls_config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Certificates to trust, instead of the system's, in PEM.
    pub ca: Option<String>,
    /// The file that they stand in.
    pub ca_file: Option<String>,
    /// Our certificate.
    pub cert: Option<String>,
    /// The file that it stands in.
    pub cert_file: Option<String>,
    /// Its key.
    pub key: Option<Secret>,
    /// The file that it stands in.
    pub key_file: Option<String>,
    /// The name that the target's certificate must have, instead of the address.
    pub server_name: String,
    /// Whether any certificate will do. Default false.
    pub insecure_skip_verify: bool,
    /// TLS12 or TLS13.
    pub min_version: Option<TlsVersion>,
    /// TLS12 or TLS13.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS; older ones are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TlsVersion {
    TLS10,
    TLS11,
    TLS12,
    TLS13,
}

impl TlsConfig {
    pub(in crate::receivers) fn check(&self) -> Result<(), &'static str> {
        let twice = |text: bool, file: bool| text && file;
        if twice(self.ca.is_some(), self.ca_file.is_some()) {
            return Err("at most one of ca and ca_file must be configured");
        }
        if twice(self.cert.is_some(), self.cert_file.is_some()) {
            return Err("at most one of cert and cert_file must be configured");
        }
        if twice(self.key.is_some(), self.key_file.is_some()) {
            return Err("at most one of key and key_file must be configured");
        }
        let has_cert = self.cert.is_some() || self.cert_file.is_some();
        let has_key = self.key.is_some() || self.key_file.is_some();
        if has_cert != has_key {
            return Err("exactly one of cert or key was configured: a client certificate needs both");
        }
        if let (Some(min), Some(max)) = (self.min_version, self.max_version)
            && min > max
        {
            return Err("tls_config.max_version must be greater than or equal to tls_config.min_version");
        }
        if self.max_version.is_some_and(|max| max < TlsVersion::TLS12) {
            return Err("tls_config.max_version: TLS before 1.2 is not spoken");
        }
        Ok(())
    }
}
