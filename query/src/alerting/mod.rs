//! Alerting: files of rules, their evaluation, and who is told.

pub mod rules;
pub mod template;
pub mod unit;
