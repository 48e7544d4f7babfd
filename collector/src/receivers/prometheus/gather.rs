//! From a body to a batch: every line's sample, what is said of families, and markers for what vanished.

#![allow(clippy::mutable_key_type, reason = "what a series is equal to and hashed by never changes")]

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
};

use foldhash::{HashSet, fast::FixedState};
use weir_proto::{
    exposition::{Entry, ExemplarLine, Exposition, TextFormat},
    metrics::{Exemplar, Labels, MetricType, STALE_NAN},
};
use weir_store::{FloatSample, MetricsBatch, RejectReason, SeriesRef};

use super::{
    families::Families,
    job::Job,
    lines::{Fate, Known, Lines, Walk},
    names,
};
use crate::samples::{AcceptTimes, SeriesSource};

/// Characters that the labels of an exemplar may have together (OpenMetrics).
const EXEMPLAR_CHARS_MAX: usize = 128;

/// What a scrape is about.
pub(super) struct Context<'c> {
    pub(super) job: &'c Job,
    /// The target's labels.
    pub(super) target: &'c Labels,
    /// The scrape's time.
    pub(super) time_ms: i64,
    pub(super) accept: AcceptTimes,
    pub(super) series: &'c dyn SeriesSource,
}

/// What is counted of a scrape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Lines with a value.
    pub(super) scraped: usize,
    /// Those that relabelling left.
    pub(super) kept: usize,
    /// Series that were not there before.
    pub(super) added: usize,
    /// Samples whose series had one in the same scrape already.
    pub(super) duplicates: usize,
}

/// What is remembered of a target between scrapes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) lines: Lines,
    families: Families,
    /// The last exemplar of a series, as a hash: they stay exposed until another takes their place.
    exemplars: HashMap<SeriesRef, u64, FixedState>,
}

/// Reads a body into `batch`. After an error the batch holds what it held before; markers are in it only when all went well.
pub(super) fn gather(
    body: &[u8],
    format: TextFormat,
    context: &Context<'_>,
    memory: &mut Memory,
    batch: &mut MetricsBatch,
) -> (Counts, Result<(), String>) {
    let before = (batch.floats.len(), batch.exemplars.len());
    let mut gathering = Gathering {
        context,
        batch,
        counts: Counts::default(),
        rejected: BTreeMap::new(),
        family: Family::default(),
        first: before.0,
    };
    gathering.batch.floats.reserve(memory.lines.len() + 8);
    memory.lines.fetch();
    let mut walk = memory.lines.walk();
    let result = gathering.read(body, format, &mut walk, &mut memory.families, &mut memory.exemplars);
    let (counts, rejected) = (gathering.counts, gathering.rejected);
    match result {
        Ok(()) => {
            let time_ms = context.time_ms;
            batch.rejected.extend(rejected);
            let mut ended = Vec::new();
            walk.finish(|series| ended.push(series.clone()));
            if !ended.is_empty() {
                // Another line may stand for the same series now.
                let present: HashSet<&SeriesRef> =
                    batch.floats[before.0..].iter().map(|sample| &sample.series).collect();
                ended.retain(|series| !present.contains(series));
                memory.exemplars.retain(|series, _| !ended.contains(series));
                batch.floats.extend(ended.into_iter().map(|series| stale(series, time_ms)));
            }
            memory.families.finish(body, format, &mut batch.metadata);
        }
        Err(_) => {
            walk.give_up();
            memory.families.give_up();
            batch.floats.truncate(before.0);
            batch.exemplars.truncate(before.1);
        }
    }
    (counts, result)
}

/// A marker.
pub(super) fn stale(series: SeriesRef, time_ms: i64) -> FloatSample {
    FloatSample { series, time_ms, start_ms: 0, value: STALE_NAN }
}

/// The family that is being read, where its lines may say when they began.
#[derive(Debug, Default)]
struct Family {
    /// Its name and `_created`; empty where nothing is called so.
    created_name: String,
    /// Groups and starts.
    created: Vec<(u32, i64)>,
    /// The group of each sample since `first`.
    groups: Vec<u32>,
}

struct Gathering<'g, 'c> {
    context: &'g Context<'c>,
    batch: &'g mut MetricsBatch,
    counts: Counts,
    rejected: BTreeMap<RejectReason, u32>,
    family: Family,
    /// The family's first sample in the batch.
    first: usize,
}

