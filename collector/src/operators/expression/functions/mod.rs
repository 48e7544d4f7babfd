//! The functions that expressions know.

mod lists;
mod numbers;
mod texts;

use std::borrow::Cow;

pub(super) use self::{lists::sorted, numbers::sum as total};
use super::evaluate::Operand;

/// What a function makes of its arguments.
type Make = for<'e> fn(&[Operand<'e>]) -> Result<Operand<'e>, String>;

/// A function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    /// At least, and at most.
    pub(super) arguments: (usize, usize),
    pub(super) make: Make,
}

/// As many as there are.
const ANY: usize = usize::MAX;

/// Each with how many arguments it takes at least, and at most.
pub(super) const NAMES: [(&str, usize, usize, Make); 54] = [
    ("len", 1, 1, lists::len),
    ("lower", 1, 1, |given| text_of(&given[0], |text| text.to_lowercase())),
    ("upper", 1, 1, |given| text_of(&given[0], |text| text.to_uppercase())),
    ("trim", 1, 2, texts::trim),
    ("trimPrefix", 1, 2, |given| texts::without(given, |text, prefix| text.strip_prefix(prefix))),
    ("trimSuffix", 1, 2, |given| texts::without(given, |text, suffix| text.strip_suffix(suffix))),
    ("hasPrefix", 2, 2, |given| texts::check(given, |text, part| text.starts_with(part))),
    ("hasSuffix", 2, 2, |given| texts::check(given, |text, part| text.ends_with(part))),
    ("int", 1, 1, numbers::int),
    ("float", 1, 1, numbers::float),
    ("string", 1, 1, |given| Ok(Operand::Text(Cow::Owned(given[0].printed())))),
    ("type", 1, 1, |given| Ok(Operand::Text(Cow::Borrowed(given[0].type_name())))),
    ("abs", 1, 1, numbers::abs),
    ("round", 1, 1, |given| numbers::rounded(given, f64::round)),
    ("ceil", 1, 1, |given| numbers::rounded(given, f64::ceil)),
    ("floor", 1, 1, |given| numbers::rounded(given, f64::floor)),
    ("max", 1, ANY, |given| numbers::chosen(given, std::cmp::Ordering::Greater)),
    ("min", 1, ANY, |given| numbers::chosen(given, std::cmp::Ordering::Less)),
    ("mean", 1, ANY, numbers::mean),
    ("median", 1, ANY, numbers::median),
    ("bitand", 2, 2, |given| numbers::bits(given, |one, other| one & other)),
    ("bitor", 2, 2, |given| numbers::bits(given, |one, other| one | other)),
    ("bitxor", 2, 2, |given| numbers::bits(given, |one, other| one ^ other)),
    ("bitnand", 2, 2, |given| numbers::bits(given, |one, other| one & !other)),
    ("bitnot", 1, 1, |given| Ok(Operand::Int(!numbers::whole(&given[0])?))),
    ("bitshl", 2, 2, |given| numbers::shifted(given, |one, by| one.checked_shl(by).unwrap_or(0))),
    ("bitshr", 2, 2, |given| numbers::shifted(given, |one, by| one >> by.min(63))),
    ("bitushr", 2, 2, |given| numbers::shifted(given, |one, by| (one as u64).checked_shr(by).unwrap_or(0) as i64)),
    ("replace", 3, 3, texts::replace),
    ("split", 2, 3, texts::split),
    ("splitAfter", 2, 3, texts::split_after),
    ("repeat", 2, 2, texts::repeat),
    ("join", 1, 2, texts::join),
    ("indexOf", 2, 2, |given| texts::place(given, |text, part| text.find(part))),
    ("lastIndexOf", 2, 2, |given| texts::place(given, |text, part| text.rfind(part))),
    ("toJSON", 1, 1, texts::to_json),
    ("fromJSON", 1, 1, texts::from_json),
    ("toBase64", 1, 1, texts::to_base64),
    ("fromBase64", 1, 1, texts::from_base64),
    ("first", 1, 1, |given| lists::at_end(given, |items| items.first().cloned())),
    ("last", 1, 1, |given| lists::at_end(given, |items| items.last().cloned())),
    ("take", 2, 2, lists::take),
    ("get", 2, 2, lists::get),
    ("keys", 1, 1, |given| lists::of_map(given, |name, _| Operand::Text(name))),
    ("values", 1, 1, |given| lists::of_map(given, |_, value| value)),
    ("toPairs", 1, 1, |given| lists::of_map(given, |name, value| Operand::List(vec![Operand::Text(name), value]))),
    ("fromPairs", 1, 1, lists::from_pairs),
    ("concat", 1, ANY, lists::concat),
    ("flatten", 1, 1, lists::flatten),
    ("uniq", 1, 1, lists::uniq),
    ("reverse", 1, 1, lists::reverse),
    ("sort", 1, 2, lists::sort),
    ("env", 1, 1, env),
    ("os_env_func", 1, 1, env),
];

/// A function by its name.
pub(super) fn find(name: &str) -> Option<Function> {
    let (_, least, most, make) = NAMES.iter().find(|(known, ..)| *known == name)?;
    Some(Function { arguments: (*least, *most), make: *make })
}

fn text<'o>(operand: &'o Operand<'_>) -> Result<&'o str, String> {
    operand.as_text().ok_or_else(|| format!("expected a text, not {}", operand.kind()))
}

fn text_of<'e>(operand: &Operand<'_>, change: impl Fn(&str) -> String) -> Result<Operand<'e>, String> {
    Ok(Operand::Text(Cow::Owned(change(text(operand)?))))
}

fn items<'e>(operand: &Operand<'e>) -> Result<Vec<Operand<'e>>, String> {
    match operand {
        list @ (Operand::List(_) | Operand::Items(_)) => Ok(list.items()),
        other => Err(format!("expected a list, not {}", other.kind())),
    }
}

fn env<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let value = std::env::var(text(&given[0])?).unwrap_or_default();
    Ok(Operand::Text(Cow::Owned(value)))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
