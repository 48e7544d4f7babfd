//! `label_replace` and `label_join`: other labels, the same values.

use std::{borrow::Cow, collections::HashMap};

use weir_proto::metrics::{Labels, METRIC_NAME};

use super::super::{Evaluator, QueryError, SAME_LABELS, Sink, Steps, failed, labels};
use crate::promql::{
    syntax::{ast::Call, regex},
    value::Row,
};

/// A label's name; any text is one.
fn label_name<'b>(bytes: &'b [u8], what: &str, function: &str) -> Result<&'b str, QueryError> {
    match std::str::from_utf8(bytes) {
        Ok(name) if !name.is_empty() => Ok(name),
        _ => Err(failed(format!("invalid {what} label name in {function}(): {}", String::from_utf8_lossy(bytes)))),
    }
}

impl Evaluator<'_> {
    pub(super) fn label_replace(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let text = |index: usize| self.text(&call.arguments[index]);
        let pattern = String::from_utf8_lossy(text(4)?);
        let expression = regex::whole(&pattern)
            .map_err(|_| failed(format!("invalid regular expression in label_replace(): {pattern}")))?;
        let target = label_name(text(1)?, "destination", "label_replace")?;
        let (template, source) = (String::from_utf8_lossy(text(2)?), String::from_utf8_lossy(text(3)?));
        let replace = |labels: &Labels| {
            let value = labels.get(&source).unwrap_or_default();
            let captures = expression.captures(value)?;
            let mut replaced = String::new();
            captures.expand(&template, &mut replaced);
            Some(labels::with(labels, target, &replaced))
        };
        self.relabelled(call, target, &replace, steps, sink)
    }

    pub(super) fn label_join(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let text = |index: usize| self.text(&call.arguments[index]);
        let mut sources = Vec::new();
        for index in 3..call.arguments.len() {
            sources.push(label_name(text(index)?, "source", "label_join")?);
        }
        let target = label_name(text(1)?, "destination", "label_join")?;
        let separator = String::from_utf8_lossy(text(2)?);
        let join = |labels: &Labels| {
            let values: Vec<_> = sources.iter().map(|source| labels.get(source).unwrap_or_default()).collect();
            Some(labels::with(labels, target, &values.join(&separator)))
        };
        self.relabelled(call, target, &join, steps, sink)
    }

    /// Rows with other labels; two of the same labels are no error while they have values at different times.
    fn relabelled(
        &self,
        call: &Call,
        target: &str,
        change: &dyn Fn(&Labels) -> Option<Labels>,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut taken: HashMap<Labels, Vec<u64>> = HashMap::new();
        let mut held = 0;
        self.rows(&call.arguments[0], steps, &mut |row| {
            let mut row = row;
            if let Some(labels) = change(&row.labels) {
                row.labels = Cow::Owned(labels);
                // A name that was given now stays.
                row.drops_name &= target != METRIC_NAME;
            }
            let bits = taken.entry(row.labels.clone().into_owned()).or_insert_with(|| {
                held += (row.labels.as_bytes().len() + steps.count / 8 + 80) as u64;
                vec![0; steps.count.div_ceil(64)]
            });
            mark(&row, bits)?;
            sink(row)
        })?;
        self.budget.hold(held)?;
        self.budget.release(held);
        Ok(())
    }
}

/// Marks where a row has values; refuses one where there was one.
fn mark(row: &Row<'_>, bits: &mut [u64]) -> Result<(), QueryError> {
    for step in (0..row.floats.len()).filter(|&step| row.has(step)) {
        let (word, bit) = (step / 64, 1 << (step % 64));
        if bits[word] & bit != 0 {
            return Err(failed(SAME_LABELS));
        }
        bits[word] |= bit;
    }
    Ok(())
}
