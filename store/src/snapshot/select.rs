//! What a snapshot answers about metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weir_proto::{
    Signal, TenantId,
    metrics::{Exemplar, LabelMatcher, Labels, Metadata},
};

use super::{
    asked::Snapshot,
    stored::StoredSegment,
    stored_series::{Around, StoredSeries, read_error},
};
use crate::{
    ask::error::ReadError,
    head::{HeadCut, Series, SeriesIndex, TenantSeries},
    labels::{Selection, SeriesSet, select},
    segment::{SegmentError, series::SeriesSegment},
};

/// Times in Unix ms, both included.
type Range = (i64, i64);

/// The series in memory that pass, and what of them is visible.
struct InHead {
    tenant: Arc<TenantSeries>,
    cut: HeadCut,
    range: Range,
}

impl InHead {
    /// The passing series with visible samples, in the order of their labels.
    fn series(&self, selection: &Selection) -> Vec<Arc<Series>> {
        let index = self.tenant.index();
        let passing = self.passing(&index, selection);
        let mut series = index.in_order(&passing);
        // New series must not wait until all of them were looked at.
        drop(index);
        series.retain(|series| self.shows(series));
        series
    }

    fn passing(&self, index: &SeriesIndex, selection: &Selection) -> SeriesSet {
        match select(index, selection) {
            Ok(set) => set,
            Err(never) => match never {},
        }
    }

    fn shows(&self, series: &Series) -> bool {
        series.overlaps(&self.cut, self.range.0, self.range.1)
    }
}

