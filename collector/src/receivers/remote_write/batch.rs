//! From a request's series to a batch, and what of it could not be taken.

use weir_proto::{
    metrics::{Exemplar, Labels, LabelsError, METRIC_NAME, Metadata, MetricType},
    remote_write::{WireError, WriteVersion, WrittenExemplar, WrittenMetadata, WrittenSeries, walk},
};
use weir_store::{FloatSample, HistogramSample, MetricsBatch, RejectReason, SeriesRef};

use crate::samples::{AcceptTimes, SeriesSource, in_braces};

/// Problems that an answer repeats; the others are counted.
const PROBLEMS_MAX: usize = 10;

/// Families that one request may say something of.
const FAMILIES_MAX: usize = 100_000;

/// What could not be taken, in words.
#[derive(Debug, Default)]
pub(super) struct Problems {
    words: Vec<String>,
    count: usize,
}

impl Problems {
    pub(super) fn add(&mut self, words: impl FnOnce() -> String) {
        self.count += 1;
        if self.words.len() < PROBLEMS_MAX {
            self.words.push(words());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One line each.
    pub(super) fn in_words(&self) -> String {
        let mut text = self.words.join("\n");
        if self.count > self.words.len() {
            text += &format!("\nand {} more", self.count - self.words.len());
        }
        text + "\n"
    }
}

/// Puts everything that a request says and that can be taken into `batch`.
pub(super) fn read(
    version: WriteVersion,
    payload: &[u8],
    source: &dyn SeriesSource,
    (accept, labels_max): (AcceptTimes, usize),
    batch: &mut MetricsBatch,
) -> Result<Problems, WireError> {
    let mut taking = Taking { version, source, accept, labels_max, batch, problems: Problems::default() };
    let mut metadata = Vec::new();
    walk(
        version,
        payload,
        |series| taking.take(series),
        |said| {
            if metadata.len() < FAMILIES_MAX {
                metadata.extend(family(&said, None));
            }
        },
    )?;
    let Taking { batch, problems, .. } = taking;
    batch.metadata.append(&mut metadata);
    Ok(problems)
}

struct Taking<'t> {
    version: WriteVersion,
    source: &'t dyn SeriesSource,
    accept: AcceptTimes,
    labels_max: usize,
    batch: &'t mut MetricsBatch,
    problems: Problems,
}

impl Taking<'_> {
    fn take(&mut self, written: &WrittenSeries<'_>) {
        let samples = (written.floats.len() + written.histograms.len()) as u32;
        let labels = match (&written.fault, labels(&written.labels)) {
            (Some(fault), _) => Err(fault.clone()),
            _ if written.labels.len() > self.labels_max => {
                Err(format!("{} labels, {} are taken (labels_max)", written.labels.len(), self.labels_max))
            }
            (None, labels) => labels,
        };
        let labels = match labels {
            Ok(labels) => labels,
            Err(words) => return self.refuse(RejectReason::InvalidLabels, samples, || words),
        };
        if samples == 0 && self.version == WriteVersion::V2 {
            return self.problems.add(|| {
                format!(
                    "TimeSeries must contain at least one sample or histogram for series {}",
                    in_braces(labels.iter())
                )
            });
        }
        let series = match self.source.series(&self.batch.tenant, &labels) {
            Ok(series) => series,
            Err(refused) => return self.refuse(RejectReason::SeriesMax, samples, || format!("{labels}: {refused}")),
        };
        self.floats(&series, written);
        self.histograms(&series, written);
        for exemplar in &written.exemplars {
            self.exemplar(&series, exemplar);
        }
        if let Some(said) = &written.metadata
            && !(said.help.is_empty() && said.unit.is_empty() && said.metric_type == MetricType::Unknown)
            && self.batch.metadata.len() < FAMILIES_MAX
            && let Some(family) = family(said, Some(labels.metric_name()))
            && self.batch.metadata.last() != Some(&family)
        {
            self.batch.metadata.push(family);
        }
    }

    fn floats(&mut self, series: &SeriesRef, written: &WrittenSeries<'_>) {
        for &(time_ms, start_ms, value) in &written.floats {
            match self.accept.check(time_ms) {
                Ok(()) => {
                    let series = series.clone();
                    self.batch.floats.push(FloatSample { series, time_ms, start_ms, value });
                }
                Err(reason) => self.out_of_bounds(series, time_ms, reason),
            }
        }
    }

