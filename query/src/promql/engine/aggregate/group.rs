//! Which group a series belongs to.

use weir_proto::metrics::{Labels, METRIC_NAME};

use super::super::labels::is_listed;
use crate::promql::syntax::ast::Aggregate;

/// Whether a label tells groups apart.
fn counts(name: &str, aggregate: &Aggregate) -> bool {
    if aggregate.is_without {
        name != METRIC_NAME && !is_listed(&aggregate.grouping, name)
    } else {
        is_listed(&aggregate.grouping, name)
    }
}

/// Bytes that are the same for series of one group.
pub(super) fn key(labels: &Labels, aggregate: &Aggregate, into: &mut Vec<u8>) {
    // Of those listed the last: no label after it counts.
    let last = aggregate.grouping.iter().max().map_or("", String::as_str);
    let may_count = labels.iter().take_while(|(name, _)| aggregate.is_without || *name <= last);
    for (name, value) in may_count.filter(|(name, _)| counts(name, aggregate)) {
        into.extend_from_slice(&(name.len() as u32).to_le_bytes());
        into.extend_from_slice(name.as_bytes());
        into.extend_from_slice(&(value.len() as u32).to_le_bytes());
        into.extend_from_slice(value.as_bytes());
    }
}

/// The group's labels.
pub(super) fn labels(labels: &Labels, aggregate: &Aggregate) -> Labels {
    Labels::of_sorted(labels.iter().filter(|(name, _)| counts(name, aggregate)))
}
