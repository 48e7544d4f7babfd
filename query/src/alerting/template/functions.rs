//! The functions of Prometheus' template reference.

use std::collections::BTreeMap;

use regex::Regex;

use super::{
    host::{RESULT, SAMPLE},
    humanize,
};
use crate::{
    gotemplate::{Parameter, Signature, Value, builtins::url_query},
    logql::regex::replacement,
    promql::syntax::{duration, number::parse_float, quote::quoted, regex::anywhere},
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
        let pattern = arguments[0].text();
        let compiled = regex(&pattern).map_err(|error| format!("regexp: Compile({}): {error}", go_quoted(&pattern)))?;
        let with = replacement(&arguments[1].text());
        Ok(Value::Text(compiled.replace_all(&arguments[2].text(), with.as_str()).into_owned()))
    }),
    ("match", &[Text, Text], |arguments| Ok(Value::Bool(regex(&arguments[0].text())?.is_match(&arguments[1].text())))),
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
    ("toDuration", &[Any], |arguments| Ok(Value::Duration(humanize::duration_ns(float(&arguments[0])?)))),
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

fn regex(pattern: &str) -> Result<Regex, String> {
    anywhere(pattern).map_err(|error| format!("error parsing regexp: {error}"))
}

/// In backquotes, where that is possible.
fn go_quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c != '`' && c != '\u{7f}' && (c >= ' ' || c == '\t'));
    if is_plain { format!("`{text}`") } else { quoted(text) }
}

/// The first letter of every word as titles have it. A word goes on over `.`, `:` and apostrophes between letters or
/// digits, and over `_` (<https://unicode.org/reports/tr29/#Word_Boundaries>).
fn title(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut begins = true;
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1).copied();
        if begins && c.is_alphabetic() {
            out.extend(title_letter(*c));
            begins = false;
            continue;
        }
        out.push(*c);
        begins |= !(c.is_alphanumeric() || *c == '_' || joins(*c, before, after));
    }
    out
}

/// Whether a sign between two letters or digits ends no word.
fn joins(sign: char, before: Option<char>, after: Option<char>) -> bool {
    let both = |is: fn(char) -> bool| before.is_some_and(is) && after.is_some_and(is);
    let between_letters =
        matches!(sign, ':' | '.' | '\'' | '\u{b7}' | '\u{2018}' | '\u{2019}' | '\u{2024}' | '\u{2027}');
    let between_digits = matches!(sign, ',' | ';' | '.' | '\'' | '\u{2018}' | '\u{2019}' | '\u{2024}');
    (between_letters && both(char::is_alphabetic)) || (between_digits && both(char::is_numeric))
}

/// A letter at the beginning of a word: of those that stand for two only the first is large.
fn title_letter(letter: char) -> impl Iterator<Item = char> {
    let digraph = match letter {
        'Ǆ' | 'ǅ' | 'ǆ' => Some('ǅ'),
        'Ǉ' | 'ǈ' | 'ǉ' => Some('ǈ'),
        'Ǌ' | 'ǋ' | 'ǌ' => Some('ǋ'),
        'Ǳ' | 'ǲ' | 'ǳ' => Some('ǲ'),
        _ => None,
    };
    let mut upper: Vec<char> = digraph.map_or_else(|| letter.to_uppercase().collect(), |letter| vec![letter]);
    if upper[0].is_uppercase() {
        upper[1..].iter_mut().for_each(|rest| *rest = rest.to_lowercase().next().unwrap_or(*rest));
    }
    upper.into_iter()
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
