//! What is read of lines: the columns that a selection looks at, and no others.

use weir_proto::otlp::logs::LEVEL_FIELDS;
use weir_store::{Place, ScanColumn};

use crate::logql::{engine::Selection, labels::push_name};

/// How much of a line's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// Nothing.
    None,
    /// The text, where columns do not tell what is looked at.
    Plain,
    /// The text.
    Whole,
}

/// What is read of lines.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) text: Text,
    /// Labels that are read of fields, where these tell.
    fields: Vec<String>,
    /// Labels that are looked at; `None` where all are.
    labels: Option<Vec<String>>,
    pub(super) needs_beside: bool,
    pub(super) detects_levels: bool,
}

impl Wanted {
    /// What a selection needs.
    pub(super) fn of(selection: &Selection<'_>, detects_levels: bool) -> Self {
        let detects_levels = detects_levels && selection.needs_label("detected_level");
        let text = match &selection.fields {
            Some(_) => Text::Plain,
            None if selection.needs_text => Text::Whole,
            None if detects_levels => Text::Plain,
            None => Text::None,
        };
        // What is set apart has its name from another one.
        let apart = |label: &String| label.strip_suffix("_extracted").map(str::to_owned);
        let labels = selection.labels.as_ref().map(|labels| {
            let mut all: Vec<String> = labels.iter().cloned().chain(labels.iter().filter_map(apart)).collect();
            all.sort();
            all.dedup();
            all
        });
        Self {
            text,
            fields: selection.fields.clone().unwrap_or_default(),
            labels,
            needs_beside: selection.needs_beside(),
            detects_levels,
        }
    }

    /// Only streams.
    pub(super) fn streams() -> Self {
        let (fields, labels) = (Vec::new(), Some(Vec::new()));
        Self { text: Text::None, fields, labels, needs_beside: false, detects_levels: false }
    }

    fn needs(&self, name: &str) -> bool {
        self.needs_beside && self.labels.as_ref().is_none_or(|labels| labels.iter().any(|label| label == name))
    }

    /// The scan's columns for that.
    pub(super) fn columns(&self) -> Vec<ScanColumn> {
        let mut columns = vec![ScanColumn::Time, ScanColumn::ScopeName, ScanColumn::Attributes(Place::Resource)];
        match self.text {
            Text::None => {}
            Text::Whole => columns.push(ScanColumn::Body),
            Text::Plain => {
                columns.extend([ScanColumn::HasFields, ScanColumn::PlainBody]);
                columns.extend(self.fields.iter().map(|label| ScanColumn::Field(label.clone())));
                columns.extend(self.detects_levels.then_some(ScanColumn::BodyLevel));
            }
        }
        if let Some(attributes) = self.attributes() {
            columns.push(attributes);
        }
        if self.needs("severity_number") || self.detects_levels {
            columns.push(ScanColumn::SeverityNumber);
        }
        if self.needs("severity_text") || self.detects_levels {
            columns.push(ScanColumn::SeverityText);
        }
        for (label, column) in [
            ("trace_id", ScanColumn::TraceId),
            ("span_id", ScanColumn::SpanId),
            ("scope_version", ScanColumn::ScopeVersion),
            ("event_name", ScanColumn::EventName),
            ("observed_timestamp", ScanColumn::ObservedTime),
        ] {
            if self.needs(label) {
                columns.push(column);
            }
        }
        columns
    }

    fn attributes(&self) -> Option<ScanColumn> {
        if !self.needs_beside && !self.detects_levels {
            return None;
        }
        let Some(labels) = &self.labels else { return Some(ScanColumn::Attributes(Place::Span)) };
        let mut names = if self.needs_beside { labels.clone() } else { Vec::new() };
        if self.detects_levels {
            names.extend(LEVEL_FIELDS.iter().map(|field| {
                let mut name = String::new();
                push_name(field, &mut name);
                name
            }));
        }
        Some(ScanColumn::AttributesNamed(names))
    }

    /// Rows that are read at a time: lines are long.
    pub(super) fn rows_max(&self) -> u32 {
        match self.text {
            _ if cfg!(test) => 100,
            Text::Whole => 16_384,
            _ if self.labels.is_none() => 16_384,
            // Row groups as they are.
            _ => 131_072,
        }
    }
}
