//! Metrics, which are not kept yet: taken and let go of, so that SDKs that send them by default stay quiet.
//!
//! A refusal is on stderr of every Python and Go process once a minute, for ever, and a partial success is so in Go (its exporters
//! hand each one to the error handler). So it is said once an hour, to whoever asks first, and once in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use weir_proto::time::SECOND_NS;

use crate::receivers::port::Accepted;

/// How often a sender is told.
const TOLD_EVERY_NS: u64 = 3600 * SECOND_NS;

const MESSAGE: &str =
    "metrics are not kept yet: these data points are let go of, and so are later ones, without a word for an hour";

/// When a sender was told last, Unix ns; 0 for never.
#[derive(Debug, Default)]
pub(super) struct Unkept(AtomicU64);

impl Unkept {
    /// What the sender of an export is told that arrived at `now_ns`.
    pub(super) fn answer(&self, now_ns: u64) -> Accepted {
        let told_ns = self.0.load(Ordering::Relaxed);
        let is_due = told_ns == 0 || now_ns.saturating_sub(told_ns) >= TOLD_EVERY_NS;
        // Of several at a time one.
        let is_told = is_due && self.0.compare_exchange(told_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_told && told_ns == 0 {
            tracing::warn!("metrics arrive by OTLP and are let go of: only spans and log records are kept");
        }
        Accepted { items: 0, partial: None, warning: is_told.then(|| MESSAGE.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_an_hour() {
        let unkept = Unkept::default();
        let is_told = |second: u64| unkept.answer(second * SECOND_NS).warning.is_some();
        assert_eq!([1, 2, 3600, 3601, 3602, 9000, 9001].map(is_told), [true, false, false, true, false, true, false]);
    }
}
