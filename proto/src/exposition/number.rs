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

/// Whole numbers and decimals whose digits are exact in a double, scaled by a power that is: most of what is exposed
/// (Clinger's fast path).
#[inline]
fn short(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 24 {
        return None;
    }
    let (mut mantissa, mut scale, mut count) = (0_u64, 0_i32, 0_u32);
    let mut is_fraction = false;
    let mut at = 0;
    while let Some(&byte) = digits.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            // Zeros in front are no digits.
            count += u32::from(mantissa != 0);
            scale -= i32::from(is_fraction);
        } else if byte == b'.' && !is_fraction {
            is_fraction = true;
        } else {
            break;
        }
        at += 1;
    }
    if count > 19 || at == usize::from(is_fraction) || mantissa > 1 << 53 {
        return None;
    }
    if at < digits.len() {
        scale += exponent(&digits[at..])?;
    }
    let value = mantissa as f64;
    let value = match scale {
        0 => value,
        1..=22 => value * POWERS[scale as usize],
        -22..=-1 => value / POWERS[-scale as usize],
        _ => return None,
    };
    Some(if is_negative { -value } else { value })
}

/// `e+09`
#[inline]
fn exponent(text: &[u8]) -> Option<i32> {
    let [b'e' | b'E', rest @ ..] = text else { return None };
    let (is_negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i32::from(digit);
    }
    Some(if is_negative { -value } else { value })
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
