//! Alerting: files of rules, their evaluation, and who is told.

pub(crate) mod group;
pub mod notify;
pub mod replay;
pub(crate) mod rows;
pub mod rules;
pub mod serve;
pub(crate) mod state;
pub mod template;
pub mod unit;
