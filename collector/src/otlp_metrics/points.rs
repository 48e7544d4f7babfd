//! Which samples are which point's: for what is said when the store has another value at their time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use weir_store::{MetricsAppended, MetricsBatch, SampleIndex};

/// The metric of samples that are no point's own.
const NOBODY: u32 = u32::MAX;

/// The points of a request, in the order in which their samples were pushed.
#[derive(Debug, Default)]
pub(super) struct Points {
    metrics: Vec<Origin>,
    ends: Vec<End>,
}

/// A metric of the request.
#[derive(Debug)]
struct Origin {
    name: String,
    scope: String,
    resource_ordinal: u32,
    scope_ordinal: u32,
}

/// Where the samples of a point end.
#[derive(Debug)]
struct End {
    floats: u32,
    histograms: u32,
    metric: u32,
}

impl Points {
    /// The points from here on are of this metric; ordinals are those of its resource and its scope.
    pub(super) fn begin(&mut self, name: &str, scope: String, (resource_ordinal, scope_ordinal): (u32, u32)) {
        self.metrics.push(Origin { name: name.to_owned(), scope, resource_ordinal, scope_ordinal });
    }

    /// The samples up to here are of one more point; or of none.
    pub(super) fn end(&mut self, batch: &MetricsBatch, is_point: bool) {
        let (floats, histograms) = (batch.floats.len() as u32, batch.histograms.len() as u32);
        let before = self.ends.last().map_or((0, 0), |end| (end.floats, end.histograms));
        if before != (floats, histograms) {
            let metric = if is_point { self.metrics.len() as u32 - 1 } else { NOBODY };
            self.ends.push(End { floats, histograms, metric });
        }
    }

    /// How many points are not in the store as they came, and why, a sentence for each metric.
    pub(super) fn conflicts(&self, appended: &MetricsAppended) -> (u32, Vec<String>) {
        let twins: HashMap<SampleIndex, SampleIndex> = appended.within.iter().copied().collect();
        let mut points = BTreeSet::new();
        let mut words: BTreeMap<u32, String> = BTreeMap::new();
        for index in &appended.conflicts {
            let point = self.point_of(*index);
            let Some(origin) = self.origin(point) else { continue };
            points.insert(point);
            let twin = twins.get(index).map(|twin| self.origin(self.point_of(*twin)));
            words.entry(self.ends[point].metric).or_insert_with(|| origin.in_words(twin));
        }
        (points.len() as u32, words.into_values().collect())
    }

    fn point_of(&self, index: SampleIndex) -> usize {
        match index {
            SampleIndex::Float(index) => self.ends.partition_point(|end| end.floats <= index),
            SampleIndex::Histogram(index) => self.ends.partition_point(|end| end.histograms <= index),
        }
    }

    fn origin(&self, point: usize) -> Option<&Origin> {
        self.metrics.get(self.ends.get(point)?.metric as usize)
    }
}

impl Origin {
    /// Why its point conflicts with one of the request, if it is one of those.
    fn in_words(&self, twin: Option<Option<&Self>>) -> String {
        let Self { name, scope, .. } = self;
        match twin {
            None => format!(
                "metric {name:?}: another value of its series is stored at its time, and stays (of two senders of one \
                 series? service.instance.id tells them apart)"
            ),
            Some(Some(first)) if first.resource_ordinal != self.resource_ordinal => format!(
                "metric {name:?}: two resources have different values of one series at one time, the first counts \
                 (service.instance.id tells them apart)"
            ),
            Some(Some(first)) if first.scope_ordinal != self.scope_ordinal => format!(
                "metric {name:?}: scopes {:?} and {scope:?} have different values of one series at one time, the first \
                 counts (receivers.otlp.metrics.promote_scope_metadata: true keeps them apart)",
                first.scope
            ),
            Some(_) => format!("metric {name:?}: two different values of one series at one time, the first counts"),
        }
    }
}
