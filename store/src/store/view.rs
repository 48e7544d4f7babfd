//! What queries see at one moment: head files, segments and the ledger behind one atomic pointer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arc_swap::ArcSwap;
use weir_proto::TenantId;

use super::stored::StoredSegment;
use crate::{
    Offset, Tally,
    head::{Cut, HeadFile},
    sampling::{PolicyNames, VerdictNo},
};

/// Segments by tenant, oldest first.
pub(crate) type SegmentsByTenant = HashMap<TenantId, Vec<Arc<StoredSegment>>>;

/// One moment. What it names lives until the last view that names it is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Rows of the head after this are not part of it.
    pub(crate) projected: Offset,
    /// Journal files that are not sealed, oldest first.
    pub(crate) files: Vec<Arc<HeadFile>>,
    /// Everything sealed.
    pub(crate) segments: Arc<SegmentsByTenant>,
    /// Verdicts after this batch are not part of it.
    pub(crate) verdicts: VerdictNo,
    /// The names behind verdicts' policies; they only become more.
    pub(crate) policies: Arc<PolicyNames>,
    /// What became, as of `verdicts`, of the unsealed spans that the sampler has taken in, and up to which frame it has.
    pub(crate) sampled: Arc<SampledTallies>,
    /// Of everything sealed.
    pub(crate) sealed_ledger: Arc<BTreeMap<TenantId, Tally>>,
}

impl View {
    /// What of the head is part of it.
    pub(crate) fn cut(&self) -> Cut<'_> {
        Cut { projected: self.projected, verdicts: self.verdicts, policies: &self.policies }
    }

    /// Every segment, of every tenant.
    pub(crate) fn all_segments(&self) -> impl Iterator<Item = &Arc<StoredSegment>> {
        self.segments.values().flatten()
    }

    /// Bytes of journal files that are not sealed.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.journal().bytes())).sum()
    }
}

/// Unsealed spans by what became of them. Frames that nothing samples are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SampledTallies {
    /// The last frame taken in; frames after it are pending whole.
    pub(crate) taken_in: Offset,
    /// Of unsealed sampled frames up to there: `accepted` (without damaged), `kept`, `pending`, `dropped`.
    pub(crate) by_tenant: BTreeMap<TenantId, Tally>,
}

/// The current view. Changes are made by the committer, the sealer, the merger and retention, each in one swap.
#[derive(Debug)]
pub(crate) struct Views {
    current: ArcSwap<View>,
    /// A test's look at each view before it is swapped in.
    #[cfg(test)]
    pub(crate) witness: std::sync::OnceLock<fn(&View)>,
}

impl Views {
    /// Starts with `view`.
    pub(crate) fn new(view: View) -> Self {
        Self {
            current: ArcSwap::from_pointee(view),
            #[cfg(test)]
            witness: std::sync::OnceLock::new(),
        }
    }

    /// The view as of now.
    pub(crate) fn current(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// Swaps in a changed view. `change` may run more than once when another thread swaps at the same time.
    pub(crate) fn change(&self, mut change: impl FnMut(&mut View)) {
        self.current.rcu(|current| {
            let mut next = View::clone(current);
            change(&mut next);
            #[cfg(test)]
            if let Some(witness) = self.witness.get() {
                witness(&next);
            }
            next
        });
    }

    /// Swaps segments: `removed` by `added`.
    pub(crate) fn change_segments(
        &self,
        tenant: &TenantId,
        removed: &[Arc<StoredSegment>],
        added: &[Arc<StoredSegment>],
    ) {
        self.change(|view| {
            let segments = Arc::make_mut(&mut view.segments).entry(tenant.clone()).or_default();
            segments.retain(|segment| !removed.iter().any(|gone| Arc::ptr_eq(gone, segment)));
            segments.extend_from_slice(added);
            segments.sort_by_key(|segment| segment.id().first_file);
        });
    }
}
