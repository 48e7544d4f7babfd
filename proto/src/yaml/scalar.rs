//! What a text without quotes may be: nothing, true, a number (YAML 1.2 core schema, and 1.1's underscores, as go-yaml reads them).

/// Nothing.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// True or false; in quotes, too.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number, also written as `1_000`, `0x3e8`, `0o17` or `1e3`.
pub(super) fn integer(text: &str) -> Option<i128> {
    let text = text.trim().replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radix = |prefix: &str, radix| digits.strip_prefix(prefix).map(|digits| (digits, radix));
    let (digits, radix) = radix("0x", 16).or(radix("0o", 8)).or(radix("0b", 2)).unwrap_or((digits, 10));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if let Ok(number) = i128::from_str_radix(digits, radix) {
        return Some(sign * number);
    }
    if radix != 10 {
        return None;
    }
    let number = float(&text)?;
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i128)
}

/// A number.
pub(super) fn float(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    match text.to_ascii_lowercase().as_str() {
        ".nan" | "nan" => return Some(f64::NAN),
        ".inf" | "+.inf" => return Some(f64::INFINITY),
        "-.inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.contains(|c: char| c.is_ascii_digit())
        || text.contains(|c: char| c.is_alphabetic() && c != 'e' && c != 'E')
    {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("100_000", Some(100_000)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("0x10", Some(16)),
            ("-0o17", Some(-15)),
            ("1e3", Some(1000)),
            ("5.0", Some(5)),
            ("18446744073709551615", Some(i128::from(u64::MAX))),
            ("5.5", None),
            ("", None),
            ("many", None),
            ("--5", None),
            ("0x-5", None),
        ] {
            assert_eq!(integer(text), number, "{text}");
        }
        for (text, number) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("1e-3", Some(0.001)),
            ("-.inf", Some(f64::NEG_INFINITY)),
            ("e5", None),
            ("infinity", None),
        ] {
            assert_eq!(float(text), number, "{text}");
        }
        assert!(float(".NaN").is_some_and(f64::is_nan));
    }
}
