//! `rules`, `alerts` and `alertmanagers`: what is evaluated, what came of it, who is told.

use std::{
    collections::BTreeMap,
    num::{IntErrorKind, ParseIntError},
};

use serde::{Serialize, Serializer};
use weir_proto::metrics::{LabelMatcher, MatchOp};

use crate::{
    alerting::{
        group::{Health, slot_hash},
        notify::PeerList,
        serve::{ShownAlert, ShownGroup, ShownRule},
        state::AlertState,
    },
    http::{moment, prometheus::params::match_set},
    promql::{format::with_exponent, syntax::quote::quoted},
};

/// The time that stands for none in Go's JSON.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Discovery {
    groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    file: String,
    rules: Vec<Rule>,
    #[serde(serialize_with = "seconds")]
    interval: f64,
    limit: usize,
    #[serde(serialize_with = "seconds")]
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Rule {
    Alerting(Box<AlertingRule>),
    Recording(Box<RecordingRule>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingRule {
    state: &'static str,
    name: String,
    query: String,
    #[serde(serialize_with = "seconds")]
    duration: f64,
    #[serde(serialize_with = "seconds")]
    keep_firing_for: f64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    alerts: Option<Vec<Alert>>,
    health: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
    #[serde(serialize_with = "seconds")]
    evaluation_time: f64,
    last_evaluation: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordingRule {
    name: String,
    query: String,
    labels: BTreeMap<String, String>,
    health: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
    #[serde(serialize_with = "seconds")]
    evaluation_time: f64,
    last_evaluation: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

/// What is wanted.
#[derive(Debug, Default)]
struct Asked {
    alerts: bool,
    records: bool,
    excludes_alerts: bool,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    matches: Vec<Vec<Test>>,
    limit: Option<usize>,
    next: String,
}

/// A parameter is not good.
fn invalid(name: &str, error: impl std::fmt::Display) -> String {
    format!("invalid parameter \"{name}\": {error}")
}

impl Asked {
    fn of(pairs: &[(String, String)]) -> Result<Self, String> {
        let all = |name: &str| -> Vec<String> {
            let named = pairs.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| value.clone()).collect()
        };
        let first = |name: &str| {
            pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let matches = all("match[]").iter().map(|text| tests(text)).collect::<Result<_, _>>()?;
        let kind = first("type").to_lowercase();
        let (alerts, records) = match kind.as_str() {
            "" => (true, true),
            "alert" => (true, false),
            "record" => (false, true),
            other => return Err(invalid("type", format!("not supported value {}", quoted(other)))),
        };
        let excludes_alerts = match first("exclude_alerts").to_lowercase().as_str() {
            "" | "0" | "f" | "false" => false,
            "1" | "t" | "true" => true,
            other => {
                let words = format!(
                    "error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax",
                    quoted(other)
                );
                return Err(invalid("exclude_alerts", words));
            }
        };
        let (limit, next) = page(first("group_limit"), first("group_next_token"))?;
        Ok(Self {
            alerts,
            records,
            excludes_alerts,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            matches,
            limit,
            next,
        })
    }

    fn takes(&self, rule: &ShownRule) -> bool {
        let kind = if rule.is_alert { self.alerts } else { self.records };
        let named = self.names.is_empty() || self.names.contains(&rule.name);
        let matched = self.matches.is_empty()
            || self.matches.iter().any(|tests| tests.iter().all(|test| test.holds(&rule.labels)));
        kind && named && matched
    }
}

fn page(limit: &str, next: &str) -> Result<(Option<usize>, String), String> {
    let limit = match limit {
        "" => None,
        text => {
            let number: i32 = text.parse().map_err(|error: ParseIntError| {
                let is_large = matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow);
                let why = if is_large { "value out of range" } else { "invalid syntax" };
                let words = format!("strconv.ParseInt: parsing {}: {why}", quoted(text));
                invalid("group_limit", format!("group_limit needs to be a valid number: {words}"))
            })?;
            if number <= 0 {
                return Err(invalid("group_limit", "group_limit needs to be greater than 0"));
            }
            usize::try_from(number).ok()
        }
    };
    if limit.is_none() && !next.is_empty() {
        let words = "group_limit needs to be present in order to paginate over the groups";
        return Err(invalid("group_next_token", words));
    }
    Ok((limit, next.to_owned()))
}

/// One condition on the labels of a rule.
#[derive(Debug)]
struct Test {
    matcher: LabelMatcher,
    regex: Option<::regex::Regex>,
}

fn tests(text: &str) -> Result<Vec<Test>, String> {
    let test = |matcher: LabelMatcher| {
        let regex = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Matches | MatchOp::MatchesNot => {
                let anchored = format!("^(?:{})$", matcher.value);
                Some(::regex::Regex::new(&anchored).map_err(|error| error.to_string())?)
            }
        };
        Ok(Test { matcher, regex })
    };
    match_set(text)?.into_iter().map(test).collect()
}

impl Test {
    fn holds(&self, labels: &[(String, String)]) -> bool {
        let value = labels.iter().find(|(name, _)| *name == self.matcher.name);
        let value = value.map_or("", |(_, value)| value.as_str());
        let fits = self.regex.as_ref().map_or(value == self.matcher.value, |regex| regex.is_match(value));
        fits != matches!(self.matcher.op, MatchOp::NotEqual | MatchOp::MatchesNot)
    }
}

/// `/prometheus/api/v1/rules`; why it cannot be answered, otherwise.
pub(super) fn rules<'g>(
    groups: impl Iterator<Item = &'g ShownGroup>,
    pairs: &[(String, String)],
) -> Result<Discovery, String> {
    let asked = Asked::of(pairs)?;
    let mut discovery = Discovery { groups: Vec::new(), group_next_token: None };
    let mut is_reached = asked.next.is_empty();
    for group in groups {
        is_reached = is_reached || token(group) == asked.next;
        let is_wanted = (asked.groups.is_empty() || asked.groups.iter().any(|name| **name == *group.name))
            && (asked.files.is_empty() || asked.files.iter().any(|file| **file == *group.file));
        if !is_reached || !is_wanted {
            continue;
        }
        let wanted = group.rules.iter().filter(|rule| asked.takes(rule));
        let rules: Vec<Rule> = wanted.map(|rule| Rule::of(rule, asked.excludes_alerts)).collect();
        if rules.is_empty() {
            continue;
        }
        if asked.limit.is_some_and(|limit| discovery.groups.len() == limit) {
            discovery.group_next_token = Some(token(group));
            break;
        }
        discovery.groups.push(Group {
            name: group.name.to_string(),
            file: group.file.to_string(),
            rules,
            interval: group.interval_ms as f64 / 1e3,
            limit: group.limit,
            evaluation_time: group.seconds,
            last_evaluation: time_ns(group.evaluated_ns),
        });
    }
    if !is_reached {
        let words = format!("invalid group_next_token '{}'. were rule groups changed?", asked.next);
        return Err(invalid("group_next_token", words));
    }
    Ok(discovery)
}

/// By which a page's first group is known.
fn token(group: &ShownGroup) -> String {
    format!("{:016x}", slot_hash(&group.file, &group.name))
}

impl Rule {
    fn of(rule: &ShownRule, without_alerts: bool) -> Self {
        let (health, last_error) = match &rule.health {
            Health::Unknown => ("unknown", String::new()),
            Health::Good => ("ok", String::new()),
            Health::Bad(error) => ("err", error.clone()),
        };
        let labels = rule.labels.iter().cloned().collect();
        let last_evaluation = time_ns(rule.evaluated_ns);
        if !rule.is_alert {
            return Self::Recording(Box::new(RecordingRule {
                name: rule.name.clone(),
                query: rule.query.clone(),
                labels,
                health,
                last_error,
                evaluation_time: rule.seconds,
                last_evaluation,
                kind: "recording",
            }));
        }
        let alerts = (!without_alerts).then(|| rule.alerts.iter().map(Alert::of).collect());
        Self::Alerting(Box::new(AlertingRule {
            state: rule.state.map_or("unknown", AlertState::name),
            name: rule.name.clone(),
            query: rule.query.clone(),
            duration: rule.hold_seconds,
            keep_firing_for: rule.keep_firing_seconds,
            labels,
            annotations: rule.annotations.iter().cloned().collect(),
            alerts,
            health,
            last_error,
            evaluation_time: rule.seconds,
            last_evaluation,
            kind: "alerting",
        }))
    }
}

impl Alert {
    fn of(alert: &ShownAlert) -> Self {
        Self {
            labels: alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            annotations: alert.annotations.iter().cloned().collect(),
            state: alert.state.name(),
            active_at: time_ms(alert.active_at_ms),
            keep_firing_since: (alert.keep_firing_since_ms != 0).then(|| time_ms(alert.keep_firing_since_ms)),
            value: with_exponent(alert.value),
        }
    }
}

fn time_ms(ms: i64) -> String {
    moment::written(u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000))
}

