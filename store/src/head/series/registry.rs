//! All series in memory, by tenant.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prometheus::{IntCounterVec, register_int_counter_vec};
use weir_proto::{
    TenantId,
    metrics::{Labels, Metadata},
};

use super::{
    families::Families,
    index::SeriesIndex,
    series::{Series, SeriesRef},
};
use crate::note::Note;
use crate::options::StoreOptions;

/// Metric names that refusals are counted under; those of further ones are counted as `other`.
const REFUSED_NAMES_MAX: usize = 1000;

static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "New series refused because of storage.series_max or series_per_job_max, by metric name.";
    register_int_counter_vec!("weir_series_refused_total", text, &["metric"]).expect("registered once")
});

/// There are as many series as there may be: known ones go on, new ones are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesRefused {
    /// The tenant has so many.
    #[error("the tenant has {0} series, no more are taken (storage.series_max)")]
    Tenant(usize),
    /// One of its jobs has.
    #[error("the job {job:?} has {series_max} series, no more are taken (storage.series_per_job_max)")]
    Job {
        /// The value of the label `job`.
        job: String,
        /// The limit.
        series_max: usize,
    },
}

/// What a tenant may have in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeriesLimits {
    /// Series.
    pub(crate) series_max: usize,
    /// Series with one value of the label `job`.
    pub(crate) series_per_job_max: usize,
    /// Metric families.
    pub(crate) families_max: usize,
    /// Exemplars of a journal file.
    pub(crate) exemplars_max: usize,
}

impl SeriesLimits {
    /// None.
    const NONE: Self = Self {
        series_max: usize::MAX,
        series_per_job_max: usize::MAX,
        families_max: usize::MAX,
        exemplars_max: usize::MAX,
    };

    /// As configured.
    pub(crate) fn of(options: &StoreOptions) -> Self {
        Self {
            series_max: options.series_max,
            series_per_job_max: options.series_per_job_max,
            families_max: options.metric_families_max,
            exemplars_max: options.exemplars_max,
        }
    }
}

/// The label by which jobs are told apart.
const JOB: &str = "job";

/// The series of all tenants.
#[derive(Debug)]
pub(crate) struct Registry {
    tenants: RwLock<HashMap<TenantId, Arc<TenantSeries>>>,
    next_number: AtomicU64,
    limits: SeriesLimits,
    refused_names: Mutex<Vec<String>>,
    /// Whether the store is open: nothing older can bring a note back that is gone.
    are_notes_complete: AtomicBool,
}

/// One tenant's.
#[derive(Debug, Default)]
pub(crate) struct TenantSeries {
    index: RwLock<SeriesIndex>,
    families: Mutex<Families>,
    /// By name; while the store opens, one without bytes is gone.
    notes: Mutex<BTreeMap<String, Bytes>>,
    /// As the registry's.
    are_notes_complete: AtomicBool,
}

/// Without a limit.
impl Default for Registry {
    fn default() -> Self {
        Self::new(1, SeriesLimits::NONE)
    }
}

impl Registry {
    /// Knows none. Numbers begin at `first_number`, higher than what an earlier run gave.
    pub(crate) fn new(first_number: u64, limits: SeriesLimits) -> Self {
        Self {
            tenants: RwLock::default(),
            next_number: AtomicU64::new(first_number),
            limits,
            refused_names: Mutex::default(),
            are_notes_complete: AtomicBool::new(false),
        }
    }

    /// What a tenant may have.
    pub(crate) fn limits(&self) -> SeriesLimits {
        self.limits
    }

    /// Finds or makes a series.
    pub(crate) fn series(&self, tenant: &TenantId, labels: &Labels) -> Result<SeriesRef, SeriesRefused> {
        let of_tenant = self.tenant(tenant);
        let index = of_tenant.index.read();
        let hash = index.hash(labels);
        if let Some(known) = index.find(labels, hash) {
            return Ok(SeriesRef(known.clone()));
        }
        drop(index);
        let mut index = of_tenant.index.write();
        self.find_or_add(&mut index, labels, self.limits).inspect_err(|_| self.count_refused(labels.metric_name()))
    }

