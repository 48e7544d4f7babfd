//! Operators between two vectors: which series belong together, and what they give.

use std::{borrow::Cow, collections::HashMap};

use weir_proto::metrics::Labels;

use super::{
    super::{Evaluator, QueryError, Sink, Steps, failed, labels},
    element::{arithmetic_of, compare, of_points},
};
use crate::promql::{
    format,
    notes::Notes,
    syntax::{
        ast::{Binary, Cardinality, Matching},
        token::{Extent, Operator},
    },
    value::{Point, Row, is_absent},
};

/// What series have in common that belong together.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    if matching.is_on {
        labels::only(labels, &matching.labels)
    } else {
        labels::except_and_name(labels, &matching.labels)
    }
}

/// Series of the side that has one at a time.
#[derive(Default)]
struct One {
    rows: Vec<Row<'static>>,
    /// Which of them has a value at each step, when there are several.
    by_step: Vec<Option<u32>>,
    /// Steps at which a partner was found.
    matched: Vec<bool>,
    /// Where grouping decides the labels: at which steps each set was given already.
    given: HashMap<Labels, Vec<u64>>,
}

/// Two series where one may be.
struct Clash {
    group: Labels,
    one: Labels,
    other: Labels,
}

/// One side, and what is wrong with it.
#[derive(Default)]
struct OneSide {
    groups: HashMap<Labels, One>,
    /// For each step at which one side has two series where one may be.
    clashes: HashMap<usize, Clash>,
    bytes: u64,
}

impl Evaluator<'_> {
    pub(super) fn matched(
        &self,
        binary: &Binary,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let matching = &binary.matching;
        let is_swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if is_swapped { (&binary.right, &binary.left) } else { (&binary.left, &binary.right) };
        let (fill_many, fill_one) = if is_swapped {
            (matching.fill_right, matching.fill_left)
        } else {
            (matching.fill_left, matching.fill_right)
        };
        let mut side = OneSide::default();
        self.rows(one, steps, &mut |row| {
            self.budget.hold(row.bytes())?;
            side.bytes += row.bytes();
            side.add(row.into_owned(), matching, steps);
            Ok(())
        })?;
        if side.groups.is_empty() && fill_one.is_none() {
            // What is wrong or noteworthy with the other side counts all the same.
            return self.rows(many, steps, &mut |_| Ok(()));
        }
        let mut join = Join { binary, extent, is_swapped, notes: Notes::default() };
        if fill_many.is_some() || fill_one.is_some() {
            side.check(|_| true, is_swapped)?;
        }
        self.rows(many, steps, &mut |row| {
            if !side.clashes.is_empty() {
                side.check(|step| row.has(step), is_swapped)?;
            }
            join.row(row, &mut side, fill_one, steps, sink)
        })?;
        if let Some(fill) = fill_many {
            join.fill(&mut side, fill, steps, sink)?;
        }
        self.notes.borrow_mut().merge(join.notes);
        self.budget.release(side.bytes);
        Ok(())
    }
}

impl OneSide {
    fn add(&mut self, row: Row<'static>, matching: &Matching, steps: Steps) {
        let key = signature(&row.labels, matching);
        let group = self.groups.entry(key.clone()).or_default();
        let index = group.rows.len() as u32;
        if index == 1 {
            let first = &group.rows[0];
            group.by_step = (0..steps.count).map(|step| first.has(step).then_some(0)).collect();
        }
        if index > 0 {
            for step in (0..steps.count).filter(|&step| row.has(step)) {
                if let Some(known) = group.by_step[step] {
                    let known = &group.rows[known as usize].labels;
                    let (one, other) = if **known <= *row.labels { (known, &row.labels) } else { (&row.labels, known) };
                    let clash = || Clash {
                        group: key.clone(),
                        one: one.clone().into_owned(),
                        other: other.clone().into_owned(),
                    };
                    self.clashes.entry(step).or_insert_with(clash);
                }
                group.by_step[step] = Some(index);
            }
        }
        group.rows.push(row);
    }

    /// Refuses two series where one may be, at steps at which the other side has any.
    fn check(&self, is_asked: impl Fn(usize) -> bool, is_left: bool) -> Result<(), QueryError> {
        let Some(clash) = self.clashes.iter().find(|(step, _)| is_asked(**step)).map(|(_, clash)| clash) else {
            return Ok(());
        };
        Err(failed(format!(
            "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];\
             many-to-many matching not allowed: matching labels must be unique on one side",
            format::labels(&clash.group),
            if is_left { "left" } else { "right" },
            format::labels(&clash.one),
            format::labels(&clash.other),
        )))
    }
}

impl One {
    fn at(&self, step: usize) -> Option<&Row<'static>> {
        if self.rows.len() == 1 {
            return self.rows.first().filter(|row| row.has(step));
        }
        self.by_step.get(step).copied().flatten().map(|index| &self.rows[index as usize])
    }
}

const MANY_TO_ONE: &str = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";

/// What a series and one partner gave.
struct Made {
    partner: usize,
    row: Row<'static>,
    /// At which steps both were there, whatever they gave.
    steps: Vec<u64>,
}

