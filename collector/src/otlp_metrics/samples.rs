//! What each kind of point becomes: the series of its parts, and their samples.

use weir_proto::{
    metrics::{Histogram, LabelsError, ResetHint, STALE_NAN},
    otlp::metrics::{
        ExemplarPoint, ExponentialPoint, HistogramPoint, NumberPoint, NumberValue, SummaryPoint, Temporality,
    },
};
use weir_store::{HistogramSample, RejectReason, SampleIndex, SeriesRef};

use super::{
    config::DeltaForm,
    deltas::{Added, Total},
    exemplars::exemplar,
    labels::BaseLabels,
    native,
    stretches::Stretch,
    translate::{Family, Translation, Unkept, ms},
};

/// When a point was measured, and since when it counts, Unix ns.
#[derive(Clone, Copy)]
struct Times {
    start_ns: u64,
    time_ns: u64,
}

impl From<LabelsError> for Unkept {
    fn from(error: LabelsError) -> Self {
        Self { reason: RejectReason::InvalidLabels, words: Some(error.to_string()) }
    }
}

fn unsupported(family: &Family<'_>, words: &str) -> Unkept {
    Unkept { reason: RejectReason::Unsupported, words: Some(format!("metric {:?}: {words}", family.name)) }
}

impl Translation<'_, '_> {
    pub(super) fn number(&mut self, family: &Family<'_>, point: &NumberPoint<'_>) -> Result<(), Unkept> {
        let labels = self.surroundings.of_point(point.attributes(), self.context.config).with(&family.name, None)?;
        let series = self.series(&labels)?;
        let value = if point.is_empty() { STALE_NAN } else { point.value.map_or(0.0, NumberValue::as_f64) };
        let times = Times { start_ns: point.start_ns(), time_ns: point.time_ns() };
        self.float(family, &series, times, value)?;
        if family.metric.is_monotonic {
            self.exemplars_of(point.exemplars(), |_| Some(series.clone()));
        }
        Ok(())
    }

    pub(super) fn histogram(&mut self, family: &Family<'_>, point: &HistogramPoint<'_>) -> Result<(), Unkept> {
        let base = self.surroundings.of_point(point.attributes(), self.context.config);
        let times = Times { start_ns: point.start_ns(), time_ns: point.time_ns() };
        if self.context.config.convert_histograms_to_nhcb {
            let histogram = native::of_classic(point).map_err(|words| unsupported(family, &words))?;
            let series = self.native(family, &base, times, histogram)?;
            self.exemplars_of(point.exemplars(), |_| Some(series.clone()));
            return Ok(());
        }
        if !point.bucket_counts.is_empty() && point.bucket_counts.len() < point.bounds.len() {
            return Err(unsupported(family, "fewer buckets than bounds"));
        }
        let value = |value: f64| if point.is_empty() { STALE_NAN } else { value };
        // All series first: a point is kept whole, or not at all.
        let name = &family.name;
        let sum = match point.sum {
            Some(sum) => Some((self.series(&base.with(&format!("{name}_sum"), None)?)?, sum)),
            None => None,
        };
        let count = self.series(&base.with(&format!("{name}_count"), None)?)?;
        let bucket_name = format!("{name}_bucket");
        let mut buckets: Vec<(f64, SeriesRef, f64)> = Vec::with_capacity(point.bounds.len() + 1);
        let mut so_far = 0_u64;
        for (bound, bucket_count) in point.bounds.iter().zip(&point.bucket_counts) {
            so_far = so_far.wrapping_add(*bucket_count);
            let labels = base.with(&bucket_name, Some(("le", &plain(*bound))))?;
            buckets.push((*bound, self.series(&labels)?, so_far as f64));
        }
        if point.bounds.last() != Some(&f64::INFINITY) {
            let labels = base.with(&bucket_name, Some(("le", "+Inf")))?;
            buckets.push((f64::INFINITY, self.series(&labels)?, point.count as f64));
        }
        // A point that is in the totals already is so in all of them: the count speaks for the rest.
        self.float(family, &count, times, value(point.count as f64))?;
        if let Some((series, sum)) = sum {
            self.float(family, &series, times, value(sum))?;
        }
        for (_, series, so_far) in &buckets {
            self.float(family, series, times, value(*so_far))?;
        }
        self.exemplars_of(point.exemplars(), |measured| {
            buckets.iter().find(|(bound, ..)| measured <= *bound).map(|(_, series, _)| series.clone())
        });
        Ok(())
    }

    pub(super) fn exponential(&mut self, family: &Family<'_>, point: &ExponentialPoint<'_>) -> Result<(), Unkept> {
        let base = self.surroundings.of_point(point.attributes(), self.context.config);
        let times = Times { start_ns: point.start_ns(), time_ns: point.time_ns() };
        let histogram = native::of_exponential(point).map_err(|words| unsupported(family, &words))?;
        let series = self.native(family, &base, times, histogram)?;
        self.exemplars_of(point.exemplars(), |_| Some(series.clone()));
        Ok(())
    }

