//! From an OTLP request to a batch of samples: metric by metric, point by point.

#![allow(clippy::mutable_key_type, reason = "what a series is equal to and hashed by never changes")]

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use foldhash::fast::FixedState;
use weir_proto::{
    TenantId,
    metrics::{Labels, Metadata, MetricType},
    otlp::{
        Checks, ItemFault, Limits, ScanError,
        metrics::{
            DataKind, ExponentialPoint, HistogramPoint, MetricView, NumberPoint, ScannedMetric, SummaryPoint,
            Temporality, scan,
        },
    },
};
use weir_store::{FloatSample, HistogramSample, MetricsAppended, MetricsBatch, RejectReason, SampleIndex, SeriesRef};

use super::{
    REMEMBERED_NS,
    config::{DeltaForm, MetricsConfig},
    deltas::{Deltas, Known, Undo},
    labels::Surroundings,
    naming::{NamedKind, metric_name, unit_name},
    notes::{DeltaNotes, note, stored_hash},
    points::Points,
};
use crate::{
    admission::PartialSuccess,
    samples::{AcceptTimes, SeriesSource},
};

/// How often `target_info` is written over the time that a resource's points span: less than a query looks back.
const INFO_INTERVAL_MS: i64 = 150_000;
/// And how many times at most.
const INFO_MAX: i64 = 100;

/// Problems that an answer repeats.
const WORDS_MAX: usize = 5;

/// What a translation needs of its surroundings.
pub(super) struct Context<'c> {
    pub(super) tenant: TenantId,
    pub(super) received_at_ns: u64,
    pub(super) limits: Limits,
    pub(super) accept: AcceptTimes,
    pub(super) config: &'c MetricsConfig,
    pub(super) series: &'c dyn SeriesSource,
    pub(super) deltas: &'c Deltas,
    pub(super) notes: &'c DeltaNotes,
    pub(super) known: &'c dyn Known,
}

/// What a request comes to.
#[derive(Debug)]
pub(crate) struct Translated {
    /// What is appended.
    pub(crate) batch: MetricsBatch,
    /// Set when points were rejected.
    pub(crate) partial: Option<PartialSuccess>,
    /// Points that were taken.
    pub(crate) accepted: u64,
    /// What is said of those that were not, beside their number.
    pub(super) words: Vec<String>,
    pub(super) points: Points,
    pub(super) undo: Undo,
    /// Where in the batch the newest totals of deltas are.
    totals: HashMap<SeriesRef, SampleIndex, FixedState>,
}

/// Translates a payload in canonical order.
pub(super) fn translate(payload: &[u8], context: &Context<'_>) -> Result<Translated, ScanError> {
    let mut translation = Translation::new(context);
    let mut failed = None;
    let scanned = scan(payload, Checks::Admission(context.limits), |scanned| {
        if failed.is_none() {
            failed = translation.metric(scanned).err();
        }
    });
    match scanned.err().or(failed) {
        Some(error) => {
            // It may be read once more, in another order.
            context.deltas.take_back(translation.undo);
            Err(error)
        }
        None => Ok(translation.finish()),
    }
}

/// One request on its way.
pub(super) struct Translation<'t, 'c> {
    pub(super) context: &'t Context<'c>,
    pub(super) batch: MetricsBatch,
    pub(super) undo: Undo,
    /// Where in the batch the totals of deltas are.
    pub(super) totals: HashMap<SeriesRef, SampleIndex, FixedState>,
    /// What is noted of series.
    pub(super) noted: HashMap<SeriesRef, Vec<u8>, FixedState>,
    points: Points,
    accepted: u64,
    rejected: BTreeMap<RejectReason, u32>,
    words: Vec<String>,
    pub(super) surroundings: Surroundings,
    resource: Option<u32>,
    scope: Option<u32>,
    /// A hash of what the scope is.
    pub(super) scope_hash: u32,
    /// The first and last time of the resource's points, Unix ms.
    span_ms: Option<(i64, i64)>,
}

/// A metric that is being read.
pub(super) struct Family<'f> {
    pub(super) name: String,
    pub(super) metric: &'f MetricView<'f>,
}

/// Why a point is not kept.
pub(super) struct Unkept {
    pub(super) reason: RejectReason,
    pub(super) words: Option<String>,
}

impl From<RejectReason> for Unkept {
    fn from(reason: RejectReason) -> Self {
        Self { reason, words: None }
    }
}

impl<'t, 'c> Translation<'t, 'c> {
    fn new(context: &'t Context<'c>) -> Self {
        Self {
            context,
            batch: MetricsBatch::new(context.tenant.clone(), context.received_at_ns),
            undo: Undo::default(),
            totals: HashMap::default(),
            noted: HashMap::default(),
            points: Points::default(),
            accepted: 0,
            rejected: BTreeMap::new(),
            words: Vec::new(),
            surroundings: Surroundings::default(),
            resource: None,
            scope: None,
            scope_hash: 0,
            span_ms: None,
        }
    }

