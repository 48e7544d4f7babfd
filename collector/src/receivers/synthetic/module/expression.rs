//! A regular expression as the configuration writes it: Go's syntax is Rust's, for what people write.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error};

/// Memory that one expression may take when it is compiled.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A regular expression over bytes.
#[derive(Clone)]
pub struct Expression(Regex);

impl Expression {
    /// Whether it is found anywhere in a text.
    pub(in super::super) fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// The expression itself.
    pub(in super::super) fn regex(&self) -> &Regex {
        &self.0
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let regex = RegexBuilder::new(&text).size_limit(COMPILED_BYTES_MAX).build();
        // Its last line says what is wrong; the others draw an arrow.
        let last = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        regex.map(Self).map_err(|error| {
            D::Error::custom(format!("\"Could not compile regular expression\" regexp={text:?}: {}", last(error)))
        })
    }
}
