//! What the configurations of ports have in common.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;

const MIB: usize = 1 << 20;

/// Headers of one request, in bytes: hyper needs a little room, and nobody needs more.
pub const HEADER_BYTES: RangeInclusive<usize> = 8192..=16 * MIB;

/// `cors` of a port: which web pages may send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins whose pages may send: exact ones, with one `*` for any run of characters, or `*` for all. Default: none.
    pub allowed_origins: Vec<String>,
    /// Request headers allowed beside Accept, Content-Type, Content-Encoding, Origin and X-Requested-With; `*` for all.
    pub allowed_headers: Vec<String>,
    /// Seconds a browser may remember the answer. Default 0: as the browser likes.
    pub max_age: u32,
}

/// A value that no receiver can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("receivers.{receiver}.{key}: {problem}")]
pub struct InvalidConfig {
    receiver: &'static str,
    key: &'static str,
    problem: String,
}

impl InvalidConfig {
    /// The key below the receiver's, and what is wrong with its value.
    pub fn into_parts(self) -> (String, String) {
        (self.key.to_owned(), self.problem)
    }
}

/// Checks the values of the receiver of this type.
#[derive(Debug, Clone, Copy)]
pub struct Check(pub &'static str);

impl Check {
    /// The error that says so.
    ///
    /// # Errors
    /// Always.
    pub fn fails(self, key: &'static str, problem: impl Into<String>) -> Result<(), InvalidConfig> {
        Err(InvalidConfig { receiver: self.0, key, problem: problem.into() })
    }

    /// Whether `value` lies in `range`.
    ///
    /// # Errors
    /// When it does not, with the nearest bound.
    pub fn within(self, key: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<(), InvalidConfig> {
        if *range.start() > value {
            return self.fails(key, format!("{value} is too small; at least {}", range.start()));
        }
        if *range.end() < value {
            return self.fails(key, format!("{value} is too large; at most {}", range.end()));
        }
        Ok(())
    }

    /// Whether `value` is longer than nothing.
    ///
    /// # Errors
    /// When it is not.
    pub fn positive(self, key: &'static str, value: Duration) -> Result<(), InvalidConfig> {
        if value.is_zero() {
            return self.fails(key, "must be longer than 0: everything is bounded");
        }
        Ok(())
    }
}
