//! Finds series by their labels: matchers are asked about the values of a label, never about series. The head's index and that of
//! a segment are looked into in the same way.

mod automaton;
mod pattern;
mod select;
mod set;

pub use pattern::InvalidPattern;
pub(crate) use pattern::Values;
pub(crate) use select::{LabelIndex, Selection, select};
pub(crate) use set::SeriesSet;
