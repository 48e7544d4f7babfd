//! `receivers.prometheus`: Prometheus' `global` and `scrape_configs` verbatim, and Weir's own bounds.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};
use weir_port::{Check, InvalidConfig};
use weir_proto::{duration, relabel::RelabelConfig, size, yaml::Flaw};

use super::http_config::{Authorization, BasicAuth, HttpKeys, Secret, TlsConfig};
use crate::receivers::ReceiverSettings;

/// `receivers.prometheus`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrometheusConfig {
    /// What a prometheus.yml says.
    pub config: PrometheusFile,
    /// Targets of one job; further ones are left out, and it is said. Default 100000.
    pub targets_max: usize,
    /// Memory for bodies being scraped, in MiB, over all targets, compressed and decompressed bytes together. A scrape beyond it fails.
    /// Default 256.
    pub inflight_mib_max: usize,
    /// Largest body in bytes where `body_size_limit` is not set. Default 67108864.
    pub body_bytes_max: usize,
    /// Labels of a line, whatever `label_limit` says; a scrape with more fails. Default 1024.
    pub labels_max: usize,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self {
            config: PrometheusFile::default(),
            targets_max: 100_000,
            inflight_mib_max: 256,
            body_bytes_max: 64 << 20,
            labels_max: 1024,
        }
    }
}

/// `receivers.prometheus.config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrometheusFile {
    /// What holds where a scrape config says nothing.
    pub global: GlobalConfig,
    /// Jobs.
    pub scrape_configs: Vec<ScrapeConfig>,
}

/// `global`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GlobalConfig {
    /// How often targets are scraped. Default 1m.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub scrape_interval: Duration,
    /// How long a scrape may take. Default 10s, or the interval when that is shorter.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub scrape_timeout: Option<Duration>,
    /// What targets are asked for, in the order of preference.
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// Labels for what is sent on; nothing is.
    pub external_labels: BTreeMap<String, String>,
    /// For rules, of which there are none yet.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub evaluation_interval: Option<Duration>,
    /// Bounds, 0 for none; a scrape config may have its own.
    #[serde(deserialize_with = "limit_size")]
    pub body_size_limit: u64,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub sample_limit: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub target_limit: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub label_limit: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub label_name_length_limit: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub label_value_length_limit: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub keep_dropped_targets: usize,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub metric_name_validation_scheme: ValidationScheme,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub metric_name_escaping_scheme: Option<EscapingScheme>,
    #[expect(missing_docs, reason = "as in a scrape config")]
    pub extra_scrape_metrics: bool,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: None,
            scrape_protocols: None,
            external_labels: BTreeMap::new(),
            evaluation_interval: None,
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: ValidationScheme::default(),
            metric_name_escaping_scheme: None,
            extra_scrape_metrics: false,
        }
    }
}

/// One of `scrape_configs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrapeConfig {
    /// Its name, the label `job` of what is scraped.
    pub job_name: String,
    /// How often; else the global one.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub scrape_interval: Option<Duration>,
    /// How long; else the global one.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub scrape_timeout: Option<Duration>,
    /// What is asked for; else the global ones.
    #[serde(default)]
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    /// How a body without a usable content type is read; without it the scrape fails.
    #[serde(default)]
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// Where on the target. Default /metrics.
    #[serde(default = "metrics_path")]
    pub metrics_path: String,
    /// http or https. Default http.
    #[serde(default)]
    pub scheme: Scheme,
    /// Parameters of the request.
    #[serde(default)]
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether labels of the target's win over those of its place. Default false.
    #[serde(default)]
    pub honor_labels: bool,
    /// Whether times of the target's are taken. Default true.
    #[serde(default = "yes")]
    pub honor_timestamps: bool,
    /// Whether series with times of the target's end when they vanish. Default false.
    #[serde(default)]
    pub track_timestamps_staleness: bool,
    /// Whether gzip is asked for. Default true.
    #[serde(default = "yes")]
    pub enable_compression: bool,
    /// Whether redirects are followed. Default true.
    #[serde(default = "yes")]
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered over TLS. Default true.
    #[serde(default = "yes")]
    pub enable_http2: bool,
    /// Who asks.
    #[serde(default)]
    pub basic_auth: Option<BasicAuth>,
    /// Who asks, by another scheme.
    #[serde(default)]
    pub authorization: Option<Authorization>,
    /// A token, as older files write it.
    #[serde(default)]
    pub bearer_token: Option<Secret>,
    /// The file that it stands in.
    #[serde(default)]
    pub bearer_token_file: Option<String>,
    /// Further headers, each with its values.
    #[serde(default)]
    pub http_headers: BTreeMap<String, HeaderValues>,
    /// Who is trusted, and who we are.
    #[serde(default)]
    pub tls_config: Option<TlsConfig>,
    /// Targets.
    #[serde(default)]
    pub static_configs: Vec<TargetGroup>,
    /// Files with targets.
    #[serde(default)]
    pub file_sd_configs: Vec<FileDiscovery>,
    /// Steps over a target's labels.
    #[serde(default)]
    pub relabel_configs: Vec<RelabelConfig>,
    /// Steps over each sample's.
    #[serde(default)]
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// Largest body. A scrape over one of these limits fails; 0 is none.
    #[serde(default, deserialize_with = "limit_size_some")]
    pub body_size_limit: Option<u64>,
    /// Samples after relabelling.
    #[serde(default)]
    pub sample_limit: Option<usize>,
    /// Targets: over it all of the job's scrapes fail.
    #[serde(default)]
    pub target_limit: Option<usize>,
    /// Labels of a sample.
    #[serde(default)]
    pub label_limit: Option<usize>,
    /// Bytes of a label's name.
    #[serde(default)]
    pub label_name_length_limit: Option<usize>,
    /// Bytes of a label's value.
    #[serde(default)]
    pub label_value_length_limit: Option<usize>,
    /// Targets dropped by relabelling that are remembered; 0 is all.
    #[serde(default)]
    pub keep_dropped_targets: Option<usize>,
    /// What names may be; a scrape with others fails. Default utf8.
    #[serde(default)]
    pub metric_name_validation_scheme: Option<ValidationScheme>,
    /// How targets are asked to write names that older readers do not know. Default allow-utf-8, or underscores where names are legacy.
    #[serde(default)]
    pub metric_name_escaping_scheme: Option<EscapingScheme>,
    /// Whether a scrape also says its timeout, its limit of samples and the bytes of its body. Default false.
    #[serde(default)]
    pub extra_scrape_metrics: Option<bool>,
}

