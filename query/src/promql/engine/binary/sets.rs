//! `and`, `or`, `unless`: series of one side or the other.

use std::collections::HashMap;

use weir_proto::metrics::Labels;

use super::{
    super::{Evaluator, QueryError, Sink, Steps},
    matching::signature,
};
use crate::promql::{
    syntax::ast::{Binary, Expr},
    value::Row,
};

/// At which steps a group of series has anything.
#[derive(Default)]
struct Presence {
    groups: HashMap<Labels, Vec<u64>>,
}

impl Presence {
    fn add(&mut self, group: Labels, row: &Row<'_>) -> u64 {
        let words = row.floats.len().div_ceil(64);
        let mut bytes = 0;
        let bits = self.groups.entry(group).or_insert_with_key(|group| {
            bytes = (group.as_bytes().len() + 8 * words + 64) as u64;
            vec![0; words]
        });
        for step in (0..row.floats.len()).filter(|&step| row.has(step)) {
            bits[step / 64] |= 1 << (step % 64);
        }
        bytes
    }

    /// Takes out of a row what the other side has (or has not).
    fn filter(&self, group: &Labels, row: &mut Row<'_>, keeps_present: bool) {
        let bits = self.groups.get(group);
        for step in 0..row.floats.len() {
            let is_present = bits.is_some_and(|bits| bits[step / 64] & (1 << (step % 64)) != 0);
            if is_present != keeps_present {
                row.remove(step);
            }
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn intersection(&self, binary: &Binary, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        self.filtered(binary, true, steps, sink)
    }

    pub(super) fn difference(&self, binary: &Binary, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        self.filtered(binary, false, steps, sink)
    }

    fn filtered(&self, binary: &Binary, keeps_present: bool, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let (right, bytes) = self.presence(&binary.right, binary, steps)?;
        self.rows(&binary.left, steps, &mut |mut row| {
            right.filter(&signature(&row.labels, &binary.matching), &mut row, keeps_present);
            if row.is_empty() { Ok(()) } else { sink(row) }
        })?;
        self.budget.release(bytes);
        Ok(())
    }

    fn presence(&self, expr: &Expr, binary: &Binary, steps: Steps) -> Result<(Presence, u64), QueryError> {
        let mut presence = Presence::default();
        let mut bytes = 0;
        self.rows(expr, steps, &mut |row| {
            let more = presence.add(signature(&row.labels, &binary.matching), &row);
            bytes += more;
            self.budget.hold(more)
        })?;
        Ok((presence, bytes))
    }

    pub(super) fn union(&self, binary: &Binary, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut left = Presence::default();
        let mut bytes = 0;
        self.rows(&binary.left, steps, &mut |row| {
            let more = left.add(signature(&row.labels, &binary.matching), &row);
            bytes += more;
            self.budget.hold(more)?;
            sink(row)
        })?;
        self.rows(&binary.right, steps, &mut |mut row| {
            left.filter(&signature(&row.labels, &binary.matching), &mut row, false);
            if row.is_empty() { Ok(()) } else { sink(row) }
        })?;
        self.budget.release(bytes);
        Ok(())
    }
}
