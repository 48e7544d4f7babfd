//! `storage.archive`: the bucket that segments go to, as tables that others read, and how long they stay there.

use serde::Deserialize;
use weir_proto::TenantId;
use weir_store::ArchiveOptions;

use super::{bytes::ByteSize, or_default, period::Period, retention::Retentions};

const MIB: u64 = 1 << 20;

/// Variables of the environment that say who asks, and where.
const ENVIRONMENT: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// `storage.archive`. Defaults are those of [`ArchiveOptions::new`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArchiveConfig {
    /// `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`; without one there is no archive.
    url: Option<BucketUrl>,
    /// Another address than the provider's own.
    endpoint: Option<String>,
    region: Option<String>,
    /// Whether S3's bucket is the first part of the path and not of the host's name.
    path_style: bool,
    /// Whether an `http://` endpoint may be used.
    allow_http: bool,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    #[serde(deserialize_with = "or_default")]
    retention: Retentions<true>,
    /// A segment of this size goes out.
    segment_size_min: ByteSize,
    /// And so does one of this age.
    segment_age_max: Period<100>,
    /// What was uploaded is committed to its table at least so often.
    commit_interval: Period<100>,
    /// Objects that left a table stay so long for its readers.
    grace: Period,
    /// Tenants of whom nothing in the archive is deleted.
    hold: Vec<HeldTenant>,
    #[serde(deserialize_with = "or_default")]
    cache: CacheConfig,
    #[serde(deserialize_with = "or_default")]
    upload: UploadConfig,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        let options = defaults();
        Self {
            url: None,
            endpoint: None,
            region: None,
            path_style: options.path_style,
            allow_http: options.allow_http,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            retention: Retentions::default(),
            segment_size_min: ByteSize(options.segment_bytes_min),
            segment_age_max: Period(options.segment_age_max),
            commit_interval: Period(options.commit_interval),
            grace: Period(options.grace),
            hold: options.hold.into_iter().map(HeldTenant).collect(),
            cache: CacheConfig::default(),
            upload: UploadConfig::default(),
        }
    }
}

/// `storage.archive.cache`: what was read from the bucket, on local disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CacheConfig {
    size_max: ByteSize<MIB>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { size_max: ByteSize(defaults().cache_bytes_max) }
    }
}

/// `storage.archive.upload`: what uploads may take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UploadConfig {
    /// Bytes a second; left out: no limit.
    bandwidth_max: Option<ByteSize<1024>>,
    memory_max: ByteSize<{ 8 * MIB }>,
}

impl Default for UploadConfig {
    fn default() -> Self {
        let options = defaults();
        Self {
            bandwidth_max: options.upload_bytes_per_s.map(ByteSize),
            memory_max: ByteSize(options.upload_memory_bytes_max),
        }
    }
}

/// The address of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BucketUrl(String);

impl<'de> Deserialize<'de> for BucketUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rest = ["s3://", "gs://", "az://", "file:///"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text)),
            _ => Err(serde::de::Error::custom(format!(
                "`{text}` is not the address of a bucket; write s3://bucket/prefix, gs://…, az://… or file:///folder"
            ))),
        }
    }
}

/// The name of a tenant: a name that none can have would hold nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeldTenant(String);

impl<'de> Deserialize<'de> for HeldTenant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match TenantId::new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(serde::de::Error::custom(format!("`{text}` is no tenant's name: {error}"))),
        }
    }
}

impl ArchiveConfig {
    /// What the archive is opened with; `None` without one.
    pub(super) fn options(&self) -> Option<ArchiveOptions> {
        let BucketUrl(url) = self.url.as_ref()?;
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            ENVIRONMENT.iter().any(|prefix| name.starts_with(prefix)).then_some((name, value))
        });
        Some(ArchiveOptions {
            url: url.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            path_style: self.path_style,
            allow_http: self.allow_http,
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            environment: environment.collect(),
            segment_bytes_min: self.segment_size_min.0,
            segment_age_max: self.segment_age_max.0,
            commit_interval: self.commit_interval.0,
            retention_traces: self.retention.traces.0,
            retention_logs: self.retention.logs.0,
            retention_metrics: self.retention.metrics.0,
            grace: self.grace.0,
            hold: self.hold.iter().map(|HeldTenant(tenant)| tenant.clone()).collect(),
            cache_bytes_max: self.cache.size_max.0,
            upload_bytes_per_s: self.upload.bandwidth_max.map(|bytes| bytes.0),
            upload_memory_bytes_max: self.upload.memory_max.0,
        })
    }
}

/// The store's own.
fn defaults() -> ArchiveOptions {
    ArchiveOptions::new("")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn an_archive_has_an_address() {
        let read = |text: &str| serde_json::from_str::<ArchiveConfig>(text);
        assert!(read("{}").expect("valid").options().is_none());
        let options = read(r#"{"url": "s3://b/p", "retention": {"traces": "400d"}, "commit_interval": "1s"}"#);
        let options = options.expect("valid").options().expect("one");
        assert_eq!((options.url.as_str(), options.retention_traces), ("s3://b/p", Some(400 * DAY)));
        assert_eq!((options.commit_interval, options.retention_logs), (Duration::from_secs(1), None));
        for wrong in ["", "../x", "a b"] {
            let refused =
                read(&format!("{{\"url\": \"s3://b\", \"hold\": [\"{wrong}\"]}}")).expect_err(wrong).to_string();
            assert!(refused.contains("is no tenant's name"), "{refused}");
        }
        for wrong in ["bucket", "http://b", "s3://", "file://x"] {
            let refused = read(&format!("{{\"url\": \"{wrong}\"}}")).expect_err(wrong).to_string();
            assert!(refused.contains("is not the address of a bucket"), "{refused}");
        }
    }
}