impl Made {
    /// Each label set may be given once at a step.
    fn claim(&self, group: &mut One) -> Result<(), QueryError> {
        let Some(given) = group.given.get_mut(self.row.labels.as_ref()) else {
            group.given.insert(self.row.labels.clone().into_owned(), self.steps.clone());
            return Ok(());
        };
        for (given, claimed) in given.iter_mut().zip(&self.steps) {
            if *given & claimed != 0 {
                return Err(failed("multiple matches for labels: grouping labels must ensure unique matches"));
            }
            *given |= claimed;
        }
        Ok(())
    }
}

/// Makes rows of two sides.
struct Join<'a> {
    binary: &'a Binary,
    extent: Extent,
    /// Whether the side of many is the right one.
    is_swapped: bool,
    notes: Notes,
}

impl Join<'_> {
    /// A row of the side of many with its partners.
    fn row(
        &mut self,
        row: Row<'_>,
        side: &mut OneSide,
        fill: Option<f64>,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let key = signature(&row.labels, &self.binary.matching);
        let group = match fill {
            // Remembered: another one may be as strange.
            Some(_) => side.groups.entry(key.clone()).or_default(),
            None => match side.groups.get_mut(&key) {
                Some(group) => group,
                None => return Ok(()),
            },
        };
        if group.matched.is_empty() {
            group.matched = vec![false; steps.count];
        }
        let is_one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        let drops_name = row.drops_name && !self.binary.operator.makes_another_metric();
        // The partner's labels decide the result's, and partners may take turns.
        let mut results: Vec<Made> = Vec::new();
        for step in 0..steps.count {
            let Some(point) = row.point(step) else { continue };
            let (partner, other, partner_labels) = match (group.at(step), fill) {
                (Some(partner), _) => {
                    let index = group.by_step.get(step).copied().flatten().unwrap_or(0) as usize;
                    let Some(other) = partner.point(step) else { continue };
                    (index, other, Cow::Borrowed(partner.labels.as_ref()))
                }
                (None, Some(fill)) => (usize::MAX, Point::Float(fill), Cow::Borrowed(&key)),
                (None, None) => continue,
            };
            let Some(result) = self.element(&point, &other) else { continue };
            if !results.iter().any(|made| made.partner == partner) {
                let mut row = Row::empty(self.labels(&row.labels, &partner_labels), steps.count);
                row.drops_name = self.binary.is_bool || drops_name;
                results.push(Made { partner, row, steps: vec![0; steps.count.div_ceil(64)] });
            }
            let made = results.iter_mut().find(|made| made.partner == partner).expect("just made");
            if is_one_to_one && group.matched[step] {
                return Err(failed(MANY_TO_ONE));
            }
            made.steps[step / 64] |= 1 << (step % 64);
            group.matched[step] = true;
            if let Some(result) = result {
                made.row.set(step, result);
            }
        }
        for made in results {
            if !is_one_to_one {
                made.claim(group)?;
            }
            if !made.row.is_empty() {
                sink(made.row)?;
            }
        }
        Ok(())
    }

    /// What the side of one has where the side of many had no partner.
    fn fill(&mut self, side: &mut OneSide, fill: f64, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut keys: Vec<_> = side.groups.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let Some(group) = side.groups.remove(&key) else { continue };
            for row in &group.rows {
                let labels = self.labels(&key, &row.labels);
                let mut made = Row::empty(labels, steps.count);
                made.drops_name = self.binary.is_bool;
                for step in 0..steps.count {
                    if group.matched.get(step).is_some_and(|matched| *matched) {
                        continue;
                    }
                    let Some(point) = row.point(step) else { continue };
                    if let Some(Some(result)) = self.element(&Point::Float(fill), &point) {
                        made.set(step, result);
                    }
                }
                if !made.is_empty() {
                    sink(made)?;
                }
            }
        }
        Ok(())
    }

    /// `None` when the operator is not for such values, `Some(None)` when a comparison does not hold.
    fn element(&mut self, many: &Point, one: &Point) -> Option<Option<Point>> {
        let (left, right) = if self.is_swapped { (one, many) } else { (many, one) };
        let operator = self.binary.operator;
        let is_trim = matches!(operator, Operator::TrimLower | Operator::TrimUpper);
        if let (Point::Float(left), Point::Float(right), false) = (left, right, is_trim) {
            debug_assert!(!is_absent(*left));
            return Some(match compare(operator, *left, *right) {
                Some(holds) if self.binary.is_bool => Some(Point::Float(f64::from(u8::from(holds)))),
                Some(holds) => holds.then_some(Point::Float(*left)),
                None => Some(Point::Float(arithmetic_of(operator, *left, *right))),
            });
        }
        let element = of_points(operator, left, right, self.extent, &mut self.notes)?;
        if self.binary.is_bool {
            return Some(Some(Point::Float(f64::from(u8::from(element.holds)))));
        }
        Some(element.holds.then_some(element.point))
    }

    /// Of a series of the side of many and its partner.
    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let mut result =
            if self.binary.operator.makes_another_metric() { labels::without_name(many) } else { many.clone() };
        if matching.cardinality == Cardinality::OneToOne {
            result = if matching.is_on {
                labels::only(&result, &matching.labels)
            } else {
                labels::except(&result, &matching.labels)
            };
        }
        for name in &matching.include {
            result = labels::with(&result, name, one.get(name).unwrap_or_default());
        }
        result
    }
}
