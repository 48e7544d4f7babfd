//! Functions of an expression that work on texts: trimming, parting, joining, places, JSON, base64.

use std::borrow::Cow;

use base64::Engine;

use super::{Operand, items, short, text, text_of};
use crate::operators::json;

/// What a function may make of a text, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

fn owned<'e>(text: impl Into<String>) -> Operand<'e> {
    Operand::Text(Cow::Owned(text.into()))
}

pub(super) fn check<'e>(given: &[Operand<'_>], holds: impl Fn(&str, &str) -> bool) -> Result<Operand<'e>, String> {
    Ok(Operand::Bool(holds(text(&given[0])?, text(&given[1])?)))
}

/// Blanks go from both ends, or these characters.
pub(super) fn trim<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let Some(chars) = given.get(1) else { return text_of(&given[0], |text| text.trim().to_owned()) };
    let chars: Vec<char> = text(chars)?.chars().collect();
    text_of(&given[0], |text| text.trim_matches(&chars[..]).to_owned())
}

/// Without what is at an end; blanks when nothing is said.
pub(super) fn without<'e>(
    given: &[Operand<'_>],
    strip: impl for<'t> Fn(&'t str, &str) -> Option<&'t str>,
) -> Result<Operand<'e>, String> {
    let whole = text(&given[0])?;
    let part = given.get(1).map_or(Ok(" "), text)?;
    Ok(owned(strip(whole, part).unwrap_or(whole)))
}

pub(super) fn replace<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let (whole, old, new) = (text(&given[0])?, text(&given[1])?, text(&given[2])?);
    let longer = new.len().saturating_sub(old.len()).saturating_mul(whole.len() + 1);
    if longer > TEXT_BYTES_MAX {
        return Err("the replacement is too long".into());
    }
    Ok(owned(whole.replace(old, new)))
}

pub(super) fn repeat<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let (whole, times) = (text(&given[0])?, super::numbers::whole(&given[1])?);
    let times = usize::try_from(times).map_err(|_| "a text cannot be repeated less than no time")?;
    if whole.len().saturating_mul(times) > TEXT_BYTES_MAX {
        return Err("the text is too long".into());
    }
    Ok(owned(whole.repeat(times)))
}

/// Into so many parts at most: below zero all, of zero none.
fn parts_max(given: &[Operand<'_>]) -> Result<usize, String> {
    let most = given.get(2).map_or(Ok(-1), super::numbers::whole)?;
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}

pub(super) fn split<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    parted(given, 0)
}

pub(super) fn split_after<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let kept = text(&given[1])?.len();
    parted(given, kept)
}

/// At each separator, of which so many bytes stay with what is before it.
fn parted<'e>(given: &[Operand<'e>], kept: usize) -> Result<Operand<'e>, String> {
    let (mut rest, separator) = (text(&given[0])?, text(&given[1])?);
    let most = parts_max(given)?;
    let mut parts = Vec::new();
    while parts.len() + 1 < most {
        let (end, next) = match rest.find(separator) {
            // Between all characters, as Go does it, when nothing parts them.
            Some(0) if separator.is_empty() => match rest.chars().next().map(char::len_utf8) {
                Some(len) if len < rest.len() => (len, len),
                _ => break,
            },
            Some(at) => (at + kept, at + separator.len()),
            None => break,
        };
        parts.push(owned(&rest[..end]));
        rest = &rest[next..];
    }
    if most > 0 && !(separator.is_empty() && rest.is_empty()) {
        parts.push(owned(rest));
    }
    Ok(Operand::List(parts))
}

pub(super) fn join<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let separator = given.get(1).map_or(Ok(""), text)?;
    let items = items(&given[0])?;
    let parts = items.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    if separator.len().saturating_mul(parts.len()) > TEXT_BYTES_MAX {
        return Err("the text is too long".into());
    }
    Ok(owned(parts.join(separator)))
}

pub(super) fn place<'e>(
    given: &[Operand<'_>],
    find: impl Fn(&str, &str) -> Option<usize>,
) -> Result<Operand<'e>, String> {
    Ok(Operand::Int(find(text(&given[0])?, text(&given[1])?).map_or(-1, |at| at as i64)))
}

/// JSON over several lines, as the Collector writes it.
pub(super) fn to_json<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut printed = String::new();
    json::print(&given[0].clone().into_value(), &mut printed);
    let value: serde_json::Value = serde_json::from_str(&printed).map_err(|error| error.to_string())?;
    serde_json::to_string_pretty(&value).map(owned).map_err(|error| error.to_string())
}

pub(super) fn from_json<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    Ok(Operand::of_owned(json::parse(text(&given[0])?)?.into_owned()))
}

pub(super) fn to_base64<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    Ok(owned(base64::engine::general_purpose::STANDARD.encode(text(&given[0])?)))
}

pub(super) fn from_base64<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let encoded = text(&given[0])?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
    let bytes = decoded.map_err(|_| format!("`{}` is no base64", short(encoded)))?;
    Ok(owned(String::from_utf8_lossy(&bytes).into_owned()))
}
