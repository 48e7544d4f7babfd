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
mod probing;
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
    EscapingScheme, FileDiscovery, GlobalConfig, HeaderValues, PrometheusConfig, PrometheusFile, Scheme, ScrapeConfig,
    ScrapeProtocol, TargetGroup, ValidationScheme,
};
pub use discovery::ReadYaml;
pub use http_config::{Authorization, BasicAuth, Secret, TlsConfig, TlsVersion};
pub use peers::{PeerAddresses, PeersConfig, ToldPeers, WebhookConfig};
pub use scraper::{Scraper, Surroundings};
pub use shown::{scrape_pools, targets, targets_metadata};

// What probes share with scraping.
pub(super) use client::{Identity, is_same_place, resolved};
pub(super) use config::check_files;
pub(super) use http_config::HttpKeys;
pub(super) use job::Job;
pub(super) use probing::{ProbeAsked, Probed, Probing};
pub(super) use target::without_password;
pub(super) use tls::client_config;

#[cfg(test)]
mod tests;
