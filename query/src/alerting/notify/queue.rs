//! Alerts that wait for an Alertmanager: the newest state of each, oldest first.

use std::collections::{HashMap, VecDeque};

use weir_proto::metrics::Labels;

use super::OutAlert;

/// Bounded. An alert that waits already is replaced where it stands.
#[derive(Debug)]
pub(super) struct Queue {
    order: VecDeque<Labels>,
    newest: HashMap<Labels, OutAlert>,
    alerts_max: usize,
}

impl Queue {
    pub(super) fn new(alerts_max: usize) -> Self {
        Self { order: VecDeque::new(), newest: HashMap::new(), alerts_max: alerts_max.max(1) }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Adds an alert; how many of the oldest were dropped for it.
    pub(super) fn push(&mut self, alert: OutAlert) -> usize {
        let labels = alert.labels.clone();
        if self.newest.insert(labels.clone(), alert).is_none() {
            self.order.push_back(labels);
        }
        self.shrink()
    }

    /// Takes the first ones out.
    pub(super) fn take(&mut self, count: usize) -> Vec<OutAlert> {
        let count = count.min(self.order.len());
        let taken = self.order.drain(..count);
        taken.filter_map(|labels| self.newest.remove(&labels)).collect()
    }

    /// Puts back what could not be sent, unless there is something newer; how many of the oldest were dropped for it.
    pub(super) fn give_back(&mut self, alerts: Vec<OutAlert>) -> usize {
        for alert in alerts.into_iter().rev() {
            if !self.newest.contains_key(&alert.labels) {
                self.order.push_front(alert.labels.clone());
                self.newest.insert(alert.labels.clone(), alert);
            }
        }
        self.shrink()
    }

    fn shrink(&mut self) -> usize {
        let over = self.order.len().saturating_sub(self.alerts_max);
        for labels in self.order.drain(..over) {
            self.newest.remove(&labels);
        }
        over
    }
}
