//! Reads a file of rules: from YAML to groups, everything that is wrong said at once.

use std::{collections::HashMap, time::Duration};

use weir_proto::{
    nearest::unknown,
    yaml::{self, Entry, Node, Position, Value},
};

use super::{FILE_BYTES_MAX, Language, Rule, RuleFile, RuleGroup, RuleKind, RuleProblem, check, fields::Findings};

const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &["name", "interval", "query_offset", "limit", "labels", "language", "rules"];
const RULE_KEYS: &[&str] = &["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

/// A text with its place.
pub(super) struct Placed {
    pub(super) text: String,
    pub(super) at: Position,
}

/// What stands in a rule, before it is known to be right.
pub(super) struct RuleText {
    pub(super) at: Position,
    pub(super) record: Option<Placed>,
    pub(super) alert: Option<Placed>,
    pub(super) expr: Option<Placed>,
    pub(super) hold: Duration,
    pub(super) keep_firing: Duration,
    pub(super) labels: Vec<(String, String, Position)>,
    pub(super) annotations: Vec<(String, String, Position)>,
}

/// Reads the text of a file that is called `path`. An empty one has no groups.
///
/// # Errors
///
/// Everything that is wrong, in the order of the file.
pub fn read(path: &str, text: &str) -> Result<RuleFile, Vec<RuleProblem>> {
    let mut findings = Findings::new(path);
    let start = Position { line: 1, column: 1 };
    let mut groups = Vec::new();
    if text.len() > FILE_BYTES_MAX {
        findings.say(start, format!("the file has more than {FILE_BYTES_MAX} bytes"));
    } else {
        let mut problems = Vec::new();
        let root = yaml::parse_plain(text, &mut problems);
        for problem in problems {
            findings.say(problem.at, problem.message);
        }
        if let Some(root) = root {
            groups = read_groups(&root, &mut findings);
        }
    }
    if findings.problems.is_empty() {
        return Ok(RuleFile { path: path.to_owned(), groups });
    }
    findings.problems.sort_by_key(|problem| problem.at);
    findings.problems.dedup();
    Err(findings.problems)
}

fn read_groups(root: &Node, findings: &mut Findings<'_>) -> Vec<RuleGroup> {
    let mut groups = Vec::new();
    let mut names = HashMap::new();
    for entry in findings.entries(root, "groups", FILE_KEYS) {
        if entry.key != "groups" {
            continue;
        }
        for node in findings.items(&entry.node, "groups of rules") {
            let group = read_group(node, findings);
            if group.name.is_empty() {
                findings.say(group.at, "Groupname must not be empty");
            } else if names.insert(group.name.clone(), ()).is_some() {
                findings.say(group.at, format!("groupname: \"{}\" is repeated in the same file", group.name));
            }
            groups.push(group);
        }
    }
    groups
}

fn read_group(node: &Node, findings: &mut Findings<'_>) -> RuleGroup {
    let mut group = RuleGroup {
        name: String::new(),
        interval: None,
        query_offset: None,
        limit: 0,
        labels: Vec::new(),
        language: Language::PromQl,
        rules: Vec::new(),
        at: node.at,
    };
    let mut rules = None;
    for entry in findings.entries(node, "a group's name and rules", GROUP_KEYS) {
        match entry.key.as_str() {
            "name" => group.name = findings.text(entry),
            // Nothing at all is what 0 means in Prometheus.
            "interval" => group.interval = findings.duration(entry).filter(|interval| !interval.is_zero()),
            "query_offset" => group.query_offset = findings.duration(entry),
            "limit" => group.limit = findings.count(entry),
            "labels" => {
                let labels = findings.pairs(entry);
                check::labels(&labels, "", findings);
                group.labels = without_places(labels);
            }
            "language" => group.language = language(entry, findings),
            "rules" => rules = Some(entry),
            _ => {}
        }
    }
    let Some(rules) = rules else { return group };
    for (index, node) in findings.items(&rules.node, "rules").into_iter().enumerate() {
        let text = read_rule(node, findings);
        if let Some(rule) = checked(text, &group, index + 1, findings) {
            group.rules.push(rule);
        }
    }
    group
}

fn language(entry: &Entry, findings: &mut Findings<'_>) -> Language {
    let name = findings.text(entry);
    Language::named(&name).unwrap_or_else(|| {
        findings.say(entry.node.at, unknown("language", &name, &Language::NAMES));
        Language::default()
    })
}

fn read_rule(node: &Node, findings: &mut Findings<'_>) -> RuleText {
    let mut rule = RuleText {
        at: node.at,
        record: None,
        alert: None,
        expr: None,
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
        labels: Vec::new(),
        annotations: Vec::new(),
    };
    for entry in findings.entries(node, "record or alert, and expr", RULE_KEYS) {
        match entry.key.as_str() {
            "record" => rule.record = placed(entry, findings),
            "alert" => rule.alert = placed(entry, findings),
            "expr" => rule.expr = placed(entry, findings),
            "for" => rule.hold = findings.duration(entry).unwrap_or_default(),
            "keep_firing_for" => rule.keep_firing = findings.duration(entry).unwrap_or_default(),
            "labels" => rule.labels = findings.pairs(entry),
            "annotations" => rule.annotations = findings.pairs(entry),
            _ => {}
        }
    }
    rule
}

/// An empty text is as good as none.
fn placed(entry: &Entry, findings: &mut Findings<'_>) -> Option<Placed> {
    let text = findings.text(entry);
    let is_wrong = matches!(entry.node.value, Value::List(_) | Value::Map(_));
    (!text.is_empty() || is_wrong).then_some(Placed { text, at: entry.node.at })
}

/// The rule, unless something is wrong with it.
fn checked(text: RuleText, group: &RuleGroup, number: usize, findings: &mut Findings<'_>) -> Option<Rule> {
    let query = check::rule(&text, group, number, findings)?;
    let (kind, expr) = match (text.alert, text.record, text.expr) {
        (Some(name), None, Some(expr)) => (RuleKind::Alert(name.text), expr),
        (None, Some(name), Some(expr)) => (RuleKind::Record(name.text), expr),
        _ => return None,
    };
    Some(Rule {
        kind,
        expr: expr.text,
        query,
        hold: text.hold,
        keep_firing: text.keep_firing,
        labels: without_places(text.labels),
        annotations: without_places(text.annotations),
        at: text.at,
    })
}

fn without_places(pairs: Vec<(String, String, Position)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, text, _)| (name, text)).collect()
}
