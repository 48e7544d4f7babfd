//! What a scan hands out for each metric.

use super::{ItemFault, ResourceView, ScanError, ScopeView, metric::read_metric};
use crate::otlp::{
    admission::Check,
    scan::{Place, Scanned},
    wire::Repeated,
};

/// A metric with what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedMetric<'a> {
    /// Its resource; the same `resource_ordinal` means the same one.
    pub resource: ResourceView<'a>,
    /// Counts ResourceMetrics from 0.
    pub resource_ordinal: u32,
    /// Its scope.
    pub scope: ScopeView<'a>,
    /// Counts ScopeMetrics over the whole payload from 0.
    pub scope_ordinal: u32,
    /// The metric.
    pub metric: MetricView<'a>,
    /// Why all of its points are rejected.
    pub fault: Option<ItemFault>,
}

impl<'a> Scanned<'a> for ScannedMetric<'a> {
    #[inline]
    fn within(Place { resource, resource_ordinal, scope, scope_ordinal }: Place<'a>) -> Self {
        Self { resource, resource_ordinal, scope, scope_ordinal, metric: MetricView::default(), fault: None }
    }

    fn read<C: Check>(&mut self, message: &'a [u8], _: u32, _: u32, check: &mut C) -> Result<(), ScanError> {
        self.metric = read_metric(message, check)?;
        self.fault = check.fault();
        Ok(())
    }
}

/// A Metric.
#[derive(Debug, Clone, Copy, Default)]
pub struct MetricView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// A sentence.
    pub description: &'a [u8],
    /// UCUM.
    pub unit: &'a [u8],
    /// What kind of points it has.
    pub kind: DataKind,
    /// Over which time they count.
    pub temporality: Temporality,
    /// Whether a sum never goes down.
    pub is_monotonic: bool,
    pub(super) points: Repeated<'a>,
}

impl<'a> MetricView<'a> {
    /// Its encoded points, in order.
    pub fn points(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.points.iter()
    }

    /// How many there are.
    pub fn points_len(&self) -> usize {
        self.points.len()
    }
}

/// What a metric holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DataKind {
    /// Nothing that is known.
    #[default]
    Nothing,
    /// Numbers.
    Gauge,
    /// Numbers that count.
    Sum,
    /// Counts by buckets with explicit bounds.
    Histogram,
    /// Counts by buckets with exponential bounds.
    Exponential,
    /// Quantiles.
    Summary,
}

/// AggregationTemporality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Temporality {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Since the point before.
    Delta,
    /// Since the start.
    Cumulative,
}