impl Gathering<'_, '_> {
    fn read(
        &mut self,
        body: &[u8],
        format: TextFormat,
        walk: &mut Walk<'_>,
        families: &mut Families,
        exemplars: &mut HashMap<SeriesRef, u64, FixedState>,
    ) -> Result<(), String> {
        let is_open = format == TextFormat::OpenMetrics;
        let config = &self.context.job.config;
        let mut exposition = Exposition::new(body, format);
        loop {
            let recall = |rest: &[u8], metric_type| walk.recall(rest, metric_type);
            let entry = exposition.next_of_known(recall, |line| families.recall(line));
            let entry = entry.map_err(|error| error.to_string())?;
            let metric_type = exposition.metric_type();
            let sample = match entry {
                None => break,
                Some(Entry::Sample(sample)) => sample,
                Some(other) => {
                    if let Entry::Type { family, metric_type } = &other
                        && is_open
                    {
                        self.end_family();
                        self.begin_family(family, *metric_type);
                    }
                    families.note(&other, metric_type);
                    continue;
                }
            };
            self.counts.scraped += 1;
            let own_time_ms = sample.time_ms.filter(|_| config.honor_timestamps);
            let is_tracked = own_time_ms.is_none() || config.track_timestamps_staleness;
            let known = if sample.is_recalled {
                Some(walk.recalled(is_tracked))
            } else {
                walk.find(sample.series, metric_type, is_tracked)
            };
            let (series, group) = match known {
                Some(Known { fate, group }) => match fate {
                    Fate::Kept(series) => (series.clone(), group),
                    Fate::Duplicate(series) if own_time_ms.is_some() => (series.clone(), group),
                    Fate::Created => {
                        self.family.created.push((group, (sample.value * 1000.0) as i64));
                        continue;
                    }
                    Fate::Duplicate(_) => {
                        self.counts.kept += 1;
                        self.counts.duplicates += 1;
                        continue;
                    }
                    Fate::Dropped | Fate::Refused => continue,
                },
                None => match self.meet(&exposition, sample.series, is_tracked, walk, sample.value)? {
                    Some(met) => met,
                    None => continue,
                },
            };
            self.counts.kept += 1;
            if self.is_over_limit() {
                // Counted to the end all the same: that is how one learns what limit it would take.
                continue;
            }
            if let Some(exemplar) = sample.exemplar {
                self.exemplar(&series, exemplar, own_time_ms, exemplars);
            }
            let time_ms = own_time_ms.unwrap_or(self.context.time_ms);
            if own_time_ms.is_some()
                && let Err(reason) = self.context.accept.check(time_ms)
            {
                *self.rejected.entry(reason).or_default() += 1;
                continue;
            }
            if is_open {
                self.family.groups.push(group);
            }
            self.batch.floats.push(FloatSample { series, time_ms, start_ms: 0, value: sample.value });
        }
        self.end_family();
        if self.is_over_limit() { Err("sample limit exceeded".into()) } else { Ok(()) }
    }

    fn is_over_limit(&self) -> bool {
        let limit = self.context.job.limits.samples;
        limit > 0 && self.counts.kept > limit
    }

    /// A line that was never there before: its series and group, unless there is no sample to keep.
    fn meet(
        &mut self,
        exposition: &Exposition<'_>,
        text: &[u8],
        is_tracked: bool,
        walk: &mut Walk<'_>,
        value: f64,
    ) -> Result<Option<(SeriesRef, u32)>, String> {
        let metric_type = exposition.metric_type();
        let pairs = exposition.pairs();
        let group = group(pairs.iter().skip(1));
        if !self.family.created_name.is_empty() && pairs.name() == self.family.created_name {
            self.family.created.push((group, (value * 1000.0) as i64));
            walk.add(text, metric_type, group, false, Fate::Created);
            return Ok(None);
        }
        let Some(labels) = names::name(pairs.iter(), self.context.target, self.context.job)? else {
            walk.add(text, metric_type, group, false, Fate::Dropped);
            return Ok(None);
        };
        let limit = self.context.job.limits.samples;
        if limit > 0 && self.counts.kept >= limit {
            self.counts.kept += 1;
            return Ok(None);
        }
        match self.context.series.series(&self.batch.tenant, &labels) {
            Ok(series) => {
                self.counts.added += 1;
                walk.add(text, metric_type, group, is_tracked, Fate::Kept(series.clone()));
                Ok(Some((series, group)))
            }
            Err(_) => {
                self.counts.kept += 1;
                *self.rejected.entry(RejectReason::SeriesMax).or_default() += 1;
                walk.add(text, metric_type, group, false, Fate::Refused);
                Ok(None)
            }
        }
    }

    fn begin_family(&mut self, family: &str, metric_type: MetricType) {
        let counts_up = matches!(metric_type, MetricType::Counter | MetricType::Histogram | MetricType::Summary);
        self.family.created_name.clear();
        if counts_up {
            self.family.created_name.push_str(family);
            self.family.created_name.push_str("_created");
        }
        self.family.groups.clear();
        self.family.created.clear();
        self.first = self.batch.floats.len();
    }

    /// Tells the family's samples when they began to count.
    fn end_family(&mut self) {
        if self.family.created.is_empty() {
            return;
        }
        let starts: HashMap<u32, i64, FixedState> = self.family.created.iter().copied().collect();
        for (sample, group) in self.batch.floats[self.first..].iter_mut().zip(&self.family.groups) {
            sample.start_ms = starts.get(group).copied().filter(|start_ms| *start_ms <= sample.time_ms).unwrap_or(0);
        }
        self.family.created.clear();
    }

    fn exemplar(
        &mut self,
        series: &SeriesRef,
        line: ExemplarLine,
        own_time_ms: Option<i64>,
        exemplars: &mut HashMap<SeriesRef, u64, FixedState>,
    ) {
        let characters: usize =
            line.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if characters > EXEMPLAR_CHARS_MAX {
            return;
        }
        let hash = FixedState::with_seed(0).hash_one((line.labels.as_bytes(), line.value.to_bits(), line.time_ms));
        if exemplars.insert(series.clone(), hash) == Some(hash) {
            return;
        }
        let time_ms = line.time_ms.or(own_time_ms).unwrap_or(self.context.time_ms);
        if self.context.accept.check(time_ms).is_ok() {
            self.batch.exemplars.push((series.clone(), Exemplar { labels: line.labels, value: line.value, time_ms }));
        }
    }
}

/// A number for the labels but those that tell apart the lines of one histogram or summary. In any order: lines write them alike.
fn group<'a>(pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>) -> u32 {
    let state = FixedState::with_seed(0);
    let mut sum = 0_u64;
    for (name, value) in pairs.filter(|(name, _)| name != "le" && name != "quantile") {
        sum = sum.wrapping_add(state.hash_one((&*name, &*value)));
    }
    sum as u32
}
