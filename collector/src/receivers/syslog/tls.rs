//! TLS for those who ask for connections: who we are, and whom we take.

use std::{fs, io, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use super::TlsConfig;

/// Reads certificate and key; what is wrong names the file.
pub(super) fn acceptor(config: &TlsConfig) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let certificates = certificates(&config.cert_file)?;
    let key_file = Path::new(&config.key_file);
    let key = PrivateKeyDer::from_pem_slice(&read(&config.key_file)?)
        .map_err(|error| wrong(&config.key_file, &error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("tls", &error.to_string()))?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in self::certificates(file)? {
                roots.add(certificate).map_err(|error| wrong(file, &error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| wrong(file, &error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(certificates, key)
        .map_err(|error| wrong(&key_file.display().to_string(), &error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(file: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let content = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let certificates = certificates.map_err(|error| wrong(file, &error.to_string()))?;
    if certificates.is_empty() { Err(wrong(file, "no certificate in it")) } else { Ok(certificates) }
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("cannot read {file}: {error}")))
}

fn wrong(what: &str, error: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: {error}"))
}
