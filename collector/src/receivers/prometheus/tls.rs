//! TLS towards targets: whom we trust, and who we are.

use std::sync::Arc;

use hyper_rustls::{ConfigBuilderExt, FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};

use super::{
    client::ClientError,
    http_config::{Secret, TlsConfig, TlsVersion},
};

/// What connects, over TLS where the URL says https.
pub(super) fn connector(
    config: Option<&TlsConfig>,
    with_http2: bool,
    connector: HttpConnector,
) -> Result<HttpsConnector<HttpConnector>, ClientError> {
    let default = TlsConfig::default();
    let config = config.unwrap_or(&default);
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(client_config(config)?).https_or_http();
    if !config.server_name.is_empty() {
        let name = ServerName::try_from(config.server_name.clone())
            .map_err(|error| ClientError(format!("tls_config.server_name: {error}")))?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let builder = builder.enable_http1();
    Ok(if with_http2 { builder.enable_http2().wrap_connector(connector) } else { builder.wrap_connector(connector) })
}

/// Files are read.
pub(in crate::receivers) fn client_config(config: &TlsConfig) -> Result<ClientConfig, ClientError> {
    let failed = |error: rustls::Error| ClientError(format!("tls_config: {error}"));
    let is_spoken = |version: TlsVersion| {
        config.min_version.is_none_or(|min| version >= min) && config.max_version.is_none_or(|max| version <= max)
    };
    let mut versions = Vec::new();
    if is_spoken(TlsVersion::TLS12) {
        versions.push(&TLS12);
    }
    if is_spoken(TlsVersion::TLS13) {
        versions.push(&TLS13);
    }
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions).map_err(failed)?;
    let authorities = pem("ca", config.ca.as_deref(), config.ca_file.as_deref())?;
    let builder = match authorities {
        _ if config.insecure_skip_verify => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        }
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(&authorities) {
                let certificate = certificate.map_err(|error| ClientError(format!("tls_config.ca: {error}")))?;
                roots.add(certificate).map_err(failed)?;
            }
            if roots.is_empty() {
                return Err(ClientError("tls_config.ca: no certificate in it".into()));
            }
            builder.with_root_certificates(roots)
        }
        // A machine without any trusts nobody; that is said when a target speaks TLS.
        None => match builder.clone().with_native_roots() {
            Ok(builder) => builder,
            Err(_) => builder.with_root_certificates(RootCertStore::empty()),
        },
    };
    let certificate = pem("cert", config.cert.as_deref(), config.cert_file.as_deref())?;
    let key = config.key.as_ref().map(|Secret(key)| key.as_str());
    let (Some(certificate), Some(key)) = (certificate, pem("key", key, config.key_file.as_deref())?) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| ClientError(format!("tls_config.cert: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| ClientError(format!("tls_config.key: {error}")))?;
    builder.with_client_auth_cert(chain, key).map_err(failed)
}

/// What stands in the configuration, or in the file that it names.
fn pem(key: &str, written: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, ClientError> {
    match (written, file) {
        (Some(text), _) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(file)) if !file.is_empty() => match std::fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(ClientError(format!("tls_config.{key}_file: unable to read {file}: {error}"))),
        },
        _ => Ok(None),
    }
}

/// `insecure_skip_verify`: whoever answers is believed.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
