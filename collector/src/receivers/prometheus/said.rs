//! What targets say of their families, kept once for all that say the same.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, Weak},
};

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use weir_proto::metrics::Metadata;

/// By a hash of all of it.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<HashMap<u64, Weak<[Metadata]>>>);

impl Said {
    /// What one target says; the same memory as that of another one that says the same.
    pub(super) fn kept(&self, said: &[Metadata]) -> Arc<[Metadata]> {
        let parts = said.iter().map(|family| (&family.family, family.metric_type, &family.unit, &family.help));
        let hash = FixedState::with_seed(0).hash_one(parts.collect::<Vec<_>>());
        let mut all = self.0.lock();
        if let Some(known) = all.get(&hash).and_then(Weak::upgrade).filter(|known| **known == *said) {
            return known;
        }
        all.retain(|_, known| known.strong_count() > 0);
        let kept: Arc<[Metadata]> = said.into();
        all.insert(hash, Arc::downgrade(&kept));
        kept
    }
}

#[cfg(test)]
mod tests {
    use weir_proto::metrics::MetricType;

    use super::*;

    #[test]
    fn the_same_is_kept_once() {
        let family = |help: &str| Metadata {
            family: "up".into(),
            metric_type: MetricType::Gauge,
            unit: String::new(),
            help: help.into(),
        };
        let said = Said::default();
        let (one, same, other) =
            (said.kept(&[family("a")]), said.kept(&[family("a")]), said.kept(&[family("b"), family("a")]));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        drop((one, same));
        said.kept(&[family("c")]);
        assert_eq!(said.0.lock().len(), 2);
    }
}
