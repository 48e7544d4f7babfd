//! Conditions on labels: texts, numbers, durations, sizes, addresses.

use super::{Record, Step, Working};
use crate::logql::{
    ast::{Compare, LabelFilter, MatchOp, Matcher, Unit},
    error::LogqlError,
    ip::Addresses,
    labels::LabelSet,
    regex::Pattern,
    units,
};

/// What an error of a condition is called.
const FILTER_ERROR: &str = "LabelFilterErr";

/// A condition on a text, ready.
#[derive(Debug, Clone)]
pub(crate) struct TextTest {
    name: String,
    wanted: Wanted,
    negated: bool,
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(String),
    Regex(Pattern),
}

impl TextTest {
    /// Of a matcher.
    pub(crate) fn new(matcher: &Matcher) -> Result<Self, LogqlError> {
        let wanted = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Wanted::Text(matcher.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => {
                Wanted::Regex(Pattern::anchored(&matcher.value).map_err(LogqlError::Invalid)?)
            }
        };
        let negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        Ok(Self { name: matcher.name.clone(), wanted, negated })
    }

    /// The label.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The only text that fits.
    pub(crate) fn only_text(&self) -> Option<&str> {
        match &self.wanted {
            Wanted::Text(text) if !self.negated => Some(text),
            _ => None,
        }
    }

    /// Whether a value fits; an absent one is empty.
    pub(crate) fn fits(&self, value: &str) -> bool {
        let fits = match &self.wanted {
            Wanted::Text(wanted) => wanted == value,
            Wanted::Regex(pattern) => pattern.is_match(value),
        };
        fits != self.negated
    }

    /// Whether the labels fit.
    pub(crate) fn passes(&self, labels: &mut LabelSet) -> bool {
        self.fits(labels.get(&self.name).unwrap_or_default())
    }
}

/// A condition on labels, ready.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// One of both.
    Or(Box<Filter>, Box<Filter>),
    /// A text.
    Text(TextTest),
    /// A number.
    Number {
        /// The label.
        name: String,
        /// How it is compared.
        op: Compare,
        /// How it is read.
        unit: Unit,
        /// With what.
        value: f64,
    },
    /// An address.
    Ip {
        /// The label.
        name: String,
        /// Whether it must be none of them.
        negated: bool,
        /// Which.
        addresses: Addresses,
    },
}

impl Filter {
    /// Of what was written.
    pub(crate) fn new(filter: &LabelFilter) -> Result<Self, LogqlError> {
        Ok(match filter {
            LabelFilter::And(left, right) => Self::And(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            LabelFilter::Or(left, right) => Self::Or(Box::new(Self::new(left)?), Box::new(Self::new(right)?)),
            LabelFilter::Text(matcher) => Self::Text(TextTest::new(matcher)?),
            LabelFilter::Number { name, op, unit, value, .. } => {
                Self::Number { name: name.clone(), op: *op, unit: *unit, value: *value }
            }
            LabelFilter::Ip { name, negated, addresses } => Self::Ip {
                name: name.clone(),
                negated: *negated,
                addresses: Addresses::read(addresses).map_err(LogqlError::Invalid)?,
            },
        })
    }

    /// The label, of a condition on one.
    pub(crate) fn label(&self) -> Option<&str> {
        match self {
            Self::And(..) | Self::Or(..) => None,
            Self::Text(test) => Some(test.name()),
            Self::Number { name, .. } | Self::Ip { name, .. } => Some(name),
        }
    }

    /// Whether the labels fit; what cannot be read as a number is noted, and stays.
    pub(crate) fn passes(&self, labels: &mut LabelSet) -> bool {
        match self {
            Self::And(left, right) => left.passes(labels) && right.passes(labels),
            Self::Or(left, right) => left.passes(labels) || right.passes(labels),
            Self::Text(test) => test.passes(labels),
            Self::Number { name, op, unit, value } => number_passes(labels, name, *op, *unit, *value),
            Self::Ip { name, negated, addresses } => {
                if labels.has_error() {
                    return true;
                }
                labels.get(name).is_some_and(|text| addresses.is(text) != *negated)
            }
        }
    }
}

/// Adds the labels that a condition looks at.
pub(crate) fn names(filter: &LabelFilter, out: &mut Vec<String>) {
    match filter {
        LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
            names(left, out);
            names(right, out);
        }
        LabelFilter::Text(matcher) => out.push(matcher.name.clone()),
        LabelFilter::Number { name, .. } | LabelFilter::Ip { name, .. } => out.push(name.clone()),
    }
}

/// Adds conditions on one label that all must hold; no number behind what may have been an error.
pub(super) fn conditions(filter: &LabelFilter, is_parsed: bool, may_have_error: &mut bool, out: &mut Vec<Filter>) {
    match filter {
        LabelFilter::And(left, right) => {
            conditions(left, is_parsed, may_have_error, out);
            conditions(right, is_parsed, may_have_error, out);
        }
        LabelFilter::Or(left, right) => {
            // Which of them were asked about is not known.
            conditions(left, false, may_have_error, out);
            conditions(right, false, may_have_error, out);
        }
        LabelFilter::Text(_) if is_parsed => out.extend(Filter::new(filter).ok()),
        LabelFilter::Number { .. } => {
            if is_parsed && !*may_have_error {
                out.extend(Filter::new(filter).ok());
            }
            *may_have_error = true;
        }
        LabelFilter::Text(_) | LabelFilter::Ip { .. } => {}
    }
}

/// Whether a text is a number that fits; `None` when it is none.
pub(crate) fn number_fits(text: &str, op: Compare, unit: Unit, value: f64) -> Option<bool> {
    let number = match unit {
        Unit::Number => text.parse::<f64>().ok(),
        Unit::Duration => units::duration_ns(text).map(|ns| ns as f64 / 1e9),
        Unit::Bytes => units::bytes(text),
    };
    number.map(|number| op.holds(number, value))
}

/// Only conditions on texts leave out a line with an error.
fn number_passes(labels: &mut LabelSet, name: &str, op: Compare, unit: Unit, value: f64) -> bool {
    if labels.has_error() {
        return true;
    }
    let Some(text) = labels.get(name) else {
        return false;
    };
    match number_fits(text, op, unit, value) {
        Some(fits) => fits,
        None => {
            let kind = match unit {
                Unit::Number => "number",
                Unit::Duration => "duration",
                Unit::Bytes => "size",
            };
            let details = format!("the value of {name} is no {kind}: {text:?}");
            labels.set_error(FILTER_ERROR, &details);
            true
        }
    }
}

impl Step for Filter {
    fn apply(&mut self, _: &Record<'_>, working: &mut Working) -> bool {
        self.passes(&mut working.labels)
    }
}
