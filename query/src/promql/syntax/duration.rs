//! Durations as Prometheus writes them: `1h30m`.

use std::fmt::Write as _;

use super::{
    ast::{DurationExpr, Length},
    quote::quoted,
    token::Operator,
};

/// Units from the longest, in ms, and whether what is left must be none for one to be used in writing.
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 86_400_000, true),
    ("w", 7 * 86_400_000, true),
    ("d", 86_400_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1_000, false),
    ("ms", 1, false),
];

/// Milliseconds of `1h30m`; units from the longest to the shortest, each once.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    match text {
        "0" => return Ok(0),
        "" => return Err("empty duration string".to_owned()),
        _ => {}
    }
    let bad = || format!("not a valid duration string: {}", quoted(text));
    let mut rest = text;
    let mut longest = 0;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        let (unit, after) = after.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(bad());
        }
        let Some(at) = UNITS.iter().position(|(name, ..)| *name == unit) else {
            return Err(format!("unknown unit {} in duration {}", quoted(unit), quoted(text)));
        };
        if at < longest {
            return Err(bad());
        }
        longest = at + 1;
        let ms = UNITS[at].1;
        let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(ms));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|&ms| ms <= i64::MAX / 1_000_000)
            .ok_or("duration out of range")?;
        rest = after;
    }
    Ok(total)
}

/// `1h30m` of milliseconds.
pub(crate) fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.saturating_abs();
    for (unit, length, is_exact) in UNITS {
        if is_exact && rest % length != 0 {
            continue;
        }
        if rest / length > 0 {
            let _ = write!(out, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    out
}

/// What lengths that are computed are computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryTimes {
    pub(crate) step_ms: i64,
    pub(crate) range_ms: i64,
}

/// The length, in ms, now that the query's times are known.
pub(crate) fn known(length: &Length, times: QueryTimes, may_be_negative: bool) -> Result<i64, String> {
    let Length::Computed(expr) = length else { return Ok(length.ms()) };
    let seconds = seconds(expr, times)?;
    let failed = |what: &str| Err(at(expr, &format!("duration {what}")));
    if !seconds.is_finite() {
        return failed("is NaN or infinite");
    }
    if !may_be_negative && seconds <= 0.0 {
        return failed("must be greater than 0");
    }
    if seconds.abs() > i64::MAX as f64 / 1e9 {
        return failed("is out of range");
    }
    Ok((seconds * 1e3) as i64)
}

/// What is wrong, behind where the expression begins and ends in bytes.
fn at(expr: &DurationExpr, what: &str) -> String {
    let extent = expr.extent();
    format!("{}:{}: {what}", extent.start, extent.end)
}

fn seconds(expr: &DurationExpr, times: QueryTimes) -> Result<f64, String> {
    Ok(match expr {
        DurationExpr::Number(number, _) => number.value,
        DurationExpr::Step(_) => times.step_ms as f64 / 1e3,
        DurationExpr::Range(_) => times.range_ms as f64 / 1e3,
        DurationExpr::Negative(inner, _) => -seconds(inner, times)?,
        DurationExpr::Paren(inner) => seconds(inner, times)?,
        DurationExpr::Min(left, right) => seconds(left, times)?.min(seconds(right, times)?),
        DurationExpr::Max(left, right) => seconds(left, times)?.max(seconds(right, times)?),
        DurationExpr::Binary(operator, left, right) => {
            let (left, right) = (seconds(left, times)?, seconds(right, times)?);
            match operator {
                Operator::Add => left + right,
                Operator::Sub => left - right,
                Operator::Mul => left * right,
                Operator::Div if right == 0.0 => return Err(at(expr, "division by zero")),
                Operator::Div => left / right,
                Operator::Mod if right == 0.0 => return Err(at(expr, "modulo by zero")),
                Operator::Mod => left % right,
                _ => left.powf(right),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms) in [("1h30m", 5_400_000), ("1w", 604_800_000), ("90s", 90_000), ("1d", 86_400_000), ("5ms", 5)] {
            assert_eq!(parse(text), Ok(ms));
        }
        assert_eq!(format(90_000), "1m30s");
        assert_eq!(format(8 * 86_400_000), "8d");
        assert_eq!(format(14 * 86_400_000), "2w");
        assert_eq!(format(0), "0s");
        assert_eq!(parse("1m1h"), Err("not a valid duration string: \"1m1h\"".to_owned()));
        assert_eq!(parse("999999999999y"), Err("duration out of range".to_owned()));
    }
}
