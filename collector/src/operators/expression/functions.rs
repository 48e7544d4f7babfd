//! The functions that expressions know.

use std::{borrow::Cow, cmp::Ordering};

use super::evaluate::Operand;

/// What a function makes of its arguments.
type Make = for<'e> fn(&[Operand<'e>]) -> Result<Operand<'e>, String>;

/// A function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    pub(super) arguments: usize,
    pub(super) make: Make,
}

/// Each with how many arguments it takes.
pub(super) const NAMES: [(&str, usize, Make); 24] = [
    ("len", 1, len),
    ("lower", 1, |given| text_of(&given[0], |text| text.to_lowercase())),
    ("upper", 1, |given| text_of(&given[0], |text| text.to_uppercase())),
    ("trim", 1, |given| text_of(&given[0], |text| text.trim().to_owned())),
    ("trimPrefix", 2, |given| two_texts(given, |text, prefix| text.strip_prefix(prefix).unwrap_or(text).to_owned())),
    ("trimSuffix", 2, |given| two_texts(given, |text, suffix| text.strip_suffix(suffix).unwrap_or(text).to_owned())),
    ("hasPrefix", 2, |given| check(given, |text, part| text.starts_with(part))),
    ("hasSuffix", 2, |given| check(given, |text, part| text.ends_with(part))),
    ("int", 1, int),
    ("float", 1, float),
    ("string", 1, |given| Ok(Operand::Text(Cow::Owned(given[0].shown())))),
    ("type", 1, |given| Ok(Operand::Text(Cow::Borrowed(given[0].type_name())))),
    ("abs", 1, abs),
    ("round", 1, |given| rounded(given, f64::round)),
    ("ceil", 1, |given| rounded(given, f64::ceil)),
    ("floor", 1, |given| rounded(given, f64::floor)),
    ("max", 2, |given| chosen(given, Ordering::Greater)),
    ("min", 2, |given| chosen(given, Ordering::Less)),
    ("replace", 3, replace),
    ("split", 2, split),
    ("join", 2, join),
    ("indexOf", 2, |given| place(given, |text, part| text.find(part))),
    ("lastIndexOf", 2, |given| place(given, |text, part| text.rfind(part))),
    ("env", 1, env),
];

/// A function by its name.
pub(super) fn find(name: &str) -> Option<Function> {
    let (_, arguments, make) = NAMES.iter().find(|(known, ..)| *known == name)?;
    Some(Function { arguments: *arguments, make: *make })
}

fn text<'o>(operand: &'o Operand<'_>) -> Result<&'o str, String> {
    operand.as_text().ok_or_else(|| format!("expected a text, not {}", operand.kind()))
}

fn text_of<'e>(operand: &Operand<'_>, change: impl Fn(&str) -> String) -> Result<Operand<'e>, String> {
    Ok(Operand::Text(Cow::Owned(change(text(operand)?))))
}

fn two_texts<'e>(given: &[Operand<'_>], change: impl Fn(&str, &str) -> String) -> Result<Operand<'e>, String> {
    Ok(Operand::Text(Cow::Owned(change(text(&given[0])?, text(&given[1])?))))
}

fn check<'e>(given: &[Operand<'_>], holds: impl Fn(&str, &str) -> bool) -> Result<Operand<'e>, String> {
    Ok(Operand::Bool(holds(text(&given[0])?, text(&given[1])?)))
}

fn len<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let len = given[0].len().ok_or_else(|| format!("{} has no length", given[0].kind()))?;
    Ok(Operand::Int(len as i64))
}

fn int<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Int(*number)),
        Operand::Float(number) => Ok(Operand::Int(*number as i64)),
        other => {
            let text = text(other)?;
            let number = text.trim().parse().map_err(|_| format!("`{}` is no whole number", short(text)))?;
            Ok(Operand::Int(number))
        }
    }
}

fn float<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Float(*number as f64)),
        Operand::Float(number) => Ok(Operand::Float(*number)),
        other => {
            let text = text(other)?;
            let number = text.trim().parse().map_err(|_| format!("`{}` is no number", short(text)))?;
            Ok(Operand::Float(number))
        }
    }
}

fn abs<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Int(number.saturating_abs())),
        Operand::Float(number) => Ok(Operand::Float(number.abs())),
        other => Err(format!("expected a number, not {}", other.kind())),
    }
}

fn rounded<'e>(given: &[Operand<'e>], round: fn(f64) -> f64) -> Result<Operand<'e>, String> {
    match &given[0] {
        Operand::Int(number) => Ok(Operand::Float(*number as f64)),
        Operand::Float(number) => Ok(Operand::Float(round(*number))),
        other => Err(format!("expected a number, not {}", other.kind())),
    }
}

fn chosen<'e>(given: &[Operand<'e>], wanted: Ordering) -> Result<Operand<'e>, String> {
    let is_first = given[0].compare(&given[1])? == Some(wanted);
    Ok(given[usize::from(!is_first)].clone())
}

/// What a function may make of a text, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

fn replace<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let (whole, old, new) = (text(&given[0])?, text(&given[1])?, text(&given[2])?);
    let longer = new.len().saturating_sub(old.len()).saturating_mul(whole.len() + 1);
    if longer > TEXT_BYTES_MAX {
        return Err("the replacement is too long".into());
    }
    Ok(Operand::Text(Cow::Owned(whole.replace(old, new))))
}

fn split<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let (whole, separator) = (text(&given[0])?, text(&given[1])?);
    let owned = |part: &str| Operand::Text(Cow::Owned(part.to_owned()));
    // Between all characters, as Go does it, when nothing parts them.
    let parts = match separator {
        "" => whole.chars().map(|char| owned(char.encode_utf8(&mut [0; 4]))).collect(),
        separator => whole.split(separator).map(owned).collect(),
    };
    Ok(Operand::List(parts))
}

fn join<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let items = match &given[0] {
        list @ (Operand::List(_) | Operand::Items(_)) => list.items(),
        other => return Err(format!("expected a list, not {}", other.kind())),
    };
    let separator = text(&given[1])?;
    let parts = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    if separator.len().saturating_mul(parts.len()) > TEXT_BYTES_MAX {
        return Err("the text is too long".into());
    }
    Ok(Operand::Text(Cow::Owned(parts.join(separator))))
}

fn place<'e>(given: &[Operand<'_>], find: impl Fn(&str, &str) -> Option<usize>) -> Result<Operand<'e>, String> {
    Ok(Operand::Int(find(text(&given[0])?, text(&given[1])?).map_or(-1, |at| at as i64)))
}

fn env<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let value = std::env::var(text(&given[0])?).unwrap_or_default();
    Ok(Operand::Text(Cow::Owned(value)))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
