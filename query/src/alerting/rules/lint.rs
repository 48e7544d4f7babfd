//! What is no mistake in a file of rules, and yet probably not meant.

use super::{RuleFile, RuleKind};

/// Rules that give the same series or alerts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// What they give.
    pub name: String,
    /// The labels that they set.
    pub labels: Vec<(String, String)>,
}

/// Rules of a file that have name and labels in common, each pair of these once, in their order.
pub fn duplicates(file: &RuleFile) -> Vec<Duplicate> {
    let rules = file.groups.iter().flat_map(|group| &group.rules);
    let mut all: Vec<Duplicate> =
        rules.map(|rule| Duplicate { name: rule.name().to_owned(), labels: rule.labels.clone() }).collect();
    all.sort();
    let mut found: Vec<Duplicate> =
        all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    found.dedup();
    found
}

/// What has no effect, or another than it seems: `LINE:COLUMN: what`.
pub fn doubts(file: &RuleFile) -> Vec<String> {
    let mut doubts = Vec::new();
    for group in &file.groups {
        for rule in &group.rules {
            let mut say = |words: String| {
                doubts.push(format!("{}:{}: group {:?}, {:?}: {words}", file.path, rule.at, group.name, rule.name()));
            };
            if let Some(kind) = rule.query.no_result() {
                say(format!("its expression gives a {kind}; a rule needs an instant vector or a scalar"));
            }
            if let RuleKind::Alert(_) = rule.kind {
                if rule.labels.iter().any(|(name, _)| name == "alertname") {
                    say("the label alertname is always the alert's name".to_owned());
                }
                if let Some((name, _)) = rule.labels.iter().find(|(_, text)| text.contains("$value")) {
                    say(format!(
                        "the label {name} changes with the value: each value is another alert, and `for` begins anew"
                    ));
                }
            }
        }
    }
    doubts
}
