//! Reads numbers as Go's `strconv.ParseFloat` does, without hexadecimal ones and underscores.

/// Powers of ten that are exact.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The NaN that every written NaN becomes (Prometheus' `NormalNaN`); the one that ends a series is another.
const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// The number that `text` is; `None` where it is none, or beyond what a double holds.
#[inline]
pub fn number(text: &[u8]) -> Option<f64> {
    short(text).or_else(|| long(text))
}

#[inline]
fn short(text: &[u8]) -> Option<f64> {
    leading(text).filter(|(_, length)| *length == text.len()).map(|(value, _)| value)
}

/// The number that a text begins with and its length: whole numbers and decimals whose digits are exact in a double, scaled by a power
/// that is (Clinger's fast path); most of what is exposed. `None` for all others.
#[inline]
pub(super) fn leading(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let begin = usize::from(is_negative);
    let (mut mantissa, mut at) = (0_u64, begin);
    while let Some(digit) = digit_at(text, at) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let (mut digits, mut scale) = (at - begin, 0);
    if text.get(at) == Some(&b'.') {
        at += 1;
        let fraction = at;
        while let Some(digit) = digit_at(text, at) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        digits += at - fraction;
        scale = -((at - fraction).min(64) as i32);
    }
    // Nineteen digits do not wrap around.
    if digits == 0 || digits > 19 || mantissa > 1 << 53 {
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let (exponent, length) = exponent(&text[at + 1..])?;
        scale += exponent;
        at += 1 + length;
    }
    let value = mantissa as f64;
    let value = match scale {
        0 => value,
        1..=22 => value * POWERS[scale as usize],
        -22..=-1 => value / POWERS[-scale as usize],
        _ => return None,
    };
    Some((if is_negative { -value } else { value }, at))
}

#[inline]
fn digit_at(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// `+09`, behind the `e`, and its length.
#[inline]
fn exponent(text: &[u8]) -> Option<(i32, usize)> {
    let sign = text.first().copied();
    let begin = usize::from(matches!(sign, Some(b'+' | b'-')));
    let (mut value, mut at) = (0, begin);
    while let Some(digit) = digit_at(text, at) {
        if at - begin == 4 {
            return None;
        }
        value = value * 10 + digit as i32;
        at += 1;
    }
    let value = if sign == Some(b'-') { -value } else { value };
    (at > begin).then_some((value, at))
}

#[cold]
fn long(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.trim_start_matches(['+', '-']);
    let is_infinity = unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity");
    if unsigned.eq_ignore_ascii_case("nan") {
        return (unsigned.len() == text.len()).then_some(NORMAL_NAN);
    }
    let value: f64 = text.parse().ok()?;
    (value.is_finite() || is_infinity).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (text, expected) in [
            ("1", 1.0),
            ("-0", -0.0),
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e5", 1e5),
            ("1.5E-3", 1.5e-3),
            ("Inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("00000000000000000000001.5", 1.5),
        ] {
            assert_eq!(number(text.as_bytes()).map(f64::to_bits), Some(f64::to_bits(expected)), "{text}");
        }
        assert_eq!(number(b"nAn").map(f64::to_bits), Some(NORMAL_NAN.to_bits()));
        for text in
            ["", ".", "-", "+", "e5", "1e", "1e400", "+nan", "0x10", "0x1p-2", "1_000", "1 ", "--1", "1.2.3", "infi"]
        {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: f64) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.3}")] {
                if value.is_finite() {
                    let expected: f64 = text.parse().expect("a number");
                    prop_assert_eq!(number(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()), "{}", text);
                }
            }
        }

        #[test]
        fn short_decimals_are_read(text in "-?[0-9]{1,20}(\\.[0-9]{0,9})?(e[+-]?[0-9]{1,2})?") {
            let expected: f64 = text.parse().expect("a number");
            prop_assert_eq!(number(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()), "{}", text);
        }
    }
}
