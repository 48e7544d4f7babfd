//! `receivers.syslog`: the Collector's keys, and Weir's own for what the Collector leaves unbounded.

use serde::{Deserialize, de};
use weir_port::{Check, InvalidConfig};
use weir_proto::{
    endpoint, size,
    syslog::{Options, Protocol},
    yaml::Flaw,
};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits};

/// `receivers.syslog`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    /// Streams of messages.
    pub tcp: Option<TcpConfig>,
    /// A message a datagram.
    pub udp: Option<UdpConfig>,
    /// The form that is expected: `rfc5424` or `rfc3164`. Default rfc5424.
    #[serde(deserialize_with = "protocol")]
    pub protocol: Protocol,
    /// What times without an offset are counted from: `UTC`, or an offset as `+02:00`. Default UTC.
    #[serde(deserialize_with = "location")]
    pub location: i64,
    /// Bounds on single messages.
    pub line_limits: SpanLimits,
    /// Memory for messages being received, in MiB, over all connections. Default 256.
    pub inflight_mib_max: usize,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        Self {
            tcp: None,
            udp: None,
            protocol: Protocol::Rfc5424,
            location: 0,
            line_limits: SpanLimits::default(),
            inflight_mib_max: 256,
        }
    }
}

/// `receivers.syslog.tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpConfig {
    /// Where to listen. Default 127.0.0.1:601.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub listen_address: String,
    /// Longest message; of longer ones the beginning is kept. Default 1MiB.
    #[serde(deserialize_with = "size::deserialize")]
    pub max_log_size: u64,
    /// TLS, with this certificate. Default: none.
    pub tls: Option<TlsConfig>,
    /// Messages get the address that they came from, `net.peer.ip`. Default false.
    pub add_attributes: bool,
    /// Connections at once; further ones are closed as soon as they arrive. Default 1024.
    pub connections_max: usize,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            listen_address: "127.0.0.1:601".into(),
            max_log_size: 1 << 20,
            tls: None,
            add_attributes: false,
            connections_max: 1024,
        }
    }
}

/// `receivers.syslog.tcp.tls`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The certificate, and those between it and its authority, in PEM.
    pub cert_file: String,
    /// Its private key, in PEM.
    pub key_file: String,
    /// Authorities of clients, in PEM: only clients with a certificate of theirs are served. Default: all are.
    pub client_ca_file: Option<String>,
}

/// `receivers.syslog.udp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UdpConfig {
    /// Where to listen. Default 127.0.0.1:514.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub listen_address: String,
    /// Messages get the address that they came from, `net.peer.ip`. Default false.
    pub add_attributes: bool,
    /// Bytes of messages that wait to be kept; what comes beyond is lost, and counted. Default 16MiB.
    #[serde(deserialize_with = "size::deserialize")]
    pub queue_bytes_max: u64,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self { listen_address: "127.0.0.1:514".into(), add_attributes: false, queue_bytes_max: 16 << 20 }
    }
}

fn protocol<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "rfc5424" => Ok(Protocol::Rfc5424),
        "rfc3164" => Ok(Protocol::Rfc3164),
        other => Err(de::Error::custom(format!("`{other}` is no form of syslog; use rfc5424 or rfc3164"))),
    }
}

fn location<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    if matches!(text.as_str(), "" | "UTC" | "Etc/UTC" | "GMT") {
        return Ok(0);
    }
    let offset = weir_proto::timestamp::parse_offset(text.as_bytes());
    offset.ok_or_else(|| de::Error::custom(format!("`{text}` is not known here; use UTC, or an offset as +02:00")))
}

impl SyslogConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("syslog");
        if self.tcp.is_none() && self.udp.is_none() {
            return check.fails("tcp", "there has to be tcp or udp, with the listen_address");
        }
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        if let Some(tcp) = &self.tcp {
            check.within("tcp.max_log_size", tcp.max_log_size as usize, 480..=64 << 20)?;
            check.within("tcp.connections_max", tcp.connections_max, 1..=1 << 20)?;
            if let Some(tls) = &tcp.tls
                && (tls.cert_file.is_empty() || tls.key_file.is_empty())
            {
                return check.fails("tcp.tls", "needs cert_file and key_file");
            }
        }
        if let Some(udp) = &self.udp {
            check.within("udp.queue_bytes_max", udp.queue_bytes_max as usize, 64 << 10..=4 << 30)?;
        }
        Ok(())
    }

    /// How messages are read.
    pub(super) fn options(&self) -> Options {
        Options { protocol: self.protocol, offset_s: self.location }
    }
}

impl ReceiverSettings for SyslogConfig {
    const NAMES: &'static [&'static str] = &["syslog"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        // The port for datagrams is another one than that for connections.
        let tcp = self.tcp.iter();
        tcp.map(|tcp| (&["tcp", "listen_address"] as _, tcp.listen_address.as_str())).collect()
    }
}
