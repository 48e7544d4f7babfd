//! Decimal numbers in front of a unit: `1.5` of `1h30m1.5s`, of `1.5GiB`.

/// Fractions are exact to this many digits; further ones change less than any unit can show.
const FRACTION_DIGITS_MAX: usize = 18;

/// A decimal number times `unit`, cut to a whole; `None` when it is not a number or is too large. As in Go, `.5` and `1.`
/// are numbers, `.` is none. A unit is at most 10^15, so that nothing overflows.
pub fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let part = parts.checked_mul(unit)? / 10u128.pow(fraction.len() as u32);
    u128::from(whole).checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_their_unit() {
        let cases = [
            ("0", 1_000, Some(0)),
            ("12", 1_000, Some(12_000)),
            ("1.5", 1_000, Some(1_500)),
            (".5", 1_000, Some(500)),
            ("7.", 1_000, Some(7_000)),
            ("0.3", 1 << 30, Some(322_122_547)),
            ("0.9999999999999999999999", 10, Some(9)),
            (
                "18446744073709551615.999999999999999999",
                1_000_000_000_000_000,
                Some(18_446_744_073_709_551_615_999_999_999_999_999),
            ),
            ("18446744073709551616", 1, None),
            ("", 1, None),
            (".", 1, None),
            ("1.2.3", 1, None),
            ("1.+5", 1, None),
            ("+1", 1, None),
            ("-1", 1, None),
            ("1e3", 1, None),
        ];
        for (number, unit, value) in cases {
            assert_eq!(scaled(number, unit), value, "{number} of {unit}");
        }
    }
}
