//! What the page asks of many spans at once: found by conditions, counted in groups, steps and shares.

pub(crate) mod attributes;
pub(crate) mod condition;
pub(crate) mod differences;
pub(crate) mod durations;
pub(crate) mod groups;
pub(crate) mod heatmap;
#[cfg(test)]
pub(crate) mod held;
pub(crate) mod layout;
pub(crate) mod newest;
pub(crate) mod parallel;
pub(crate) mod pasted;
pub(crate) mod plan;
pub(crate) mod red;
pub(crate) mod summary;
pub(crate) mod texts;
