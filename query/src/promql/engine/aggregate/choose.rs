//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some series of each group.

use std::cmp::Ordering;

use super::{
    super::{Evaluator, QueryError, Sink, Steps, failed},
    Groups, bounds, hash,
};
use crate::promql::{
    format,
    syntax::{
        ast::Aggregate,
        token::{Aggregator, Extent},
    },
    value::{Point, Row},
};

/// Go's `int64` reaches that far as a float.
const WHOLE_MAX: f64 = 9_223_372_036_854_774_784.0;
const WHOLE_MIN: f64 = -9_223_372_036_854_775_808.0;

/// A series that may be among those that are chosen at a step.
#[derive(Clone)]
struct Candidate {
    row: u32,
    point: Point,
}

/// How the best come first.
#[derive(Clone, Copy)]
struct Ranking {
    is_descending: bool,
}

impl Ranking {
    /// What is no number is always last.
    fn order(self, one: f64, other: f64) -> Ordering {
        match (one.is_nan(), other.is_nan()) {
            (false, false) => {
                let ascending = one.partial_cmp(&other).unwrap_or(Ordering::Equal);
                if self.is_descending { ascending.reverse() } else { ascending }
            }
            (one, other) => one.cmp(&other),
        }
    }

    fn of_points(self, one: &Point, other: &Point) -> Ordering {
        match (one, other) {
            (Point::Float(one), Point::Float(other)) => self.order(*one, *other),
            _ => Ordering::Equal,
        }
    }
}

impl Evaluator<'_> {
    pub(super) fn choose_k(
        &self,
        aggregate: &Aggregate,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let counts = self.scalars(self.parameter(aggregate)?, steps)?;
        let is_any_chosen = check_counts(&counts);
        if !matches!(is_any_chosen, Ok(true)) {
            // What is wrong or noteworthy with the operand comes first.
            self.rows(&aggregate.operand, steps, &mut |_| Ok(()))?;
            return is_any_chosen.map(drop);
        }
        let operator = aggregate.operator;
        let ranking = match operator {
            Aggregator::Topk => Some(Ranking { is_descending: true }),
            Aggregator::Bottomk => Some(Ranking { is_descending: false }),
            _ => None,
        };
        let mut groups = Groups::new(aggregate);
        let mut rows: Vec<Option<Row<'static>>> = Vec::new();
        self.rows(&aggregate.operand, steps, &mut |row| {
            if ranking.is_some() && row.histograms.iter().any(Option::is_some) {
                self.notes.borrow_mut().ignored_in_aggregation(extent, operator.name());
            }
            let (group, is_new) = groups.of(&row, || vec![Vec::<Candidate>::new(); steps.count]);
            if is_new {
                self.budget.hold(24 * steps.count as u64)?;
            }
            let index = rows.len() as u32;
            let mut is_chosen = false;
            let mut more = 0;
            for (step, (&count, chosen)) in counts.iter().zip(&mut group.state).enumerate() {
                let Some(point) = row.point(step) else { continue };
                if ranking.is_some() && matches!(point, Point::Histogram(_)) {
                    continue;
                }
                let before = chosen.len();
                is_chosen |= offer(chosen, Candidate { row: index, point }, count, ranking);
                more += chosen.len() - before;
            }
            self.budget.hold((more * size_of::<Candidate>()) as u64)?;
            if is_chosen {
                let kept = Row { floats: Vec::new(), histograms: Vec::new(), ..row.into_owned() };
                self.budget.hold(kept.bytes())?;
                rows.push(Some(kept));
            } else {
                rows.push(None);
            }
            Ok(())
        })?;
        for group in groups.list {
            emit(group.state, &mut rows, steps, sink)?;
        }
        Ok(())
    }

    pub(super) fn choose_ratio(&self, aggregate: &Aggregate, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let parameter = self.parameter(aggregate)?;
        let ratios = self.scalars(parameter, steps)?;
        let (low, high) = bounds(&ratios);
        let is_none_chosen = low == 0.0 && high == 0.0;
        let is_bad = !is_none_chosen && ratios.iter().any(|ratio| ratio.is_nan());
        if is_none_chosen || is_bad {
            self.rows(&aggregate.operand, steps, &mut |_| Ok(()))?;
            return if is_bad { Err(failed("Ratio value is NaN")) } else { Ok(()) };
        }
        if high > 1.0 {
            self.notes.borrow_mut().bad_ratio(parameter.extent, high, 1.0);
        }
        if low < -1.0 {
            self.notes.borrow_mut().bad_ratio(parameter.extent, low, -1.0);
        }
        self.rows(&aggregate.operand, steps, &mut |mut row| {
            let place = hash::of_labels(&row.labels) as f64 / u64::MAX as f64;
            for (step, ratio) in ratios.iter().enumerate() {
                let ratio = ratio.clamp(-1.0, 1.0);
                let is_chosen = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
                if !is_chosen {
                    row.remove(step);
                }
            }
            if row.is_empty() { Ok(()) } else { sink(row) }
        })
    }
}

/// Whether anything is to be chosen.
fn check_counts(counts: &[f64]) -> Result<bool, QueryError> {
    let (low, high) = bounds(counts);
    if high < 1.0 {
        return Ok(false);
    }
    if counts.iter().any(|count| count.is_nan()) {
        return Err(failed("Parameter value is NaN"));
    }
    if low <= WHOLE_MIN {
        return Err(failed(format!("Scalar value {} underflows int64", format::shortest(low))));
    }
    if high >= WHOLE_MAX {
        return Err(failed(format!("Scalar value {} overflows int64", format::shortest(high))));
    }
    Ok(true)
}

/// Takes a candidate in when it is among the best so far, or there is room; the list is in order.
fn offer(chosen: &mut Vec<Candidate>, candidate: Candidate, count: f64, ranking: Option<Ranking>) -> bool {
    if count < 1.0 {
        return false;
    }
    let is_full = chosen.len() as f64 >= count.floor();
    let Some(ranking) = ranking else {
        if !is_full {
            chosen.push(candidate);
        }
        return !is_full;
    };
    // Of equals those that came first stay.
    let at = chosen.partition_point(|known| ranking.of_points(&known.point, &candidate.point) != Ordering::Greater);
    if is_full && at == chosen.len() {
        return false;
    }
    if is_full {
        chosen.pop();
    }
    chosen.insert(at, candidate);
    true
}

/// The rows that were chosen, in the order in which they were.
fn emit(
    chosen: Vec<Vec<Candidate>>,
    rows: &mut [Option<Row<'static>>],
    steps: Steps,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut order = Vec::new();
    for (step, candidates) in chosen.into_iter().enumerate() {
        for candidate in candidates {
            let Some(row) = &mut rows[candidate.row as usize] else { continue };
            if row.floats.is_empty() {
                row.floats = vec![crate::promql::value::ABSENT; steps.count];
                order.push(candidate.row as usize);
            }
            row.set(step, candidate.point);
        }
    }
    for index in order {
        if let Some(row) = rows[index].take() {
            sink(row)?;
        }
    }
    Ok(())
}
