//! Operators between series, and between series and numbers.

use std::collections::{BTreeMap, HashMap};

use super::series::{Labels, Series, label, picked, with_label};
use crate::logql::{
    LogqlError,
    ast::{BinaryOp, Cardinality, Modifier},
    scalar,
};

/// An operand.
pub(super) enum Operand {
    Number(f64),
    Series(Vec<Series>),
}

/// A number as an operand of every value.
pub(super) fn with_number(
    op: BinaryOp,
    returns_bool: bool,
    series: Vec<Series>,
    number: f64,
    is_left: bool,
) -> Vec<Series> {
    let compute = |value: f64| {
        let (left, right) = if is_left { (number, value) } else { (value, number) };
        let computed = scalar::compute(op, left, right);
        match op {
            // A comparison is a filter, unless it is asked for its outcome.
            BinaryOp::Compare(_) if !returns_bool => (computed == 1.0).then_some(value),
            _ => Some(computed),
        }
    };
    let computed = series.into_iter().map(|one| Series {
        labels: one.labels,
        points: one.points.into_iter().filter_map(|(at, value)| Some((at, compute(value)?))).collect(),
    });
    computed.filter(|one| !one.points.is_empty()).collect()
}

/// What must be equal for two series to meet.
fn signature(labels: &Labels, modifier: &Modifier) -> Labels {
    match &modifier.matching {
        None => labels.clone(),
        Some((is_on, names)) => picked(labels, names, !is_on),
    }
}

/// An operator between series.
pub(super) fn combine(
    op: BinaryOp,
    modifier: &Modifier,
    left: Vec<Series>,
    right: Vec<Series>,
) -> Result<Vec<Series>, LogqlError> {
    match op {
        BinaryOp::And => Ok(keep(left, &right, modifier, true)),
        BinaryOp::Unless => Ok(keep(left, &right, modifier, false)),
        BinaryOp::Or => Ok(either(left, right, modifier)),
        _ => arithmetic(op, modifier, left, right),
    }
}

/// The moments at which a signature has a value.
fn moments(series: &[Series], modifier: &Modifier) -> HashMap<Labels, Vec<u32>> {
    let mut moments: HashMap<Labels, Vec<u32>> = HashMap::new();
    for one in series {
        let known = moments.entry(signature(&one.labels, modifier)).or_default();
        known.extend(one.points.iter().map(|(at, _)| *at));
    }
    moments.values_mut().for_each(|known| known.sort_unstable());
    moments
}

fn keep(left: Vec<Series>, right: &[Series], modifier: &Modifier, if_there: bool) -> Vec<Series> {
    let there = moments(right, modifier);
    let kept = left.into_iter().map(|mut one| {
        let known = there.get(&signature(&one.labels, modifier));
        one.points.retain(|(at, _)| known.is_some_and(|known| known.binary_search(at).is_ok()) == if_there);
        one
    });
    kept.filter(|one| !one.points.is_empty()).collect()
}

fn either(mut left: Vec<Series>, right: Vec<Series>, modifier: &Modifier) -> Vec<Series> {
    let added = keep(right, &left, modifier, false);
    // A series may have values of both sides, at different moments.
    let mut numbers: HashMap<Labels, usize> =
        left.iter().enumerate().map(|(number, one)| (one.labels.clone(), number)).collect();
    for one in added {
        match numbers.get(&one.labels) {
            Some(&number) => {
                let mut points: BTreeMap<u32, f64> = one.points.into_iter().collect();
                points.extend(left[number].points.iter().copied());
                left[number].points = points.into_iter().collect();
            }
            None => {
                numbers.insert(one.labels.clone(), left.len());
                left.push(one);
            }
        }
    }
    left
}

fn arithmetic(
    op: BinaryOp,
    modifier: &Modifier,
    left: Vec<Series>,
    right: Vec<Series>,
) -> Result<Vec<Series>, LogqlError> {
    // The side that may have several series of a signature is `many`.
    let is_swapped = matches!(modifier.cardinality, Cardinality::OneToMany(_));
    let (many, one) = if is_swapped { (right, left) } else { (left, right) };
    let mut ones: HashMap<Labels, Vec<&Series>> = HashMap::new();
    for series in &one {
        ones.entry(signature(&series.labels, modifier)).or_default().push(series);
    }
    let is_one_to_one = modifier.cardinality == Cardinality::OneToOne;
    let mut out: Vec<Series> = Vec::new();
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    for series in &many {
        let signature = signature(&series.labels, modifier);
        let Some(partners) = ones.get(&signature) else {
            continue;
        };
        let mut points_of: HashMap<Labels, Vec<(u32, f64)>> = HashMap::new();
        for &(at, value) in &series.points {
            let mut found: Option<(f64, &Series)> = None;
            for &partner in partners {
                let Ok(index) = partner.points.binary_search_by_key(&at, |(at, _)| *at) else {
                    continue;
                };
                if found.is_some() {
                    return Err(duplicate(&signature, if is_swapped { "left" } else { "right" }));
                }
                found = Some((partner.points[index].1, partner));
            }
            let Some((other, partner)) = found else {
                continue;
            };
            let (left, right) = if is_swapped { (other, value) } else { (value, other) };
            let computed = scalar::compute(op, left, right);
            let value = match op {
                BinaryOp::Compare(_) if !modifier.returns_bool => {
                    if computed != 1.0 {
                        continue;
                    }
                    left
                }
                _ => computed,
            };
            points_of.entry(result_labels(&series.labels, &partner.labels, modifier)).or_default().push((at, value));
        }
        for (labels, points) in points_of {
            add(&mut out, &mut numbers, labels, points, is_one_to_one)?;
        }
    }
    Ok(out)
}

fn add(
    out: &mut Vec<Series>,
    numbers: &mut HashMap<Labels, usize>,
    labels: Labels,
    points: Vec<(u32, f64)>,
    is_one_to_one: bool,
) -> Result<(), LogqlError> {
    let Some(&number) = numbers.get(&labels) else {
        numbers.insert(labels.clone(), out.len());
        out.push(Series { labels, points });
        return Ok(());
    };
    let known = &mut out[number].points;
    for (at, value) in points {
        match known.binary_search_by_key(&at, |(at, _)| *at) {
            Ok(_) => {
                let words = if is_one_to_one {
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                } else {
                    "multiple matches for labels: grouping labels must ensure unique matches"
                };
                return Err(LogqlError::Execution(words.into()));
            }
            Err(place) => known.insert(place, (at, value)),
        }
    }
    Ok(())
}

fn duplicate(signature: &Labels, side: &str) -> LogqlError {
    let mut shown = String::new();
    let labels = signature.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    crate::logql::labels::write_labels(&mut shown, labels).expect("writing to a String never fails");
    LogqlError::Execution(format!(
        "found duplicate series on the {side} side for the match group {shown}: many-to-many matching not allowed"
    ))
}

fn result_labels(many: &Labels, one: &Labels, modifier: &Modifier) -> Labels {
    match &modifier.cardinality {
        Cardinality::OneToOne => signature(many, modifier),
        Cardinality::ManyToOne(include) | Cardinality::OneToMany(include) => include
            .iter()
            .fold(many.clone(), |labels, name| with_label(&labels, name, label(one, name).unwrap_or_default())),
    }
}
