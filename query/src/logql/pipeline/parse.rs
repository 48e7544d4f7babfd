//! Parsers: json, logfmt, regexp, pattern, unpack. None of them leaves a line out.

use super::{Record, Step, Working};
use crate::logql::{
    ast::Extraction,
    error::LogqlError,
    json::{self, Malformed, Wanted},
    labels::{LabelSet, push_name},
    logfmt,
    path::{self, Step as PathStep},
    pattern::PatternExpr,
    regex::Pattern,
};

const JSON_ERROR: &str = "JSONParserErr";
const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// The text and the labels, which are changed while it is read.
fn parts<'w>(record: &Record<'w>, working: &'w mut Working) -> (&'w str, &'w mut LabelSet, &'w mut String) {
    let text = if working.is_rewritten { working.rewritten.as_str() } else { record.text };
    (text, &mut working.labels, &mut working.scratch)
}

fn note(labels: &mut LabelSet, malformed: Malformed) {
    labels.set_error(JSON_ERROR, &format!("the line is no JSON object: unexpected at byte {}", malformed.at));
}

struct JsonFields;

impl Step for JsonFields {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, _) = parts(record, working);
        if let Err(malformed) = json::fields(text, &mut |name, value| labels.add_parsed(name, value)) {
            note(labels, malformed);
        }
        true
    }
}

struct JsonPaths(Vec<(String, Vec<PathStep>)>);

impl Step for JsonPaths {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, scratch) = parts(record, working);
        for (name, path) in &self.0 {
            match json::at_path(text, path) {
                Ok(Some(value)) => labels.add_parsed(name, json::value_text(value, scratch)),
                Ok(None) => labels.add_parsed(name, ""),
                Err(malformed) => {
                    note(labels, malformed);
                    break;
                }
            }
        }
        true
    }
}

struct JsonWanted(Wanted);

impl Step for JsonWanted {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        if let Some(fields) = record.fields.filter(|_| !working.is_rewritten) {
            for name in self.0.iter() {
                if let Some(value) = fields.get(name) {
                    working.labels.add_parsed(name, value);
                }
            }
            return true;
        }
        let (text, labels, _) = parts(record, working);
        // Whether it is JSON at all is looked at even when nothing of it is wanted.
        let mut add = |name: &str, value: &str| labels.add_parsed(name, value);
        let result = match self.0.is_empty() {
            true => json::fields(text, &mut |_, _| {}),
            false => json::wanted_fields(text, &self.0, &mut add),
        };
        if let Err(malformed) = result {
            note(labels, malformed);
        }
        true
    }
}

pub(super) fn json(fields: &[Extraction], wanted: Option<&Wanted>) -> Result<Box<dyn Step>, LogqlError> {
    if let Some(wanted) = wanted.filter(|_| fields.is_empty()) {
        return Ok(Box::new(JsonWanted(wanted.clone())));
    }
    if fields.is_empty() {
        return Ok(Box::new(JsonFields));
    }
    let read = |field: &Extraction| Ok((field.name.clone(), path::read(&field.path)?));
    let paths = fields.iter().map(read).collect::<Result<_, String>>().map_err(LogqlError::Invalid)?;
    Ok(Box::new(JsonPaths(paths)))
}

struct Logfmt {
    strict: bool,
    keep_empty: bool,
    fields: Vec<Extraction>,
    wanted: Option<Wanted>,
    name: String,
}

impl Step for Logfmt {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, _) = parts(record, working);
        let Self { strict, keep_empty, fields, wanted, name } = self;
        let mut missing = fields.len();
        let result = logfmt::pairs(text, *strict, &mut |key, value| {
            let value = value.unwrap_or_default();
            if fields.is_empty() {
                if !value.is_empty() || *keep_empty {
                    name.clear();
                    push_name(key, name);
                    if wanted.as_ref().is_none_or(|wanted| wanted.has(name)) {
                        labels.add_parsed(name, value);
                    }
                }
                return;
            }
            for field in fields.iter().filter(|field| field.path == key) {
                labels.add_parsed(&field.name, value);
                missing = missing.saturating_sub(1);
            }
        });
        if let Err(error) = result {
            labels.set_error(LOGFMT_ERROR, &format!("logfmt syntax error at byte {}: {}", error.at, error.why));
            return true;
        }
        // What was asked for and is not there is empty, as with json.
        if missing > 0 {
            for field in fields.iter() {
                if labels.origin(&field.name).is_none() {
                    labels.add_parsed(&field.name, "");
                }
            }
        }
        true
    }
}

pub(super) fn logfmt(strict: bool, keep_empty: bool, fields: &[Extraction], wanted: Option<&Wanted>) -> Box<dyn Step> {
    Box::new(Logfmt { strict, keep_empty, fields: fields.to_vec(), wanted: wanted.cloned(), name: String::new() })
}

struct Regexp {
    pattern: Pattern,
    labels: Vec<(usize, String)>,
    places: regex::CaptureLocations,
}

impl Step for Regexp {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, _) = parts(record, working);
        if self.pattern.regex().captures_read(&mut self.places, text).is_some() {
            for (group, name) in &self.labels {
                let value = self.places.get(*group).map_or("", |(begin, end)| &text[begin..end]);
                labels.add_parsed(name, value);
            }
        }
        true
    }
}

pub(super) fn regexp(text: &str) -> Result<Box<dyn Step>, LogqlError> {
    let pattern = Pattern::unanchored(text).map_err(LogqlError::Invalid)?;
    let labels = pattern.labels().map_err(LogqlError::Invalid)?;
    let places = pattern.regex().capture_locations();
    Ok(Box::new(Regexp { pattern, labels, places }))
}

struct Patterned(PatternExpr);

impl Step for Patterned {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, _) = parts(record, working);
        self.0.captures(text, |name, value| labels.add_parsed(name, value));
        true
    }
}

pub(super) fn pattern(text: &str) -> Result<Box<dyn Step>, LogqlError> {
    Ok(Box::new(Patterned(PatternExpr::parser(text).map_err(LogqlError::Invalid)?)))
}

/// The member that holds the line itself.
const ENTRY: &str = "_entry";

struct Unpack {
    name: String,
}

impl Step for Unpack {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let (text, labels, scratch) = parts(record, working);
        let mut has_entry = false;
        let name = &mut self.name;
        let result = json::texts(text, &mut |key, value| {
            if key == ENTRY {
                scratch.clear();
                scratch.push_str(value);
                has_entry = true;
                return;
            }
            name.clear();
            push_name(key, name);
            labels.add_parsed(name, value);
        });
        match result {
            Ok(()) if has_entry => working.rewrite(),
            Ok(()) => {}
            Err(malformed) => note(labels, malformed),
        }
        true
    }
}

pub(super) fn unpack() -> Box<dyn Step> {
    Box::new(Unpack { name: String::new() })
}
