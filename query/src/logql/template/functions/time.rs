//! Functions on times.

use super::Function;
use crate::{
    gotemplate::{Value, layout},
    logql::units,
};

pub(super) const FUNCTIONS: &[Function] = &[
    ("__timestamp__", (0, 0), |_, scope| Ok(Value::Time(scope.time_ns(), 0))),
    ("now", (0, 0), |_, scope| Ok(Value::Time(scope.now_ns(), 0))),
    ("date", (2, 2), |arguments, scope| {
        let (ns, zone) = match &arguments[1] {
            Value::Time(ns, zone) => (*ns, *zone),
            Value::Int(seconds) => (seconds.saturating_mul(1_000_000_000), 0),
            // As sprig has it: what is no time is now.
            _ => (scope.now_ns(), 0),
        };
        Ok(Value::Text(layout::format(ns, zone, &arguments[0].text())))
    }),
    ("toDate", (2, 2), |arguments, _| Ok(to_date(&arguments[0].text(), "UTC", &arguments[1].text()))),
    ("toDateInZone", (3, 3), |arguments, _| {
        Ok(to_date(&arguments[0].text(), &arguments[1].text(), &arguments[2].text()))
    }),
    ("unixEpoch", (1, 1), |arguments, _| epoch(&arguments[0], 1_000_000_000)),
    ("unixEpochMillis", (1, 1), |arguments, _| epoch(&arguments[0], 1_000_000)),
    ("unixEpochNanos", (1, 1), |arguments, _| epoch(&arguments[0], 1)),
    ("unixToTime", (1, 1), |arguments, _| unix_to_time(&arguments[0].text())),
    ("duration", (1, 1), |arguments, _| seconds(&arguments[0].text())),
    ("duration_seconds", (1, 1), |arguments, _| seconds(&arguments[0].text())),
];

/// What does not fit the layout is the zero time of Go.
fn to_date(layout_text: &str, zone: &str, text: &str) -> Value {
    let zone_s = layout::zone_seconds(zone).unwrap_or(0);
    match layout::parse(layout_text, text, zone_s) {
        Some((ns, zone)) => Value::Time(ns, zone),
        None => Value::Time(layout::ZERO_TIME_NS, 0),
    }
}

fn epoch(value: &Value, unit_ns: i64) -> Result<Value, String> {
    match value {
        Value::Time(ns, _) => Ok(Value::Text(ns.div_euclid(unit_ns).to_string())),
        other => Err(format!("wrong type for value; expected time.Time; got {}", other.kind())),
    }
}

/// By the number of digits: days, seconds, ms, µs or ns.
fn unix_to_time(text: &str) -> Result<Value, String> {
    let number: i64 = text.parse().map_err(|_| format!("unable to parse time {text:?}"))?;
    let unit_ns: i64 = match text.len() {
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => {
            return Err(format!("unable to parse time {text:?}: its digits tell no unit"));
        }
    };
    Ok(Value::Time(number.saturating_mul(unit_ns), 0))
}

fn seconds(text: &str) -> Result<Value, String> {
    let ns = units::duration_ns(text).ok_or_else(|| format!("invalid duration {text:?}"))?;
    Ok(Value::Float(ns as f64 / 1e9))
}
