//! `count_values`: how often each value is there.

use std::collections::HashMap;

use weir_proto::metrics::Labels;

use super::{
    super::{Evaluator, QueryError, Sink, Steps, failed, labels},
    group,
};
use crate::promql::{
    format, histogram,
    syntax::{
        ast::{Aggregate, Node},
        quote::quoted_bytes,
    },
    value::{ABSENT, Point, Row, is_absent},
};

impl Evaluator<'_> {
    pub(super) fn count_values(&self, aggregate: &Aggregate, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let Node::Text(bytes) = &self.parameter(aggregate)?.unwrapped().node else {
            return Err(failed("a string literal is expected"));
        };
        let name = match std::str::from_utf8(bytes) {
            Ok(name) if !name.is_empty() => name,
            _ => return Err(failed(format!("invalid label name {}", quoted_bytes(bytes)))),
        };
        let mut counts: HashMap<Labels, Vec<f64>> = HashMap::new();
        let mut order = Vec::new();
        self.rows(&aggregate.operand, steps, &mut |row| {
            let group = group::labels(&row.labels, aggregate);
            let mut last: Option<(Point, Labels)> = None;
            for step in 0..steps.count {
                let Some(point) = row.point(step) else { continue };
                let is_known = last.as_ref().is_some_and(|(known, _)| same(known, &point));
                if !is_known {
                    let text = match &point {
                        Point::Float(value) => format::plain(*value),
                        Point::Histogram(histogram) => histogram::text(histogram),
                    };
                    last = Some((point, labels::with(&group, name, &text)));
                }
                let (_, labels) = last.as_ref().expect("just set");
                if !counts.contains_key(labels) {
                    self.budget.hold((8 * steps.count + 2 * labels.as_bytes().len() + 64) as u64)?;
                    counts.insert(labels.clone(), vec![ABSENT; steps.count]);
                    order.push(labels.clone());
                }
                let count = &mut counts.get_mut(labels).expect("just inserted")[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
            Ok(())
        })?;
        for labels in order {
            let mut row = Row::empty(labels, 0);
            row.floats = counts.remove(&*row.labels).unwrap_or_default();
            sink(row)?;
        }
        Ok(())
    }
}

fn same(one: &Point, other: &Point) -> bool {
    match (one, other) {
        (Point::Float(one), Point::Float(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}
