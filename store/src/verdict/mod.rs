//! A verdict as it is kept beside a span: keep or drop, by which policy, with which count.

pub(crate) mod kept;
pub(crate) mod mark;
pub(crate) mod names;
pub(crate) mod outcome;
