//! Templates of labels and annotations: what `{{ $labels.instance }} is at {{ $value | humanize }}` becomes.

mod functions;
mod host;
mod humanize;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::host::Asker;
use crate::gotemplate::{Bounds, Template, Value};

/// What one text may take; more is an error, and the alert goes out with that.
const BOUNDS: Bounds = Bounds { steps_max: 100_000, bytes_max: 1 << 20 };

/// What every text begins with.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}\
                        {{$value := .Value}}";

/// What a text is written of.
#[derive(Debug, Clone, Copy)]
pub struct TemplateData<'a> {
    /// `$labels`: the result's.
    pub labels: &'a [(String, String)],
    /// `$value`
    pub value: &'a SampleValue,
    /// `$externalLabels`
    pub external_labels: &'a [(String, String)],
    /// `$externalURL`
    pub external_url: &'a str,
    /// `now`: when the rule is evaluated, Unix ms.
    pub at_ms: i64,
    /// The alert's name, which errors have.
    pub alert: &'a str,
}

/// A result's value.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A histogram as it is printed.
    Histogram(String),
}

/// A result of a query within a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// With the metric's name, by name.
    pub labels: Vec<(String, String)>,
    /// Of histograms 0.
    pub value: f64,
}

/// Asks a query at the time of the evaluation.
pub type Ask<'a> = dyn FnMut(&str) -> Result<Vec<Sample>, String> + 'a;

/// The text that a template writes.
///
/// # Errors
///
/// What is wrong, as Prometheus says it: `error executing template __alert_NAME: …`. The caller puts
/// `<error expanding template: …>` in the text's place.
pub fn expand(text: &str, data: &TemplateData<'_>, ask: &mut Ask<'_>) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let name = format!("__alert_{}", data.alert);
    let template = read(&name, text).map_err(|error| format!("error parsing template {name}: {error}"))?;
    let mut asker = Asker::new(data, ask);
    let mut out = String::new();
    match template.write(&mut asker, BOUNDS, &mut out) {
        Ok(()) => Ok(out),
        Err(failure) => Err(format!("error executing template {name}: {failure}")),
    }
}

/// What is wrong with a template of an alert of this name, if anything is.
pub fn problem(text: &str, alert: &str) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    read(&format!("__alert_{alert}"), text).err()
}

fn read(name: &str, text: &str) -> Result<Template, String> {
    Template::read(name, &format!("{PREAMBLE}{text}"), &host::is_function)
}

fn labels(pairs: &[(String, String)]) -> Value {
    Value::Labels(pairs.iter().cloned().collect::<BTreeMap<_, _>>())
}
