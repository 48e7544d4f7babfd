//! The services and operations that a segment lists: bounded, so that telling them takes no reading of rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use weir_proto::Signal;

use super::{Segment, SegmentError, manifest::OPERATIONS_MAX, schema::fixed};
use crate::ask::span::{Operation, Operations};
use crate::columns::{ChunkView, Values, ValuesView};

/// Most services listed. Few in tests of development builds.
const SERVICES_MAX: usize = if cfg!(all(test, debug_assertions)) { 40 } else { 10_000 };

/// A segment's services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServiceList {
    /// Sorted.
    pub(super) names: Vec<String>,
    /// Whether there are more.
    pub(super) cut: bool,
}

/// The services of the rows written so far.
#[derive(Debug, Default)]
pub(super) struct ServiceNames {
    names: BTreeSet<Vec<u8>>,
    cut: bool,
}

impl ServiceNames {
    /// Adds those of a row group, each distinct one of its dictionary once.
    pub(super) fn add(&mut self, view: ChunkView<'_>) {
        let ValuesView::Bytes { codes, dictionary } = view.values else { return };
        let mut last = None;
        for &code in codes {
            // Rows of a service mostly come in runs.
            if last.replace(code) != Some(code) && !self.names.contains(dictionary.get(code)) {
                self.cut |= self.names.len() >= SERVICES_MAX;
                if self.names.len() < SERVICES_MAX {
                    self.names.insert(dictionary.get(code).to_vec());
                }
            }
        }
    }

    /// The list.
    pub(super) fn finish(self) -> ServiceList {
        ServiceList { names: self.names.iter().map(|name| text(name)).collect(), cut: self.cut }
    }
}

/// At most `max` of the operations, which are sorted: of each service as many as of any other that has more. Whether some are left out.
pub(super) fn bounded(operations: Vec<Operation>, max: usize) -> (Vec<Operation>, bool) {
    if operations.len() <= max {
        return (operations, false);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    operations.iter().for_each(|operation| *counts.entry(&operation.service).or_default() += 1);
    let mut sizes: Vec<usize> = counts.into_values().collect();
    sizes.sort_unstable();
    // Small services have all of theirs; what that leaves is shared among the others.
    let mut left = max;
    let mut each = max;
    for (at, &size) in sizes.iter().enumerate() {
        each = left / (sizes.len() - at);
        if size > each {
            break;
        }
        left -= size;
    }
    let mut kept: Vec<Operation> = Vec::with_capacity(max);
    let mut of_service = 0;
    for operation in operations {
        let is_same = kept.last().is_some_and(|last| last.service == operation.service);
        of_service = if is_same { of_service + 1 } else { 1 };
        if of_service <= each.max(1) && kept.len() < max {
            kept.push(operation);
        }
    }
    (kept, true)
}

impl Segment {
    /// Adds what it lists to `found`. Only of a segment from before there were such lists rows are read, until the deadline.
    pub fn add_operations(&self, found: &mut Operations, deadline: Option<Instant>) -> Result<(), SegmentError> {
        let manifest = &self.manifest;
        // Only spans have operations.
        if manifest.rows == 0 || self.table().signal != Signal::Traces {
            return Ok(());
        }
        if manifest.operations.is_empty() {
            return self.read_operations(found, deadline);
        }
        found.is_cut |= manifest.operations_cut;
        for operation in &manifest.operations {
            found.add(operation);
        }
        match &manifest.services {
            Some(list) => {
                found.is_cut |= list.cut;
                list.names.iter().for_each(|name| found.add_service(name));
            }
            None if manifest.operations_cut => self.read_services(found, deadline)?,
            None => {}
        }
        Ok(())
    }

    fn read_services(&self, found: &mut Operations, deadline: Option<Instant>) -> Result<(), SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        for group in 0..self.group_starts.len() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            let block = reader.read(group, fixed::SERVICE, 0..self.group_rows(group))?;
            if let Values::Bytes { dictionary, .. } = &block.column.values {
                (0..dictionary.len() as u32).for_each(|code| found.add_service(&text(dictionary.get(code))));
            }
        }
        Ok(())
    }

    fn read_operations(&self, found: &mut Operations, deadline: Option<Instant>) -> Result<(), SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        for group in 0..self.group_starts.len() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                found.is_cut = true;
                break;
            }
            let rows = 0..self.group_rows(group);
            let [services, names, kinds] =
                [fixed::SERVICE, fixed::NAME, fixed::KIND].map(|column| reader.read(group, column, rows.clone()));
            let (services, names, kinds) = (services?.column, names?.column, kinds?.column);
            let mut last = None;
            for at in 0..rows.len() {
                let operation = (services.bytes(at), names.bytes(at), kinds.word(at));
                // Neighbours are often alike.
                if last.replace(operation) != Some(operation) {
                    let (service, name, kind) = operation;
                    found.add(&Operation { service: text(service), name: text(name), kind: kind as i32 });
                }
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Operations and whether there are more, as a manifest lists them.
pub(super) fn listed(operations: impl IntoIterator<Item = Operation>, cut: bool) -> (Vec<Operation>, bool) {
    let sorted: BTreeSet<Operation> = operations.into_iter().collect();
    let (operations, is_bounded) = bounded(sorted.into_iter().collect(), OPERATIONS_MAX);
    (operations, cut || is_bounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(counts: &[(&str, usize)]) -> Vec<Operation> {
        let mut operations = Vec::new();
        for &(service, count) in counts {
            let named = |n| Operation { service: service.into(), name: format!("{n:04}"), kind: 1 };
            operations.extend((0..count).map(named));
        }
        operations
    }

    #[test]
    fn who_names_too_much_leaves_the_others_their_names() {
        for (before, max, after) in [
            (vec![("a", 3), ("b", 2)], 5, vec![("a", 3), ("b", 2)]),
            (vec![("a", 500), ("b", 2), ("c", 3)], 25, vec![("a", 20), ("b", 2), ("c", 3)]),
            (vec![("a", 50), ("b", 60), ("c", 3)], 13, vec![("a", 5), ("b", 5), ("c", 3)]),
            (vec![("a", 1), ("b", 1), ("c", 1)], 2, vec![("a", 1), ("b", 1)]),
        ] {
            let is_cut = before != after;
            assert_eq!(bounded(operations(&before), max), (operations(&after), is_cut), "{before:?}");
        }
    }
}
