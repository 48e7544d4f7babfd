//! Texts: patterns, parts, cases. What wants a text takes nothing else, `IsMatch` apart.

use memchr::memmem;
use regex::bytes::Regex;

use super::{Arguments, Call, Operand, Value};

pub(super) fn is_match<'v>([target, ..]: Arguments<'v>, call: &'v Call) -> Value<'v> {
    let Some(regex) = &call.regex else { return Value::Fault };
    match target.into_text() {
        Ok(text) => Value::Bool(text.is_some_and(|text| regex.is_match(&text))),
        Err(()) => Value::Fault,
    }
}

pub(super) fn has_prefix<'v>([value, prefix, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    of_two(value, prefix, |text, prefix| Value::Bool(text.starts_with(prefix)))
}

pub(super) fn has_suffix<'v>([value, suffix, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    of_two(value, suffix, |text, suffix| Value::Bool(text.ends_with(suffix)))
}

/// Where the one text begins in the other, -1 when it does not.
pub(super) fn index<'v>([target, value, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    of_two(target, value, |text, part| Value::Int(memmem::find(text, part).map_or(-1, |at| at as i64)))
}

pub(super) fn trim_prefix<'v>([target, prefix, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    of_two(target, prefix, |text, prefix| owned(text.strip_prefix(prefix).unwrap_or(text)))
}

pub(super) fn trim_suffix<'v>([target, suffix, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    of_two(target, suffix, |text, suffix| owned(text.strip_suffix(suffix).unwrap_or(text)))
}

/// Without the characters of the second text at either end; blanks without one.
pub(super) fn trim<'v>([target, cut, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let cut = if matches!(cut, Value::Nil) { Value::Text(b" "[..].into()) } else { cut };
    of_two(target, cut, |text, cut| {
        let (text, cut) = (String::from_utf8_lossy(text), String::from_utf8_lossy(cut));
        owned(text.trim_matches(|c: char| cut.contains(c)).as_bytes())
    })
}

/// Bytes from a position on; beyond the text's ends it is a fault.
pub(super) fn substring<'v>([target, start, length]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let (Value::Text(text), Value::Int(start), Value::Int(length)) = (target, start, length) else {
        return Value::Fault;
    };
    let range = usize::try_from(start).ok().zip(usize::try_from(length).ok().filter(|length| *length > 0));
    let part = range.and_then(|(start, length)| text.get(start..start.checked_add(length)?).map(<[u8]>::to_vec));
    part.map_or(Value::Fault, |part| Value::Text(part.into()))
}

pub(super) fn to_lower_case<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    in_case(target, "lower")
}

pub(super) fn to_upper_case<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    in_case(target, "upper")
}

/// `http.response_code` is `HttpResponseCode`.
pub(super) fn to_camel_case<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    in_case(target, "camel")
}

/// `HTTPResponseCode` is `http_response_code`, `utf8` is `utf_8`.
pub(super) fn to_snake_case<'v>([target, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    in_case(target, "snake")
}

pub(super) fn convert_case<'v>([target, case, _]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    match case {
        Value::Text(case) => in_case(target, &String::from_utf8_lossy(&case)),
        _ => Value::Fault,
    }
}

pub(super) fn check_case(arguments: &[Operand], _: Option<&Regex>) -> Result<(), String> {
    match arguments.get(1) {
        Some(Operand::Text(case)) if !["lower", "upper", "snake", "camel"].contains(&&**case) => {
            Err(format!("there is no case {case}; lower, upper, snake and camel are"))
        }
        _ => Ok(()),
    }
}

fn in_case<'v>(target: Value<'v>, case: &str) -> Value<'v> {
    let Value::Text(text) = target else { return Value::Fault };
    let text = String::from_utf8_lossy(&text);
    match case {
        "lower" => Value::Text(text.to_lowercase().into_bytes().into()),
        "upper" => Value::Text(text.to_uppercase().into_bytes().into()),
        "snake" => Value::Text(snake(text.trim().as_bytes()).into()),
        "camel" => {
            let capital = |word: String| {
                let mut letters = word.chars();
                letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
            };
            Value::Text(words(&text).into_iter().map(capital).collect::<String>().into_bytes().into())
        }
        _ => Value::Fault,
    }
}

/// What a byte is where words are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Capital,
    Small,
    Digit,
    Other,
}

impl Letter {
    fn of(byte: u8) -> Self {
        match byte {
            b'A'..=b'Z' => Self::Capital,
            b'a'..=b'z' => Self::Small,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Other,
        }
    }
}

/// In lower case, `_` for signs and between words: at capitals, and on both sides of digits. As the Collector has it:
/// <https://github.com/iancoleman/strcase/blob/v0.3.0/snake.go>.
fn snake(text: &[u8]) -> Vec<u8> {
    use Letter::{Capital, Digit, Other, Small};
    let mut made = Vec::with_capacity(text.len() + 2);
    for (at, byte) in text.iter().enumerate() {
        let this = Letter::of(*byte);
        let next = text.get(at + 1).map_or(Other, |next| Letter::of(*next));
        let is_after_capital = at > 0 && Letter::of(text[at - 1]) == Capital;
        // The last capital of several begins a word.
        if (this, next) == (Capital, Small) && is_after_capital {
            made.push(b'_');
        }
        made.push(if matches!(byte, b' ' | b'_' | b'-' | b'.') { b'_' } else { byte.to_ascii_lowercase() });
        if matches!((this, next), (Capital | Small, Digit) | (Small, Capital) | (Digit, Capital | Small)) {
            made.push(b'_');
        }
    }
    made
}

/// The words of a name, in lower case: cut at signs, before capitals, and before the last one of several.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let after_small = at > 0 && (letters[at - 1].is_lowercase() || letters[at - 1].is_numeric());
        let before_small =
            at > 0 && letters[at - 1].is_uppercase() && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_small || before_small) {
            words.push(String::new());
        }
        words.last_mut().expect("never empty").extend(letter.to_lowercase());
    }
    words.retain(|word| !word.is_empty());
    words
}

fn of_two<'v>(one: Value<'_>, other: Value<'_>, make: impl FnOnce(&[u8], &[u8]) -> Value<'v>) -> Value<'v> {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => make(&one, &other),
        _ => Value::Fault,
    }
}

fn owned<'v>(text: &[u8]) -> Value<'v> {
    Value::Text(text.to_vec().into())
}
