//! A regular expression as the Collector's configurations write it: in Go's dialect.

use regex::Regex;
use serde::{Deserialize, Deserializer, de};
use weir_proto::go_regex;

/// A pattern that may match anywhere.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    written: String,
    pub(super) regex: Regex,
    /// The groups that have a name, with their numbers.
    pub(super) groups: Vec<(usize, String)>,
}

impl Pattern {
    /// Reads one; says what is wrong with it.
    pub(super) fn new(written: &str) -> Result<Self, String> {
        let told = |why: &str| format!("no regular expression: {why}");
        let go_regex::Translated { text, names } = go_regex::translate(written).map_err(|why: String| told(&why))?;
        let regex = Regex::new(&text).map_err(|error| {
            // The library draws the expression and points into it; the last line says why.
            let words = error.to_string();
            let why = words.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            told(&format!("{why}: `{written}`"))
        })?;
        let groups = names.into_iter().enumerate().filter_map(|(at, name)| Some((at, name?))).collect();
        Ok(Self { written: written.to_owned(), regex, groups })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