    /// The same of series that are in the journal: they were taken once.
    pub(crate) fn recovered<'l>(
        &self,
        tenant: &TenantId,
        labels: impl Iterator<Item = &'l Labels>,
        mut each: impl FnMut(SeriesRef),
    ) {
        let of_tenant = self.tenant(tenant);
        let mut index = of_tenant.index.write();
        for labels in labels {
            each(self.find_or_add(&mut index, labels, SeriesLimits::NONE).expect("there is no limit"));
        }
    }

    fn find_or_add(
        &self,
        index: &mut SeriesIndex,
        labels: &Labels,
        limits: SeriesLimits,
    ) -> Result<SeriesRef, SeriesRefused> {
        let hash = index.hash(labels);
        // Somebody may have been faster.
        if let Some(known) = index.find(labels, hash) {
            return Ok(SeriesRef(known.clone()));
        }
        if index.len() >= limits.series_max {
            return Err(SeriesRefused::Tenant(limits.series_max));
        }
        if limits.series_per_job_max < usize::MAX
            && let Some(job) = labels.get(JOB)
            && index.series_with(JOB, job) >= limits.series_per_job_max
        {
            return Err(SeriesRefused::Job { job: job.to_owned(), series_max: limits.series_per_job_max });
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let series = Arc::new(Series::new(number, labels.clone()));
        index.add(series.clone(), hash);
        Ok(SeriesRef(series))
    }

    fn count_refused(&self, name: &str) {
        let mut names = self.refused_names.lock();
        let is_counted = names.iter().any(|known| known == name);
        if !is_counted && names.len() < REFUSED_NAMES_MAX {
            names.push(name.to_owned());
        } else if !is_counted {
            REFUSED.with_label_values(&["other"]).inc();
            return;
        }
        REFUSED.with_label_values(&[name]).inc();
    }

    /// A tenant's series; an empty one for one that was never heard of.
    pub(crate) fn tenant(&self, tenant: &TenantId) -> Arc<TenantSeries> {
        if let Some(known) = self.tenants.read().get(tenant) {
            return known.clone();
        }
        let made = || {
            let of_tenant = TenantSeries::default();
            of_tenant.are_notes_complete.store(self.are_notes_complete.load(Ordering::Relaxed), Ordering::Relaxed);
            Arc::new(of_tenant)
        };
        self.tenants.write().entry(tenant.clone()).or_insert_with(made).clone()
    }

    /// The same, but nothing is made.
    pub(crate) fn known_tenant(&self, tenant: &TenantId) -> Option<Arc<TenantSeries>> {
        self.tenants.read().get(tenant).cloned()
    }

    /// Series in memory, of all tenants.
    pub(crate) fn series_count(&self) -> usize {
        self.tenants.read().values().map(|tenant| tenant.index.read().len()).sum()
    }

    /// Memory of all series and what finds them, about.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.tenants().iter().map(|tenant| tenant.memory_bytes()).sum()
    }

    /// Lets go of samples of files below, and of the series that nothing is left of and nobody holds.
    pub(crate) fn forget_before(&self, first_kept: u32) {
        self.tenants().iter().for_each(|tenant| tenant.forget_before(first_kept));
    }

    /// The store is open: no note comes from before any more.
    pub(crate) fn complete_notes(&self) {
        self.are_notes_complete.store(true, Ordering::Relaxed);
        self.tenants().iter().for_each(|tenant| tenant.complete_notes());
    }

    /// All tenants'.
    fn tenants(&self) -> Vec<Arc<TenantSeries>> {
        self.tenants.read().values().cloned().collect()
    }
}

