//! Templates of labels and annotations: what `{{ $labels.instance }} is at {{ $value | humanize }}` becomes.

mod functions;
mod host;
mod humanize;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use weir_proto::metrics::Labels;

use self::host::Asker;
use super::rules::Query;
use crate::{
    gotemplate::{Bounds, Template, Value},
    promql::value::Point,
};

/// What one text may take; more is an error, and the alert goes out with that.
const BOUNDS: Bounds = Bounds { steps_max: 100_000, bytes_max: 1 << 20 };

/// What every text begins with.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}\
                        {{$value := .Value}}";

/// What a text is written of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TemplateData<'a> {
    /// `$labels`: the result's.
    pub(crate) labels: &'a Labels,
    /// `$value`
    pub(crate) value: &'a Point,
    /// `$externalLabels`
    pub(crate) external_labels: &'a [(String, String)],
    /// `$externalURL`
    pub(crate) external_url: &'a str,
    /// `now`: when the rule is evaluated, Unix ms.
    pub(crate) at_ms: i64,
    /// The alert's name, which errors have.
    pub(crate) alert: &'a str,
}

/// Asks a query at the time of the evaluation.
pub(crate) type Ask<'a> = dyn FnMut(&Query) -> Result<Vec<(Labels, Point)>, String> + 'a;

/// The text that a template writes.
///
/// # Errors
///
/// What is wrong, as Prometheus says it: `error executing template __alert_NAME: …`. The caller puts
/// `<error expanding template: …>` in the text's place.
pub(crate) fn expand(text: &str, data: &TemplateData<'_>, ask: &mut Ask<'_>) -> Result<String, String> {
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
pub(crate) fn problem(text: &str, alert: &str) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    read(&format!("__alert_{alert}"), text).err()
}

fn read(name: &str, text: &str) -> Result<Template, String> {
    Template::read(name, &format!("{PREAMBLE}{text}"), &host::is_function)
}

fn labels<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Value {
    Value::Labels(pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).collect::<BTreeMap<_, _>>())
}