fn time_ns(ns: u64) -> String {
    if ns == 0 { NEVER.to_owned() } else { moment::written(ns) }
}

/// A whole number without a point, as Go writes it.
fn seconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if seconds.fract() == 0.0 && seconds.abs() < 1e15 {
        serializer.serialize_i64(*seconds as i64)
    } else {
        serializer.serialize_f64(*seconds)
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Alerts {
    alerts: Vec<Alert>,
}

/// `/prometheus/api/v1/alerts`: pending and firing ones.
pub(super) fn alerts<'g>(groups: impl Iterator<Item = &'g ShownGroup>) -> Alerts {
    let all = groups.flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts);
    Alerts { alerts: all.map(Alert::of).collect() }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alertmanagers {
    active_alertmanagers: Vec<Address>,
    dropped_alertmanagers: Vec<Address>,
}

#[derive(Debug, Serialize)]
struct Address {
    url: String,
}

/// `/prometheus/api/v1/alertmanagers`.
pub(super) fn alertmanagers(list: PeerList) -> Alertmanagers {
    let addresses = |urls: Vec<String>| urls.into_iter().map(|url| Address { url }).collect();
    Alertmanagers { active_alertmanagers: addresses(list.active), dropped_alertmanagers: addresses(list.dropped) }
}

#[cfg(test)]
mod tests;
