//! OTTL's converters that are known here: a row for each, its function in the file of its topic.
//!
//! Source: <https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/ottlfuncs/README.md>

mod calendar;
mod convert;
mod ids;
mod kinds;
mod lists;
mod maps;
mod texts;
mod times;

use regex::bytes::Regex;

use super::{
    expression::{Call, Operand},
    value::Value,
};

/// Most arguments of a function.
pub(super) const ARGUMENTS_MAX: usize = 3;

/// The arguments' values, nil where there is none.
pub(super) type Arguments<'v> = [Value<'v>; ARGUMENTS_MAX];

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Names of its parameters, in order.
    pub(super) parameters: &'static [&'static str],
    /// How many of them it needs.
    pub(super) required: usize,
    /// It says yes or no.
    pub(super) is_test: bool,
    /// What it makes of its arguments, none of which is a fault.
    pub(super) call: for<'v> fn(Arguments<'v>, &'v Call) -> Value<'v>,
    /// Finds what is wrong with literal arguments, the pattern among them.
    pub(super) check: fn(&[Operand], Option<&Regex>) -> Result<(), String>,
}

const fn row(
    name: &'static str,
    parameters: &'static [&'static str],
    call: for<'v> fn(Arguments<'v>, &'v Call) -> Value<'v>,
) -> Function {
    Function { name, parameters, required: parameters.len(), is_test: false, call, check: |_, _| Ok(()) }
}

const fn test(
    name: &'static str,
    parameters: &'static [&'static str],
    call: for<'v> fn(Arguments<'v>, &'v Call) -> Value<'v>,
) -> Function {
    Function { is_test: true, ..row(name, parameters, call) }
}

/// All of them.
static FUNCTIONS: &[Function] = &[
    test("IsMatch", &["target", "pattern"], texts::is_match),
    test("HasPrefix", &["value", "prefix"], texts::has_prefix),
    test("HasSuffix", &["value", "suffix"], texts::has_suffix),
    // The subject knows; see `evaluate`.
    test("IsRootSpan", &[], |_, _| Value::Fault),
    test("IsString", &["value"], kinds::is_string),
    test("IsInt", &["value"], kinds::is_int),
    test("IsDouble", &["value"], kinds::is_double),
    test("IsBool", &["value"], kinds::is_bool),
    test("IsMap", &["value"], kinds::is_map),
    test("IsList", &["value"], kinds::is_list),
    test("ContainsValue", &["target", "item"], lists::contains_value),
    row("Len", &["target"], lists::len),
    row("Split", &["target", "delimiter"], lists::split),
    row("Concat", &["values", "delimiter"], lists::concat),
    row("Keys", &["target"], maps::keys),
    row("Values", &["target"], maps::values),
    row("ParseJSON", &["target"], maps::parse_json),
    Function { check: maps::check_groups, ..row("ExtractPatterns", &["target", "pattern"], maps::extract_patterns) },
    row("Log", &["value"], maps::log),
    row("Int", &["value"], convert::int),
    row("Double", &["value"], convert::double),
    // It may stand alone: what it makes is a condition.
    test("Bool", &["value"], convert::bool),
    row("String", &["value"], convert::string),
    row("Substring", &["target", "start", "length"], texts::substring),
    row("ToLowerCase", &["target"], texts::to_lower_case),
    row("ToUpperCase", &["target"], texts::to_upper_case),
    row("ToCamelCase", &["target"], texts::to_camel_case),
    row("ToSnakeCase", &["target"], texts::to_snake_case),
    Function { check: texts::check_case, ..row("ConvertCase", &["target", "toCase"], texts::convert_case) },
    Function { required: 1, ..row("Trim", &["target", "replacement"], texts::trim) },
    row("TrimPrefix", &["target", "prefix"], texts::trim_prefix),
    row("TrimSuffix", &["target", "suffix"], texts::trim_suffix),
    row("Index", &["target", "value"], texts::index),
    row("Hex", &["value"], ids::hex_of),
    row("TraceID", &["bytes"], ids::trace_id),
    row("SpanID", &["bytes"], ids::span_id),
    Function { check: times::check_duration, ..row("Duration", &["duration"], times::duration) },
    row("Nanoseconds", &["value"], times::nanoseconds),
    row("Microseconds", &["value"], times::microseconds),
    row("Milliseconds", &["value"], times::milliseconds),
    row("Seconds", &["value"], times::seconds),
    row("Minutes", &["value"], times::minutes),
    row("Hours", &["value"], times::hours),
    row("UnixNano", &["time"], times::nanoseconds),
    row("UnixMicro", &["time"], times::microseconds),
    row("UnixMilli", &["time"], times::milliseconds),
    row("UnixSeconds", &["time"], times::unix_seconds),
    Function { required: 1, ..row("Unix", &["seconds", "nanoseconds"], calendar::unix) },
    row("TruncateTime", &["time", "duration"], calendar::truncate_time),
    row("Nanosecond", &["time"], calendar::nanosecond),
    row("Second", &["time"], calendar::second),
    row("Minute", &["time"], calendar::minute),
    row("Hour", &["time"], calendar::hour),
    row("Weekday", &["time"], calendar::weekday),
    row("Day", &["time"], calendar::day),
    row("Month", &["time"], calendar::month),
    row("Year", &["time"], calendar::year),
];

/// The function of this name.
pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}
