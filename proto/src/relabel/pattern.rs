//! A regular expression in Go's dialect that has to match a whole value.

use std::fmt;

use regex::Regex;

use crate::go_regex;

/// As it was written, and ready to match. Two are equal when they were written alike.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads one; what is wrong with it otherwise.
    pub fn new(text: &str) -> Result<Self, String> {
        let told = |why: &str| format!("`{text}` is not a regular expression: {why}");
        let translated = go_regex::translate(text).map_err(|why| told(&why))?.text;
        // As Prometheus 3 anchors it: a point takes line breaks too.
        match Regex::new(&format!("^(?s:{translated})$")) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => {
                let words = error.to_string();
                let last = words.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(told(last))
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}