impl ScrapeConfig {
    /// One that says nothing but its name.
    pub(in crate::receivers) fn named(job_name: &str) -> Self {
        let written = serde_json::json!({"job_name": job_name});
        serde_json::from_value(written).expect("the one key that has to be there")
    }

    pub(super) fn http_keys(&self) -> HttpKeys<'_> {
        HttpKeys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: self.bearer_token.as_ref(),
            bearer_token_file: self.bearer_token_file.as_ref(),
            http_headers: &self.http_headers,
            tls_config: self.tls_config.as_ref(),
            follow_redirects: self.follow_redirects,
            enable_http2: self.enable_http2,
        }
    }
}

/// Values of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderValues {
    /// As they stand.
    pub values: Vec<String>,
    /// The same, not to be shown.
    pub secrets: Vec<Secret>,
    /// In files.
    pub files: Vec<String>,
}

/// Targets that share labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetGroup {
    /// `host:port`
    pub targets: Vec<String>,
    /// What all of them get.
    pub labels: BTreeMap<String, String>,
}

/// One of `file_sd_configs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDiscovery {
    /// Names of JSON or YAML files, the last part with `*` for any.
    pub files: Vec<String>,
    /// How often they are read even when nothing tells of a change. Default 5m.
    #[serde(default = "refresh_interval", deserialize_with = "duration::deserialize_positive")]
    pub refresh_interval: Duration,
}

/// How a target is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// In the open.
    #[default]
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in `__scheme__`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A format that a target may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ScrapeProtocol {
    #[serde(rename = "OpenMetricsText1.0.0")]
    OpenMetricsText1_0_0,
    #[serde(rename = "OpenMetricsText0.0.1")]
    OpenMetricsText0_0_1,
    #[serde(rename = "PrometheusText1.0.0")]
    PrometheusText1_0_0,
    #[serde(rename = "PrometheusText0.0.4")]
    PrometheusText0_0_4,
    /// Passed over: protobuf is not read yet.
    PrometheusProto,
}

/// What names of metrics and labels may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidationScheme {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// Letters, digits, `_`, and `:` in metrics.
    Legacy,
}

/// How names are written for those that do not take all of UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum EscapingScheme {
    #[serde(rename = "allow-utf-8")]
    AllowUtf8,
    #[serde(rename = "underscores")]
    Underscores,
    #[serde(rename = "dots")]
    Dots,
    #[serde(rename = "values")]
    Values,
}

impl EscapingScheme {
    /// As it stands in a media type.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

/// What names may be in a job, and how they are asked for.
pub(super) fn naming(job: &ScrapeConfig, global: &GlobalConfig) -> (ValidationScheme, EscapingScheme) {
    let validation = job.metric_name_validation_scheme.unwrap_or(global.metric_name_validation_scheme);
    let silent = match validation {
        ValidationScheme::Utf8 => EscapingScheme::AllowUtf8,
        ValidationScheme::Legacy => EscapingScheme::Underscores,
    };
    (validation, job.metric_name_escaping_scheme.or(global.metric_name_escaping_scheme).unwrap_or(silent))
}

fn yes() -> bool {
    true
}

fn metrics_path() -> String {
    "/metrics".into()
}

fn refresh_interval() -> Duration {
    Duration::from_secs(300)
}

/// `10MB` as Prometheus reads it: 1 KB is 1024 bytes.
fn limit_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return size::parse(&text).map_err(D::Error::custom),
    };
    let number: f64 =
        digits.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a size; write it like 10MB")))?;
    Ok((number * (1_u64 << shift) as f64) as u64)
}

