//! Compares answers with what a script expects.

use std::collections::HashMap;

use weir_proto::metrics::{Histogram, Labels, is_stale};

use super::{
    command::{Eval, Words},
    series::{Described, Sequence},
};
use crate::promql::{
    format,
    histogram::{self, arithmetic},
    notes::{Notes, Severity},
    value::{Point, Stretch, Value},
};

const DIFFERENCE_MAX: f64 = 1e-6;

/// Whether warnings and remarks are the expected ones.
pub(super) fn notes(eval: &Eval, query: &str, notes: &Notes) -> Result<(), String> {
    let texts = |severity: Severity| -> Vec<String> {
        notes.iter().filter(|note| note.severity == severity).map(|note| note.text(query)).collect()
    };
    let (warnings, infos) = (texts(Severity::Warning), texts(Severity::Info));
    if eval.warns && warnings.is_empty() {
        return Err("a warning was expected".to_owned());
    }
    if eval.informs && infos.is_empty() {
        return Err("a remark was expected".to_owned());
    }
    if eval.no_warnings && !warnings.is_empty() {
        return Err(format!("unexpected warnings: {warnings:?}"));
    }
    if eval.no_infos && !infos.is_empty() {
        return Err(format!("unexpected remarks: {infos:?}"));
    }
    expected_words(&eval.warnings, &warnings)?;
    expected_words(&eval.infos, &infos)
}

fn expected_words(expected: &[Words], found: &[String]) -> Result<(), String> {
    if expected.is_empty() {
        return Ok(());
    }
    if let Some(words) = expected.iter().find(|words| !found.iter().any(|text| words.fit(text))) {
        return Err(format!("expected {words:?}, got {found:?}"));
    }
    match found.iter().find(|text| !expected.iter().any(|words| words.fit(text))) {
        Some(text) => Err(format!("unexpected: {text}")),
        None => Ok(()),
    }
}

/// Whether the answer is the expected one.
pub(super) fn value(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::Scalar { value, .. } => match eval.scalar {
            Some(expected) if floats_fit(expected, *value) => Ok(()),
            Some(expected) => Err(format!("expected {expected}, got {value}")),
            None => Err(format!("got a scalar: {value}")),
        },
        Value::Text { bytes, .. } => {
            if eval.text.as_ref() == Some(bytes) {
                Ok(())
            } else {
                Err(format!("expected {:?}, got {:?}", eval.text, String::from_utf8_lossy(bytes)))
            }
        }
        Value::Vector(vector) => match eval.scalar {
            Some(_) => Err("expected a scalar, got a vector".to_owned()),
            None => vector_fits(eval, vector),
        },
        Value::Matrix(_) if eval.is_ordered => Err("expected an order, got a matrix".to_owned()),
        Value::Matrix(_) if eval.scalar.is_some() => Err("expected a scalar, got a matrix".to_owned()),
        Value::Matrix(matrix) => matrix_fits(eval, matrix),
    }
}

/// The series that are expected; of two descriptions of one the last.
fn expected(eval: &Eval) -> HashMap<&Labels, (usize, &Described)> {
    eval.series.iter().enumerate().map(|(place, series)| (&series.labels, (place, series))).collect()
}

fn vector_fits(eval: &Eval, vector: &[(Labels, i64, Point)]) -> Result<(), String> {
    let mut expected = expected(eval);
    for (place, (labels, _, point)) in vector.iter().enumerate() {
        let name = format::labels(labels);
        let Some((wanted_place, series)) = expected.remove(labels) else {
            return Err(format!("unexpected {name} {}", point_text(point)));
        };
        if eval.is_ordered && wanted_place != place {
            return Err(format!("{name} was expected at place {wanted_place}, and is at {place}"));
        }
        let wanted = series.values.first().ok_or("a value is missing in the script")?;
        if !point_fits(wanted, point) {
            return Err(format!("{name}: expected {wanted:?}, got {}", point_text(point)));
        }
    }
    missing(&expected)
}

fn missing(expected: &HashMap<&Labels, (usize, &Described)>) -> Result<(), String> {
    match expected.keys().next() {
        Some(labels) => Err(format!("{} was expected, and is not there", format::labels(labels))),
        None => Ok(()),
    }
}

