//! What rewrites lines and labels: line_format, label_format, decolorize.

use super::{Record, Step, Working};
use crate::logql::{
    ast::{FormatSource, LabelFormat},
    error::LogqlError,
    labels::{LabelSet, Origin},
    template::{Scope, Template},
};

const TEMPLATE_ERROR: &str = "TemplateFormatErr";

struct Line<'a> {
    labels: &'a mut LabelSet,
    text: &'a str,
    time_ns: u64,
    now_ns: u64,
}

impl Scope for Line<'_> {
    fn label(&mut self, name: &str) -> Option<String> {
        self.labels.get(name).map(str::to_owned)
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        let sorted = self.labels.sorted().into_iter();
        sorted.map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect()
    }

    fn line(&self) -> &str {
        self.text
    }

    fn time_ns(&self) -> i64 {
        i64::try_from(self.time_ns).unwrap_or(i64::MAX)
    }

    fn now_ns(&self) -> i64 {
        i64::try_from(self.now_ns).unwrap_or(i64::MAX)
    }
}

/// Writes a template into `working.scratch`; false when that failed, which is noted.
fn write(template: &Template, record: &Record<'_>, working: &mut Working) -> bool {
    let text = if working.is_rewritten { working.rewritten.as_str() } else { record.text };
    working.scratch.clear();
    let mut line = Line { labels: &mut working.labels, text, time_ns: working.time_ns, now_ns: working.now_ns };
    match template.write(&mut line, &mut working.scratch) {
        Ok(()) => true,
        Err(error) => {
            working.labels.set_error(TEMPLATE_ERROR, &error);
            false
        }
    }
}

struct LineFormat(Template);

impl Step for LineFormat {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        if write(&self.0, record, working) {
            working.rewrite();
        }
        true
    }
}

pub(super) fn line_format(text: &str) -> Result<Box<dyn Step>, LogqlError> {
    Ok(Box::new(LineFormat(Template::read(text).map_err(LogqlError::Invalid)?)))
}

enum Source {
    Label(String),
    Template(Template),
}

struct LabelFormats(Vec<(String, Source)>);

impl Step for LabelFormats {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        for (name, source) in &self.0 {
            match source {
                Source::Label(source) => {
                    let Some(origin) = working.labels.origin(source) else {
                        continue;
                    };
                    let value = working.labels.get(source).unwrap_or_default().to_owned();
                    working.labels.remove(source);
                    working.labels.set(name, &value, origin);
                }
                Source::Template(template) => {
                    if write(template, record, working) {
                        working.labels.set(name, &working.scratch, Origin::Parsed);
                    }
                }
            }
        }
        true
    }
}

pub(super) fn label_format(formats: &[LabelFormat]) -> Result<Box<dyn Step>, LogqlError> {
    let read = |format: &LabelFormat| {
        let source = match &format.source {
            FormatSource::Label(label) => Source::Label(label.clone()),
            FormatSource::Template(text) => Source::Template(Template::read(text)?),
        };
        Ok((format.name.clone(), source))
    };
    let formats = formats.iter().map(read).collect::<Result<_, String>>().map_err(LogqlError::Invalid)?;
    Ok(Box::new(LabelFormats(formats)))
}

struct Decolorize;

impl Step for Decolorize {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let text = if working.is_rewritten { working.rewritten.as_str() } else { record.text };
        if memchr::memchr(0x1b, text.as_bytes()).is_none() && !text.contains('\u{9b}') {
            return true;
        }
        working.scratch.clear();
        without_colors(text, &mut working.scratch);
        working.rewrite();
        true
    }
}

/// Leaves out ANSI's control sequences (ECMA-48): an introducer, parameters, and a final letter.
fn without_colors(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        out.push_str(&rest[..at]);
        let introducer = rest[at..].chars().next().unwrap_or_default();
        rest = &rest[at + introducer.len_utf8()..];
        if introducer == '\u{1b}' {
            match rest.strip_prefix('[') {
                Some(behind) => rest = behind,
                None => continue,
            }
        }
        let end = rest.find(|c: char| !matches!(c, '\u{20}'..='\u{3f}'));
        rest = match end {
            Some(end) if matches!(rest.as_bytes()[end], 0x40..=0x7e) => &rest[end + 1..],
            Some(end) => &rest[end..],
            None => "",
        };
    }
    out.push_str(rest);
}

pub(super) fn decolorize() -> Box<dyn Step> {
    Box::new(Decolorize)
}
