//! Functions of an expression that work on numbers.

use std::cmp::Ordering;

use super::{Operand, items, short, text};

pub(super) fn whole(operand: &Operand<'_>) -> Result<i64, String> {
    match operand {
        Operand::Int(number) => Ok(*number),
        other => Err(format!("expected a whole number, not {}", other.kind())),
    }
}

fn number(operand: &Operand<'_>) -> Result<f64, String> {
    operand.number().ok_or_else(|| format!("expected a number, not {}", operand.kind()))
}

pub(super) fn int<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Int(*number)),
        Operand::Float(number) => Ok(Operand::Int(*number as i64)),
        other => {
            let text = text(other)?;
            let number = text.parse().map_err(|_| format!("`{}` is no whole number", short(text)))?;
            Ok(Operand::Int(number))
        }
    }
}

pub(super) fn float<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Float(*number as f64)),
        Operand::Float(number) => Ok(Operand::Float(*number)),
        other => {
            let text = text(other)?;
            let number = text.parse().map_err(|_| format!("`{}` is no number", short(text)))?;
            Ok(Operand::Float(number))
        }
    }
}

pub(super) fn abs<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Int(number.saturating_abs())),
        other => Ok(Operand::Float(number(other)?.abs())),
    }
}

pub(super) fn rounded<'e>(given: &[Operand<'e>], round: fn(f64) -> f64) -> Result<Operand<'e>, String> {
    Ok(Operand::Float(round(number(&given[0])?)))
}

pub(super) fn bits<'e>(given: &[Operand<'e>], change: fn(i64, i64) -> i64) -> Result<Operand<'e>, String> {
    Ok(Operand::Int(change(whole(&given[0])?, whole(&given[1])?)))
}

pub(super) fn shifted<'e>(given: &[Operand<'e>], change: fn(i64, u32) -> i64) -> Result<Operand<'e>, String> {
    let by = whole(&given[1])?;
    let by = u32::try_from(by.min(64)).map_err(|_| "nothing is shifted by less than nothing")?;
    Ok(Operand::Int(change(whole(&given[0])?, by)))
}

/// Numbers, and those in lists.
fn numbers<'e>(given: &[Operand<'e>]) -> Result<Vec<Operand<'e>>, String> {
    let mut numbers = Vec::with_capacity(given.len());
    for operand in given {
        match operand {
            Operand::List(_) | Operand::Items(_) => numbers.extend(items(operand)?),
            other => numbers.push(other.clone()),
        }
    }
    Ok(numbers)
}

pub(super) fn chosen<'e>(given: &[Operand<'e>], wanted: Ordering) -> Result<Operand<'e>, String> {
    let numbers = numbers(given)?;
    let mut chosen = numbers.first().cloned().ok_or("there is none")?;
    for number in &numbers {
        if number.compare(&chosen)? == Some(wanted) {
            chosen = number.clone();
        }
    }
    Ok(chosen)
}

/// What numbers come to: whole, as long as they are.
pub(in crate::operators::expression) fn sum<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut sum = Operand::Int(0);
    for operand in given {
        sum = match (&sum, operand) {
            (Operand::Int(one), Operand::Int(other)) => Operand::Int(one.wrapping_add(*other)),
            (one, other) => Operand::Float(number(one)? + number(other)?),
        };
    }
    Ok(sum)
}

pub(super) fn mean<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let numbers = numbers(given)?;
    if numbers.is_empty() {
        return Ok(Operand::Float(0.0));
    }
    Ok(Operand::Float(number(&sum(&numbers)?)? / numbers.len() as f64))
}

pub(super) fn median<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut sorted = numbers(given)?.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    Ok(Operand::Float(match sorted.len() {
        0 => 0.0,
        len if len % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }))
}
