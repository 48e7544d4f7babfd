//! What a webhook is told, in the form that Alertmanager has for it: the alerts of one group of rules at a time.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>, version 4.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weir_proto::metrics::Labels;

use super::{
    Origin, OutAlert,
    outgoing::{filled, owned, time},
};

/// An alert that nobody spoke of for so long past its end is forgotten.
const FORGOTTEN_MS: i64 = 15 * 60_000;

/// The state of each group's alerts, and which groups have news.
#[derive(Debug)]
pub(super) struct Groups {
    groups: BTreeMap<Origin, Group>,
    alerts_max: usize,
    sends_resolved: bool,
}

#[derive(Debug, Default)]
struct Group {
    alerts: BTreeMap<Labels, OutAlert>,
    has_news: bool,
    /// The moment of the newest news.
    slot_ms: i64,
}

/// One request.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) origin: Origin,
    pub(super) body: Vec<u8>,
    pub(super) alerts: usize,
    /// The moment up to which it has the group's news.
    pub(super) slot_ms: i64,
    /// What it says has ended, with the end.
    resolved: BTreeMap<Labels, i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    receiver: &'static str,
    status: &'static str,
    alerts: Vec<WrittenAlert>,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAlert {
    status: &'static str,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// The time that stands for none in Alertmanager's JSON.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Groups {
    pub(super) fn new(alerts_max: usize, sends_resolved: bool) -> Self {
        Self { groups: BTreeMap::new(), alerts_max: alerts_max.max(1), sends_resolved }
    }

    /// Alerts in groups that have news.
    pub(super) fn len(&self) -> usize {
        self.groups.values().filter(|group| group.has_news).map(|group| group.alerts.len()).sum()
    }

    /// Takes in what an evaluation says; how many alerts there was no room for.
    pub(super) fn push(&mut self, (origin, slot_ms): (&Origin, i64), alerts: impl Iterator<Item = OutAlert>) -> usize {
        let mut room = self.alerts_max.saturating_sub(self.groups.values().map(|group| group.alerts.len()).sum());
        let mut dropped = 0;
        for alert in alerts {
            let group = self.groups.entry(origin.clone()).or_default();
            // It ended, and that was said or is not wanted.
            let is_told = alert.is_resolved && (!alert.is_new || !self.sends_resolved);
            if is_told {
                if !group.alerts.get(&alert.labels).is_some_and(|known| known.is_resolved) {
                    group.alerts.remove(&alert.labels);
                }
                continue;
            }
            if !group.alerts.contains_key(&alert.labels) {
                if room == 0 {
                    dropped += 1;
                    continue;
                }
                room -= 1;
            }
            if alert.is_new {
                group.has_news = true;
                group.slot_ms = slot_ms;
            }
            group.alerts.insert(alert.labels.clone(), alert);
        }
        dropped
    }

    /// The next group with news, as of a time in Unix ms.
    pub(super) fn next(&mut self, external_url: &str, now_ms: i64) -> Option<Message> {
        for group in self.groups.values_mut() {
            group.alerts.retain(|_, alert| alert.ends_at_ms.saturating_add(FORGOTTEN_MS) > now_ms || group.has_news);
        }
        self.groups.retain(|_, group| !group.alerts.is_empty());
        let (origin, group) = self.groups.iter_mut().find(|(_, group)| group.has_news)?;
        group.has_news = false;
        let message = message(origin, group, external_url);
        Some(message)
    }

    /// It arrived: what ended is over.
    pub(super) fn told(&mut self, message: &Message) {
        if let Some(group) = self.groups.get_mut(&message.origin) {
            group.alerts.retain(|labels, alert| {
                !(alert.is_resolved && message.resolved.get(labels) == Some(&alert.ends_at_ms))
            });
        }
    }

    /// It did not: it is said again, as things are then.
    pub(super) fn failed(&mut self, message: &Message) {
        if let Some(group) = self.groups.get_mut(&message.origin) {
            group.has_news = true;
        }
    }
}

fn message(origin: &Origin, group: &Group, external_url: &str) -> Message {
    let all: Vec<&OutAlert> = group.alerts.values().collect();
    // All of them, as Alertmanager does without max_alerts: alerts_max bounds it.
    let shown = &all[..];
    let is_firing = all.iter().any(|alert| !alert.is_resolved);
    let group_labels: BTreeMap<String, String> =
        [("file".to_owned(), origin.file.clone()), ("group".to_owned(), origin.group.clone())].into();
    let written = Written {
        receiver: "weir",
        status: if is_firing { "firing" } else { "resolved" },
        alerts: shown.iter().map(|alert| WrittenAlert::of(alert)).collect(),
        common_labels: common(shown.iter().map(|alert| owned(&alert.labels))),
        common_annotations: common(shown.iter().map(|alert| filled(&alert.annotations))),
        external_url: external_url.to_owned(),
        version: "4",
        group_key: format!("{{}}:{{file={:?}, group={:?}}}", origin.file, origin.group),
        truncated_alerts: 0,
        group_labels,
    };
    let resolved =
        shown.iter().filter(|alert| alert.is_resolved).map(|alert| (alert.labels.clone(), alert.ends_at_ms)).collect();
    let body = serde_json::to_vec(&written).expect("texts can be written");
    Message { origin: origin.clone(), body, alerts: shown.len(), slot_ms: group.slot_ms, resolved }
}

impl WrittenAlert {
    fn of(alert: &OutAlert) -> Self {
        Self {
            status: if alert.is_resolved { "resolved" } else { "firing" },
            labels: owned(&alert.labels),
            annotations: filled(&alert.annotations),
            starts_at: time(alert.starts_at_ms),
            ends_at: if alert.is_resolved { time(alert.ends_at_ms) } else { NEVER.to_owned() },
            generator_url: alert.generator_url.to_string(),
            fingerprint: format!("{:016x}", fingerprint(&alert.labels)),
        }
    }
}

/// As Alertmanager has it (FNV-1a, 64 bits).
pub(super) fn fingerprint(labels: &Labels) -> u64 {
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The pairs that all have.
fn common(mut maps: impl Iterator<Item = BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let Some(mut common) = maps.next() else { return BTreeMap::new() };
    for map in maps {
        let same: BTreeSet<&String> =
            common.iter().filter(|(name, value)| map.get(*name) == Some(value)).map(|(name, _)| name).collect();
        let same: BTreeSet<String> = same.into_iter().cloned().collect();
        common.retain(|name, _| same.contains(name));
    }
    common
}
