//! A job as it runs: a scrape config with what the global section says where it is silent.

use std::{sync::Arc, time::Duration};

use super::{
    client::{Client, ClientError},
    config::{EscapingScheme, GlobalConfig, PrometheusConfig, ScrapeConfig, ScrapeProtocol, ValidationScheme, naming},
    probing::Probing,
};

/// What a target may at most send; 0 is no limit of the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) body_bytes: usize,
    pub(super) samples: usize,
    pub(super) targets: usize,
    pub(super) labels: usize,
    /// The receiver's own bound, which is never 0.
    pub(super) labels_max: usize,
    pub(super) label_name_bytes: usize,
    pub(super) label_value_bytes: usize,
    pub(super) dropped_targets: usize,
}

/// A job. One is replaced by another when its configuration changes; its targets go on.
#[derive(Debug)]
pub(in crate::receivers) struct Job {
    pub(super) config: ScrapeConfig,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) limits: Limits,
    pub(super) targets_max: usize,
    pub(super) accept: String,
    pub(super) validation: ValidationScheme,
    /// Whether scrapes say more of themselves.
    pub(super) says_more: bool,
    pub(super) source: Source,
}

/// Where a job's samples come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Targets expose them.
    Scraped(Box<Client>),
    /// Probes of targets find them.
    Probed(Probing),
}

/// What Prometheus 3 asks for by default.
const PROTOCOLS: [ScrapeProtocol; 4] = [
    ScrapeProtocol::OpenMetricsText1_0_0,
    ScrapeProtocol::OpenMetricsText0_0_1,
    ScrapeProtocol::PrometheusText1_0_0,
    ScrapeProtocol::PrometheusText0_0_4,
];

/// Formats that Prometheus knows, and one: where its weights begin.
const FIRST_WEIGHT: usize = 6;

impl Job {
    /// Fails where files of the TLS configuration cannot be used.
    pub(super) fn new(config: &ScrapeConfig, whole: &PrometheusConfig) -> Result<Arc<Self>, ClientError> {
        Ok(Self::from(config, whole, Source::Scraped(Box::new(Client::new(&config.http_keys())?))))
    }

    /// A job of targets that are probed.
    pub(in crate::receivers) fn probed(config: &ScrapeConfig, whole: &PrometheusConfig, probing: Probing) -> Arc<Self> {
        Self::from(config, whole, Source::Probed(probing))
    }

    fn from(config: &ScrapeConfig, whole: &PrometheusConfig, source: Source) -> Arc<Self> {
        let global = &whole.config.global;
        let interval = config.scrape_interval.unwrap_or(global.scrape_interval);
        let default_timeout = global.scrape_timeout.unwrap_or(Duration::from_secs(10)).min(interval);
        let (validation, escaping) = naming(config, global);
        let protocols = config.scrape_protocols.as_ref().or(global.scrape_protocols.as_ref());
        Arc::new(Self {
            interval,
            timeout: config.scrape_timeout.unwrap_or(default_timeout),
            limits: limits(config, global, whole),
            targets_max: whole.targets_max,
            accept: accept(protocols.map_or(&PROTOCOLS[..], Vec::as_slice), escaping),
            validation,
            says_more: config.extra_scrape_metrics.unwrap_or(global.extra_scrape_metrics),
            source,
            config: config.clone(),
        })
    }

    /// Whether another one would do the same. How a job probes cannot be compared.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        matches!((&self.source, &other.source), (Source::Scraped(_), Source::Scraped(_)))
            && self.config == other.config
            && (self.interval, self.timeout, self.limits, self.targets_max)
                == (other.interval, other.timeout, other.limits, other.targets_max)
            && (&self.accept, self.validation, self.says_more) == (&other.accept, other.validation, other.says_more)
    }

    pub(super) fn name(&self) -> &str {
        &self.config.job_name
    }
}

fn limits(config: &ScrapeConfig, global: &GlobalConfig, whole: &PrometheusConfig) -> Limits {
    let body_bytes = match config.body_size_limit.unwrap_or(global.body_size_limit) {
        0 => whole.body_bytes_max,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    };
    Limits {
        body_bytes,
        samples: config.sample_limit.unwrap_or(global.sample_limit),
        targets: config.target_limit.unwrap_or(global.target_limit),
        labels_max: whole.labels_max,
        labels: config.label_limit.unwrap_or(global.label_limit),
        label_name_bytes: config.label_name_length_limit.unwrap_or(global.label_name_length_limit),
        label_value_bytes: config.label_value_length_limit.unwrap_or(global.label_value_length_limit),
        dropped_targets: config.keep_dropped_targets.unwrap_or(global.keep_dropped_targets),
    }
}

/// The header: each format with its weight, and anything last. The newer ones may have any UTF-8 in names, or are asked to write them
/// otherwise.
pub(super) fn accept(protocols: &[ScrapeProtocol], escaping: EscapingScheme) -> String {
    let mut weight = FIRST_WEIGHT;
    let mut header = String::new();
    for protocol in protocols {
        let (media, is_escaped) = match protocol {
            ScrapeProtocol::OpenMetricsText1_0_0 => ("application/openmetrics-text;version=1.0.0", true),
            ScrapeProtocol::OpenMetricsText0_0_1 => ("application/openmetrics-text;version=0.0.1", false),
            ScrapeProtocol::PrometheusText1_0_0 => ("text/plain;version=1.0.0", true),
            ScrapeProtocol::PrometheusText0_0_4 => ("text/plain;version=0.0.4", false),
            // It would be answered, and could not be read.
            ScrapeProtocol::PrometheusProto => continue,
        };
        header += media;
        if is_escaped {
            header += &format!(";escaping={}", escaping.name());
        }
        header += &format!(";q=0.{weight},");
        weight -= 1;
    }
    header + &format!("*/*;q=0.{weight}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        assert_eq!(
            accept(&PROTOCOLS, EscapingScheme::AllowUtf8),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;\
             version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
             */*;q=0.2"
        );
        assert_eq!(accept(&[ScrapeProtocol::PrometheusProto], EscapingScheme::AllowUtf8), "*/*;q=0.6");
        let asked = accept(&[ScrapeProtocol::PrometheusText1_0_0], EscapingScheme::Underscores);
        assert_eq!(asked, "text/plain;version=1.0.0;escaping=underscores;q=0.6,*/*;q=0.5");
    }
}