    pub(super) fn summary(&mut self, family: &Family<'_>, point: &SummaryPoint<'_>) -> Result<(), Unkept> {
        let base = self.surroundings.of_point(point.attributes(), self.context.config);
        let value = |value: f64| if point.is_empty() { STALE_NAN } else { value };
        let name = &family.name;
        let sum = self.series(&base.with(&format!("{name}_sum"), None)?)?;
        let count = self.series(&base.with(&format!("{name}_count"), None)?)?;
        let mut quantiles = Vec::with_capacity(point.quantiles.len());
        for (quantile, measured) in &point.quantiles {
            let labels = base.with(name, Some(("quantile", &plain(*quantile))))?;
            quantiles.push((self.series(&labels)?, *measured));
        }
        let (time_ms, start_ms) = (ms(point.time_ns()), ms(point.start_ns()));
        self.push(sum, time_ms, start_ms, value(point.sum));
        self.push(count, time_ms, start_ms, value(point.count as f64));
        for (series, measured) in quantiles {
            self.push(series, time_ms, start_ms, value(measured));
        }
        Ok(())
    }

    /// A number of a series; of a delta the sum with it.
    fn float(&mut self, family: &Family<'_>, series: &SeriesRef, times: Times, value: f64) -> Result<(), Unkept> {
        let is_delta = family.metric.temporality == Temporality::Delta && value.to_bits() != STALE_NAN.to_bits();
        if is_delta && self.context.config.delta == DeltaForm::Cumulative {
            return self.sum(series, times, Total::Float(value));
        }
        self.push(series.clone(), ms(times.time_ns), ms(times.start_ns), value);
        Ok(())
    }

    /// A histogram's series, with its sample.
    fn native(
        &mut self,
        family: &Family<'_>,
        base: &BaseLabels,
        times: Times,
        mut histogram: Histogram,
    ) -> Result<SeriesRef, Unkept> {
        let series = self.series(&base.with(&family.name, None)?)?;
        if family.metric.temporality == Temporality::Delta && histogram.sum.to_bits() != STALE_NAN.to_bits() {
            if self.context.config.delta == DeltaForm::Cumulative {
                self.sum(&series, times, Total::Histogram(Box::new(histogram)))?;
                return Ok(series);
            }
            histogram.reset_hint = ResetHint::Gauge;
        }
        let histogram = Box::new(histogram);
        let (time_ms, start_ms) = (ms(times.time_ns), ms(times.start_ns));
        self.push_histogram(HistogramSample { series: series.clone(), time_ms, start_ms, histogram });
        Ok(series)
    }

    /// Adds a delta to its series' total, and that to the batch; nothing when it was in it already.
    fn sum(&mut self, series: &SeriesRef, times: Times, more: Total) -> Result<(), Unkept> {
        let Times { start_ns, time_ns } = times;
        let stretch = Stretch { start_ns, end_ns: time_ns, scope: self.scope_hash };
        let at_hand = self.totals.get(series).copied();
        let at_hand_ms = match (at_hand, &more) {
            (Some(SampleIndex::Float(at)), Total::Float(_)) => Some(self.batch.floats[at as usize].time_ms),
            (Some(SampleIndex::Histogram(at)), Total::Histogram(_)) => Some(self.batch.histograms[at as usize].time_ms),
            _ => None,
        };
        let context = self.context;
        let counted = match context.deltas.add(series, (stretch, more), at_hand_ms, context.known, &mut self.undo) {
            Added::Sum(counted) => counted,
            Added::Repeated => return Ok(()),
            Added::Late => {
                let labels = series.labels();
                let words = format!(
                    "a late delta of {labels} overlaps what was counted, or is older than what is remembered: where two \
                     senders have one series, service.instance.id tells them apart"
                );
                return Err(Unkept { reason: RejectReason::TooOld, words: Some(words) });
            }
            Added::Full => {
                let words = "receivers.otlp.metrics.delta_series_max series of deltas are known".into();
                return Err(Unkept { reason: RejectReason::SeriesMax, words: Some(words) });
            }
        };
        if let Some(note) = counted.note {
            self.noted.insert(series.clone(), note);
        }
        let (time_ms, start_ms) = (counted.time_ms, counted.since_ms);
        match (counted.total, at_hand) {
            // A total that nobody saw yet.
            (Total::Float(total), Some(SampleIndex::Float(at)))
                if self.batch.floats[at as usize].time_ms == time_ms =>
            {
                self.batch.floats[at as usize].value = total;
            }
            (Total::Histogram(total), Some(SampleIndex::Histogram(at)))
                if self.batch.histograms[at as usize].time_ms == time_ms =>
            {
                self.batch.histograms[at as usize].histogram = total;
            }
            (Total::Float(total), _) => {
                self.totals.insert(series.clone(), SampleIndex::Float(self.batch.floats.len() as u32));
                self.push(series.clone(), time_ms, start_ms, total);
            }
            (Total::Histogram(histogram), _) => {
                self.totals.insert(series.clone(), SampleIndex::Histogram(self.batch.histograms.len() as u32));
                self.push_histogram(HistogramSample { series: series.clone(), time_ms, start_ms, histogram });
            }
        }
        Ok(())
    }

    fn exemplars_of<'e>(
        &mut self,
        points: impl Iterator<Item = ExemplarPoint<'e>>,
        series_of: impl Fn(f64) -> Option<SeriesRef>,
    ) {
        for point in points {
            let Some(exemplar) = exemplar(&point) else { continue };
            if self.context.accept.check(exemplar.time_ms).is_ok()
                && let Some(series) = series_of(exemplar.value)
            {
                self.batch.exemplars.push((series, exemplar));
            }
        }
    }
}

/// As Go writes it without an exponent: `0.005`, `10`, `+Inf`.
fn plain(bound: f64) -> String {
    if bound.is_infinite() {
        return if bound > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    bound.to_string()
}
