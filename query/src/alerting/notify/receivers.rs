//! Who is told: receivers as they are configured, the addresses they have at the moment, a sender for each.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum::body::Bytes;
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{relabel::RelabelConfig, time::Clock};

use super::{
    Links, NotifyLimits, Origin, Posting, metrics,
    sender::{self, Feed},
    told::{Knowledge, Told},
};
use crate::alerting::group::SentAlert;

/// How often addresses are looked up again.
const REFRESH: Duration = Duration::from_secs(5);

/// What an address answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body.
    pub said: String,
}

/// The addresses of one receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerList {
    /// To be told, as URLs.
    pub active: Vec<String>,
    /// Left out by relabelling.
    pub dropped: Vec<String>,
}

/// Finds a receiver's addresses, and speaks to them. The root makes these of the configuration.
pub trait Peers: Send + Sync {
    /// The addresses of now. May read files.
    fn list(&self) -> PeerList;

    /// Posts JSON to one of them, within the configured time; why it could not, otherwise.
    fn post(&self, url: &str, body: Bytes) -> Posting;
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverKind {
    /// Lists of alerts, as Alertmanager's API v2 takes them.
    Alertmanager,
    /// What Alertmanager sends to webhooks.
    Webhook {
        /// Whether it is told of alerts that ended.
        sends_resolved: bool,
    },
}

/// One receiver.
#[derive(Clone)]
pub struct Receiver {
    /// What is sent.
    pub kind: ReceiverKind,
    /// Steps over the labels of its alerts, after those for all.
    pub relabel: Vec<RelabelConfig>,
    /// Where to.
    pub peers: Arc<dyn Peers>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// All receivers at work, until they are replaced.
pub(crate) struct Receivers {
    links: Links,
    running: Vec<Running>,
    stop: CancellationToken,
}

struct Running {
    receiver: Receiver,
    limits: NotifyLimits,
    external_url: String,
    addresses: Mutex<Addresses>,
    knowledge: (usize, Arc<Knowledge>),
}

#[derive(Default)]
struct Addresses {
    list: PeerList,
    feeds: BTreeMap<String, (Arc<Feed>, CancellationToken)>,
}

impl Receivers {
    /// Starts a sender for each address; addresses are looked up again every few seconds, until `stop`.
    pub(crate) fn start(
        receivers: Vec<Receiver>,
        (limits, links): (NotifyLimits, Links),
        told: Told,
        clock: &Clock,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        metrics::show();
        let is_webhook = |receiver: &&Receiver| receiver.kind != ReceiverKind::Alertmanager;
        let knowledge = Arc::new(Knowledge::new(receivers.iter().filter(is_webhook).count(), told));
        let running = receivers.into_iter().enumerate().map(|(number, receiver)| Running {
            knowledge: (number, Arc::clone(&knowledge)),
            receiver,
            limits,
            external_url: links.external_url.clone(),
            addresses: Mutex::default(),
        });
        let all = Arc::new(Self { running: running.collect(), links, stop });
        all.refresh(clock, tracker);
        let refreshed = Arc::downgrade(&all);
        let (clock, again, stop) = (clock.clone(), tracker.clone(), all.stop.clone());
        tracker.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(REFRESH) => {}
                    () = stop.cancelled() => return,
                }
                let Some(all) = refreshed.upgrade() else { return };
                let (clock, tracker) = (clock.clone(), again.clone());
                let refreshing = tokio::task::spawn_blocking(move || all.refresh(&clock, &tracker));
                if refreshing.await.is_err() {
                    return;
                }
            }
        });
        all
    }

    fn refresh(&self, clock: &Clock, tracker: &TaskTracker) {
        for running in &self.running {
            running.refresh(clock, tracker, &self.stop);
        }
    }

    /// Hands the alerts of a moment, Unix ms, to every address.
    pub(crate) fn send(&self, origin: &Origin, slot_ms: i64, alerts: &[SentAlert]) {
        if alerts.is_empty() || self.running.is_empty() {
            return;
        }
        let out: Vec<_> = alerts.iter().filter_map(|alert| self.links.outgoing(alert)).collect();
        for running in &self.running {
            let steps = &running.receiver.relabel;
            let own: Vec<_> = out.iter().filter_map(|alert| alert.relabelled(steps)).collect();
            let addresses = running.addresses.lock();
            for (feed, _) in addresses.feeds.values() {
                feed.push((origin, slot_ms), own.iter().cloned());
            }
        }
    }

    /// The Alertmanagers.
    pub(crate) fn alertmanagers(&self) -> PeerList {
        let mut all = PeerList::default();
        for running in self.running.iter().filter(|running| running.receiver.kind == ReceiverKind::Alertmanager) {
            let addresses = running.addresses.lock();
            all.active.extend(addresses.list.active.iter().cloned());
            all.dropped.extend(addresses.list.dropped.iter().cloned());
        }
        all
    }

    /// Ends all senders; what waits is still sent, for a few seconds.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }
}

impl Running {
    fn refresh(&self, clock: &Clock, tracker: &TaskTracker, stop: &CancellationToken) {
        let list = self.receiver.peers.list();
        let mut addresses = self.addresses.lock();
        if stop.is_cancelled() {
            return;
        }
        addresses.feeds.retain(|url, (_, stop)| {
            let stays = list.active.contains(url);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for url in &list.active {
            if addresses.feeds.contains_key(url) {
                continue;
            }
            let feed = Arc::new(Feed::new(self.receiver.kind, self.limits, &self.external_url, self.knowledge.clone()));
            let own_stop = stop.child_token();
            let (peers, to) = (Arc::clone(&self.receiver.peers), url.clone());
            let post = move |batch: super::Batch| peers.post(&to, batch.body);
            tracker.spawn(sender::run(url.clone(), Arc::clone(&feed), post, clock.clone(), own_stop.clone()));
            addresses.feeds.insert(url.clone(), (feed, own_stop));
        }
        addresses.list = list;
    }
}
