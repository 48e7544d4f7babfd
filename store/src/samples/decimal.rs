//! Floats that are short decimals, as integers: exactly these bits come back, or there is no integer.

/// Most digits behind the point.
pub(crate) const SCALE_MAX: u8 = 9;

/// Integers beyond have no float of their own.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; SCALE_MAX as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The integer of which `value` is the 10^`scale`th part; `None` when dividing would not give back its bits.
#[inline]
pub(crate) fn at_scale(value: f64, scale: u8) -> Option<i64> {
    let scaled = value * POWERS[usize::from(scale)];
    // NaN is not below either.
    if scaled.is_nan() || scaled.abs() >= INTEGER_MAX {
        return None;
    }
    // To the nearest: a call of a library without SSE 4.1, and what is checked below holds for either neighbour.
    let integer = if scale == 0 { scaled as i64 } else { (scaled + 0.5_f64.copysign(scaled)) as i64 };
    (self::value(integer, scale).to_bits() == value.to_bits()).then_some(integer)
}

/// The float: division rounds as reading the decimal does.
#[inline]
pub(crate) fn value(integer: i64, scale: u8) -> f64 {
    match scale {
        0 => integer as f64,
        _ => integer as f64 / POWERS[usize::from(scale)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_integers_and_nothing_else_is() {
        assert_eq!(at_scale(12.0, 0), Some(12));
        assert_eq!(at_scale(-0.07, 2), Some(-7));
        assert_eq!(at_scale(123_456.78, 2), Some(12_345_678));
        assert_eq!(at_scale(0.1, 0), None);
        for value in [-0.0, f64::NAN, f64::INFINITY, 1e300, 1.0 / 3.0, 9_007_199_254_740_992.0] {
            assert_eq!(at_scale(value, 0), None, "{value}");
        }
    }
}
