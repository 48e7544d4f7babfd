//! A connection to the one address that was looked at, in the open or over TLS, and what TLS tells.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ring::digest::{SHA256, digest};
use rustls::{ClientConfig, ProtocolVersion, client::Resumption, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{certificate::Certificate, findings::Findings};
use crate::receivers::prometheus::{ClientError, TlsConfig, client_config};

/// What a module says about TLS, its files read.
#[derive(Debug, Clone)]
pub(super) struct TlsKeys {
    config: Arc<ClientConfig>,
    server_name: String,
    /// Whether certificates are looked at.
    is_verified: bool,
}

impl TlsKeys {
    /// Reads the files. `protocols`: what is offered beside (ALPN).
    pub(super) fn new(config: &TlsConfig, protocols: &[&[u8]]) -> Result<Self, ClientError> {
        let mut client = client_config(config)?;
        client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // Each probe is to meet what a new client meets: the certificate of now, and the time that a handshake takes.
        client.resumption = Resumption::disabled();
        let (server_name, is_verified) = (config.server_name.clone(), !config.insecure_skip_verify);
        Ok(Self { config: Arc::new(client), server_name, is_verified })
    }

    /// Shakes hands. `host` is who it should be, unless the module names somebody.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        takes_name: bool,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = if self.server_name.is_empty() || !takes_name { host } else { &self.server_name };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(name).map_err(|error| format!("tls: {error}"))?;
        let connector = TlsConnector::from(self.config.clone());
        connector.connect(server, stream).await.map_err(|error| format!("tls: {error}"))
    }

    /// The gauges about a connection's TLS.
    pub(super) fn tell(&self, stream: &TlsStream<TcpStream>, findings: &mut Findings) {
        let connection = stream.get_ref().1;
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "unknown",
        };
        findings.gauges.set_labelled("probe_tls_version_info", &[("version", version)], 1.0);
        findings.note("tls.protocol.version", version);
        if let Some(suite) = connection.negotiated_cipher_suite() {
            // As Go calls it: rustls has its own prefix for those of TLS 1.3.
            let name = suite.suite().as_str().unwrap_or("unknown").replace("TLS13_", "TLS_");
            findings.gauges.set_labelled("probe_tls_cipher_info", &[("cipher", &name)], 1.0);
        }
        let shown = connection.peer_certificates().unwrap_or_default();
        let read: Vec<Certificate> = shown.iter().filter_map(|der| Certificate::read(der)).collect();
        let Some(earliest) = read.iter().map(|certificate| certificate.not_after).min() else { return };
        findings.gauges.set("probe_ssl_earliest_cert_expiry", earliest as f64);
        if self.is_verified {
            findings.gauges.set("probe_ssl_last_chain_expiry_timestamp_seconds", earliest as f64);
        }
        let (Some(der), Some(leaf)) = (shown.first(), read.first()) else { return };
        let fingerprint: String = digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let labels = [
            ("fingerprint_sha256", fingerprint.as_str()),
            ("issuer", &leaf.issuer),
            ("serialnumber", &leaf.serial),
            ("subject", &leaf.subject),
            ("subjectalternative", &leaf.dns_names),
        ];
        findings.gauges.set_labelled("probe_ssl_last_chain_info", &labels, 1.0);
    }
}

/// Connects to an address, from another one where a module names it.
pub(super) async fn connect(address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, String> {
    let said = |error: io::Error| format!("dial tcp {address}: {error}");
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(said)?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0)).map_err(said)?;
    }
    let stream = socket.connect(address).await.map_err(said)?;
    stream.set_nodelay(true).map_err(said)?;
    Ok(stream)
}

/// Either kind of connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether HTTP/2 was agreed on.
    pub(super) fn speaks_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
