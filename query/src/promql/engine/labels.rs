//! Label sets made of others.

use std::collections::BTreeMap;

use weir_proto::metrics::{Labels, METRIC_NAME, MatchOp};

use crate::promql::syntax::ast::{Expr, Node};

/// Labels that belong to the metric's name.
pub(super) const OF_THE_METRIC: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Without the metric's name and what belongs to it.
pub(super) fn without_name(labels: &Labels) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| !OF_THE_METRIC.contains(name)))
}

/// Those that are listed; the list is sorted.
pub(super) fn only(labels: &Labels, kept: &[String]) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| is_listed(kept, name)))
}

/// Those that are not listed; the list is sorted.
pub(super) fn except(labels: &Labels, dropped: &[String]) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| !is_listed(dropped, name)))
}

/// Those that are neither listed nor the metric's name; the list is sorted.
pub(super) fn except_and_name(labels: &Labels, dropped: &[String]) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| *name != METRIC_NAME && !is_listed(dropped, name)))
}

pub(super) fn is_listed(list: &[String], name: &str) -> bool {
    list.binary_search_by(|listed| listed.as_str().cmp(name)).is_ok()
}

/// With one label set, or taken away by an empty value.
pub(super) fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut pairs: BTreeMap<&str, &str> = labels.iter().collect();
    if value.is_empty() {
        pairs.remove(name);
    } else {
        pairs.insert(name, value);
    }
    Labels::of_sorted(pairs)
}

/// What a series that is not there would have for certain.
pub(super) fn of_absent(expr: &Expr) -> Labels {
    let matchers = match &expr.unwrapped().node {
        Node::Selector(selector) => &selector.matchers,
        Node::Range(range) => &range.selector.matchers,
        _ => return Labels::default(),
    };
    let mut known: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let is_first = !known.contains_key(matcher.name.as_str());
        let value = (is_first && matcher.op == MatchOp::Equal).then_some(matcher.value.as_str());
        known.insert(&matcher.name, value);
    }
    let pairs = known.iter().filter_map(|(&name, value)| value.map(|value| (name, value)));
    Labels::of_sorted(pairs.filter(|(_, value)| !value.is_empty()))
}
