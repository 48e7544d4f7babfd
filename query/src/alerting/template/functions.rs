//! The functions of Prometheus' template reference.

use std::collections::BTreeMap;

use super::{
    host::{RESULT, SAMPLE},
    humanize,
};
use crate::{
    gotemplate::{Parameter, Signature, Value, builtins::url_query},
    logql::regex::{Pattern, replacement},
    promql::syntax::{duration, number::parse_float, quote::quoted},
};

type Function = (&'static str, &'static [Parameter], fn(&[Value]) -> Result<Value, String>);

use Parameter::{Any, List, Record, Text};

const TABLE: &[Function] = &[
    ("first", &[List(RESULT)], |arguments| match &arguments[0] {
        Value::List(samples) if !samples.is_empty() => Ok(samples[0].clone()),
        _ => Err("first() called on vector with no elements".into()),
    }),
    ("label", &[Text, Record(SAMPLE)], |arguments| arguments[1].field("Labels")?.field(&arguments[0].text())),
    ("value", &[Record(SAMPLE)], |arguments| arguments[0].field("Value")),
    ("strvalue", &[Record(SAMPLE)], |arguments| arguments[0].field("Labels")?.field("__value__")),
    ("sortByLabel", &[Text, List(RESULT)], sort_by_label),
    ("reReplaceAll", &[Text, Text, Text], |arguments| {
        let pattern = regex(&arguments[0].text())?;
        let with = replacement(&arguments[1].text());
        Ok(Value::Text(pattern.regex().replace_all(&arguments[2].text(), with.as_str()).into_owned()))
    }),
    ("match", &[Text, Text], |arguments| {
        Ok(Value::Bool(regex(&arguments[0].text())?.regex().is_match(&arguments[1].text())))
    }),
    ("title", &[Text], |arguments| Ok(Value::Text(title(&arguments[0].text())))),
    ("toUpper", &[Text], |arguments| Ok(Value::Text(arguments[0].text().to_uppercase()))),
    ("toLower", &[Text], |arguments| Ok(Value::Text(arguments[0].text().to_lowercase()))),
    ("safeHtml", &[Text], |arguments| Ok(arguments[0].clone())),
    ("graphLink", &[Text], |arguments| Ok(link(&arguments[0].text(), 0))),
    ("tableLink", &[Text], |arguments| Ok(link(&arguments[0].text(), 1))),
    ("urlQueryEscape", &[Text], |arguments| Ok(Value::Text(url_query(&arguments[0].text())))),
    ("stripPort", &[Text], |arguments| {
        let text = arguments[0].text();
        Ok(Value::Text(host_and_port(&text).map_or(text.clone(), |(host, _)| host)))
    }),
    ("stripDomain", &[Text], |arguments| Ok(Value::Text(strip_domain(&arguments[0].text())))),
    ("humanize", &[Any], |arguments| Ok(Value::Text(humanize::decimal(float(&arguments[0])?)))),
    ("humanize1024", &[Any], |arguments| Ok(Value::Text(humanize::binary(float(&arguments[0])?)))),
    ("humanizeDuration", &[Any], |arguments| Ok(Value::Text(humanize::duration(float(&arguments[0])?)))),
    ("humanizePercentage", &[Any], |arguments| Ok(Value::Text(humanize::percentage(float(&arguments[0])?)))),
    ("humanizeTimestamp", &[Any], |arguments| humanize::timestamp(float(&arguments[0])?).map(Value::Text)),
    ("toTime", &[Any], |arguments| Ok(Value::Time(humanize::time_ns(float(&arguments[0])?)?, 0))),
    ("toDuration", &[Any], |arguments| Ok(Value::Duration(humanize::duration_ns(float(&arguments[0])?)?))),
    ("parseDuration", &[Text], |arguments| Ok(Value::Float(duration::parse(&arguments[0].text())? as f64 / 1e3))),
];

const ARGS: Signature = Signature { parameters: &[], rest: Some(Any), optional: 0 };

/// What a function takes.
pub(super) fn signature(name: &str) -> Option<Signature> {
    if name == "args" {
        return Some(ARGS);
    }
    let (_, parameters, _) = TABLE.iter().find(|(known, ..)| *known == name)?;
    Some(Signature { parameters, rest: None, optional: 0 })
}

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    if name == "args" {
        let named = arguments.iter().enumerate().map(|(number, value)| (format!("arg{number}"), value.clone()));
        return Some(Ok(Value::Map(named.collect::<BTreeMap<_, _>>())));
    }
    TABLE.iter().find(|(known, ..)| *known == name).map(|(.., function)| function(arguments))
}

/// A number, or a text that reads as one.
fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Duration(ns) => Ok(*ns as f64 / 1e9),
        Value::Text(text) => {
            parse_float(text).ok_or_else(|| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(text)))
        }
        Value::Nil => Err("can't convert <nil> to float".into()),
        other => Err(format!("can't convert {} to float", other.kind())),
    }
}

fn sort_by_label(arguments: &[Value]) -> Result<Value, String> {
    let name = arguments[0].text();
    let Value::List(samples) = &arguments[1] else { return Ok(arguments[1].clone()) };
    let mut keyed = Vec::with_capacity(samples.len());
    for sample in samples {
        keyed.push((sample.field("Labels")?.field(&name)?.text(), sample.clone()));
    }
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(Value::List(keyed.into_iter().map(|(_, sample)| sample).collect()))
}

fn regex(pattern: &str) -> Result<Pattern, String> {
    Pattern::unanchored(pattern)
}

/// Every word with a capital.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for c in text.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

fn link(query: &str, tab: u8) -> Value {
    Value::Text(format!("/graph?g0.expr={}&g0.tab={tab}", url_query(query)))
}

/// `host:port` and `[host]:port`; `None` when there is no port.
fn host_and_port(text: &str) -> Option<(String, String)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            (host, after.strip_prefix(':')?)
        }
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':'))?,
    };
    let is_odd = |part: &str| part.contains(['[', ']', ':']);
    (!is_odd(port) && !host.contains(['[', ']'])).then(|| (host.to_owned(), port.to_owned()))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = host_and_port(text).unwrap_or((text.to_owned(), String::new()));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let name = host.split('.').next().unwrap_or_default();
    match (port.is_empty(), name.contains(':')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("[{name}]:{port}"),
        (false, false) => format!("{name}:{port}"),
    }
}
