//! Keeps messages: until they are durable their senders wait, as far as the protocol can make them.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use prometheus::{IntCounter, IntCounterVec, register_int_counter, register_int_counter_vec};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use weir_port::Refusal;
use weir_proto::{
    TenantId,
    syslog::{Messages, Options},
};

use crate::receivers::intake::Intake;

/// The label in metrics.
pub(super) const PROTOCOL: &str = "syslog";

/// Until a busy store is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Messages that nobody could read.
static UNREAD: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Syslog messages that could not be read, and are kept as texts";
    register_int_counter!("weir_syslog_messages_unread_total", text)
        .expect("each metric is registered once, under a valid name")
});

/// Messages that are lost.
pub(super) static LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Syslog messages that are lost, by why";
    register_int_counter_vec!("weir_syslog_messages_lost_total", text, &["reason"])
        .expect("each metric is registered once, under a valid name")
});

/// Where messages go.
pub(super) struct Keeping {
    pub(super) intake: Intake,
    pub(super) tenant: TenantId,
    pub(super) options: Options,
    pub(super) shutdown: CancellationToken,
}

impl Keeping {
    /// No messages yet.
    pub(super) fn messages(&self, bytes: usize) -> Messages {
        Messages::new(self.options, bytes)
    }

    /// Keeps messages; completes once they are durable. While the store is busy it is tried again, and nothing more is read meanwhile.
    /// False: the process ends, or the store did; they are lost.
    pub(super) async fn keep(&self, messages: Messages) -> bool {
        let (count, unread) = (messages.count(), messages.unread());
        if count == 0 {
            return true;
        }
        UNREAD.inc_by(unread);
        let payload = Bytes::from(messages.finish());
        loop {
            let refusal = match self.intake.take_lines(PROTOCOL, self.tenant.clone(), payload.clone()).await {
                Ok(_) => return true,
                Err(refusal) => refusal,
            };
            let reason = refusal.outcome();
            match refusal {
                Refusal::Busy(_) | Refusal::DiskFull if !self.shutdown.is_cancelled() => {
                    tokio::select! {
                        () = sleep(RETRY_AFTER) => {}
                        () = self.shutdown.cancelled() => {}
                    }
                }
                refusal => {
                    warn!(count, %refusal, "syslog messages are lost");
                    LOST.with_label_values(&[reason]).inc_by(count);
                    return !matches!(refusal, Refusal::Busy(_) | Refusal::DiskFull | Refusal::Stopped);
                }
            }
        }
    }
}
