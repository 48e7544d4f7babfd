//! Go's text templates, as far as `line_format` and `label_format` need them: what `{{ .level | upper }}` writes.
//!
//! Syntax and meaning follow the documentation of Go's `text/template` (<https://pkg.go.dev/text/template>) and Grafana's list of template functions.

mod functions;
mod json;

use std::collections::BTreeMap;

use crate::gotemplate::{self, Bounds, Host, Signature, Value};

/// Bytes that a template may write for one line.
pub(super) const WRITTEN_BYTES_MAX: usize = 1 << 20;

/// What one line may take.
const BOUNDS: Bounds = Bounds { steps_max: 100_000, bytes_max: WRITTEN_BYTES_MAX };

/// A template, read.
#[derive(Debug, Clone)]
pub(crate) struct Template(gotemplate::Template);

/// What a template sees of a line.
pub(crate) trait Scope {
    /// A label's value.
    fn label(&mut self, name: &str) -> Option<String>;

    /// All labels, sorted.
    fn labels(&mut self) -> Vec<(String, String)>;

    /// The line as it is now.
    fn line(&self) -> &str;

    /// Its time, Unix ns.
    fn time_ns(&self) -> i64;

    /// Now, Unix ns.
    fn now_ns(&self) -> i64;
}

impl Template {
    /// Reads a template; says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let template = gotemplate::Template::read("line", text, &functions::is_known);
        // The name says nothing here.
        let words = |error: String| error.strip_prefix("template: line:").map_or(error.clone(), str::to_owned);
        template.map(Self).map_err(|error| format!("invalid template: line {}", words(error)))
    }

    /// Writes it for a line. What was written before an error means nothing.
    pub(crate) fn write(&self, scope: &mut dyn Scope, out: &mut String) -> Result<(), String> {
        self.0.write(&mut Line(scope), BOUNDS, out).map_err(|failure| failure.message)
    }
}

/// A line: `.` are its labels; one that is absent is empty.
struct Line<'s>(&'s mut dyn Scope);

impl Host for Line<'_> {
    fn field(&mut self, name: &str) -> Result<Value, String> {
        Ok(Value::Text(self.0.label(name).unwrap_or_default()))
    }

    fn whole(&mut self) -> Value {
        Value::Labels(self.0.labels().into_iter().collect::<BTreeMap<_, _>>())
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        functions::signature(name)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        functions::call(name, arguments, &*self.0)
    }
}

#[cfg(test)]
mod tests;
