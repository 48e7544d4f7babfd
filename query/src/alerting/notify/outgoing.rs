//! An alert on its way out: with external labels, relabelled, with a link to its query.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use weir_proto::{
    metrics::Labels,
    relabel::{LabelSet, RelabelConfig, relabel},
};

use crate::{alerting::group::SentAlert, http::moment};

/// An alert as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutAlert {
    pub(crate) labels: Labels,
    pub(crate) annotations: Arc<[(String, String)]>,
    pub(crate) starts_at_ms: i64,
    pub(crate) ends_at_ms: i64,
    pub(crate) generator_url: Arc<str>,
    pub(crate) is_resolved: bool,
    pub(crate) is_new: bool,
}

/// What all alerts get on their way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Links {
    /// Where an alert has none of the name.
    pub(crate) external_labels: Vec<(String, String)>,
    pub(crate) external_url: String,
    pub(crate) relabel: Vec<RelabelConfig>,
}

impl Links {
    /// The alert as it goes out; `None` when relabelling drops it.
    pub(crate) fn outgoing(&self, alert: &SentAlert) -> Option<OutAlert> {
        let mut labels: LabelSet = alert.labels.iter().collect();
        for (name, value) in &self.external_labels {
            if labels.get(name).is_empty() {
                labels.set(name, value.as_str());
            }
        }
        if !relabel(&mut labels, &self.relabel) {
            return None;
        }
        let mut query = String::new();
        escape(&alert.expr, &mut query);
        Some(OutAlert {
            labels: labels.labels().ok()?,
            annotations: Arc::clone(&alert.annotations),
            starts_at_ms: alert.starts_at_ms,
            ends_at_ms: alert.ends_at_ms,
            generator_url: format!("{}/graph?g0.expr={query}&g0.tab=1", self.external_url).into(),
            is_resolved: alert.is_resolved,
            is_new: alert.is_new,
        })
    }
}

impl OutAlert {
    /// The same, relabelled once more; `None` when that drops it.
    pub(super) fn relabelled(&self, steps: &[RelabelConfig]) -> Option<Self> {
        if steps.is_empty() {
            return Some(self.clone());
        }
        let mut labels: LabelSet = self.labels.iter().collect();
        if !relabel(&mut labels, steps) {
            return None;
        }
        Some(Self { labels: labels.labels().ok()?, ..self.clone() })
    }

    /// As Alertmanager's API takes it.
    pub(super) fn posted(&self) -> Written {
        Written {
            labels: owned(&self.labels),
            annotations: filled(&self.annotations),
            starts_at: time(self.starts_at_ms),
            ends_at: time(self.ends_at_ms),
            generator_url: self.generator_url.to_string(),
        }
    }
}

/// A label set as a map.
pub(super) fn owned(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Annotations with something in them: Alertmanager leaves the others out.
pub(super) fn filled(annotations: &[(String, String)]) -> BTreeMap<String, String> {
    annotations.iter().filter(|(_, text)| !text.is_empty()).cloned().collect()
}

/// RFC 3339 of Unix ms.
pub(super) fn time(ms: i64) -> String {
    moment::written(u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000))
}

/// One of a list that is posted to `/api/v2/alerts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
}

/// As Go's `url.QueryEscape`.
fn escape(text: &str, into: &mut String) {
    use std::fmt::Write;
    for byte in text.bytes() {
        match byte {
            b' ' => into.push('+'),
            b'-' | b'_' | b'.' | b'~' => into.push(byte as char),
            _ if byte.is_ascii_alphanumeric() => into.push(byte as char),
            _ => {
                let _ = write!(into, "%{byte:02X}");
            }
        }
    }
}
