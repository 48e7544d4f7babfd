//! Weir's own API under `/api/v1`.

mod asked;
mod bottlenecks;
mod dependencies;
mod ledger;
mod range;
mod red;
mod sampling;
mod services;
mod sql;
mod trace;

pub(super) use bottlenecks::bottlenecks;
pub(super) use dependencies::dependencies;
pub(super) use ledger::ledger;
pub(super) use red::red;
pub(super) use sampling::sampling;
pub(super) use services::services;
pub(super) use sql::sql;
pub(super) use trace::trace;
