//! Syslog: messages over TCP, with or without TLS, and over UDP.

mod config;
mod keeping;
mod tcp;
mod tls;
mod udp;

use std::{io, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_port::{Authenticate, Budget, Listening, Unauthenticated};
use weir_proto::{TenantId, time::Clock};

pub use config::{SyslogConfig, TcpConfig, TlsConfig, UdpConfig};

use self::{keeping::Keeping, tcp::TcpPort, udp::UdpPort};
use super::intake::Intake;
use crate::{Append, admission::AdmissionRules};

const MIB: usize = 1 << 20;

/// Opens the ports and serves until `shutdown`; the tracker's tasks end once what was read is kept.
///
/// `rules` are the config's `line_limits` and the storage's accepted times. Fails when a port cannot be opened or the
/// config is not usable ([`SyslogConfig::check`]).
pub async fn start(
    config: &SyslogConfig,
    rules: AdmissionRules,
    clock: Clock,
    append: Append,
    tenant: TenantId,
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> io::Result<Vec<Listening>> {
    config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let budget = Budget::new(config.inflight_mib_max * MIB);
    // Nobody says who they are.
    let authenticate: Authenticate = Arc::new(|_| Err(Unauthenticated));
    let intake = Intake { append, metrics: None, authenticate, clock, rules, budget: budget.clone() };
    let keeping = Arc::new(Keeping { intake, tenant, options: config.options(), shutdown: shutdown.clone() });
    let mut ports = Vec::new();
    // Both are open before either is served.
    let tcp = match &config.tcp {
        Some(tcp) => Some(TcpPort::bind(tcp, budget).await?),
        None => None,
    };
    let udp = match &config.udp {
        Some(udp) => Some(UdpPort::bind(udp).await?),
        None => None,
    };
    if let Some(tcp) = tcp {
        ports.push(Listening { protocol: tcp.protocol(), address: tcp.address()? });
        tracker.spawn(tcp.serve(keeping.clone(), tracker.clone(), shutdown.clone()));
    }
    if let Some(udp) = udp {
        ports.push(Listening { protocol: "Syslog/UDP", address: udp.address()? });
        udp.serve(&keeping, tracker, &shutdown);
    }
    Ok(ports)
}
