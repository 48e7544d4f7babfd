//! Numbers as Go reads them.

use super::quote::quoted;

/// A literal: decimal, hexadecimal, octal or binary whole numbers with underscores, floats, `Inf`, `NaN`.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    if let Some(whole) = parse_whole(text) {
        return Ok(whole as f64);
    }
    parse_float(text).ok_or_else(|| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(text)))
}

/// As Go's `strconv.ParseInt(text, 0, 64)`.
fn parse_whole(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits, has_prefix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..], true),
        [b'0', b'b', ..] => (2, &lower[2..], true),
        [b'0', b'o', ..] => (8, &lower[2..], true),
        [b'0', _, ..] => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    let plain = without_underscores(digits, has_prefix)?;
    let value = i64::from_str_radix(&plain, base).ok().filter(|_| !plain.starts_with(['+', '-']))?;
    Some(if is_negative { -value } else { value })
}

/// Underscores stand between digits, or after a prefix.
fn without_underscores(digits: &str, may_begin: bool) -> Option<String> {
    let is_bad = digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !may_begin);
    (!is_bad).then(|| digits.replace('_', ""))
}

/// As Go's `strconv.ParseFloat`, without hexadecimal floats and underscores.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let begins_well = unsigned.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_word = ["inf", "infinity", "nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    if unsigned.eq_ignore_ascii_case("nan") && unsigned.len() < text.len() {
        return None;
    }
    (begins_well || is_word).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_gos() {
        for (text, value) in [
            ("0x1F", 31.0),
            ("1_000", 1000.0),
            ("017", 15.0),
            ("08", 8.0),
            ("0x_1F", 31.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("Inf", f64::INFINITY),
            ("0b11", 3.0),
        ] {
            assert_eq!(parse_number(text), Ok(value), "{text}");
        }
        assert!(parse_number("nan").is_ok_and(f64::is_nan));
        assert!(parse_number("1_000.5").is_err());
        assert!(parse_number("0xz").is_err());
    }
}
