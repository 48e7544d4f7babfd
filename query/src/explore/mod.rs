//! What the page asks of many spans at once: found by conditions, counted in groups, steps and shares.

pub(crate) mod condition;
pub(crate) mod durations;
pub(crate) mod groups;
#[cfg(test)]
pub(crate) mod held;
pub(crate) mod parallel;
pub(crate) mod plan;
pub(crate) mod red;
pub(crate) mod texts;
