//! `info`: labels of what a series is about, taken from metrics that only have labels.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use weir_proto::metrics::{LabelMatcher, Labels, METRIC_NAME, MatchOp};

use super::super::{Evaluator, QueryError, Sink, Steps, failed, labels, select::Wanted};
use crate::promql::{
    format,
    syntax::{
        ast::{Call, Expr, Node, Selector, Shift},
        regex::Matcher,
    },
    value::{Row, is_absent},
};

/// The metric whose labels are taken when none is named.
const TARGET_INFO: &str = "target_info";
/// What a series and its information have in common, sorted.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// Which metrics and labels are wanted.
struct WantedLabels {
    names: Vec<LabelMatcher>,
    data: Vec<LabelMatcher>,
    data_names: BTreeSet<String>,
    /// Whether series stay that have no information.
    keeps_bare: bool,
}

impl Evaluator<'_> {
    pub(super) fn info(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let wanted = wanted_labels(call)?;
        let name_matchers: Vec<_> = wanted.names.iter().map(Matcher::new).collect::<Result<_, _>>().map_err(failed)?;
        let is_information = |labels: &Labels| {
            !name_matchers.is_empty() && name_matchers.iter().all(|matcher| matcher.matches(labels.metric_name()))
        };
        let mut base = Vec::new();
        self.rows(&call.arguments[0], steps, &mut |row| {
            self.budget.hold(row.bytes())?;
            base.push(row.into_owned());
            Ok(())
        })?;
        let information = self.information(&wanted, &base, &is_information, &call.arguments[0], steps)?;
        for row in base {
            if is_information(&row.labels) {
                sink(row)?;
                continue;
            }
            joined(row, &wanted, &information, steps, sink)?;
        }
        Ok(())
    }

    /// Rows of information by what identifies them and their name: the times of their samples.
    fn information(
        &self,
        wanted: &WantedLabels,
        base: &[Row<'static>],
        is_information: &dyn Fn(&Labels) -> bool,
        argument: &Expr,
        steps: Steps,
    ) -> Result<Information, QueryError> {
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in base.iter().filter(|row| !is_information(&row.labels)) {
            for name in IDENTIFYING {
                if let Some(value) = row.labels.get(name) {
                    values.entry(name).or_default().insert(value);
                }
            }
        }
        let mut information = Information::default();
        if values.is_empty() {
            return Ok(information);
        }
        let mut matchers = wanted.names.clone();
        matchers.extend(wanted.data.iter().cloned());
        for (name, values) in values {
            let value = values.iter().map(|value| go_escape(value)).collect::<Vec<_>>().join("|");
            matchers.push(LabelMatcher { name: name.to_owned(), op: MatchOp::Matches, value });
        }
        let selector =
            Selector { matchers, shift: shift_of(argument).cloned().unwrap_or_default(), ..Selector::default() };
        let mut failure = Ok(());
        self.selector((&selector, argument.extent), Wanted::Time, steps, &mut |row| {
            self.budget.hold(row.bytes())?;
            let key = (row.labels.metric_name().to_owned(), identity(&row.labels));
            let rows = information.entry(key).or_default();
            for step in 0..steps.count {
                let conflict = rows.iter().find(|known| {
                    !is_absent(row.floats[step]) && known.floats[step].to_bits() == row.floats[step].to_bits()
                });
                if let Some(known) = conflict {
                    failure = Err(failed(format!(
                        "found duplicate series for info metric: existing {} @ {}, new {} @ {}",
                        format::labels(&known.labels),
                        (known.floats[step] * 1e3).round(),
                        format::labels(&row.labels),
                        (row.floats[step] * 1e3).round(),
                    )));
                }
            }
            rows.push(row.into_owned());
            Ok(())
        })?;
        failure.map(|()| information)
    }
}

type Information = HashMap<(String, Labels), Vec<Row<'static>>>;

fn identity(labels: &Labels) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| IDENTIFYING.contains(name)))
}

/// The row with the labels that its information has; these may differ from step to step.
fn joined(
    row: Row<'static>,
    wanted: &WantedLabels,
    information: &Information,
    steps: Steps,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let identity = identity(&row.labels);
    let found: Vec<_> = information.iter().filter(|((_, known), _)| *known == identity).map(|(_, rows)| rows).collect();
    let mut parts: HashMap<Labels, Row<'static>> = HashMap::new();
    for step in (0..steps.count).filter(|&step| row.has(step)) {
        let mut added: BTreeMap<&str, &str> = BTreeMap::new();
        let mut is_bare = true;
        for rows in &found {
            let newest = rows
                .iter()
                .filter(|known| !is_absent(known.floats[step]))
                .max_by(|one, other| one.floats[step].total_cmp(&other.floats[step]));
            let Some(newest) = newest else { continue };
            is_bare = false;
            for (name, value) in newest.labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
                if !wanted.data_names.is_empty() && !wanted.data_names.contains(name) {
                    continue;
                }
                if added.get(name).is_some_and(|known| *known != value) {
                    return Err(failed(format!("conflicting label: {name}")));
                }
                if row.labels.get(name).is_none() {
                    added.insert(name, value);
                }
            }
        }
        if is_bare && !wanted.keeps_bare {
            continue;
        }
        let mut labels = row.labels.clone().into_owned();
        for (name, value) in added {
            labels = labels::with(&labels, name, value);
        }
        let part = parts.entry(labels).or_insert_with(|| {
            let mut part = Row::empty(Labels::default(), steps.count);
            part.drops_name = row.drops_name;
            part
        });
        if let Some(point) = row.point(step) {
            part.set(step, point);
        }
    }
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by(|one, other| one.0.cmp(&other.0));
    for (labels, part) in parts {
        sink(Row { labels: Cow::Owned(labels), ..part })?;
    }
    Ok(())
}

fn wanted_labels(call: &Call) -> Result<WantedLabels, QueryError> {
    let target_info = LabelMatcher { name: METRIC_NAME.to_owned(), op: MatchOp::Equal, value: TARGET_INFO.to_owned() };
    let mut wanted =
        WantedLabels { names: Vec::new(), data: Vec::new(), data_names: BTreeSet::new(), keeps_bare: true };
    if let Some(argument) = call.arguments.get(1) {
        let Node::Selector(selector) = &argument.unwrapped().node else {
            return Err(failed("expected label selectors only"));
        };
        for matcher in &selector.matchers {
            if matcher.name == METRIC_NAME {
                wanted.names.push(matcher.clone());
                continue;
            }
            wanted.keeps_bare &= Matcher::new(matcher).map_err(failed)?.matches("");
            wanted.data_names.insert(matcher.name.clone());
            wanted.data.push(matcher.clone());
        }
    }
    if wanted.names.is_empty() {
        wanted.names.push(target_info);
    }
    Ok(wanted)
}

/// The shift of the first selector in it.
fn shift_of(expr: &Expr) -> Option<&Shift> {
    match &expr.node {
        Node::Selector(selector) => Some(&selector.shift),
        Node::Range(range) => Some(&range.selector.shift),
        Node::Paren(inner) | Node::Unary { operand: inner, .. } => shift_of(inner),
        Node::Binary(binary) => shift_of(&binary.left).or_else(|| shift_of(&binary.right)),
        Node::Call(call) => call.arguments.iter().find_map(shift_of),
        Node::Aggregate(aggregate) => shift_of(&aggregate.operand),
        Node::Subquery(subquery) => shift_of(&subquery.operand),
        Node::Number(_) | Node::Text(_) => None,
    }
}

/// A text that stands for itself in Go's dialect.
fn go_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
