//! `storage`: where data is kept, how much of it and for how long.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};
use weir_proto::otlp::logs::IdNames;
use weir_store::StoreOptions;

use super::{archive::ArchiveConfig, bytes::ByteSize, or_default, period::Period, retention::Retentions};

/// A kibibyte.
const KIB: u64 = 1 << 10;
/// A mebibyte.
const MIB: u64 = 1 << 20;
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// `storage`. Defaults are those of [`StoreOptions::new`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StorageConfig {
    /// The data folder; `--data` goes before it.
    pub(crate) path: Option<PathBuf>,
    #[serde(deserialize_with = "or_default")]
    retention: Retentions<false>,
    /// Oldest segments are deleted above this total; left out for no limit.
    size_max: Option<ByteSize<{ 64 * MIB }>>,
    /// Receivers refuse below this much free space on the file system.
    free_min: ByteSize,
    /// Series of a tenant in memory; new ones beyond are refused.
    series_max: NonZeroU64,
    /// The same of those of one job.
    series_per_job_max: NonZeroU64,
    /// Metric families of a tenant that something is known of.
    metric_families_max: u64,
    /// Exemplars of a tenant in a journal file.
    exemplars_max: u64,
    /// Which times are taken.
    pub(crate) accept: Accept,
    #[serde(deserialize_with = "or_default")]
    journal: JournalConfig,
    #[serde(deserialize_with = "or_default")]
    head: HeadConfig,
    #[serde(deserialize_with = "or_default")]
    seal: SealConfig,
    #[serde(deserialize_with = "or_default")]
    merge: MergeConfig,
    #[serde(deserialize_with = "or_default")]
    logs: LogsConfig,
    #[serde(deserialize_with = "or_default")]
    archive: ArchiveConfig,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            path: None,
            retention: Retentions::default(),
            size_max: defaults().size_bytes_max.map(ByteSize),
            free_min: ByteSize(defaults().free_bytes_min),
            series_max: NonZeroU64::new(defaults().series_max as u64).expect("the default is not zero"),
            series_per_job_max: NonZeroU64::new(defaults().series_per_job_max as u64).expect("it is not zero"),
            metric_families_max: defaults().metric_families_max as u64,
            exemplars_max: defaults().exemplars_max as u64,
            accept: Accept::default(),
            journal: JournalConfig::default(),
            head: HeadConfig::default(),
            seal: SealConfig::default(),
            merge: MergeConfig::default(),
            logs: LogsConfig::default(),
            archive: ArchiveConfig::default(),
        }
    }
}

/// `storage.journal`: files, group commit and what may wait.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JournalConfig {
    /// A segment is made of one file at the least, and its builder holds so much: hence the upper bound.
    file_size_max: ByteSize<MIB, { 256 * MIB }>,
    file_age_max: Period<100, DAY_MS>,
    /// Positions in a file have 32 bits, and a group may lie beyond the size.
    metrics_file_size_max: ByteSize<MIB, { 1024 * MIB }>,
    metrics_file_age_max: Period<100, DAY_MS>,
    commit_delay_max: Period<0, 1000>,
    commit_size_max: ByteSize<{ 4 * KIB }, { 256 * MIB }>,
    queue_size_max: ByteSize<{ 64 * KIB }>,
    unsealed_size_max: ByteSize<{ 16 * MIB }>,
}

impl Default for JournalConfig {
    fn default() -> Self {
        let options = defaults();
        Self {
            file_size_max: ByteSize(options.journal_file_bytes_max),
            file_age_max: Period(options.journal_file_age_max),
            metrics_file_size_max: ByteSize(options.metrics_file_bytes_max),
            metrics_file_age_max: Period(options.metrics_file_age_max),
            commit_delay_max: Period(options.commit_delay_max),
            commit_size_max: ByteSize(options.commit_bytes_max),
            queue_size_max: ByteSize(options.append_queue_bytes_max),
            unsealed_size_max: ByteSize(options.unsealed_bytes_max),
        }
    }
}

/// `storage.head`: what is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HeadConfig {
    spans_max: NonZeroU64,
    payload_size_max: ByteSize,
}

impl Default for HeadConfig {
    fn default() -> Self {
        let options = defaults();
        let spans_max = NonZeroU64::new(options.head_spans_max).expect("the default is not zero");
        Self { spans_max, payload_size_max: ByteSize(options.head_payload_bytes_max) }
    }
}

/// `storage.seal`: when a run of journal files becomes a segment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SealConfig {
    size_max: ByteSize<MIB>,
    age_max: Period<100, DAY_MS>,
    journal_size_max: ByteSize<MIB>,
}

