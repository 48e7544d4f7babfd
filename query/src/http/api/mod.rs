//! Weir's own API under `/api/v1`.

mod ledger;
mod otlp_json;
mod services;
mod trace;

pub(super) use ledger::ledger;
pub(super) use services::services;
pub(super) use trace::trace;