impl Snapshot {
    /// The series that match all and have samples from `from_ms` to `to_ms`, both included (or may have, where to tell would take
    /// reading them). In the order of their labels, each once.
    pub fn series(
        &self,
        tenant: &TenantId,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<StoredSeries>, ReadError> {
        let (selection, range) = (Selection::new(matchers)?, (from_ms, to_ms));
        let around = Arc::new(Around { cut: self.0.metrics.cut(), missing: self.1.clone(), _view: self.0.clone() });
        let mut found: Vec<StoredSeries> = Vec::new();
        let mut sources = 0;
        self.each_segment(tenant, range, |stored, segment| {
            let passing = select(segment, &selection)?;
            let mut of_segment = Vec::with_capacity(passing.len());
            // What is sound of a damaged one counts.
            let read = segment.records(&passing, |_, mut record| {
                record.chunks.retain(|chunk| chunk.overlaps(range));
                if !record.chunks.is_empty() {
                    let part = (stored.clone(), record.chunks);
                    of_segment.push(StoredSeries::of_segment(record.labels, part, &around));
                }
            });
            sources += usize::from(!of_segment.is_empty());
            found.append(&mut of_segment);
            read
        })?;
        if let Some(head) = self.in_head(tenant, range) {
            let of_head = head.series(&selection);
            sources += usize::from(!of_head.is_empty());
            found.extend(of_head.into_iter().map(|series| StoredSeries::of_head(series, &around)));
        }
        if sources < 2 {
            return Ok(found);
        }
        // Stable, and quick over what are runs in order: sources stay in the order in which they arrived.
        found.sort_by(|one, other| one.labels().cmp(other.labels()));
        found.dedup_by(|later, earlier| {
            let same = later.labels() == earlier.labels();
            if same {
                earlier.add(later);
            }
            same
        });
        Ok(found)
    }

    /// The names of the labels of those series, sorted.
    pub fn label_names(
        &self,
        tenant: &TenantId,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<String>, ReadError> {
        let (selection, range) = (Selection::new(matchers)?, (from_ms, to_ms));
        let mut names = BTreeSet::new();
        self.each_segment(tenant, range, |_, segment| {
            let passing = select(segment, &selection)?;
            for name in segment.label_names() {
                if !names.contains(name) && segment.has_label(name, &passing)? {
                    names.insert(name.to_owned());
                }
            }
            Ok(())
        })?;
        if let Some(head) = self.in_head(tenant, range) {
            let index = head.tenant.index();
            let passing = head.passing(&index, &selection);
            let shows = |slot: &u32| passing.contains(*slot) && head.shows(index.series(*slot));
            let has_any = |name: &&str| index.values_of(name).any(|(_, slots)| slots.iter().any(shows));
            names.extend(index.label_names().filter(has_any).map(str::to_owned));
        }
        Ok(names.into_iter().collect())
    }

    /// The values that a label has in those series, sorted.
    pub fn label_values(
        &self,
        tenant: &TenantId,
        name: &str,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<String>, ReadError> {
        let (selection, range) = (Selection::new(matchers)?, (from_ms, to_ms));
        let mut values = BTreeSet::new();
        self.each_segment(tenant, range, |_, segment| {
            let passing = select(segment, &selection)?;
            segment.values_of(name, &passing, |value| {
                if !values.contains(value) {
                    values.insert(value.to_owned());
                }
            })
        })?;
        if let Some(head) = self.in_head(tenant, range) {
            let index = head.tenant.index();
            let passing = head.passing(&index, &selection);
            let shows = |slot: &u32| passing.contains(*slot) && head.shows(index.series(*slot));
            let having = index.values_of(name).filter(|(_, slots)| slots.iter().any(shows));
            values.extend(having.map(|(value, _)| value.to_owned()));
        }
        Ok(values.into_iter().collect())
    }

    /// What is known of the tenant's metric families, by name.
    pub fn metric_metadata(&self, tenant: &TenantId) -> Result<Vec<Metadata>, ReadError> {
        let registry = &self.0.metrics.registry;
        Ok(registry.known_tenant(tenant).map(|known| known.families()).unwrap_or_default())
    }

    /// The exemplars of the series that match in that time, each series' in time order, each once.
    pub fn exemplars(
        &self,
        tenant: &TenantId,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, ReadError> {
        let selection = Selection::new(matchers)?;
        let view = &self.0.metrics;
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        let is_wanted = |exemplar: &Exemplar| (from_ms..=to_ms).contains(&exemplar.time_ms);
        // An exemplar may be older than the sample that it came with.
        self.each_segment(tenant, (i64::MIN, i64::MAX), |_, segment| {
            for (labels, exemplars) in segment.exemplars()? {
                if selection.takes(&labels) && exemplars.iter().any(is_wanted) {
                    found.entry(labels).or_default().extend(exemplars.into_iter().filter(is_wanted));
                }
            }
            Ok(())
        })?;
        for file in &view.files {
            let position = if file.number() == view.horizon.0.file() { view.horizon.0.position() } else { u32::MAX };
            file.exemplars(tenant, position, |series, exemplar| {
                if is_wanted(exemplar) && selection.takes(series.labels()) {
                    found.entry(series.labels().clone()).or_default().push(exemplar.clone());
                }
            });
        }
        for exemplars in found.values_mut() {
            exemplars.sort_by_key(|exemplar| exemplar.time_ms);
            exemplars.dedup();
        }
        Ok(found.into_iter().collect())
    }

    /// Whether something of the tenant's metrics was found to be damaged, or could not be read from the archive for this snapshot: answers
    /// may lack what was in it.
    pub fn is_metrics_damaged(&self, tenant: &TenantId) -> bool {
        self.1.has(Signal::Metrics) || self.0.metrics.segments_of(tenant).iter().any(|segment| segment.has_damage())
    }

    fn in_head(&self, tenant: &TenantId, range: Range) -> Option<InHead> {
        let view = &self.0.metrics;
        let tenant = view.registry.known_tenant(tenant)?;
        Some(InHead { tenant, cut: view.cut(), range })
    }

    /// Asks the segments that may have samples of a time, oldest first. What is damaged hurts only itself.
    fn each_segment(
        &self,
        tenant: &TenantId,
        range: Range,
        mut ask: impl FnMut(&Arc<StoredSegment<SeriesSegment>>, &SeriesSegment) -> Result<(), SegmentError>,
    ) -> Result<(), ReadError> {
        self.miss_absent(Signal::Metrics, tenant);
        for stored in self.0.metrics.segments_of(tenant) {
            let segment = stored.segment();
            if !segment.overlaps(range) {
                continue;
            }
            match ask(stored, segment) {
                Ok(()) => {}
                Err(error @ SegmentError::Damaged { .. }) => self.missed(stored, &error),
                Err(error) => {
                    self.missed(stored, &error);
                    return Err(read_error(stored, error));
                }
            }
        }
        Ok(())
    }
}