    fn metric(&mut self, scanned: &ScannedMetric<'_>) -> Result<(), ScanError> {
        let config = self.context.config;
        if self.resource != Some(scanned.resource_ordinal) {
            self.end_resource();
            self.resource = Some(scanned.resource_ordinal);
            self.surroundings = Surroundings::of_resource(&scanned.resource, config);
        }
        if self.scope != Some(scanned.scope_ordinal) {
            self.scope = Some(scanned.scope_ordinal);
            self.surroundings.set_scope(&scanned.scope, config);
            self.scope_hash = stored_hash(&[scanned.scope.bytes, scanned.scope.schema_url]) as u32;
        }
        let metric = &scanned.metric;
        let points = metric.points_len() as u32;
        if let Some(fault) = scanned.fault {
            self.reject(RejectReason::from(fault), points, None);
            return Ok(());
        }
        let (name, unit) = (text(metric.name), text(metric.unit));
        if name.is_empty() {
            self.reject(RejectReason::InvalidLabels, points, Some("a metric has no name".into()));
            return Ok(());
        }
        if let Some(words) = self.unsupported(metric, &name) {
            self.reject(RejectReason::Unsupported, points, Some(words));
            return Ok(());
        }
        let kind = match metric.kind {
            DataKind::Sum if metric.is_monotonic => NamedKind::Counter,
            DataKind::Gauge => NamedKind::Gauge,
            _ => NamedKind::Other,
        };
        let family = Family { name: metric_name(&name, &unit, kind, config), metric };
        if family.name.is_empty() {
            let words = format!("normalization for metric {name:?} resulted in empty name");
            self.reject(RejectReason::InvalidLabels, points, Some(words));
            return Ok(());
        }
        if points > 0 {
            self.describe(&family, &unit);
            let ordinals = (scanned.resource_ordinal, scanned.scope_ordinal);
            self.points.begin(&name, text(scanned.scope.name).into_owned(), ordinals);
        }
        for message in metric.points() {
            self.point(&family, message)?;
        }
        Ok(())
    }

    /// Why no point of a metric can be kept.
    fn unsupported(&self, metric: &MetricView<'_>, name: &str) -> Option<String> {
        let counts = matches!(metric.kind, DataKind::Sum | DataKind::Histogram | DataKind::Exponential);
        match metric.kind {
            DataKind::Nothing => Some(format!("metric {name:?} has no data of a known kind")),
            _ if counts && metric.temporality == Temporality::Unspecified => {
                Some(format!("metric {name:?} has an unspecified aggregation temporality"))
            }
            _ => None,
        }
    }

    /// Remembers what is said of a family.
    fn describe(&mut self, family: &Family<'_>, unit: &str) {
        let metric = family.metric;
        let is_kept_delta = metric.temporality == Temporality::Delta && self.context.config.delta == DeltaForm::Native;
        let metric_type = match metric.kind {
            DataKind::Sum if metric.is_monotonic && !is_kept_delta => MetricType::Counter,
            DataKind::Sum | DataKind::Gauge => MetricType::Gauge,
            DataKind::Histogram | DataKind::Exponential => MetricType::Histogram,
            DataKind::Summary => MetricType::Summary,
            DataKind::Nothing => MetricType::Unknown,
        };
        let said = Metadata {
            family: family.name.clone(),
            metric_type,
            unit: unit_name(unit),
            help: text(metric.description).into_owned(),
        };
        if !self.batch.metadata.contains(&said) {
            self.batch.metadata.push(said);
        }
    }

    fn point(&mut self, family: &Family<'_>, message: &[u8]) -> Result<(), ScanError> {
        let limits = self.context.limits;
        let (time_ns, fault) = match family.metric.kind {
            DataKind::Gauge | DataKind::Sum => {
                let (point, fault) = NumberPoint::read(message, limits)?;
                let kept = self.judged(fault, point.time_ns(), |this| this.number(family, &point));
                (point.time_ns(), kept)
            }
            DataKind::Histogram => {
                let (point, fault) = HistogramPoint::read(message, limits)?;
                let kept = self.judged(fault, point.time_ns(), |this| this.histogram(family, &point));
                (point.time_ns(), kept)
            }
            DataKind::Exponential => {
                let (point, fault) = ExponentialPoint::read(message, limits)?;
                let kept = self.judged(fault, point.time_ns(), |this| this.exponential(family, &point));
                (point.time_ns(), kept)
            }
            DataKind::Summary => {
                let (point, fault) = SummaryPoint::read(message, limits)?;
                let kept = self.judged(fault, point.time_ns(), |this| this.summary(family, &point));
                (point.time_ns(), kept)
            }
            DataKind::Nothing => return Ok(()),
        };
        self.points.end(&self.batch, fault.is_ok());
        match fault {
            Ok(()) => {
                self.accepted += 1;
                let time_ms = ms(time_ns);
                let (first, last) = self.span_ms.unwrap_or((time_ms, time_ms));
                self.span_ms = Some((first.min(time_ms), last.max(time_ms)));
            }
            Err(Unkept { reason, words }) => self.reject(reason, 1, words),
        }
        Ok(())
    }

