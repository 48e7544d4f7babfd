//! Labels, their values, and streams: what label browsers ask.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    params::{self, Span},
    query::list,
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::{LogqlError, ast::Matcher, labels::StreamLabels},
};

/// Names and values that one answer lists.
const LISTED_MAX: usize = 100_000;

/// Calls `found` for each stream of a time that a selector fits.
pub(super) fn each_stream(
    call: &Call,
    view: &dyn View,
    matchers: &[Matcher],
    span: Span,
    found: &mut dyn FnMut(&StreamLabels) -> Result<(), LogqlError>,
) -> Result<(), Failure> {
    // The end belongs to what is listed.
    view.streams(call, matchers, (span.start_ns, span.end_ns.saturating_add(1)), found)?;
    params::check_time(call)
}

fn full(what: &str) -> LogqlError {
    LogqlError::TooMuch(format!("there are more than {LISTED_MAX} {what}: ask for a shorter time, or with a selector"))
}

/// The names of labels.
pub(in crate::http) fn labels(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_list(call)?;
    let selector = params::selector(call, call.first("query"))?;
    let matchers = selector.map(|log| log.matchers).unwrap_or_default();
    let mut names: BTreeSet<String> = BTreeSet::new();
    each_stream(call, view, &matchers, span, &mut |stream| {
        for (name, _) in stream.iter().filter(|(name, _)| !names.contains(*name)).collect::<Vec<_>>() {
            names.insert(name.to_owned());
        }
        if names.len() > LISTED_MAX { Err(full("labels")) } else { Ok(()) }
    })?;
    list(call, names)
}

/// The values of a label.
pub(in crate::http) fn label_values(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_list(call)?;
    let selector = params::selector(call, call.first("query"))?;
    let matchers = selector.map(|log| log.matchers).unwrap_or_default();
    let name = call.segment("name");
    let mut values: BTreeSet<String> = BTreeSet::new();
    each_stream(call, view, &matchers, span, &mut |stream| {
        if let Some(value) = stream.get(name).filter(|value| !values.contains(*value)) {
            values.insert(value.to_owned());
        }
        if values.len() > LISTED_MAX { Err(full("values")) } else { Ok(()) }
    })?;
    list(call, values)
}

/// The label sets of streams that fit one of `match`.
pub(in crate::http) fn series(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_list(call)?;
    let texts: Vec<&str> = call.all("match[]").chain(call.all("match")).collect();
    let mut selectors: Vec<Vec<Matcher>> = Vec::new();
    for text in &texts {
        selectors.push(params::selector(call, Some(text))?.map(|log| log.matchers).unwrap_or_default());
    }
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let mut found: BTreeSet<StreamLabels> = BTreeSet::new();
    for matchers in &selectors {
        each_stream(call, view, matchers, span, &mut |stream| {
            if !found.contains(stream) {
                found.insert(stream.clone());
            }
            if found.len() > LISTED_MAX { Err(full("streams")) } else { Ok(()) }
        })?;
    }
    let sets: Vec<BTreeMap<&str, &str>> = found.iter().map(|stream| stream.iter().collect()).collect();
    list(call, sets)
}
