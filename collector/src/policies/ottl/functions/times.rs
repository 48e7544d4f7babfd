//! Durations and times, both nanoseconds here.

use regex::bytes::Regex;

use super::{Arguments, Call, Operand, Value};

pub(super) fn duration<'v>([text, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    let Value::Text(text) = text else { return Value::Fault };
    let duration = std::str::from_utf8(&text).ok().and_then(|text| weir_proto::duration::parse(text).ok());
    duration.map_or(Value::Fault, |duration| Value::Int(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
}

pub(super) fn check_duration(arguments: &[Operand], _: Option<&Regex>) -> Result<(), String> {
    match arguments.first() {
        Some(Operand::Text(text)) => weir_proto::duration::parse(text).map(drop).map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

pub(super) fn nanoseconds<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    whole(value, 1)
}

pub(super) fn microseconds<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    whole(value, 1_000)
}

pub(super) fn milliseconds<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    whole(value, 1_000_000)
}

pub(super) fn unix_seconds<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    whole(value, 1_000_000_000)
}

pub(super) fn seconds<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(value, 1e9)
}

pub(super) fn minutes<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(value, 60e9)
}

pub(super) fn hours<'v>([value, ..]: Arguments<'v>, _: &'v Call) -> Value<'v> {
    part(value, 3600e9)
}

fn whole(value: Value<'_>, unit_ns: i64) -> Value<'_> {
    match value {
        Value::Int(ns) => Value::Int(ns / unit_ns),
        _ => Value::Fault,
    }
}

fn part(value: Value<'_>, unit_ns: f64) -> Value<'_> {
    match value {
        Value::Int(ns) => Value::Float(ns as f64 / unit_ns),
        _ => Value::Fault,
    }
}
