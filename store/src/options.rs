//! Where and how to keep things: every bound of the store, with its default.

use std::{fmt, path::PathBuf, time::Duration};

use weir_proto::{Signal, otlp::logs::IdNames};

/// Where and how to keep things.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data folder.
    pub path: PathBuf,
    /// Receivers refuse below this much free space on the file system.
    pub free_bytes_min: u64,
    /// A journal file is closed at this size.
    pub journal_file_bytes_max: u64,
    /// A journal file with frames in it is closed at this age.
    pub journal_file_age_max: Duration,
    /// The same of metrics, whose chunks pay when they are long.
    pub metrics_file_bytes_max: u64,
    /// As above.
    pub metrics_file_age_max: Duration,
    /// Longest wait for a group commit to fill.
    pub commit_delay_max: Duration,
    /// A group commit is written at this size.
    pub commit_bytes_max: u64,
    /// Bytes waiting for their commit; more are refused as busy.
    pub append_queue_bytes_max: u64,
    /// Items of a signal not yet sealed at which its receivers are refused: each takes some 60 bytes of memory.
    pub head_spans_max: u64,
    /// Series of a tenant in memory; new ones beyond are refused.
    pub series_max: usize,
    /// The same of those with one value of the label `job`.
    pub series_per_job_max: usize,
    /// Metric families of a tenant whose type, unit and help are known.
    pub metric_families_max: usize,
    /// Exemplars of a tenant in a journal file; further ones are left out.
    pub exemplars_max: usize,
    /// Newest payload kept in memory.
    pub head_payload_bytes_max: u64,
    /// A run of journal files is sealed once it holds this many kept bytes.
    pub seal_bytes_max: u64,
    /// A run is sealed this long after its last verdict (or, when nothing samples it, after its first span arrived).
    pub seal_age_max: Duration,
    /// A run is sealed once its files take this much of the journal, however little of it is kept.
    pub seal_journal_bytes_max: u64,
    /// Bytes of a signal's journal not yet sealed at which its receivers are refused (sealing has fallen behind).
    pub unsealed_bytes_max: u64,
    /// Bytes of a signal's segments waiting to be merged at which its receivers are refused.
    pub merge_debt_bytes_max: u64,
    /// Rows of the largest merged segment.
    pub segment_rows_max: u64,
    /// Bytes of memory at which rows that are merged are written as a row group, however few they are.
    pub merge_group_bytes_max: u64,
    /// Traces older than this are deleted; `None` keeps them forever.
    pub retention_traces: Option<Duration>,
    /// Lines older than this are deleted; `None` keeps them forever.
    pub retention_logs: Option<Duration>,
    /// Samples older than this are deleted; `None` keeps them forever.
    pub retention_metrics: Option<Duration>,
    /// Oldest segments are deleted above this total; `None` for no limit.
    pub size_bytes_max: Option<u64>,
    /// Where lines' ids are looked for when the journal is read again. Those of lines that arrive were found before.
    pub line_ids: IdNames,
    /// Where segments go for longer; `None`: they stay here alone.
    pub archive: Option<ArchiveOptions>,
}

/// The archive: segments as files of open tables in a bucket.
#[derive(Clone)]
pub struct ArchiveOptions {
    /// `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`.
    pub url: String,
    /// Another address than the provider's own.
    pub endpoint: Option<String>,
    /// S3's region.
    pub region: Option<String>,
    /// Whether S3's bucket is the first part of the path and not of the host's name.
    pub path_style: bool,
    /// Whether unencrypted HTTP is allowed.
    pub allow_http: bool,
    /// Who asks; without one the environment says it.
    pub access_key_id: Option<String>,
    /// The secret to it.
    pub secret_access_key: Option<String>,
    /// S3's session token.
    pub session_token: Option<String>,
    /// The process's environment: credentials.
    pub environment: Vec<(String, String)>,
    /// A segment of this size goes out.
    pub segment_bytes_min: u64,
    /// And so does one whose newest item is this old.
    pub segment_age_max: Duration,
    /// What was uploaded is committed to its table at least so often.
    pub commit_interval: Duration,
    /// Traces older than this leave the archive; `None` keeps them forever.
    pub retention_traces: Option<Duration>,
    /// The same of lines.
    pub retention_logs: Option<Duration>,
    /// The same of samples.
    pub retention_metrics: Option<Duration>,
    /// Objects that left a table stay so long for its readers.
    pub grace: Duration,
    /// Tenants of whom nothing is deleted.
    pub hold: Vec<String>,
    /// Bytes of what was read from the archive that stay on local disk.
    pub cache_bytes_max: u64,
    /// Bytes a second that uploads may take.
    pub upload_bytes_per_s: Option<u64>,
    /// Bytes that uploads may hold in memory.
    pub upload_memory_bytes_max: u64,
}

impl ArchiveOptions {
    /// The defaults, at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        const MIB: u64 = 1 << 20;
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            url: url.into(),
            endpoint: None,
            region: None,
            path_style: false,
            allow_http: false,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            environment: Vec::new(),
            segment_bytes_min: 128 * MIB,
            segment_age_max: DAY,
            commit_interval: Duration::from_secs(300),
            retention_traces: None,
            retention_logs: None,
            retention_metrics: None,
            grace: 7 * DAY,
            hold: Vec::new(),
            cache_bytes_max: 10 * 1024 * MIB,
            upload_bytes_per_s: None,
            upload_memory_bytes_max: 64 * MIB,
        }
    }

    /// How long a signal stays in the archive; `None` for ever.
    pub fn retention(&self, signal: Signal) -> Option<Duration> {
        match signal {
            Signal::Traces => self.retention_traces,
            Signal::Logs => self.retention_logs,
            Signal::Metrics => self.retention_metrics,
        }
    }
}

/// Without the secrets: options may be printed.
impl fmt::Debug for ArchiveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveOptions")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl StoreOptions {
    /// How long a signal is kept; `None` for ever.
    pub fn retention(&self, signal: Signal) -> Option<Duration> {
        match signal {
            Signal::Traces => self.retention_traces,
            Signal::Logs => self.retention_logs,
            Signal::Metrics => self.retention_metrics,
        }
    }

    /// The defaults, in folder `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            path: path.into(),
            free_bytes_min: 512 * MIB,
            journal_file_bytes_max: 64 * MIB,
            journal_file_age_max: Duration::from_secs(10),
            metrics_file_bytes_max: 1024 * MIB,
            metrics_file_age_max: Duration::from_secs(30 * 60),
            commit_delay_max: Duration::from_millis(5),
            commit_bytes_max: MIB,
            append_queue_bytes_max: 128 * MIB,
            head_spans_max: 50_000_000,
            series_max: 5_000_000,
            series_per_job_max: 5_000_000,
            metric_families_max: 100_000,
            exemplars_max: 200_000,
            head_payload_bytes_max: 64 * MIB,
            seal_bytes_max: 256 * MIB,
            seal_age_max: Duration::from_secs(30),
            seal_journal_bytes_max: 2 * 1024 * MIB,
            unsealed_bytes_max: 16 * 1024 * MIB,
            merge_debt_bytes_max: 8 * 1024 * MIB,
            segment_rows_max: 8_000_000,
            merge_group_bytes_max: 256 << 20,
            retention_traces: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_logs: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_metrics: Some(Duration::from_secs(15 * 24 * 3600)),
            size_bytes_max: None,
            line_ids: IdNames::USUAL,
            archive: None,
        }
    }
}
