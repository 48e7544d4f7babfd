//! Up to which moment webhooks know of a group's news: what a restart must not tell again.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::Origin;

/// Takes the moment, Unix ms, up to which all webhooks know of a group's news.
pub(crate) type Told = Arc<dyn Fn(&Origin, i64) + Send + Sync>;

/// Collects what each webhook knows.
pub(super) struct Knowledge {
    webhooks: usize,
    /// By group, then by webhook.
    known: Mutex<BTreeMap<Origin, BTreeMap<usize, i64>>>,
    told: Told,
}

impl Knowledge {
    /// Of so many webhooks.
    pub(super) fn new(webhooks: usize, told: Told) -> Self {
        Self { webhooks, known: Mutex::default(), told }
    }

    /// A webhook knows a group's news up to a moment.
    pub(super) fn learn(&self, webhook: usize, origin: &Origin, slot_ms: i64) {
        let all = {
            let mut known = self.known.lock();
            let of_group = known.entry(origin.clone()).or_default();
            of_group.insert(webhook, slot_ms);
            (of_group.len() == self.webhooks).then(|| of_group.values().copied().min()).flatten()
        };
        if let Some(slot_ms) = all {
            (self.told)(origin, slot_ms);
        }
    }
}
