//! Numbers as JSON writes them: how long one is, and which whole number it stands for.

/// Bytes of the number that `text` begins with (RFC 8259, section 6); `None` when it begins with none.
#[inline]
pub fn number_len(text: &[u8]) -> Option<usize> {
    let digits_from = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = usize::from(text.first() == Some(&b'-'));
    let mut end = start + digits_from(start);
    if end == start || (text[start] == b'0' && end > start + 1) {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        let digits = digits_from(end + 1);
        if digits == 0 {
            return None;
        }
        end += 1 + digits;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let digits = digits_from(end + 1 + sign);
        if digits == 0 {
            return None;
        }
        end += 1 + sign + digits;
    }
    Some(end)
}

/// The whole number that a JSON number stands for: `12`, `12.0`, `1.2e1`. `None` for fractions and beyond 127 bits.
#[inline]
pub(super) fn whole(number: &[u8]) -> Option<i128> {
    /// So many digits fit in 64 bits.
    const DIGITS_QUICK_MAX: usize = 19;

    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if digits.len() > DIGITS_QUICK_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return whole_of_any_form(number);
    }
    let value = digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    let value = i128::from(value);
    Some(if digits.len() < number.len() { -value } else { value })
}

#[cold]
fn whole_of_any_form(number: &[u8]) -> Option<i128> {
    let number = std::str::from_utf8(number).expect("a number is ASCII");
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (digits, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut value: i128 = 0;
    for digit in digits.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    if value == 0 {
        return Some(0);
    }
    // An exponent beyond i32 moves any mantissa that fits a request out of range, or leaves a fraction.
    let exponent: i64 = exponent.parse::<i32>().ok()?.into();
    let mut shift = exponent - fraction.len() as i64;
    // Both loops end after 39 steps: by overflow, or at a digit that is not 0.
    while shift > 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 {
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        shift += 1;
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_json_says() {
        let rows: [(&[u8], Option<usize>); 16] = [
            (b"0", Some(1)),
            (b"-0", Some(2)),
            (b"12,", Some(2)),
            (b"1.5e-3}", Some(6)),
            (b"1E+2", Some(4)),
            (b"1.x", None),
            (b"01", None),
            (b"-", None),
            (b"+1", None),
            (b".5", None),
            (b"1.", None),
            (b"1e", None),
            (b"1e+", None),
            (b"", None),
            (b"NaN", None),
            (b"1x", Some(1)),
        ];
        for (text, expected) in rows {
            assert_eq!(number_len(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn whole_numbers_in_any_form() {
        let long = format!("1.{}e1", "0".repeat(10_000));
        let rows: [(&str, Option<i128>); 17] = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-12", Some(-12)),
            ("9223372036854775807", Some(i64::MAX.into())),
            ("18446744073709551615", Some(u64::MAX.into())),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("1.0", Some(1)),
            ("1.50e1", Some(15)),
            ("-2500e-2", Some(-25)),
            ("1.544712660e18", Some(1_544_712_660_000_000_000)),
            ("0e999999999999", Some(0)),
            ("0.000", Some(0)),
            (&long, Some(10)),
            ("0.5", None),
            ("25e-2", None),
            ("1e99", None),
            ("1e999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(whole(text.as_bytes()), expected, "{text:.40}");
        }
    }
}
