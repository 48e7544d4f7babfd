//! Go's text templates, as far as `line_format` and `label_format` need them: what `{{ .level | upper }}` writes.
//!
//! Syntax and meaning follow the documentation of Go's `text/template` (<https://pkg.go.dev/text/template>) and Grafana's list of template functions.

mod functions;
mod layout;
mod lex;
mod parse;
mod printf;
mod run;
mod value;

use self::{parse::Node, run::Run};

/// Bytes that a template may write for one line.
pub(super) const WRITTEN_BYTES_MAX: usize = 1 << 20;

/// A template, read.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    definitions: Vec<(String, Vec<Node>)>,
}

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
        let (nodes, definitions) = parse::parse(text).map_err(|error| format!("invalid template: {error}"))?;
        Ok(Self { nodes, definitions })
    }

    /// Writes it for a line. What was written before an error means nothing.
    pub(crate) fn write(&self, scope: &mut dyn Scope, out: &mut String) -> Result<(), String> {
        Run::new(scope, out, &self.definitions).run(&self.nodes)
    }
}

#[cfg(test)]
mod tests;
