//! A row of the table of figures, as Markdown.

use std::fmt;

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// How much, with its unit.
    pub measured: String,
    /// What it must be; empty when it is only reported.
    pub must: &'static str,
    /// What it should be.
    pub goal: &'static str,
}

impl Row {
    /// A figure with its bounds.
    pub fn new(what: impl Into<String>, measured: impl Into<String>, must: &'static str, goal: &'static str) -> Self {
        Self { what: what.into(), measured: measured.into(), must, goal }
    }

    /// A figure without bounds.
    pub fn reported(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self::new(what, measured, "", "")
    }

    /// The lines above the rows.
    pub const HEAD: &str = "| measured | result | must | goal |\n|---|---|---|---|";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} | {} |", self.what, self.measured, self.must, self.goal)
    }
}