    /// Keeps a point unless something is wrong with it.
    fn judged(
        &mut self,
        fault: Option<ItemFault>,
        time_ns: u64,
        keep: impl FnOnce(&mut Self) -> Result<(), Unkept>,
    ) -> Result<(), Unkept> {
        if let Some(fault) = fault {
            return Err(RejectReason::from(fault).into());
        }
        let accept = self.context.accept;
        accept.check(ms(time_ns)).map_err(|reason| Unkept { reason, words: accept.in_words(reason) })?;
        keep(self)
    }

    fn reject(&mut self, reason: RejectReason, points: u32, words: Option<String>) {
        *self.rejected.entry(reason).or_default() += points;
        if let Some(words) = words
            && self.words.len() < WORDS_MAX
            && !self.words.contains(&words)
        {
            self.words.push(words);
        }
    }

    /// A series of the labels.
    pub(super) fn series(&self, labels: &Labels) -> Result<SeriesRef, Unkept> {
        let found = self.context.series.series(&self.context.tenant, labels);
        found.map_err(|refused| Unkept { reason: RejectReason::SeriesMax, words: Some(refused.to_string()) })
    }

    pub(super) fn push(&mut self, series: SeriesRef, time_ms: i64, start_ms: i64, value: f64) {
        self.batch.floats.push(FloatSample { series, time_ms, start_ms, value });
    }

    pub(super) fn push_histogram(&mut self, sample: HistogramSample) {
        self.batch.histograms.push(sample);
    }

    /// Says what is known of the resource, at the times of its points.
    fn end_resource(&mut self) {
        let Some((first_ms, last_ms)) = self.span_ms.take() else { return };
        let Some(labels) = self.surroundings.target_info(self.context.config) else { return };
        let Ok(series) = self.series(&labels) else { return };
        let step_ms = INFO_INTERVAL_MS.max((last_ms - first_ms) / INFO_MAX);
        let mut time_ms = first_ms;
        while time_ms < last_ms {
            self.push(series.clone(), time_ms, 0, 1.0);
            time_ms += step_ms;
        }
        self.push(series, last_ms, 0, 1.0);
        self.points.end(&self.batch, false);
    }

    fn finish(mut self) -> Translated {
        self.end_resource();
        let reasons: Vec<(RejectReason, u32)> = self.rejected.into_iter().collect();
        self.batch.rejected.clone_from(&reasons);
        let Context { tenant, received_at_ns, notes, known, .. } = self.context;
        if !self.undo.is_empty() {
            self.batch.notes = notes.outdated(tenant, *received_at_ns, REMEMBERED_NS, || known.all_notes());
        }
        let noted = self.noted.into_iter().map(|(series, bytes)| note(&series, bytes));
        self.batch.notes.extend(noted);
        let partial = partial_success(reasons, &self.words);
        let (accepted, words, points, undo) = (self.accepted, self.words, self.points, self.undo);
        Translated { batch: self.batch, partial, accepted, words, points, undo, totals: self.totals }
    }
}

impl Translated {
    /// What was added to totals that conflict with what is stored: the sums are to go on without it.
    pub(super) fn conflicting(&mut self, appended: &MetricsAppended) -> Undo {
        let conflicts: HashSet<SampleIndex> = appended.conflicts.iter().copied().collect();
        self.totals.retain(|_, at| conflicts.contains(at));
        std::mem::take(&mut self.undo).newest_of(&self.totals)
    }

    /// The store has other values at the time of some points.
    pub(super) fn told_of(&mut self, appended: &MetricsAppended) {
        let (points, words) = self.points.conflicts(appended);
        if points == 0 {
            return;
        }
        self.accepted -= u64::from(points);
        let mut reasons = self.partial.take().map_or_else(Vec::new, |partial| partial.reasons);
        reasons.push((RejectReason::Conflict, points));
        self.words.extend(words);
        self.words.truncate(WORDS_MAX);
        self.partial = partial_success(reasons, &self.words);
    }
}

fn partial_success(reasons: Vec<(RejectReason, u32)>, words: &[String]) -> Option<PartialSuccess> {
    let rejected: u32 = reasons.iter().map(|(_, count)| count).sum();
    if rejected == 0 {
        return None;
    }
    let counted: Vec<String> = reasons.iter().map(|(reason, count)| format!("{} {count}", reason.name())).collect();
    let mut message = format!("{rejected} data points rejected: {}", counted.join(", "));
    if !words.is_empty() {
        message += &format!(" ({})", words.join("; "));
    }
    Some(PartialSuccess { rejected, reasons, message })
}

pub(super) fn ms(ns: u64) -> i64 {
    (ns / 1_000_000) as i64
}

/// Checked at admission.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