pub(super) fn sorted(matrix: &[Stretch]) -> Result<(), String> {
    if matrix.is_sorted_by(|one, other| one.labels <= other.labels) {
        Ok(())
    } else {
        Err("the series are not in order".to_owned())
    }
}

fn matrix_fits(eval: &Eval, matrix: &[Stretch]) -> Result<(), String> {
    sorted(matrix)?;
    let mut expected = expected(eval);
    for stretch in matrix {
        let name = format::labels(&stretch.labels);
        let Some((_, series)) = expected.remove(&stretch.labels) else {
            return Err(format!("unexpected {name} {:?}", stretch.floats));
        };
        let (mut floats, mut histograms) = (Vec::new(), Vec::new());
        for (index, value) in series.values.iter().enumerate() {
            let time = eval.start_ms + eval.step_ms * index as i64;
            match value {
                Sequence::Omitted => {}
                Sequence::Float(float) => floats.push((time, *float)),
                Sequence::Histogram { .. } => histograms.push((time, value)),
            }
        }
        let same_times = floats.iter().map(|(time, _)| time).eq(stretch.floats.iter().map(|(time, _)| time))
            && histograms.iter().map(|(time, _)| time).eq(stretch.histograms.iter().map(|(time, _)| time));
        let same_floats =
            || floats.iter().zip(&stretch.floats).all(|((_, wanted), (_, found))| floats_fit(*wanted, *found));
        let same_histograms = || {
            let mut both = histograms.iter().zip(&stretch.histograms);
            both.all(|((_, wanted), (_, found))| point_fits(wanted, &Point::Histogram(found.clone())))
        };
        if !same_times || !same_floats() || !same_histograms() {
            let found: Vec<_> =
                stretch.histograms.iter().map(|(time, histogram)| (time, histogram::text(histogram))).collect();
            return Err(format!("{name}: expected {:?}, got {:?} {found:?}", series.values, stretch.floats));
        }
    }
    missing(&expected)
}

fn point_text(point: &Point) -> String {
    match point {
        Point::Float(value) => format::plain(*value),
        Point::Histogram(histogram) => format!("{histogram:?}"),
    }
}

fn point_fits(wanted: &Sequence, found: &Point) -> bool {
    match (wanted, found) {
        (Sequence::Float(wanted), Point::Float(found)) => floats_fit(*wanted, *found),
        (Sequence::Histogram { histogram, has_hint }, Point::Histogram(found)) => {
            histograms_fit(histogram, found) && (!has_hint || histogram.reset_hint == found.reset_hint)
        }
        _ => false,
    }
}

fn floats_fit(one: f64, other: f64) -> bool {
    if is_stale(one) || is_stale(other) {
        return is_stale(one) && is_stale(other);
    }
    if one.is_nan() && other.is_nan() || one == other {
        return true;
    }
    let (size, difference) = (one.abs() + other.abs(), (one - other).abs());
    if one == 0.0 || other == 0.0 || size < f64::MIN_POSITIVE {
        return difference < DIFFERENCE_MAX * f64::MIN_POSITIVE || difference < DIFFERENCE_MAX && size < 1e-9;
    }
    difference / size.min(f64::MAX) < DIFFERENCE_MAX
}

fn histograms_fit(one: &Histogram, other: &Histogram) -> bool {
    let (mut one, mut other) = (one.clone(), other.clone());
    arithmetic::compact(&mut one);
    arithmetic::compact(&mut other);
    let counts_fit = |one: Vec<(i32, f64)>, other: Vec<(i32, f64)>| {
        one.len() == other.len()
            && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && floats_fit(one.1, other.1))
    };
    one.schema == other.schema
        && floats_fit(one.count, other.count)
        && floats_fit(one.sum, other.sum)
        && one.custom_values == other.custom_values
        && one.zero_threshold == other.zero_threshold
        && floats_fit(one.zero_count, other.zero_count)
        && counts_fit(histogram::positive(&one), histogram::positive(&other))
        && counts_fit(histogram::negative(&one), histogram::negative(&other))
}
