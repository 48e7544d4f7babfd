//! Vector aggregations: of the series of a group, moment by moment.

use std::{cmp::Ordering, collections::HashMap};

use super::{
    Limits,
    series::{Labels, Series, picked},
    windows::too_many_series,
};
use crate::logql::{
    LogqlError,
    ast::{Grouping, VectorOp},
};

/// Series of the same group.
fn group(series: Vec<Series>, grouping: Option<&Grouping>) -> Vec<(Labels, Vec<Series>)> {
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Vec<Series>)> = Vec::new();
    for one in series {
        let labels = match grouping {
            None => Labels::from([]),
            Some(grouping) => picked(&one.labels, &grouping.labels, grouping.without),
        };
        let number = *numbers.entry(labels.clone()).or_insert_with(|| {
            groups.push((labels, Vec::new()));
            groups.len() - 1
        });
        groups[number].1.push(one);
    }
    groups
}

/// Aggregates series.
pub(super) fn aggregate(
    op: VectorOp,
    parameter: Option<i64>,
    grouping: Option<&Grouping>,
    mut series: Vec<Series>,
    limits: &Limits,
) -> Result<Vec<Series>, LogqlError> {
    match op {
        VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk => {
            let k = usize::try_from(parameter.unwrap_or(0)).unwrap_or(0);
            let descending = op != VectorOp::Bottomk;
            let mut out = Vec::new();
            for (_, members) in group(series, grouping) {
                out.extend(best(members, k, descending));
            }
            sort(&mut out, descending);
            return Ok(out);
        }
        VectorOp::Sort | VectorOp::SortDesc => {
            sort(&mut series, op == VectorOp::SortDesc);
            return Ok(series);
        }
        _ => {}
    }
    let groups = group(series, grouping);
    if groups.len() > limits.series_max {
        return Err(too_many_series(limits));
    }
    let aggregated = groups.into_iter().map(|(labels, members)| Series { labels, points: combine(op, &members) });
    Ok(aggregated.collect())
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    count: f64,
    sum: f64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl State {
    fn add(&mut self, value: f64) {
        if self.count == 0.0 {
            (self.min, self.max) = (value, value);
        }
        if value < self.min || self.min.is_nan() {
            self.min = value;
        }
        if value > self.max || self.max.is_nan() {
            self.max = value;
        }
        self.count += 1.0;
        self.sum += value;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn value(&self, op: VectorOp) -> f64 {
        match op {
            VectorOp::Avg => self.sum / self.count,
            VectorOp::Min => self.min,
            VectorOp::Max => self.max,
            VectorOp::Count => self.count,
            VectorOp::Stddev => (self.squares / self.count).sqrt(),
            VectorOp::Stdvar => self.squares / self.count,
            _ => self.sum,
        }
    }
}

fn combine(op: VectorOp, members: &[Series]) -> Vec<(u32, f64)> {
    let last = members.iter().filter_map(|one| one.points.last()).map(|(number, _)| *number).max();
    let Some(last) = last else { return Vec::new() };
    let mut states = vec![State::default(); last as usize + 1];
    for (number, value) in members.iter().flat_map(|one| &one.points) {
        states[*number as usize].add(*value);
    }
    let found = (0..).zip(states).filter(|(_, state)| state.count > 0.0);
    found.map(|(number, state)| (number, state.value(op))).collect()
}

/// The k best of each moment, as series with what is left of their values.
fn best(members: Vec<Series>, k: usize, descending: bool) -> Vec<Series> {
    let mut by_moment: HashMap<u32, Vec<(f64, usize)>> = HashMap::new();
    for (member, one) in members.iter().enumerate() {
        for (number, value) in &one.points {
            by_moment.entry(*number).or_default().push((*value, member));
        }
    }
    let mut kept: Vec<Vec<(u32, f64)>> = vec![Vec::new(); members.len()];
    for (number, mut values) in by_moment {
        values.sort_by(|left, right| order(left.0, right.0, descending).then(left.1.cmp(&right.1)));
        for (value, member) in values.into_iter().take(k) {
            kept[member].push((number, value));
        }
    }
    let kept = members.into_iter().zip(kept).filter(|(_, points)| !points.is_empty());
    kept.map(|(one, mut points)| {
        points.sort_unstable_by_key(|(number, _)| *number);
        Series { labels: one.labels, points }
    })
    .collect()
}

/// NaN comes last either way.
fn order(left: f64, right: f64, descending: bool) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if descending => right.total_cmp(&left),
        _ => left.total_cmp(&right),
    }
}

/// By the last value: instant queries have one.
fn sort(series: &mut [Series], descending: bool) {
    let value = |one: &Series| one.points.last().map_or(f64::NAN, |(_, value)| *value);
    series.sort_by(|left, right| {
        order(value(left), value(right), descending).then_with(|| left.labels.cmp(&right.labels))
    });
}
