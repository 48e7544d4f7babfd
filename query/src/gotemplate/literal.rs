//! Texts and numbers as Go's source has them.

use super::tree::Number;

/// What stands between quotes, its escapes resolved; `None` when that is no text of Go's.
pub(super) fn text(quoted: &str) -> Option<String> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if quoted.starts_with('`') {
        return Some(inner.replace('\r', ""));
    }
    let quote = quoted.chars().next()?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (found, after) = letter(rest, quote)?;
        match found {
            Letter::Char(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            Letter::Byte(byte) => bytes.push(byte),
        }
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

enum Letter {
    Char(char),
    Byte(u8),
}

/// The first letter or escape, and what follows it.
fn letter(text: &str, quote: char) -> Option<(Letter, &str)> {
    let first = text.chars().next()?;
    if first != '\\' {
        return Some((Letter::Char(first), &text[first.len_utf8()..]));
    }
    let escape = text[1..].chars().next()?;
    let rest = &text[1 + escape.len_utf8()..];
    let plain = |c| Some((Letter::Char(c), rest));
    let code = |digits: &str, radix: u32| u32::from_str_radix(digits, radix).ok();
    match escape {
        'a' => plain('\u{7}'),
        'b' => plain('\u{8}'),
        'f' => plain('\u{c}'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\u{b}'),
        '\\' => plain('\\'),
        c if c == quote => plain(c),
        'x' => Some((Letter::Byte(code(rest.get(..2)?, 16)? as u8), &rest[2..])),
        'u' => Some((Letter::Char(char::from_u32(code(rest.get(..4)?, 16)?)?), &rest[4..])),
        'U' => Some((Letter::Char(char::from_u32(code(rest.get(..8)?, 16)?)?), &rest[8..])),
        '0'..='7' => {
            let byte = u8::try_from(code(text.get(1..4)?, 8)?).ok()?;
            Some((Letter::Byte(byte), &text[4..]))
        }
        _ => None,
    }
}

/// A number, or a letter's code; says what is wrong with it.
pub(super) fn number(text: &str) -> Result<Number, String> {
    if let Some(inner) = text.strip_prefix('\'') {
        let malformed = || format!("malformed character constant: {text}");
        let (found, rest) = letter(inner, '\'').ok_or_else(malformed)?;
        if rest != "'" {
            return Err(malformed());
        }
        let code = match found {
            Letter::Char(c) => i64::from(u32::from(c)),
            Letter::Byte(byte) => i64::from(byte),
        };
        return Ok(Number { text: text.to_owned(), int: Some(code), float: Some(code as f64), is_float: false });
    }
    let digits = text.replace('_', "");
    let unsigned = digits.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let is_negative = digits.starts_with('-');
    let based = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(prefix, radix)| {
        let digits = unsigned.strip_prefix(prefix)?;
        Some(i64::from_str_radix(digits, radix).ok())
    });
    let octal = (unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| i64::from_str_radix(&unsigned[1..], 8).ok());
    let mut int = match based.or(octal) {
        Some(found) => found.map(|value| if is_negative { -value } else { value }),
        None => digits.parse().ok(),
    };
    let float = match int {
        Some(value) => Some(value as f64),
        None => digits.parse::<f64>().ok().filter(|value| value.is_finite()),
    };
    let is_float = float.is_some() && unsigned.contains(['.', 'e']) && !unsigned.starts_with("0x");
    if float.is_some() && int.is_none() && !is_float {
        return Err(format!("integer overflow: {text:?}"));
    }
    let Some(value) = float else { return Err(format!("illegal number syntax: {text:?}")) };
    if int.is_none() && value.fract() == 0.0 && value.abs() < 9e18 {
        int = Some(value as i64);
    }
    Ok(Number { text: text.to_owned(), int, float, is_float })
}
