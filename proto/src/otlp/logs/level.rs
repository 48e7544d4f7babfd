//! How grave a line is, in Loki's words (`detected_level`): by its severity, else by a field, else by the head of its text.

use super::{Attributes, LineView, ValueView};
use crate::json::{FieldLimits, FieldValue, fields, may_have_fields};

/// The level of lines that say none.
pub const UNKNOWN_LEVEL: &str = "unknown";

/// Names of fields that hold a level, in any case, the first ones first.
pub const LEVEL_FIELDS: [&str; 6] = ["level", "lvl", "severity", "severity_text", "log.level", "loglevel"];

/// How much of a text is looked at for a word that is a level.
const HEAD_BYTES: usize = 256;

/// The level of an OTLP SeverityNumber; `None` where it says nothing.
pub fn level_of_severity(number: i32) -> Option<&'static str> {
    Some(match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => return None,
    })
}

/// The level that a word stands for, in any case: `WRN` is `warn`, `E` is none.
pub fn level_of_word(word: &[u8]) -> Option<&'static str> {
    const WORDS: [(&str, &str); 22] = [
        ("trace", "trace"),
        ("trc", "trace"),
        ("debug", "debug"),
        ("dbg", "debug"),
        ("info", "info"),
        ("inf", "info"),
        ("information", "info"),
        ("informational", "info"),
        ("notice", "info"),
        ("warn", "warn"),
        ("wrn", "warn"),
        ("warning", "warn"),
        ("error", "error"),
        ("err", "error"),
        ("eror", "error"),
        ("critical", "critical"),
        ("crit", "critical"),
        ("alert", "critical"),
        ("fatal", "fatal"),
        ("panic", "fatal"),
        ("emerg", "fatal"),
        ("emergency", "fatal"),
    ];
    let word = word.trim_ascii();
    if !(3..=13).contains(&word.len()) {
        return None;
    }
    let known = WORDS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word));
    known.map(|(_, level)| *level)
}

/// The level of a line: of its severity, else of its attributes and its resource's, else of its body.
pub fn detected_level(line: &LineView<'_>, resource: Attributes<'_>) -> &'static str {
    let by_severity = level_of_severity(line.severity_number).or_else(|| level_of_word(line.severity_text));
    if let Some(level) = by_severity.or_else(|| level_of_attributes(line.attributes)) {
        return level;
    }
    if let Some(level) = level_of_attributes(resource) {
        return level;
    }
    match line.body {
        ValueView::Str(text) => level_of_text(text),
        ValueView::KvList(list) => level_of_pairs(super::super::key_values(list)).unwrap_or(UNKNOWN_LEVEL),
        _ => UNKNOWN_LEVEL,
    }
}

fn level_of_attributes(attributes: Attributes<'_>) -> Option<&'static str> {
    level_of_pairs(attributes.iter())
}

fn level_of_pairs<'a>(pairs: impl Iterator<Item = super::AttributeView<'a>>) -> Option<&'static str> {
    let mut found = Found::default();
    for pair in pairs {
        match pair.value {
            ValueView::Str(text) => found.offer(pair.key, || level_of_word(text)),
            ValueView::Int(number) => found.offer(pair.key, || level_of_number(number)),
            _ => {}
        }
    }
    found.level()
}

/// The level of a text: of a field when it is a JSON object, or has one as logfmt writes it, else of the first word near its beginning
/// that is one.
pub fn level_of_text(text: &[u8]) -> &'static str {
    if may_have_fields(text) {
        let mut found = Found::default();
        let read = fields(text, FieldLimits::default(), |name, value| match &value {
            FieldValue::Text(word) => found.offer(name, || level_of_word(word)),
            FieldValue::Number(digits) => found.offer(name, || level_of_digits(digits)),
            _ => {}
        });
        if let (Ok(()), Some(level)) = (read, found.level()) {
            return level;
        }
        if read.is_ok() {
            return UNKNOWN_LEVEL;
        }
    }
    let head = &text[..text.len().min(HEAD_BYTES)];
    level_of_pair(head).or_else(|| first_word(head)).unwrap_or(UNKNOWN_LEVEL)
}

