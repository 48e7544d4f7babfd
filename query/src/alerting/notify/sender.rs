//! Sends to one address: batch after batch, one at a time, again where it failed.

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_proto::time::Clock;

use super::{
    Batch, NotifyLimits, Origin, OutAlert, Posting, RETRY_MAX, RETRY_MIN, metrics,
    queue::Queue,
    receivers::{Posted, ReceiverKind},
    told::Knowledge,
    webhook::{Groups, Message},
};

/// How long a sender goes on once it is to end.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// What waits for one address.
pub(super) struct Feed {
    waiting: Mutex<Waiting>,
    more: Notify,
    limits: NotifyLimits,
    external_url: String,
    /// Which webhook it is, and who wants to know what it knows.
    knowledge: (usize, Arc<Knowledge>),
}

enum Waiting {
    Alerts(Queue),
    Groups(Groups),
}

/// What is under way.
enum Taken {
    Alerts(Vec<OutAlert>),
    Group(Message),
}

impl Feed {
    pub(super) fn new(
        kind: ReceiverKind,
        limits: NotifyLimits,
        external_url: &str,
        knowledge: (usize, Arc<Knowledge>),
    ) -> Self {
        let waiting = match kind {
            ReceiverKind::Alertmanager => Waiting::Alerts(Queue::new(limits.queue_alerts_max)),
            ReceiverKind::Webhook { sends_resolved } => {
                Waiting::Groups(Groups::new(limits.queue_alerts_max, sends_resolved))
            }
        };
        let external_url = external_url.to_owned();
        Self { waiting: Mutex::new(waiting), more: Notify::new(), limits, external_url, knowledge }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }

    /// Adds what an evaluation says.
    pub(super) fn push(&self, (origin, slot_ms): (&Origin, i64), alerts: impl Iterator<Item = OutAlert>) {
        let mut waiting = self.waiting();
        let before = waiting.len();
        let dropped = match &mut *waiting {
            Waiting::Alerts(queue) => alerts.map(|alert| queue.push(alert)).sum::<usize>(),
            Waiting::Groups(groups) => groups.push((origin, slot_ms), alerts),
        };
        metrics::QUEUED.add(waiting.len() as i64 - before as i64);
        metrics::DROPPED.inc_by(dropped as u64);
        drop(waiting);
        self.more.notify_one();
    }

    fn take(&self, now_ms: i64) -> Option<(Taken, Batch)> {
        let mut waiting = self.waiting();
        let before = waiting.len();
        let taken = match &mut *waiting {
            Waiting::Alerts(queue) => {
                let alerts = queue.take(self.limits.batch_alerts_max);
                let written: Vec<_> = alerts.iter().map(OutAlert::posted).collect();
                let body = serde_json::to_vec(&written).expect("texts can be written").into();
                let batch = Batch { body, alerts: alerts.len() };
                (!alerts.is_empty()).then_some((Taken::Alerts(alerts), batch))
            }
            Waiting::Groups(groups) => groups.next(&self.external_url, now_ms).map(|message| {
                let batch = Batch { body: message.body.clone().into(), alerts: message.alerts };
                (Taken::Group(message), batch)
            }),
        };
        metrics::QUEUED.add(waiting.len() as i64 - before as i64);
        taken
    }

    fn give_back(&self, taken: Taken) {
        let mut waiting = self.waiting();
        let before = waiting.len();
        match (&mut *waiting, taken) {
            (Waiting::Alerts(queue), Taken::Alerts(alerts)) => {
                metrics::DROPPED.inc_by(queue.give_back(alerts) as u64);
            }
            (Waiting::Groups(groups), Taken::Group(message)) => groups.failed(&message),
            (Waiting::Alerts(_), Taken::Group(_)) | (Waiting::Groups(_), Taken::Alerts(_)) => {
                unreachable!("what was taken is what waits here")
            }
        }
        metrics::QUEUED.add(waiting.len() as i64 - before as i64);
    }

    fn done(&self, taken: &Taken) {
        let Taken::Group(message) = taken else { return };
        if let Waiting::Groups(groups) = &mut *self.waiting() {
            groups.told(message);
        }
        self.knowledge.1.learn(self.knowledge.0, &message.origin, message.slot_ms);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        metrics::QUEUED.sub(self.waiting().len() as i64);
    }
}

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Alerts(queue) => queue.len(),
            Self::Groups(groups) => groups.len(),
        }
    }
}

/// Sends until `stop`; then, for a few seconds, what is left.
pub(super) async fn run(
    url: String,
    feed: Arc<Feed>,
    post: impl Fn(Batch) -> Posting + Send,
    clock: Clock,
    stop: CancellationToken,
) {
    let until_stop = async {
        let mut wait = RETRY_MIN;
        loop {
            let now_ms = (clock.now_ns() / 1_000_000) as i64;
            let Some((taken, batch)) = feed.take(now_ms) else {
                feed.more.notified().await;
                continue;
            };
            if send_one(&url, &feed, &post, taken, batch).await {
                wait = RETRY_MIN;
                continue;
            }
            tokio::time::sleep(jittered(wait, clock.now_ns())).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    };
    tokio::select! {
        () = until_stop => {}
        () = stop.cancelled() => {}
    }
    let rest = async {
        while let Some((taken, batch)) = feed.take((clock.now_ns() / 1_000_000) as i64) {
            if !send_one(&url, &feed, &post, taken, batch).await {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_MAX, rest).await;
}

/// Whether to go on at once.
async fn send_one(
    url: &str,
    feed: &Arc<Feed>,
    post: &(impl Fn(Batch) -> Posting + Send),
    taken: Taken,
    batch: Batch,
) -> bool {
    let alerts = batch.alerts as u64;
    let mut held = Held { feed: Arc::clone(feed), taken: Some(taken) };
    let outcome = post(batch).await;
    let taken = held.taken.take().expect("taken here only");
    match outcome {
        Ok(Posted { status, .. }) if (200..300).contains(&status) => {
            metrics::SENT.inc_by(alerts);
            feed.done(&taken);
            true
        }
        // Said again it would be refused again; what still holds is told anew in a minute.
        Ok(Posted { status, said }) if (400..500).contains(&status) && status != 408 && status != 429 => {
            metrics::ERRORS.inc();
            metrics::DROPPED.inc_by(alerts);
            tracing::error!(url, status, said, alerts, "alerts were refused");
            feed.done(&taken);
            true
        }
        outcome => {
            metrics::ERRORS.inc();
            let why = match outcome {
                Ok(Posted { status, said }) => format!("HTTP status {status}: {said}"),
                Err(error) => error,
            };
            tracing::warn!(url, why, alerts, "alerts could not be sent; they are sent again");
            feed.give_back(taken);
            false
        }
    }
}

/// What is under way goes back when the request is given up.
struct Held {
    feed: Arc<Feed>,
    taken: Option<Taken>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.feed.give_back(taken);
        }
    }
}

/// 20 % more or less, by the last digits of the time.
fn jittered(wait: Duration, now_ns: u64) -> Duration {
    let part = (now_ns.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
    wait.mul_f64(0.8 + 0.4 * f64::from(part) / f64::from(u32::MAX))
}
