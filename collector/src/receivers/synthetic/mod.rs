//! Probes: asks targets from outside as blackbox_exporter does, and keeps what it finds as series and as traces.

mod allow;
mod certificate;
mod config;
mod dns;
mod findings;
mod gauges;
mod grpc;
mod http;
mod icmp;
mod metrics;
mod module;
mod probe;
mod prober;
mod resolve;
mod stream;
mod tcp;
mod trace;

pub use allow::Network;
pub use config::{ProbeJobConfig, SyntheticConfig};
pub use module::{
    Compression, DnsProbe, ExpectLabel, Expression, GrpcProbe, HeaderMatch, HttpProbe, IcmpProbe, IpProtocol, Module,
    ProberKind, QueryResponse, RrValidator, TcpProbe, TransportProtocol,
};
pub use prober::{ProbeSurroundings, Prober};

#[cfg(test)]
mod tests;
