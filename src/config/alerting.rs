//! `alerting`: files of rules, how they are evaluated, and who is told.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, time::Duration};

use serde::Deserialize;
use weir_collector::receivers::prometheus::{PeersConfig, WebhookConfig};
use weir_proto::{duration, relabel::RelabelConfig};

use super::{ReceiverConfig, or_default, period::Period};

/// `alerting`. Keys that prometheus.yml has keep their names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertingConfig {
    /// Names of files, with wildcards; beside the configuration where they have no folder.
    #[serde(deserialize_with = "or_default")]
    pub(crate) rule_files: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    global: AlertingGlobal,
    /// Where people reach Weir; the query endpoint when left out.
    pub(crate) external_url: Option<String>,
    /// Who is told.
    #[serde(deserialize_with = "or_default")]
    pub(crate) alertmanagers: Vec<PeersConfig>,
    /// Steps over the labels of all alerts.
    #[serde(deserialize_with = "or_default")]
    pub(crate) alert_relabel_configs: Vec<RelabelConfig>,
    /// Who is told without an Alertmanager.
    #[serde(deserialize_with = "or_default")]
    pub(crate) webhooks: Vec<WebhookConfig>,
    /// Firing alerts are told of again after this long.
    pub(crate) resend_delay: Period<1000>,
    /// Alerts that wait for one address.
    pub(crate) queue_alerts_max: NonZeroUsize,
    /// Alerts in one request.
    pub(crate) batch_alerts_max: NonZeroUsize,
    /// Groups that are evaluated at the same time.
    pub(crate) evaluations_max: NonZeroUsize,
    /// Results of one rule.
    pub(crate) results_max: NonZeroUsize,
}

/// `alerting.global`: what prometheus.yml has in `global` for rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AlertingGlobal {
    #[serde(deserialize_with = "duration::deserialize_some")]
    evaluation_interval: Option<Duration>,
    #[serde(deserialize_with = "duration::deserialize_some")]
    rule_query_offset: Option<Duration>,
    external_labels: Option<BTreeMap<String, String>>,
}

/// What holds for all groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleGlobals {
    pub(crate) evaluation_interval: Duration,
    pub(crate) rule_query_offset: Duration,
    pub(crate) external_labels: BTreeMap<String, String>,
}

impl Default for AlertingConfig {
    fn default() -> Self {
        let count = |number| NonZeroUsize::new(number).expect("defaults are not zero");
        Self {
            rule_files: Vec::new(),
            global: AlertingGlobal::default(),
            external_url: None,
            alertmanagers: Vec::new(),
            alert_relabel_configs: Vec::new(),
            webhooks: Vec::new(),
            resend_delay: Period(Duration::from_secs(60)),
            queue_alerts_max: count(10_000),
            batch_alerts_max: count(256),
            evaluations_max: count(4),
            results_max: count(100_000),
        }
    }
}

/// Where a group, and `global`, say nothing.
const EVALUATION_INTERVAL: Duration = Duration::from_secs(60);

impl AlertingConfig {
    /// Its own globals, and where it has none those of a prometheus.yml that a receiver has.
    pub(crate) fn globals(&self, receivers: &BTreeMap<String, ReceiverConfig>) -> RuleGlobals {
        let scraping = receivers.values().find_map(|receiver| match receiver {
            ReceiverConfig::Prometheus(config) => Some(&config.config.global),
            _ => None,
        });
        let interval = self.global.evaluation_interval.or(scraping.and_then(|global| global.evaluation_interval));
        let labels = self.global.external_labels.as_ref().or(scraping.map(|global| &global.external_labels));
        RuleGlobals {
            evaluation_interval: interval.filter(|interval| !interval.is_zero()).unwrap_or(EVALUATION_INTERVAL),
            rule_query_offset: self.global.rule_query_offset.unwrap_or_default(),
            external_labels: labels.cloned().unwrap_or_default(),
        }
    }

    /// The same, with all files where they lie.
    pub(crate) fn resolved(&self, folder: Option<&Path>) -> Self {
        let mut config = self.clone();
        let Some(folder) = folder else { return config };
        for file in config.rule_files.iter_mut().filter(|file| Path::new(file.as_str()).is_relative()) {
            *file = folder.join(&*file).to_string_lossy().into_owned();
        }
        config.alertmanagers.iter_mut().for_each(|peers| peers.resolve_files(folder));
        config.webhooks.iter_mut().for_each(|webhook| webhook.resolve_files(folder));
        config
    }

    /// Finds values that nothing can be done with: the key, and what is wrong.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        let flaw = |key: &str, problem: String| (key.to_owned(), format!("alerting.{key}: {problem}"));
        for peers in &self.alertmanagers {
            peers.check().map_err(|problem| flaw("alertmanagers", problem))?;
        }
        for webhook in &self.webhooks {
            webhook.check().map_err(|problem| flaw("webhooks", problem))?;
        }
        Ok(())
    }
}
