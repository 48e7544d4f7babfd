//! What a snapshot answers about metrics.

use std::{collections::BTreeMap, sync::Arc};

use weir_proto::{
    TenantId,
    metrics::{Exemplar, LabelMatcher, Labels, Metadata},
};

use crate::{
    ReadError, SeriesSamples,
    head::{HeadCut, Series, TenantSeries},
    labels::{Selection, SeriesSet, select},
    store::{Snapshot, view::View},
};

/// A series, as a snapshot has it. Its samples are read when they are asked for.
#[derive(Debug, Clone)]
pub struct StoredSeries {
    labels: Labels,
    head: Option<Arc<Series>>,
    cut: HeadCut,
    /// What it names stays while this does.
    _view: Arc<View>,
}

impl StoredSeries {
    /// What names it.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Appends the samples from `from_ms` to `to_ms`, both included, in time order, one of each time: the first that arrived. Markers
    /// that end the series are among them.
    pub fn read(&self, from_ms: i64, to_ms: i64, into: &mut SeriesSamples) -> Result<(), ReadError> {
        let (floats, histograms) = (into.times_ms.len(), into.histograms.len());
        if let Some(head) = &self.head {
            head.read(&self.cut, (from_ms, to_ms), into);
        }
        into.settle(floats, histograms);
        Ok(())
    }
}

/// The series in memory that pass, and what of them is visible.
struct InHead {
    tenant: Arc<TenantSeries>,
    cut: HeadCut,
    range: (i64, i64),
}

impl InHead {
    /// Hands over the passing series with visible samples, in no order.
    fn each(&self, selection: &Selection, mut each: impl FnMut(&Arc<Series>)) {
        let index = self.tenant.index();
        let passing = self.passing(&index, selection);
        let series: Vec<_> = passing.iter().map(|slot| index.series(slot).clone()).collect();
        // New series must not wait until all of them were looked at.
        drop(index);
        series.iter().filter(|series| self.shows(series)).for_each(&mut each);
    }

    fn passing(&self, index: &crate::head::SeriesIndex, selection: &Selection) -> SeriesSet {
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
        let selection = Selection::new(matchers)?;
        let mut found = Vec::new();
        if let Some(head) = self.in_head(tenant, (from_ms, to_ms)) {
            let cut = head.cut.clone();
            head.each(&selection, |series| {
                found.push(StoredSeries {
                    labels: series.labels.clone(),
                    head: Some(series.clone()),
                    cut: cut.clone(),
                    _view: self.0.clone(),
                });
            });
        }
        found.sort_unstable_by(|one, other| one.labels.cmp(&other.labels));
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
        let selection = Selection::new(matchers)?;
        let mut names = Vec::new();
        if let Some(head) = self.in_head(tenant, (from_ms, to_ms)) {
            let index = head.tenant.index();
            let passing = head.passing(&index, &selection);
            let shows = |slot: &u32| passing.contains(*slot) && head.shows(index.series(*slot));
            let has_any = |name: &&str| index.values_of(name).any(|(_, slots)| slots.iter().any(shows));
            names.extend(index.label_names().filter(has_any).map(str::to_owned));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
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
        let selection = Selection::new(matchers)?;
        let mut values = Vec::new();
        if let Some(head) = self.in_head(tenant, (from_ms, to_ms)) {
            let index = head.tenant.index();
            let passing = head.passing(&index, &selection);
            let shows = |slot: &u32| passing.contains(*slot) && head.shows(index.series(*slot));
            let having = index.values_of(name).filter(|(_, slots)| slots.iter().any(shows));
            values.extend(having.map(|(value, _)| value.to_owned()));
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// What is known of the tenant's metric families, by name.
    pub fn metric_metadata(&self, tenant: &TenantId) -> Result<Vec<Metadata>, ReadError> {
        let registry = &self.0.metrics.registry;
        Ok(registry.known_tenant(tenant).map(|known| known.families()).unwrap_or_default())
    }

    /// The exemplars of those series in that time, each series' in time order.
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
        for file in &view.files {
            let position = if file.number() == view.horizon.0.file() { view.horizon.0.position() } else { u32::MAX };
            file.exemplars(tenant, position, |series, exemplar| {
                if (from_ms..=to_ms).contains(&exemplar.time_ms) && selection.takes(series.labels()) {
                    found.entry(series.labels().clone()).or_default().push(exemplar.clone());
                }
            });
        }
        for exemplars in found.values_mut() {
            exemplars.sort_by_key(|exemplar| exemplar.time_ms);
        }
        Ok(found.into_iter().collect())
    }

    fn in_head(&self, tenant: &TenantId, range: (i64, i64)) -> Option<InHead> {
        let view = &self.0.metrics;
        let tenant = view.registry.known_tenant(tenant)?;
        Some(InHead { tenant, cut: view.cut(), range })
    }
}
