//! What must hold for a rule, in Prometheus' words.

use weir_proto::{metrics::METRIC_NAME, yaml::Position};

use super::{Query, RuleGroup, fields::Findings, read::RuleText};
use crate::alerting::template;

/// Checks a rule, the `number`th of its group from 1; its query when that can be read.
pub(super) fn rule(rule: &RuleText, group: &RuleGroup, number: usize, findings: &mut Findings<'_>) -> Option<Query> {
    let name = rule.alert.as_ref().or(rule.record.as_ref()).map_or("", |name| name.text.as_str());
    let prefix = format!("group {:?}, rule {number}, {name:?}: ", group.name);
    let mut say = |at: Position, words: &str| findings.say(at, format!("{prefix}{words}"));
    match (&rule.record, &rule.alert) {
        (Some(record), Some(_)) => say(record.at, "only one of 'record' and 'alert' must be set"),
        (None, None) => say(rule.at, "one of 'record' or 'alert' must be set"),
        _ => {}
    }
    let query = match &rule.expr {
        None => {
            say(rule.at, "field 'expr' must be set in rule");
            None
        }
        Some(expr) => match Query::read(group.language, &expr.text) {
            Ok(query) => Some(query),
            Err(words) => {
                say(expr.at, &format!("could not parse expression: {words}"));
                None
            }
        },
    };
    if let Some(record) = &rule.record {
        let fields = [
            ("annotations", !rule.annotations.is_empty()),
            ("for", !rule.hold.is_zero()),
            ("keep_firing_for", !rule.keep_firing.is_zero()),
        ];
        for (field, _) in fields.iter().filter(|(_, is_set)| *is_set) {
            say(record.at, &format!("invalid field '{field}' in recording rule"));
        }
        if record.text.contains(['{', '}']) {
            let words = "braces present in the recording rule name; should it be in expr?";
            say(record.at, &format!("{words}: {}", record.text));
        }
    }
    labels(&rule.labels, &prefix, findings);
    for (name, _, at) in rule.annotations.iter().filter(|(name, ..)| name.is_empty()) {
        findings.say(*at, format!("{prefix}invalid annotation name: {name}"));
    }
    if let Some(alert) = &rule.alert {
        let texts = [("label", &rule.labels), ("annotation", &rule.annotations)];
        for (what, (name, text, at)) in
            texts.iter().flat_map(|(what, pairs)| pairs.iter().map(move |pair| (what, pair)))
        {
            if let Some(words) = template::problem(text, &alert.text) {
                findings.say(*at, format!("{prefix}{what} {name:?}: {words}"));
            }
        }
    }
    query
}

/// Names of labels are any text but none, and not the metric's name.
pub(super) fn labels(labels: &[(String, String, Position)], prefix: &str, findings: &mut Findings<'_>) {
    for (name, _, at) in labels.iter().filter(|(name, ..)| name.is_empty() || name == METRIC_NAME) {
        findings.say(*at, format!("{prefix}invalid label name: {name}"));
    }
}
