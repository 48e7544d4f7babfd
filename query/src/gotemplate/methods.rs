//! What can be called on times and lengths of time: `{{ (toTime $value).Format "15:04" }}`.

use super::{Value, layout};

const NS: i64 = 1_000_000_000;

/// Calls a method; `None` when the value has none of this name.
pub(super) fn call(value: &Value, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    let (takes, result) = match value {
        Value::Time(ns, zone_s) => of_time(*ns, *zone_s, name, arguments)?,
        Value::Duration(ns) => of_duration(*ns, name, arguments)?,
        _ => return None,
    };
    if arguments.len() != takes {
        return Some(Err(format!("wrong number of args for {name}: want {takes} got {}", arguments.len())));
    }
    Some(result)
}

/// How many arguments it takes, and what it gives.
type Called = (usize, Result<Value, String>);

fn of_time(ns: i64, zone_s: i32, name: &str, arguments: &[Value]) -> Option<Called> {
    let part = |form: &str| layout::format(ns, zone_s, form);
    let number = |form: &str| Ok(Value::Int(part(form).trim_start_matches('0').parse().unwrap_or(0)));
    let named = |kind, form: &str| Ok(Value::Opaque(kind, part(form)));
    let plain = match name {
        "UTC" | "Local" => Ok(Value::Time(ns, 0)),
        "String" => Ok(Value::Text(layout::shown(ns, zone_s))),
        "Unix" => Ok(Value::Int(ns.div_euclid(NS))),
        "UnixMilli" => Ok(Value::Int(ns.div_euclid(1_000_000))),
        "UnixMicro" => Ok(Value::Int(ns.div_euclid(1_000))),
        "UnixNano" => Ok(Value::Int(ns)),
        "Year" => number("2006"),
        "Month" => named("time.Month", "January"),
        "Day" => number("02"),
        "Hour" => number("15"),
        "Minute" => number("04"),
        "Second" => number("05"),
        "Nanosecond" => Ok(Value::Int(ns.rem_euclid(NS))),
        "YearDay" => number("002"),
        "Weekday" => named("time.Weekday", "Monday"),
        "IsZero" => Ok(Value::Bool(ns == layout::ZERO_TIME_NS)),
        "Format" => return Some((1, text(arguments).map(|form| Value::Text(layout::format(ns, zone_s, form))))),
        "Add" => return Some((1, length(arguments).map(|more| Value::Time(ns.saturating_add(more), zone_s)))),
        "Truncate" => return Some((1, length(arguments).map(|unit| Value::Time(whole(ns, unit), zone_s)))),
        "Sub" => {
            let result = match arguments.first() {
                Some(Value::Time(other, _)) => Ok(Value::Duration(ns.saturating_sub(*other))),
                other => Err(wrong("time.Time", other)),
            };
            return Some((1, result));
        }
        _ => return None,
    };
    Some((0, plain))
}

fn of_duration(ns: i64, name: &str, arguments: &[Value]) -> Option<Called> {
    let plain = match name {
        "String" => Value::Text(layout::duration(ns)),
        "Hours" => Value::Float(ns as f64 / 3600e9),
        "Minutes" => Value::Float(ns as f64 / 60e9),
        "Seconds" => Value::Float(ns as f64 / 1e9),
        "Milliseconds" => Value::Int(ns / 1_000_000),
        "Microseconds" => Value::Int(ns / 1_000),
        "Nanoseconds" => Value::Int(ns),
        "Abs" => Value::Duration(ns.saturating_abs()),
        "Truncate" => {
            return Some((
                1,
                length(arguments).map(|unit| Value::Duration(if unit > 0 { ns - ns % unit } else { ns })),
            ));
        }
        "Round" => return Some((1, length(arguments).map(|unit| Value::Duration(rounded(ns, unit))))),
        _ => return None,
    };
    Some((0, Ok(plain)))
}

fn text(arguments: &[Value]) -> Result<&str, String> {
    match arguments.first() {
        Some(Value::Text(text)) => Ok(text),
        other => Err(wrong("string", other)),
    }
}

/// ns; a whole number is one, too.
fn length(arguments: &[Value]) -> Result<i64, String> {
    match arguments.first() {
        Some(Value::Duration(ns) | Value::Int(ns)) => Ok(*ns),
        other => Err(wrong("time.Duration", other)),
    }
}

fn wrong(expected: &str, found: Option<&Value>) -> String {
    format!("wrong type for value; expected {expected}; got {}", found.map_or("nothing", Value::kind))
}

/// Down to a multiple.
fn whole(ns: i64, unit: i64) -> i64 {
    if unit > 0 { ns - ns.rem_euclid(unit) } else { ns }
}

/// To the nearest multiple, halves away from zero.
fn rounded(ns: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return ns;
    }
    let rest = ns % unit;
    let down = ns - rest;
    if rest.saturating_abs().saturating_mul(2) < unit { down } else { down.saturating_add(unit * rest.signum()) }
}
