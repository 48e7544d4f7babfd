//! The stages of a query, made ready, and a line's way through them.
//!
//! One file for each kind of stage: [`line`], [`label`], [`parse`], [`format`], [`choose`]. A stage says whether the line stays.

mod choose;
mod format;
mod label;
mod line;
mod parse;
mod required;
mod texts;

use std::{collections::HashMap, sync::Arc};

use super::{
    ast::{LogExpr, Matcher, Stage},
    error::LogqlError,
    json::Wanted,
    labels::{LabelSet, StreamLabels},
};

pub(crate) use label::{Filter, TextTest, names, number_fits};
use line::LineTest;

/// A line as it is stored.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Unix ns.
    pub(crate) time_ns: u64,
    /// Of the lines of a part one with a smaller number arrived before.
    pub(crate) number: u64,
    /// What it says; nothing where there are fields instead.
    pub(crate) text: &'a str,
    /// Its stream's labels.
    pub(crate) stream: &'a Arc<StreamLabels>,
    /// What came beside it.
    pub(crate) beside: &'a dyn Beside,
    /// The fields of its text, where these are known without it.
    pub(crate) fields: Option<&'a dyn Fields>,
    /// Lines of a batch with the same number differ in nothing that is looked at but their time.
    pub(crate) class: Option<u32>,
}

/// Fields of a text that is a JSON object.
pub(crate) trait Fields {
    /// What the JSON parser finds for a label that was asked for.
    fn get(&self, label: &str) -> Option<&str>;
}

/// What came beside a line: asked for lines that pass the first filters only.
pub(crate) trait Beside {
    /// Adds it.
    fn add_to(&self, labels: &mut LabelSet);
}

impl Beside for Vec<(String, String)> {
    fn add_to(&self, labels: &mut LabelSet) {
        self.iter().for_each(|(name, value)| labels.add_metadata(name, value));
    }
}

/// A line on its way. Kept from line to line, for its memory.
#[derive(Debug, Default)]
pub(crate) struct Working {
    /// Its labels.
    pub(crate) labels: LabelSet,
    /// What a stage made of its text.
    rewritten: String,
    is_rewritten: bool,
    time_ns: u64,
    now_ns: u64,
    scratch: String,
}

impl Working {
    /// With the time that templates see.
    pub(crate) fn new(now_ns: u64) -> Self {
        Self { now_ns, ..Self::default() }
    }

