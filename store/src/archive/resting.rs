//! What failed lately and rests before it is tried again: one segment or one table, while the others go on.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use weir_proto::{Signal, TenantId, time::SECOND_NS};

use crate::segment::SegmentId;

/// Rests after failures: the first, and the longest.
pub(crate) const REST_S: (u64, u64) = (1, 60);

/// What failed so long ago and was not tried since is forgotten.
const FORGOTTEN_NS: u64 = 3600 * SECOND_NS;

/// Entries that are kept; beyond, the one that may be tried first is.
const ENTRIES_MAX: usize = 10_000;

/// So many are told.
const TOLD_MAX: usize = 100;

/// What can fail by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Changing a table.
    Table(Signal, TenantId),
    /// Bringing a segment there, opening its copy, or deleting its objects.
    Segment(SegmentId),
    /// Bringing a copy of a pinned segment here that was there and was damaged.
    Copy(SegmentId),
    /// Giving a segment its index back.
    Index(SegmentId),
    /// Putting objects of a segment there again that were found missing or damaged.
    Again(SegmentId),
    /// Deleting what was merged and cannot come into its table.
    GiveUp(SegmentId),
    /// Looking for what was left behind.
    Sweep,
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(signal, tenant) => write!(f, "the table of {tenant}'s {signal}"),
            Self::Segment(id) => write!(f, "segment {id} of {}'s {}", id.tenant, id.signal),
            Self::Copy(id) => write!(f, "the copy here of segment {id} of {}'s {}", id.tenant, id.signal),
            Self::Index(id) => write!(f, "the index of segment {id} of {}'s {}", id.tenant, id.signal),
            Self::Again(id) => write!(f, "objects of segment {id} of {}'s {} that are lost", id.tenant, id.signal),
            Self::GiveUp(id) => write!(f, "giving up the merged segment {id} of {}'s {}", id.tenant, id.signal),
            Self::Sweep => write!(f, "what was left behind"),
        }
    }
}

/// What rests, and until when.
#[derive(Debug, Default)]
pub(crate) struct Resting(Mutex<BTreeMap<Work, Rest>>);

#[derive(Debug, Clone)]
struct Rest {
    failures: u32,
    until_ns: u64,
    error: String,
}

impl Resting {
    /// It failed; the seconds that it rests.
    pub(crate) fn failed(&self, work: &Work, error: &dyn std::fmt::Display, now_ns: u64) -> u64 {
        self.forget(now_ns);
        let mut resting = self.0.lock();
        if resting.len() >= ENTRIES_MAX && !resting.contains_key(work) {
            let first = resting.iter().min_by_key(|(_, rest)| rest.until_ns).map(|(work, _)| work.clone());
            first.and_then(|first| resting.remove(&first));
        }
        let failures = resting.get(work).map_or(1, |rest| rest.failures.saturating_add(1));
        let wait_s = rest_s(failures);
        resting.insert(
            work.clone(),
            Rest { failures, until_ns: now_ns.saturating_add(wait_s * SECOND_NS), error: error.to_string() },
        );
        wait_s
    }

    /// Forgets what was not tried for long.
    pub(crate) fn forget(&self, now_ns: u64) {
        self.0.lock().retain(|_, rest| now_ns.saturating_sub(rest.until_ns) < FORGOTTEN_NS);
    }

    /// What failed last time, and why, but for what is of other tenants.
    pub(crate) fn told(&self, tenant: &TenantId) -> Vec<(String, String)> {
        let resting = self.0.lock();
        let is_theirs = |work: &Work| match work {
            Work::Table(_, of) => of == tenant,
            Work::Segment(id) | Work::Copy(id) | Work::Index(id) | Work::Again(id) | Work::GiveUp(id) => {
                id.tenant == *tenant
            }
            Work::Sweep => true,
        };
        let theirs = resting.iter().filter(|(work, _)| is_theirs(work)).take(TOLD_MAX);
        theirs.map(|(work, rest)| (work.to_string(), rest.error.clone())).collect()
    }

    /// How often it failed in a row.
    pub(crate) fn failures(&self, work: &Work) -> u32 {
        self.0.lock().get(work).map_or(0, |rest| rest.failures)
    }

    /// It did not fail any more.
    pub(crate) fn succeeded(&self, work: &Work) {
        self.0.lock().remove(work);
    }

    /// Whether it is not to be tried yet. A clock that was set back ends a rest.
    pub(crate) fn is_resting(&self, work: &Work, now_ns: u64) -> bool {
        let resting = self.0.lock();
        resting.get(work).is_some_and(|rest| now_ns < rest.until_ns && rest.until_ns - now_ns <= REST_S.1 * SECOND_NS)
    }
}

/// Seconds of rest after so many failures in a row.
pub(crate) fn rest_s(failures: u32) -> u64 {
    (REST_S.0 << failures.min(7).saturating_sub(1)).min(REST_S.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_end() {
        let (resting, work) = (Resting::default(), Work::Table(Signal::Logs, TenantId::default()));
        assert!(!resting.is_resting(&work, 0));
        let rests: Vec<u64> = (0..8).map(|_| resting.failed(&work, &"no", 0)).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(resting.is_resting(&work, 59 * SECOND_NS) && !resting.is_resting(&work, 60 * SECOND_NS));
        assert_eq!(resting.told(&TenantId::default()), [("the table of default's logs".to_owned(), "no".to_owned())]);
        resting.succeeded(&work);
        assert!(!resting.is_resting(&work, 0));
        assert_eq!(resting.failed(&work, &"no", 500 * SECOND_NS), 1);
        assert!(!resting.is_resting(&work, 0), "the clock was set back");
        resting.forget(501 * SECOND_NS + FORGOTTEN_NS - 1);
        assert_eq!(resting.told(&TenantId::default()).len(), 1);
        resting.forget(501 * SECOND_NS + FORGOTTEN_NS);
        assert!(resting.told(&TenantId::default()).is_empty());
    }
}