fn limit_size_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    limit_size(deserializer).map(Some)
}

impl PrometheusConfig {
    /// Files that are named without a folder lie beside the configuration, as in Prometheus.
    pub fn resolve_files(&mut self, folder: &Path) {
        let resolve = |file: &mut String| {
            if !file.is_empty() && Path::new(&*file).is_relative() {
                *file = folder.join(&*file).to_string_lossy().into_owned();
            }
        };
        for job in &mut self.config.scrape_configs {
            job.file_sd_configs.iter_mut().flat_map(|discovery| &mut discovery.files).for_each(resolve);
            job.http_headers.values_mut().flat_map(|values| &mut values.files).for_each(resolve);
            job.bearer_token_file.iter_mut().for_each(resolve);
            if let Some(basic) = &mut job.basic_auth {
                basic.username_file.iter_mut().chain(&mut basic.password_file).for_each(resolve);
            }
            if let Some(authorization) = &mut job.authorization {
                authorization.credentials_file.iter_mut().for_each(resolve);
            }
            if let Some(tls) = &mut job.tls_config {
                let files = tls.ca_file.iter_mut().chain(&mut tls.cert_file).chain(&mut tls.key_file);
                files.for_each(resolve);
            }
        }
    }

    /// Finds values that no scraper can work with.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("prometheus");
        check.within("targets_max", self.targets_max, 1..=10_000_000)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        check.within("body_bytes_max", self.body_bytes_max, 1..=1 << 40)?;
        check.within("labels_max", self.labels_max, 1..=65_536)?;
        let PrometheusFile { global, scrape_configs } = &self.config;
        if global.scrape_timeout.is_some_and(|timeout| timeout > global.scrape_interval) {
            return check.fails("config.global.scrape_timeout", "global scrape timeout greater than scrape interval");
        }
        for (index, job) in scrape_configs.iter().enumerate() {
            if let Err(problem) = check_job(job, global) {
                return check.fails("config.scrape_configs", problem);
            }
            if scrape_configs[..index].iter().any(|other| other.job_name == job.job_name) {
                let words = format!("found multiple scrape configs with job name {:?}", job.job_name);
                return check.fails("config.scrape_configs", words);
            }
        }
        Ok(())
    }
}

fn check_job(job: &ScrapeConfig, global: &GlobalConfig) -> Result<(), String> {
    let name = &job.job_name;
    if name.is_empty() {
        return Err("job_name is empty".into());
    }
    let interval = job.scrape_interval.unwrap_or(global.scrape_interval);
    if interval.is_zero() {
        return Err(format!("scrape interval of {name:?} must be longer than 0"));
    }
    if job.scrape_timeout.is_some_and(|timeout| timeout > interval) {
        return Err(format!("scrape timeout greater than scrape interval for scrape config with job name {name:?}"));
    }
    job.http_keys().check().map_err(|problem| format!("{name:?}: {problem}"))?;
    if let Some(protocols) = &job.scrape_protocols
        && (protocols.is_empty() || (1..protocols.len()).any(|at| protocols[..at].contains(&protocols[at])))
    {
        return Err(format!("{name:?}: scrape_protocols has to name each format at most once, and one at least"));
    }
    if naming(job, global) == (ValidationScheme::Legacy, EscapingScheme::AllowUtf8) {
        return Err(format!("{name:?}: utf8 metric names requested but validation scheme is not set to UTF8"));
    }
    check_targets(&job.static_configs, &job.file_sd_configs).map_err(|problem| format!("{name:?}: {problem}"))
}

/// What is wrong with targets, and with the files that they stand in.
pub(super) fn check_targets(groups: &[TargetGroup], files: &[FileDiscovery]) -> Result<(), String> {
    for group in groups {
        if let Some(bad) = group.targets.iter().find(|target| target.contains('/')) {
            return Err(format!("{bad:?} is not a valid hostname"));
        }
    }
    check_files(files)
}

/// What is wrong with the names of files with targets.
pub(in crate::receivers) fn check_files(files: &[FileDiscovery]) -> Result<(), String> {
    for file in files.iter().flat_map(|discovery| &discovery.files) {
        let last = file.rsplit('/').next().unwrap_or_default();
        let is_known = [".json", ".yml", ".yaml"].iter().any(|ending| last.ends_with(ending));
        if !is_known || last.matches('*').count() > 1 || file[..file.len() - last.len()].contains('*') {
            return Err(format!("path name {file:?} is not valid for file discovery"));
        }
    }
    Ok(())
}

impl ReceiverSettings for PrometheusConfig {
    const NAMES: &'static [&'static str] = &["prometheus"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }
}