/// Where a field of this name stands among those that hold a level: one with a lesser number goes before others.
pub fn level_rank(name: &[u8]) -> Option<usize> {
    let is_long_enough = (3..=13).contains(&name.len());
    LEVEL_FIELDS.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name)).filter(|_| is_long_enough)
}

/// The level that a field of numbers says.
pub fn level_of_digits(digits: &[u8]) -> Option<&'static str> {
    level_of_number(std::str::from_utf8(digits).ok()?.parse().ok()?)
}

/// Levels as pino and bunyan number them.
fn level_of_number(number: i64) -> Option<&'static str> {
    Some(match number {
        10 => "trace",
        20 => "debug",
        30 => "info",
        40 => "warn",
        50 => "error",
        60 => "fatal",
        _ => return None,
    })
}

/// The level of the best field so far.
#[derive(Default)]
struct Found(Option<(usize, &'static str)>);

impl Found {
    fn offer(&mut self, name: &[u8], level: impl FnOnce() -> Option<&'static str>) {
        let Some(rank) = level_rank(name) else { return };
        if self.0.is_none_or(|(best, _)| rank < best)
            && let Some(level) = level()
        {
            self.0 = Some((rank, level));
        }
    }

    fn level(self) -> Option<&'static str> {
        self.0.map(|(_, level)| level)
    }
}

/// The level of `level=error` or `lvl="warn"` in a text.
fn level_of_pair(text: &[u8]) -> Option<&'static str> {
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'=') {
        let name_len = text[..at].iter().rev().take_while(|byte| is_name(**byte)).count();
        let name = &text[at - name_len..at];
        if !LEVEL_FIELDS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
            continue;
        }
        let value = text[at + 1..].strip_prefix(b"\"").unwrap_or(&text[at + 1..]);
        let len = value.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if let Some(level) = level_of_word(&value[..len]) {
            return Some(level);
        }
    }
    None
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// The first word that is a level.
fn first_word(text: &[u8]) -> Option<&'static str> {
    text.split(|byte| !byte.is_ascii_alphabetic()).find_map(level_of_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_tell_their_level() {
        let rows = [
            (r#"{"level":"ERROR","msg":"info"}"#, "error"),
            (r#"{"msg":"x","severity":"Warning"}"#, "warn"),
            (r#"{"severity":"warn","level":"debug"}"#, "debug"),
            (r#"{"level":50,"msg":"pino"}"#, "error"),
            (r#"{"log":{"level":"fatal"}}"#, "fatal"),
            (r#"{"msg":"error without a level"}"#, "unknown"),
            (r#"{"level":"error", broken"#, "error"),
            ("ts=1 level=warn msg=error", "warn"),
            ("ts=1 lvl=\"dbg\" msg=error", "debug"),
            ("2023-11-14 [INFO] an error", "info"),
            ("ERR: no such file", "error"),
            ("CRITICAL failure", "critical"),
            ("terrible weather", "unknown"),
            ("", "unknown"),
        ];
        for (text, expected) in rows {
            assert_eq!(level_of_text(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn severity_goes_before_everything() {
        let line = |severity_number, severity_text| LineView {
            severity_number,
            severity_text,
            body: ValueView::Str(b"level=debug"),
            ..LineView::default()
        };
        let of = |line| detected_level(&line, Attributes::default());
        assert_eq!(of(line(17, b"whatever")), "error");
        assert_eq!(of(line(0, b"Warning")), "warn");
        assert_eq!(of(line(0, b"whatever")), "debug");
        let numbers = [0, 1, 5, 9, 13, 17, 21, 24, 25].map(|number| level_of_severity(number).unwrap_or("-"));
        assert_eq!(numbers, ["-", "trace", "debug", "info", "warn", "error", "fatal", "fatal", "-"]);
    }
}
