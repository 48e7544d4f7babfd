//! A regular expression as the configuration writes it: in Go's dialect.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error};
use weir_proto::go_regex;

/// Memory that one expression may take when it is compiled.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A regular expression over bytes.
#[derive(Clone)]
pub struct Expression {
    written: String,
    regex: Regex,
}

impl Expression {
    /// Whether it is found anywhere in a text.
    pub(in super::super) fn is_in(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The expression itself.
    pub(in super::super) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Expression {}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong =
            |why: &str| D::Error::custom(format!("\"Could not compile regular expression\" regexp={text:?}: {why}"));
        let translated = go_regex::translate(&text).map_err(|why| wrong(&why))?;
        let regex = RegexBuilder::new(&translated.text).size_limit(COMPILED_BYTES_MAX).build();
        // Its last line says what is wrong; the others draw an arrow.
        let last = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        let regex = regex.map_err(|error| wrong(&last(error)))?;
        Ok(Self { written: text, regex })
    }
}