    fn histograms(&mut self, series: &SeriesRef, written: &WrittenSeries<'_>) {
        for (time_ms, start_ms, histogram) in &written.histograms {
            let histogram = match histogram {
                Ok(histogram) => histogram.clone(),
                Err(fault) => {
                    let words = || format!("{fault} for series {}", in_braces(series.labels().iter()));
                    self.refuse(RejectReason::Unsupported, 1, words);
                    continue;
                }
            };
            match self.accept.check(*time_ms) {
                Ok(()) => {
                    let (series, time_ms, start_ms) = (series.clone(), *time_ms, *start_ms);
                    self.batch.histograms.push(HistogramSample { series, time_ms, start_ms, histogram });
                }
                Err(reason) => self.out_of_bounds(series, *time_ms, reason),
            }
        }
    }

    /// Exemplars out of bounds are left out without a word, as Prometheus does.
    fn exemplar(&mut self, series: &SeriesRef, written: &WrittenExemplar<'_>) {
        if let Some(fault) = &written.fault {
            return self
                .problems
                .add(|| format!("parsing exemplar for series {}: {fault}", in_braces(series.labels().iter())));
        }
        if self.accept.check(written.time_ms).is_err() {
            return;
        }
        match pairs(&written.labels).and_then(|pairs| Labels::new(pairs).map_err(|error| error.to_string())) {
            Ok(labels) => {
                let exemplar = Exemplar { labels, value: written.value, time_ms: written.time_ms };
                self.batch.exemplars.push((series.clone(), exemplar));
            }
            Err(error) => {
                self.problems.add(|| format!("exemplar for series {}: {error}", in_braces(series.labels().iter())))
            }
        }
    }

    fn out_of_bounds(&mut self, series: &SeriesRef, time_ms: i64, reason: RejectReason) {
        let words = match reason {
            RejectReason::TooOld => "too old sample",
            _ => "out of bounds",
        };
        let accept = self.accept;
        self.refuse(reason, 1, || {
            let why = accept.in_words(reason).unwrap_or_default();
            format!("{words}: {} at {time_ms} is {why}", series.labels())
        });
    }

    fn refuse(&mut self, reason: RejectReason, samples: u32, words: impl FnOnce() -> String) {
        match self.batch.rejected.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += samples,
            None if samples > 0 => self.batch.rejected.push((reason, samples)),
            None => {}
        }
        self.problems.add(words);
    }
}

fn pairs<'a>(written: &[(&'a [u8], &'a [u8])]) -> Result<Vec<(&'a str, &'a str)>, String> {
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| "a label that is not UTF-8".to_owned());
    written.iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

/// A series' labels, or why they are none.
fn labels(written: &[(&[u8], &[u8])]) -> Result<Labels, String> {
    let mut pairs = pairs(written)?;
    let labels = match Labels::new(pairs.iter().copied()) {
        Ok(labels) => labels,
        Err(LabelsError::Duplicate(name)) => {
            pairs.sort_unstable();
            return Err(format!("invalid labels for series, labels {}, duplicated label {name}", in_braces(pairs)));
        }
        Err(_) => return Err(format!("invalid metric name or labels, got {}", in_braces(pairs))),
    };
    if labels.get(METRIC_NAME).is_none() {
        return Err(format!("invalid metric name or labels, got {}", in_braces(labels.iter())));
    }
    Ok(labels)
}

/// What is said of a family; nothing where it has no name. `of_series` is the name of the series that it stands with.
fn family(said: &WrittenMetadata<'_>, of_series: Option<&str>) -> Option<Metadata> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let family = of_series.map_or_else(|| text(said.family), |name| family_of(name, said).to_owned());
    if family.is_empty() {
        return None;
    }
    Some(Metadata { family, metric_type: said.metric_type, unit: text(said.unit), help: text(said.help) })
}

/// The family of a series, by the ends that the lines of its kind have.
fn family_of<'n>(name: &'n str, said: &WrittenMetadata<'_>) -> &'n str {
    let ends: &[&str] = match said.metric_type {
        MetricType::Histogram | MetricType::GaugeHistogram => &["_bucket", "_count", "_sum", "_gcount", "_gsum"],
        MetricType::Summary => &["_count", "_sum"],
        _ => &[],
    };
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}
