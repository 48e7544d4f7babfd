//! Puts environment variables into a configuration's text, and finds the way back to where things were written.
//!
//! `${env:NAME}` and `${env:NAME:-default}` stand for the variable's value as if it had been typed there; `$${env:`
//! writes a literal `${env:`. Any other `$` is left alone, so that Prometheus' `${1}` needs no escape.

use super::error::ConfigError;

/// Starts a reference.
const OPEN: &str = "${env:";
/// Between a name and what stands in for a variable that is not set, or empty.
const DEFAULT_MARK: &str = ":-";

/// Text with its references replaced.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) text: String,
    replacements: Vec<Replacement>,
}

/// One replaced reference. Values never hold a line break, so lines stay where they are. Columns count characters from 1.
#[derive(Debug)]
struct Replacement {
    line: u64,
    column_in_source: u64,
    source_chars: u64,
    column_in_text: u64,
    value_chars: u64,
}

/// Replaces every reference in `source`; `variable` looks a name up. Whole-line comments are left as they are.
pub(super) fn expand(
    source: &str,
    file: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Expanded, ConfigError> {
    let mut expanded = Expanded { text: String::with_capacity(source.len()), replacements: Vec::new() };
    for (index, line) in source.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with('#') {
            expanded.text.push_str(line);
            continue;
        }
        let number = index as u64 + 1;
        expand_line(line, number, &variable, &mut expanded)
            .map_err(|(column, message)| ConfigError::at(file, number, column, message))?;
    }
    Ok(expanded)
}

/// One line of [`expand`]; errors carry the column in the source.
fn expand_line(
    line: &str,
    number: u64,
    variable: &impl Fn(&str) -> Option<String>,
    out: &mut Expanded,
) -> Result<(), (u64, String)> {
    let chars = |text: &str| text.chars().count() as u64;
    let (mut rest, mut column_in_source, mut column_in_text) = (line, 1, 1);
    while let Some(at) = rest.find(OPEN) {
        let (before, reference) = rest.split_at(at);
        let escaped = before.ends_with('$');
        let literal = if escaped { &before[..before.len() - 1] } else { before };
        out.text.push_str(literal);
        column_in_source += chars(literal);
        column_in_text += chars(literal);

        let (value, source_chars, len) = if escaped {
            (OPEN.to_owned(), chars(OPEN) + 1, OPEN.len())
        } else {
            let Some(len) = reference.find('}').map(|close| close + 1) else {
                return Err((column_in_source, format!("`{OPEN}` has no closing `}}` on its line")));
            };
            let value = value_of(&reference[OPEN.len()..len - 1], variable).map_err(|text| (column_in_source, text))?;
            (value, chars(&reference[..len]), len)
        };
        let value_chars = chars(&value);
        out.text.push_str(&value);
        out.replacements.push(Replacement {
            line: number,
            column_in_source,
            source_chars,
            column_in_text,
            value_chars,
        });
        column_in_source += source_chars;
        column_in_text += value_chars;
        rest = &reference[len..];
    }
    out.text.push_str(rest);
    Ok(())
}

/// The value behind `NAME` or `NAME:-default`.
fn value_of(reference: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, default) = match reference.split_once(DEFAULT_MARK) {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`{name}` is not the name of an environment variable"));
    }
    let value = match (variable(name), default) {
        (Some(value), _) if !value.is_empty() => value,
        (_, Some(default)) => default.to_owned(),
        (Some(empty), None) => empty,
        (None, None) => {
            return Err(format!("environment variable {name} is not set; ${{env:{name}:-value}} gives it a default"));
        }
    };
    // A line break would let a value add keys, and would move every later position.
    if value.contains(['\n', '\r']) {
        return Err(format!("environment variable {name} holds a line break"));
    }
    Ok(value)
}

impl Expanded {
    /// Where a position of the expanded text was written; within a value, where its reference starts.
    pub(super) fn column_in_source(&self, line: u64, column: u64) -> u64 {
        let mut moved = column;
        for replacement in self.replacements.iter().filter(|replacement| replacement.line == line) {
            if column < replacement.column_in_text {
                break;
            }
            let value_end = replacement.column_in_text + replacement.value_chars;
            if column < value_end {
                return replacement.column_in_source;
            }
            moved = replacement.column_in_source + replacement.source_chars + (column - value_end);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("0.0.0.0".into()),
            "EMPTY" => Some(String::new()),
            "LINES" => Some("a\nstorage: {}".into()),
            _ => None,
        }
    }

    #[test]
    fn references_become_values() {
        let cases = [
            ("endpoint: ${env:HOST}:4317", "endpoint: 0.0.0.0:4317"),
            ("${env:HOST}${env:HOST}", "0.0.0.00.0.0.0"),
            ("a: ${env:NONE:-x:-y}", "a: x:-y"),
            ("a: ${env:EMPTY:-x}", "a: x"),
            ("a: '${env:EMPTY}'", "a: ''"),
            ("a: ${env:NONE:-}", "a: "),
            ("a: $${env:HOST}", "a: ${env:HOST}"),
            ("a: ${1} $HOST ${HOST}", "a: ${1} $HOST ${HOST}"),
            ("  # ${env:NONE}\nb: 1\n", "  # ${env:NONE}\nb: 1\n"),
        ];
        for (source, text) in cases {
            assert_eq!(expand(source, "f", variable).expect("expands").text, text, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_replaced() {
        let cases = [
            (
                "a: 1\nb: é ${env:NONE}",
                "f:2:6: environment variable NONE is not set; ${env:NONE:-value} gives it a default",
            ),
            ("a: ${env:HOST", "f:1:4: `${env:` has no closing `}` on its line"),
            ("a: ${env:}", "f:1:4: `` is not the name of an environment variable"),
            ("a: ${env:1A}", "f:1:4: `1A` is not the name of an environment variable"),
            ("a: ${env:LINES}", "f:1:4: environment variable LINES holds a line break"),
        ];
        for (source, message) in cases {
            assert_eq!(expand(source, "f", variable).expect_err(source).to_string(), message);
        }
    }

    #[test]
    fn positions_lead_back_to_the_source() {
        // Text:   a: 0.0.0.0 b $      c: 1 (columns: value 4..11, escape 14..20, c at 22).
        let source = "a: ${env:HOST} b $${env: c: 1\nsecond";
        let expanded = expand(source, "f", variable).expect("expands");
        assert_eq!(expanded.text, "a: 0.0.0.0 b ${env: c: 1\nsecond");
        let column = |line, column| expanded.column_in_source(line, column);
        assert_eq!(column(1, 1), 1);
        assert_eq!((column(1, 4), column(1, 10)), (4, 4), "inside the value");
        assert_eq!(column(1, 12), 16, "after it");
        assert_eq!(column(1, 14), 18, "the escape");
        assert_eq!(column(1, 21), 26, "after both");
        assert_eq!(column(2, 5), 5, "another line");
    }
}