impl Default for SealConfig {
    fn default() -> Self {
        let options = defaults();
        Self {
            size_max: ByteSize(options.seal_bytes_max),
            age_max: Period(options.seal_age_max),
            journal_size_max: ByteSize(options.seal_journal_bytes_max),
        }
    }
}

/// `storage.merge`: how large merged segments become, and how far merging may fall behind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MergeConfig {
    debt_size_max: ByteSize<{ 16 * MIB }>,
    segment_rows_max: u64,
    group_size_max: ByteSize<MIB>,
}

impl Default for MergeConfig {
    fn default() -> Self {
        let options = defaults();
        Self {
            debt_size_max: ByteSize(options.merge_debt_bytes_max),
            segment_rows_max: options.segment_rows_max,
            group_size_max: ByteSize(options.merge_group_bytes_max),
        }
    }
}

/// `storage.logs`: what is found in lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogsConfig {
    /// Names of fields with a trace's id, beside the usual ones.
    trace_id_fields: Vec<String>,
    /// The same of a span's.
    span_id_fields: Vec<String>,
}

/// `storage.accept`: the times that an item may lie at; outside, it is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// Any time.
    Any,
    /// Around the time of receipt.
    Window {
        /// How far back.
        past: Duration,
        /// How far ahead.
        future: Duration,
    },
}

impl Default for Accept {
    fn default() -> Self {
        let AcceptWindow { past, future } = AcceptWindow::default();
        Self::Window { past: past.0, future: future.0 }
    }
}

/// The keys of a window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AcceptWindow {
    past: Period,
    future: Period,
}

impl Default for AcceptWindow {
    fn default() -> Self {
        Self { past: Period(Duration::from_secs(7 * 24 * 3600)), future: Period(Duration::from_secs(600)) }
    }
}

impl<'de> Deserialize<'de> for Accept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AcceptVisitor)
    }
}

/// Reads `any` or a window.
struct AcceptVisitor;

impl<'de> de::Visitor<'de> for AcceptVisitor {
    type Value = Accept;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any, or the keys past and future")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Accept, E> {
        match text {
            "any" => Ok(Accept::Any),
            other => Err(E::custom(format!("`{other}` is not a window; write any, or the keys past and future"))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Accept, A::Error> {
        let window = AcceptWindow::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Accept::Window { past: window.past.0, future: window.future.0 })
    }
}

impl StorageConfig {
    /// What the store is opened with.
    pub(crate) fn options(&self, path: &Path) -> StoreOptions {
        StoreOptions {
            path: path.to_owned(),
            free_bytes_min: self.free_min.0,
            journal_file_bytes_max: self.journal.file_size_max.0,
            journal_file_age_max: self.journal.file_age_max.0,
            metrics_file_bytes_max: self.journal.metrics_file_size_max.0,
            metrics_file_age_max: self.journal.metrics_file_age_max.0,
            commit_delay_max: self.journal.commit_delay_max.0,
            commit_bytes_max: self.journal.commit_size_max.0,
            append_queue_bytes_max: self.journal.queue_size_max.0,
            unsealed_bytes_max: self.journal.unsealed_size_max.0,
            head_spans_max: self.head.spans_max.get(),
            series_max: whole(self.series_max.get()),
            series_per_job_max: whole(self.series_per_job_max.get()),
            metric_families_max: whole(self.metric_families_max),
            exemplars_max: whole(self.exemplars_max),
            head_payload_bytes_max: self.head.payload_size_max.0,
            seal_bytes_max: self.seal.size_max.0,
            seal_age_max: self.seal.age_max.0,
            seal_journal_bytes_max: self.seal.journal_size_max.0,
            merge_debt_bytes_max: self.merge.debt_size_max.0,
            segment_rows_max: self.merge.segment_rows_max,
            merge_group_bytes_max: self.merge.group_size_max.0,
            retention_traces: self.retention.traces.0,
            retention_logs: self.retention.logs.0,
            retention_metrics: self.retention.metrics.0,
            size_bytes_max: self.size_max.map(|size| size.0),
            line_ids: self.line_ids(),
            archive: self.archive.options(),
        }
    }

    /// Where the ids of lines are looked for.
    pub(crate) fn line_ids(&self) -> IdNames {
        IdNames::with(&self.logs.trace_id_fields, &self.logs.span_id_fields)
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The store's own.
fn defaults() -> StoreOptions {
    StoreOptions::new("")
}
