//! Tells about alerts: Alertmanagers through their API, and webhooks as Alertmanager would.
//!
//! Each address has a queue and a task of its own ([`sender`]): a slow one does not hold up another. What waits is the
//! newest state of each alert ([`queue`], [`webhook`]); a batch that failed is tried again with what is newest then.

mod metrics;
mod outgoing;
mod queue;
mod receivers;
mod sender;
#[cfg(test)]
mod tests;
mod told;
mod webhook;

use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::BoxFuture;

pub use self::receivers::{PeerList, Peers, Posted, Receiver, ReceiverKind};
pub(crate) use self::{
    outgoing::{Links, OutAlert},
    receivers::Receivers,
    told::Told,
};

/// Where alerts of one evaluation come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) group: String,
}

/// Bounds of what waits and of what is sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyLimits {
    /// Alerts that wait for one address; of more the oldest are dropped, and counted.
    pub queue_alerts_max: usize,
    /// Alerts in one request.
    pub batch_alerts_max: usize,
}

/// The first wait before a batch is tried again; each further one is twice as long. Short in tests.
const RETRY_MIN: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 1000 });

/// The longest.
const RETRY_MAX: Duration = Duration::from_millis(if cfg!(test) { 4 } else { 30_000 });

/// A request under way.
pub type Posting = BoxFuture<'static, Result<Posted, String>>;

/// One request's body, and what it tells of.
struct Batch {
    body: Bytes,
    alerts: usize,
}
