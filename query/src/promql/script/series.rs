//! Series as scripts describe them: `metric{label="value"} 1 2+3x4 _x2 {{count:1}}`.

use std::sync::Arc;

use weir_proto::metrics::{Histogram, Labels, STALE_NAN};

use super::histogram;
use crate::promql::{
    histogram::arithmetic,
    syntax::{self, ast::Node, duration, number::parse_float},
};

/// Values that a series may have.
const VALUES_MAX: usize = 2_000_000;

/// A series and its values, one for each step.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<Sequence>,
}

/// A value at a step.
#[derive(Debug, Clone)]
pub(crate) enum Sequence {
    Omitted,
    Float(f64),
    Histogram {
        histogram: Arc<Histogram>,
        /// Whether the script says what its hint is.
        has_hint: bool,
    },
}

/// Reads a series and its values.
pub(crate) fn described(line: &str) -> Result<Described, String> {
    let (selector, values) = split(line)?;
    Ok(Described { labels: labels(selector)?, values: sequence(values)? })
}

/// The series and its values.
fn split(line: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut in_braces = false;
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(open), '\\') if open != '`' => {
                letters.next();
            }
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') if in_braces => quote = Some(letter),
            (None, '{') => in_braces = true,
            (None, '}') => return Ok((&line[..=at], line[at + 1..].trim())),
            (None, letter) if letter.is_whitespace() && !in_braces => {
                let rest = line[at..].trim_start();
                // Blanks may stand before the braces, but not before a histogram.
                if !rest.starts_with('{') || rest.starts_with("{{") {
                    return Ok((&line[..at], rest));
                }
            }
            _ => {}
        }
    }
    Ok((line, ""))
}

fn labels(selector: &str) -> Result<Labels, String> {
    if selector.replace(char::is_whitespace, "") == "{}" {
        return Ok(Labels::default());
    }
    let expr = syntax::parse_selector(selector).map_err(|error| error.to_string())?;
    let Node::Selector(selector) = &expr.node else { return Err("no series".to_owned()) };
    let pairs = selector.matchers.iter().map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
    Labels::new(pairs).map_err(|error| error.to_string())
}

fn sequence(text: &str) -> Result<Vec<Sequence>, String> {
    let mut values = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        rest = item(rest, &mut values)?.trim_start();
        if values.len() > VALUES_MAX {
            return Err(format!("a series has more than {VALUES_MAX} values"));
        }
    }
    Ok(values)
}

/// `x5` after a value: how often it is repeated.
fn times(rest: &str) -> Result<(Option<usize>, &str), String> {
    let Some(after) = rest.strip_prefix('x') else { return Ok((None, rest)) };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let count: usize = after[..digits].parse().map_err(|_| format!("bad repetition in {rest:?}"))?;
    if count > VALUES_MAX {
        return Err(format!("a series has more than {VALUES_MAX} values"));
    }
    Ok((Some(count), &after[digits..]))
}

fn item<'a>(text: &'a str, values: &mut Vec<Sequence>) -> Result<&'a str, String> {
    if let Some(rest) = text.strip_prefix('_') {
        let (count, rest) = times(rest)?;
        values.extend(std::iter::repeat_n(Sequence::Omitted, count.unwrap_or(1)));
        return Ok(rest);
    }
    if text.starts_with("{{") {
        return histograms(text, values);
    }
    if let Some(rest) = text.strip_prefix("stale") {
        let (count, rest) = times(rest)?;
        values.extend(std::iter::repeat_n(Sequence::Float(STALE_NAN), count.map_or(1, |count| count + 1)));
        return Ok(rest);
    }
    let (mut value, rest) = number(text)?;
    let (delta, rest) = if rest.starts_with(['+', '-']) { number(rest)? } else { (0.0, rest) };
    let (count, rest) = times(rest)?;
    values.push(Sequence::Float(value));
    for _ in 0..count.unwrap_or(0) {
        value += delta;
        values.push(Sequence::Float(value));
    }
    Ok(rest)
}

fn number(text: &str) -> Result<(f64, &str), String> {
    let bytes = text.as_bytes();
    let sign = usize::from(text.starts_with(['+', '-']));
    let lower = text[sign..].get(..3).unwrap_or_default().to_ascii_lowercase();
    let mut end = sign;
    if lower == "inf" || lower == "nan" {
        end += 3;
    } else {
        while end < bytes.len() && (bytes[end].is_ascii_digit() || bytes[end] == b'.') {
            end += 1;
        }
        if end < bytes.len() && matches!(bytes[end], b'e' | b'E') {
            end += 1;
            end += usize::from(matches!(bytes.get(end), Some(b'+' | b'-')));
            while end < bytes.len() && bytes[end].is_ascii_digit() {
                end += 1;
            }
        }
    }
    // Go's NaN has no sign, but scripts may write one.
    let literal = if lower == "nan" { &text[sign..end] } else { &text[..end] };
    let value = parse_float(literal).ok_or_else(|| format!("no value: {text:?}"))?;
    Ok((value, &text[end..]))
}

fn histograms<'a>(text: &'a str, values: &mut Vec<Sequence>) -> Result<&'a str, String> {
    let (first, has_hint, rest) = histogram::parse(text)?;
    let push = |histogram: &Histogram, has_hint: bool, values: &mut Vec<Sequence>| {
        values.push(Sequence::Histogram { histogram: Arc::new(histogram.clone()), has_hint });
    };
    let is_sum = rest.starts_with("+{{");
    if !is_sum && !rest.starts_with("-{{") {
        let (count, rest) = times(rest)?;
        (0..=count.unwrap_or(0)).for_each(|_| push(&first, has_hint, values));
        return Ok(rest);
    }
    let (delta, has_hint, rest) = histogram::parse(&rest[1..])?;
    let (count, rest) = times(rest)?;
    let mut current = first;
    push(&current, has_hint, values);
    for _ in 0..count.unwrap_or(0) {
        let result =
            if is_sum { arithmetic::add(&mut current, &delta) } else { arithmetic::subtract(&mut current, &delta) };
        result.map_err(|_| "histograms that cannot be combined")?;
        push(&current, has_hint, values);
    }
    Ok(rest)
}

/// Start times relative to their samples, in ms: `-1m _x2 -1m+10sx3 *x2`.
pub(super) fn starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts: Vec<Option<i64>> = Vec::new();
    for item in text.split_whitespace() {
        if let Some(rest) = item.strip_prefix('_') {
            starts.extend(std::iter::repeat_n(None, times(rest)?.0.unwrap_or(1)));
            continue;
        }
        let (mut start, rest) = match item.strip_prefix('*') {
            Some(rest) => (starts.iter().rev().flatten().next().copied().unwrap_or(0), rest),
            None => signed_duration(item)?,
        };
        let (delta, rest) = if rest.starts_with(['+', '-']) { signed_duration(rest)? } else { (0, rest) };
        let (count, _) = times(rest)?;
        starts.push(Some(start));
        for _ in 0..count.unwrap_or(0) {
            start += delta;
            starts.push(Some(start));
        }
    }
    Ok(starts)
}

fn signed_duration(text: &str) -> Result<(i64, &str), String> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let body = &text[sign..];
    // Units have no `x`, repetitions begin with one.
    let end = body.find(['x', '+', '-']).unwrap_or(body.len());
    let ms = duration::parse(&body[..end])?;
    Ok((if text.starts_with('-') { -ms } else { ms }, &body[end..]))
}
