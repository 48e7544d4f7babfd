//! The stages of a query, made ready, and a line's way through them.
//!
//! One file for each kind of stage: [`line`], [`label`], [`parse`], [`format`], [`choose`]. A stage says whether the line stays.

mod choose;
mod format;
mod label;
mod line;
mod parse;

use std::sync::Arc;

use super::{
    ast::{LogExpr, Matcher, Stage},
    error::LogqlError,
    labels::{LabelSet, StreamLabels},
};

pub use label::{Filter, TextTest};
use line::LineTest;

/// A line as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Unix ns.
    pub time_ns: u64,
    /// What it says.
    pub text: &'a str,
    /// Its stream's labels.
    pub stream: &'a Arc<StreamLabels>,
    /// What came beside it.
    pub metadata: &'a [(&'a str, &'a str)],
}

/// A line on its way. Kept from line to line, for its memory.
#[derive(Debug, Default)]
pub struct Working {
    /// Its labels.
    pub labels: LabelSet,
    /// What a stage made of its text.
    rewritten: String,
    is_rewritten: bool,
    time_ns: u64,
    now_ns: u64,
    scratch: String,
}

impl Working {
    /// With the time that templates see.
    pub fn new(now_ns: u64) -> Self {
        Self { now_ns, ..Self::default() }
    }

    /// The line's text, as the last stage left it.
    pub fn text<'w>(&'w self, record: &Record<'w>) -> &'w str {
        if self.is_rewritten { &self.rewritten } else { record.text }
    }

    /// Swaps in what a stage wrote into `scratch`.
    fn rewrite(&mut self) {
        std::mem::swap(&mut self.rewritten, &mut self.scratch);
        self.is_rewritten = true;
    }
}

/// A stage that is ready.
trait Step: Send {
    /// Whether the line stays.
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool;
}

/// The stages of a query. Each thread has its own.
pub struct Pipeline {
    matchers: Vec<TextTest>,
    /// Line filters before anything else: they need no labels.
    first: Vec<LineTest>,
    steps: Vec<Box<dyn Step>>,
    /// The stream that was asked last, and whether it is selected.
    last: Option<(Arc<StreamLabels>, Selected)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    Yes,
    No,
    /// Some matcher names what is no stream label.
    ByLine,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// The stages of a query.
    pub fn new(log: &LogExpr) -> Result<Self, LogqlError> {
        let matchers = log.matchers.iter().map(TextTest::new).collect::<Result<_, _>>()?;
        let mut stages = log.stages.iter().peekable();
        let mut first = Vec::new();
        while let Some(Stage::Line { op, needles }) = stages.peek() {
            first.push(LineTest::new(*op, needles)?);
            stages.next();
        }
        let steps = stages.map(step).collect::<Result<_, _>>()?;
        Ok(Self { matchers, first, steps, last: None })
    }

    /// Sends a line through; whether it comes out.
    pub fn run(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let is_known = self.last.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, record.stream));
        if !is_known {
            self.last = Some((Arc::clone(record.stream), select(&self.matchers, record.stream)));
        }
        let selected = self.last.as_ref().map_or(Selected::No, |(_, selected)| *selected);
        if selected == Selected::No || !self.first.iter().all(|test| test.passes(record.text)) {
            return false;
        }
        working.is_rewritten = false;
        working.time_ns = record.time_ns;
        working.labels.begin(record.stream);
        for (name, value) in record.metadata {
            working.labels.add_metadata(name, value);
        }
        if selected == Selected::ByLine && !self.matchers.iter().all(|test| test.passes(&mut working.labels)) {
            return false;
        }
        self.steps.iter_mut().all(|step| step.apply(record, working))
    }
}

/// What a stream's labels tell of the matchers.
fn select(matchers: &[TextTest], stream: &StreamLabels) -> Selected {
    let mut selected = Selected::Yes;
    for matcher in matchers {
        match stream.get(matcher.name()) {
            Some(value) if matcher.fits(value) => {}
            Some(_) => return Selected::No,
            // It may be what came beside a line.
            None => selected = Selected::ByLine,
        }
    }
    selected
}

fn step(stage: &Stage) -> Result<Box<dyn Step>, LogqlError> {
    Ok(match stage {
        Stage::Line { op, needles } => Box::new(LineTest::new(*op, needles)?),
        Stage::Label(filter) => Box::new(Filter::new(filter)?),
        Stage::Json(fields) => parse::json(fields)?,
        Stage::Logfmt { strict, keep_empty, fields } => parse::logfmt(*strict, *keep_empty, fields),
        Stage::Regexp(text) => parse::regexp(text)?,
        Stage::Pattern(text) => parse::pattern(text)?,
        Stage::Unpack => parse::unpack(),
        Stage::LineFormat(text) => format::line_format(text)?,
        Stage::LabelFormat(formats) => format::label_format(formats)?,
        Stage::Decolorize => format::decolorize(),
        Stage::Drop(chosen) => choose::choose(chosen, false)?,
        Stage::Keep(chosen) => choose::choose(chosen, true)?,
    })
}

/// Texts that every line that comes out contains, as it is stored: what may prune.
pub fn needles(log: &LogExpr) -> Vec<String> {
    let mut needles = Vec::new();
    for stage in &log.stages {
        match stage {
            Stage::Line { op, needles: wanted } => line::needles(*op, wanted, &mut needles),
            // Behind these the text is another.
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => break,
            _ => {}
        }
    }
    needles
}

/// Whether labels that are sorted fit all matchers.
pub fn selects(matchers: &[Matcher]) -> Result<impl Fn(&StreamLabels) -> bool + use<>, LogqlError> {
    let tests = matchers.iter().map(TextTest::new).collect::<Result<Vec<_>, _>>()?;
    Ok(move |labels: &StreamLabels| tests.iter().all(|test| test.fits(labels.get(test.name()).unwrap_or_default())))
}
