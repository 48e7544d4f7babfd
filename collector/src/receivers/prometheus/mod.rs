//! Scrapes targets as Prometheus does: `scrape_configs` in, samples, `up` and markers of what vanished out.

mod client;
mod config;
mod discovery;
mod families;
mod fetch;
mod gather;
mod http_config;
mod job;
mod lines;
mod media;
mod metrics;
mod names;
mod peers;
mod pool;
mod report;
mod said;
mod schedule;
mod scrape;
mod scraper;
mod shown;
mod target;
mod tls;

pub use client::ClientError;
pub use config::{
    FileDiscovery, GlobalConfig, HeaderValues, PrometheusConfig, PrometheusFile, Scheme, ScrapeConfig, ScrapeProtocol,
    TargetGroup,
};
pub use discovery::ReadYaml;
pub use http_config::{Authorization, BasicAuth, Secret, TlsConfig, TlsVersion};
pub use peers::{PeerAddresses, PeersConfig, ToldPeers, WebhookConfig};
pub use scraper::{Scraper, Surroundings};
pub use shown::{scrape_pools, targets, targets_metadata};

#[cfg(test)]
mod tests;
