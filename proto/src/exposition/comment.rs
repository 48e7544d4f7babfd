//! Lines that begin with `#`: what is said of a family, the end, and remarks.

use std::borrow::Cow;

use super::{
    TextFormat, escape,
    parser::{Entry, Exposition, Problem, is_name_byte},
};
use crate::metrics::MetricType;

/// What such a line is.
pub(super) enum Comment<'a> {
    Entry(Entry<'a>),
    Remark,
    End,
}

impl<'a> Exposition<'a> {
    /// Reads a line that begins with `#`; the position is behind that.
    pub(super) fn comment(&mut self) -> Result<Comment<'a>, Problem> {
        match self.format {
            TextFormat::Prometheus => self.loose_comment(),
            TextFormat::OpenMetrics => self.strict_comment(),
        }
    }

    fn loose_comment(&mut self) -> Result<Comment<'a>, Problem> {
        let line = self.rest_of_line();
        let text = trim_blanks(line);
        // `#HELP` is a remark.
        let keyword = if text.len() < line.len() { text.get(..4) } else { None };
        let after = text.get(4..).unwrap_or_default();
        let (Some(b"HELP" | b"TYPE"), Some(b' ' | b'\t')) = (keyword, after.first()) else {
            return Ok(Comment::Remark);
        };
        let (family, rest) = family(trim_blanks(after))?;
        let text = rest.get(1..).unwrap_or_default();
        if keyword == Some(b"HELP") {
            return Ok(Comment::Entry(Entry::Help { family, text: escape::help(utf8(text)?) }));
        }
        let metric_type = match text {
            b"counter" => MetricType::Counter,
            b"gauge" => MetricType::Gauge,
            b"histogram" => MetricType::Histogram,
            b"summary" => MetricType::Summary,
            b"untyped" => MetricType::Unknown,
            _ => return Err(invalid_type(text)),
        };
        self.metric_type = metric_type;
        Ok(Comment::Entry(Entry::Type { family, metric_type }))
    }

    fn strict_comment(&mut self) -> Result<Comment<'a>, Problem> {
        let ends = self.ends_in_line_break();
        let line = self.rest_of_line();
        let Some(text) = line.strip_prefix(b" ") else { return Err(not_a_start(line)) };
        if text == b"EOF" {
            return if self.is_at_end() { Ok(Comment::End) } else { Err(Problem::new("unexpected data after # EOF")) };
        }
        let known = [b"HELP ", b"TYPE ", b"UNIT "];
        let Some(keyword) = known.into_iter().find(|keyword| text.starts_with(*keyword)) else {
            return Err(not_a_start(line));
        };
        let (family, rest) = family(&text[5..])?;
        if !ends || rest.first() != Some(&b' ') {
            return Err(Problem::new(format!("expected text in {}", String::from_utf8_lossy(&keyword[..4]))));
        }
        let text = &rest[1..];
        let entry = match keyword {
            b"HELP " => Entry::Help { family, text: escape::label(utf8(text)?) },
            b"TYPE " => {
                let named =
                    std::str::from_utf8(text).ok().filter(|name| *name != "untyped").and_then(MetricType::named);
                let metric_type = named.ok_or_else(|| invalid_type(text))?;
                self.metric_type = metric_type;
                Entry::Type { family, metric_type }
            }
            _ => {
                let unit = utf8(text)?;
                let before = family.strip_suffix(unit);
                if !unit.is_empty() && !before.is_some_and(|before| before.ends_with('_')) {
                    return Err(Problem::new(format!("unit {unit:?} not a suffix of metric {family:?}")));
                }
                Entry::Unit { family, unit }
            }
        };
        Ok(Comment::Entry(entry))
    }
}

/// The family that a text begins with, and what follows.
fn family(text: &[u8]) -> Result<(Cow<'_, str>, &[u8]), Problem> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let Some(length) = super::parser::quoted_len(quoted) else {
            return Err(Problem::new("expected metric name, got a quote that does not end"));
        };
        return Ok((escape::label(utf8(&quoted[..length])?), &quoted[length + 1..]));
    }
    let length = text.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(text.len());
    if length == 0 || text[0].is_ascii_digit() {
        return Err(Problem::new("expected metric name after what is said of it"));
    }
    Ok((Cow::Borrowed(utf8(&text[..length])?), &text[length..]))
}

fn trim_blanks(text: &[u8]) -> &[u8] {
    let begin = text.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
    &text[begin..]
}

fn utf8(text: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(text).map_err(|_| Problem::new("a text that is not valid UTF-8"))
}

fn invalid_type(text: &[u8]) -> Problem {
    Problem::new(format!("invalid metric type {:?}", String::from_utf8_lossy(text)))
}

fn not_a_start(_: &[u8]) -> Problem {
    Problem::new("expected a valid start token")
}
