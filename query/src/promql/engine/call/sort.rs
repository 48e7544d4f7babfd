//! `sort` and its kin: series in an order, where an answer has one.

use std::cmp::Ordering;

use super::super::{Evaluator, QueryError, Sink, Steps};
use crate::promql::{
    functions::Own,
    syntax::ast::Call,
    value::{Row, is_absent},
};

impl Evaluator<'_> {
    pub(super) fn sort(&self, own: Own, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        // What is asked for once has an order; so has what is the same at all times.
        if steps.count > 1 {
            self.notes.borrow_mut().sort_without_effect(call.extent);
        }
        let by_value = matches!(own, Own::Sort | Own::SortDesc);
        if steps.count > 1 {
            return self.rows(&call.arguments[0], steps, &mut |mut row| {
                if by_value {
                    row.histograms = Vec::new();
                }
                if row.is_empty() { Ok(()) } else { sink(row) }
            });
        }
        let mut rows: Vec<Row<'static>> = Vec::new();
        let mut bytes = 0;
        self.rows(&call.arguments[0], steps, &mut |row| {
            // Histograms have no order.
            if by_value && is_absent(row.floats[0]) {
                return Ok(());
            }
            bytes += row.bytes();
            self.budget.hold(row.bytes())?;
            rows.push(row.into_owned());
            Ok(())
        })?;
        match own {
            Own::Sort => rows.sort_by(|one, other| nans_last(one.floats[0], other.floats[0], false)),
            Own::SortDesc => rows.sort_by(|one, other| nans_last(one.floats[0], other.floats[0], true)),
            _ => {
                let mut names = Vec::new();
                for argument in &call.arguments[1..] {
                    names.push(String::from_utf8_lossy(self.text(argument)?).into_owned());
                }
                rows.sort_by(|one, other| by_labels(one, other, &names));
                if own == Own::SortByLabelDesc {
                    rows.reverse();
                }
            }
        }
        self.budget.release(bytes);
        rows.into_iter().try_for_each(sink)
    }
}

/// What is no number comes last either way.
fn nans_last(one: f64, other: f64, is_descending: bool) -> Ordering {
    match (one.is_nan(), other.is_nan()) {
        (false, false) => {
            let ascending = one.partial_cmp(&other).unwrap_or(Ordering::Equal);
            if is_descending { ascending.reverse() } else { ascending }
        }
        (one, other) => one.cmp(&other),
    }
}

fn by_labels(one: &Row<'_>, other: &Row<'_>, names: &[String]) -> Ordering {
    for name in names {
        let (one, other) = (one.labels.get(name).unwrap_or_default(), other.labels.get(name).unwrap_or_default());
        let order = natural(one, other);
        if one != other {
            return order;
        }
    }
    one.labels.cmp(&other.labels)
}

/// Numbers in texts count as numbers: `a2` before `a10`.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one_rest, mut other_rest) = (one, other);
    while !one_rest.is_empty() && !other_rest.is_empty() {
        let (one_part, one_after) = part(one_rest);
        let (other_part, other_after) = part(other_rest);
        let order = match (number(one_part), number(other_part)) {
            (Some(one), Some(other)) => one.cmp(&other).then_with(|| other_part.len().cmp(&one_part.len())),
            _ => one_part.cmp(other_part),
        };
        if order != Ordering::Equal {
            return order;
        }
        (one_rest, other_rest) = (one_after, other_after);
    }
    one_rest.len().cmp(&other_rest.len())
}

/// Digits, or what is between digits.
fn part(text: &str) -> (&str, &str) {
    let is_digit = text.as_bytes()[0].is_ascii_digit();
    let length = text.bytes().take_while(|byte| byte.is_ascii_digit() == is_digit).count();
    text.split_at(length)
}

fn number(part: &str) -> Option<u128> {
    part.parse().ok().filter(|_| part.as_bytes()[0].is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_numbers() {
        let mut texts = ["4m1000", "4m5", "4m600", "b", "4", ""];
        texts.sort_by(|one, other| natural(one, other));
        assert_eq!(texts, ["", "4", "4m5", "4m600", "4m1000", "b"]);
    }
}