impl TenantSeries {
    /// The index, to be read.
    pub(crate) fn index(&self) -> parking_lot::RwLockReadGuard<'_, SeriesIndex> {
        self.index.read()
    }

    /// Takes in what is said of families.
    pub(crate) fn learn(&self, metadata: &[Metadata], limits: SeriesLimits) {
        if !metadata.is_empty() {
            self.families.lock().learn(metadata, limits.families_max);
        }
    }

    /// Takes in what was known before: what is known already stays.
    pub(crate) fn learn_older(&self, metadata: &[Metadata], limits: SeriesLimits) {
        let mut families = self.families.lock();
        let new: Vec<Metadata> = metadata.iter().filter(|said| !families.knows(&said.family)).cloned().collect();
        families.learn(&new, limits.families_max);
    }

    /// Takes in notes that are durable.
    pub(crate) fn note(&self, notes: &[Note]) {
        if notes.is_empty() {
            return;
        }
        let mut known = self.notes.lock();
        for Note { name, bytes } in notes {
            if bytes.is_empty() && self.are_notes_complete.load(Ordering::Relaxed) {
                known.remove(name);
            } else {
                known.insert(name.clone(), bytes.clone());
            }
        }
    }

    /// What is older was taken in: those that are gone need not be known any more.
    fn complete_notes(&self) {
        let mut known = self.notes.lock();
        self.are_notes_complete.store(true, Ordering::Relaxed);
        known.retain(|_, bytes| !bytes.is_empty());
    }

    /// Takes in what stood before: what is known already stays.
    pub(crate) fn note_older(&self, notes: Vec<Note>) {
        let mut known = self.notes.lock();
        for Note { name, bytes } in notes {
            known.entry(name).or_insert(bytes);
        }
    }

    /// The notes that stand, by name.
    pub(crate) fn notes(&self) -> Vec<Note> {
        self.notes_of("")
    }

    /// The same of those whose names begin so.
    pub(crate) fn notes_of(&self, prefix: &str) -> Vec<Note> {
        let notes = self.notes.lock();
        let begun = notes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let standing = begun.take_while(|(name, _)| name.starts_with(prefix)).filter(|(_, bytes)| !bytes.is_empty());
        standing.map(|(name, bytes)| Note { name: name.clone(), bytes: bytes.clone() }).collect()
    }

    /// Memory, about.
    fn memory_bytes(&self) -> u64 {
        let (all, of_index) = {
            let index = self.index.read();
            (index.all().to_vec(), index.memory_bytes())
        };
        of_index + all.iter().map(|series| series.memory_bytes()).sum::<u64>()
    }

    /// What a file must be told of families, with the version that it has then.
    pub(crate) fn family_news(&self, file: u32) -> (Vec<Metadata>, u64) {
        self.families.lock().news_for(file)
    }

    /// A file durably has what is known of families at a version.
    pub(crate) fn set_families_written(&self, file: u32, version: u64) {
        self.families.lock().set_written(file, version);
    }

    /// What is known of families.
    pub(crate) fn families(&self) -> Vec<Metadata> {
        self.families.lock().all()
    }

    /// Lets go of samples of files below, and of the series that nothing is left of and nobody holds.
    fn forget_before(&self, first_kept: u32) {
        // Not under the lock: the samples are most of the work.
        let all: Vec<_> = self.index.read().all().to_vec();
        let mut any_empty = false;
        for series in &all {
            any_empty |= series.forget_before(first_kept);
        }
        drop(all);
        if any_empty {
            // Whoever would take hold of one now waits for the lock.
            self.index.write().retain(|series| Arc::strong_count(series) > 1 || !series.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_that_are_gone_are_known_while_the_store_opens() {
        let note = |name: &str, bytes: &'static [u8]| Note { name: name.into(), bytes: Bytes::from_static(bytes) };
        let names = |notes: Vec<Note>| -> Vec<String> { notes.into_iter().map(|note| note.name).collect() };
        let registry = Registry::default();
        let of_tenant = registry.tenant(&TenantId::default());
        of_tenant.note(&[note("x/a", b"")]);
        of_tenant.note_older(vec![note("x/a", b"1"), note("x/b", b"2"), note("w", b"3"), note("y", b"4")]);
        assert_eq!(names(of_tenant.notes()), ["w", "x/b", "y"]);
        assert_eq!(names(of_tenant.notes_of("x/")), ["x/b"]);
        registry.complete_notes();
        assert_eq!(of_tenant.notes.lock().len(), 3);
        let new = registry.tenant(&TenantId::new("new").expect("a name"));
        for of_tenant in [&of_tenant, &new] {
            of_tenant.note(&[note("x/b", b"5"), note("x/c", b"6")]);
            of_tenant.note(&[note("x/b", b""), note("x/c", b""), note("z", b"")]);
            assert_eq!(names(of_tenant.notes_of("x")), [""; 0]);
        }
        assert_eq!((of_tenant.notes.lock().len(), new.notes.lock().len()), (2, 0));
    }
}