    /// The line's text, as the last stage left it.
    pub(crate) fn text<'w>(&'w self, record: &Record<'w>) -> &'w str {
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

/// Streams whose selection is remembered.
const REMEMBERED_MAX: usize = 65_536;

/// The stages of a query. Each thread has its own.
pub(crate) struct Pipeline {
    matchers: Vec<TextTest>,
    /// Line filters before anything else: they need no labels.
    first: Vec<LineTest>,
    steps: Vec<Box<dyn Step>>,
    /// The streams that were asked, by their address, and whether they are selected.
    streams: HashMap<usize, (Arc<StreamLabels>, Selected), foldhash::fast::FixedState>,
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
    /// Of labels that stages find only those in `labels` are kept, where that is given. Whether every line has the [`needles`] may be known.
    pub(crate) fn new(log: &LogExpr, labels: Option<&[String]>, has_needles: bool) -> Result<Self, LogqlError> {
        let matchers = log.matchers.iter().map(TextTest::new).collect::<Result<_, _>>()?;
        let known = if has_needles { log.stages.iter().take_while(|stage| !rewrites(stage)).count() } else { 0 };
        let stages = log.stages.iter().enumerate();
        let stages = stages.filter(|(at, stage)| *at >= known || !is_needle(stage)).map(|(_, stage)| stage);
        let mut stages = stages.peekable();
        let mut first = Vec::new();
        while let Some(Stage::Line { op, needles }) = stages.peek() {
            first.push(LineTest::new(*op, needles)?);
            stages.next();
        }
        let wanted = labels.map(Wanted::new);
        let steps = stages.map(|stage| step(stage, wanted.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { matchers, first, steps, streams: HashMap::default() })
    }

    /// Sends a line through; whether it comes out.
    pub(crate) fn run(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        let address = Arc::as_ptr(record.stream) as usize;
        if self.streams.len() >= REMEMBERED_MAX && !self.streams.contains_key(&address) {
            self.streams.clear();
        }
        let selected = self
            .streams
            .entry(address)
            .or_insert_with(|| (Arc::clone(record.stream), select(&self.matchers, record.stream)))
            .1;
        if selected == Selected::No || !self.first.iter().all(|test| test.passes(record.text)) {
            return false;
        }
        working.is_rewritten = false;
        working.time_ns = record.time_ns;
        working.labels.begin(record.stream);
        record.beside.add_to(&mut working.labels);
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

fn step(stage: &Stage, wanted: Option<&Wanted>) -> Result<Box<dyn Step>, LogqlError> {
    Ok(match stage {
        Stage::Line { op, needles } => Box::new(LineTest::new(*op, needles)?),
        Stage::Label(filter) => Box::new(Filter::new(filter)?),
        Stage::Json(fields) => parse::json(fields, wanted)?,
        Stage::Logfmt { strict, keep_empty, fields } => parse::logfmt(*strict, *keep_empty, fields, wanted),
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

/// Texts that are, or are not, in every line that comes out, as it is stored: what may prune.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needles {
    /// Each is there.
    pub(crate) all: Vec<String>,
    /// Of each list one is there.
    pub(crate) any: Vec<Vec<String>>,
    /// The same, whichever case letters have: these are of ASCII, in lower case.
    pub(crate) any_case: Vec<Vec<String>>,
    /// None is there.
    pub(crate) none: Vec<String>,
}

/// The needles of a query.
pub(crate) fn needles(log: &LogExpr) -> Needles {
    let mut needles = Needles::default();
    for stage in &log.stages {
        match stage {
            Stage::Line { op, needles: wanted } => line::needles(*op, wanted, &mut needles),
            stage if rewrites(stage) => break,
            _ => {}
        }
    }
    needles
}

/// Whether the text is another behind it.
fn rewrites(stage: &Stage) -> bool {
    matches!(stage, Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize)
}

/// Whether a stage is nothing but one of the [`needles`].
pub(crate) fn is_needle(stage: &Stage) -> bool {
    matches!(stage, Stage::Line { op, needles } if line::is_text(*op, needles))
}

/// What every line that comes out fulfils, of labels that it has before anything is found in its text: texts only.
pub(crate) fn beside(log: &LogExpr) -> Vec<Filter> {
    let mut found: Vec<Filter> =
        log.matchers.iter().filter_map(|one| TextTest::new(one).ok().map(Filter::Text)).collect();
    for stage in &log.stages {
        match stage {
            Stage::Line { .. } => {}
            Stage::Label(filter) => label::conditions(filter, true, &mut true, &mut found),
            _ => break,
        }
    }
    found
}

/// What every line that comes out fulfils, of labels that the first stage finds that parses: when it is JSON's, and nothing else finds or renames
/// labels before the condition.
pub(crate) fn conditions(log: &LogExpr) -> Vec<Filter> {
    let mut found = Vec::new();
    // Behind one that cannot be read conditions on numbers let everything pass.
    let mut may_have_error = false;
    let mut is_parsed = false;
    for stage in &log.stages {
        match stage {
            Stage::Line { .. } => {}
            Stage::Json(fields) if fields.is_empty() && !is_parsed => is_parsed = true,
            Stage::Label(filter) => {
                label::conditions(filter, is_parsed, &mut may_have_error, &mut found);
            }
            _ => break,
        }
    }
    found
}

/// The labels that stages look at: `None` where one may look at any.
pub(crate) fn labels_named(log: &LogExpr) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for stage in &log.stages {
        match stage {
            Stage::Label(filter) => label::names(filter, &mut names),
            // Templates may look at any label, and renaming moves them.
            Stage::LineFormat(_) | Stage::LabelFormat(_) => return None,
            _ => {}
        }
    }
    Some(names)
}

/// Whether labels that are sorted fit all matchers.
pub(crate) fn selects(matchers: &[Matcher]) -> Result<impl Fn(&StreamLabels) -> bool + use<>, LogqlError> {
    let tests = matchers.iter().map(TextTest::new).collect::<Result<Vec<_>, _>>()?;
    Ok(move |labels: &StreamLabels| tests.iter().all(|test| test.fits(labels.get(test.name()).unwrap_or_default())))
}
