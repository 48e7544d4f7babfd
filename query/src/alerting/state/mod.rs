//! Alerts and their states, and how a group's are written down to outlive the process.

mod alert;
mod written;

pub(crate) use self::{
    alert::{Alert, AlertState, RESOLVED_KEPT_MS},
    written::{Restored, RestoredRule, read_state, write_state},
};
