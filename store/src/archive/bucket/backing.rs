//! From an address to the store behind it.

use std::sync::Arc;

use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    multipart::MultipartStore,
    path::Path,
};

use super::{
    BucketError,
    conditional::Conditional,
    folder::Folder,
    options::{BucketOptions, Surroundings},
};

/// What a bucket asks: objects, and uploads in numbered parts, so that a part can be sent again.
pub(in crate::archive) trait Backing: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Backing for T {}

/// Addresses whose first part is the name of a bucket.
const CLOUDS: [&str; 7] = ["s3", "s3a", "gs", "az", "azure", "abfs", "abfss"];

/// The store, the prefix in it, and whether its listings go on after a key without beginning anew.
pub(super) fn open(
    options: &BucketOptions,
    surroundings: &Surroundings,
) -> Result<(Arc<dyn Backing>, Path, bool), BucketError> {
    let refuse = |why: &str| BucketError::Options(format!("`{}` is no address of a bucket: {why}", options.url));
    let (scheme, rest) = options.url.split_once("://").ok_or_else(|| refuse("nothing like `s3://`"))?;
    if scheme == "file" {
        let path = object_path_decoded(rest).ok_or_else(|| refuse("a %-code that is none"))?;
        if !path.starts_with('/') {
            return Err(refuse("a folder is written with three slashes: `file:///var/lib/archive`"));
        }
        let folder = Folder::open(path.as_ref(), options.part_bytes, surroundings);
        let folder = folder.map_err(|source| BucketError::Local { path: path.into(), source })?;
        return Ok((Arc::new(folder), Path::default(), false));
    }
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Path::parse(prefix.trim_matches('/')).map_err(|error| refuse(&error.to_string()))?;
    if name.is_empty() && CLOUDS.contains(&scheme) {
        return Err(refuse("the bucket's name is missing"));
    }
    if let Some(endpoint) = options.endpoint.as_ref().filter(|endpoint| !is_address(endpoint)) {
        return Err(BucketError::Options(format!(
            "`{endpoint}` is no endpoint: write it like https://s3.example.com:9000"
        )));
    }
    let lacks = |error: object_store::Error| {
        BucketError::Options(format!(
            "`{}` cannot be asked: {error}; keys are taken from storage.archive (access_key_id, secret_access_key) or the environment (AWS_…, GOOGLE_…, AZURE_STORAGE_ACCOUNT_NAME …)",
            options.url
        ))
    };
    let store: (Arc<dyn Backing>, bool) = match scheme {
        "s3" | "s3a" => (Arc::new(s3(options, name).map_err(lacks)?), true),
        "gs" => (Arc::new(google(options, name).map_err(lacks)?), true),
        "az" | "azure" | "abfs" | "abfss" => (Arc::new(azure(options, name).map_err(lacks)?), false),
        _ => return Err(refuse("known are `s3`, `gs`, `az` and `file`")),
    };
    Ok((store.0, prefix, store.1))
}

/// Whether something is an address of a server: what is none makes the library panic.
fn is_address(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let is_of_host =
        |char: char| char.is_ascii_graphic() && !matches!(char, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    host.is_some_and(|host| {
        host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[') && host.chars().all(is_of_host)
    })
}

/// What all clients share. Trying again is ours: theirs would not know of the breaker, nor of a test's clock.
fn client(options: &BucketOptions) -> (ClientOptions, RetryConfig) {
    let client = ClientOptions::new()
        .with_connect_timeout(options.connect_timeout)
        .with_timeout(options.request_timeout)
        .with_allow_http(options.allow_http);
    (client, RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

fn s3(options: &BucketOptions, name: &str) -> object_store::Result<object_store::aws::AmazonS3> {
    let (client, retry) = client(options);
    let mut builder = AmazonS3Builder::new();
    for (variable, value) in environment(options, "AWS_") {
        // Keys of the configuration stand alone: a token of the environment belongs to the environment's key.
        let of_the_key = ["access_key_id", "secret_access_key", "session_token"];
        if options.access_key_id.is_some() && of_the_key.iter().any(|end| variable.ends_with(end)) {
            continue;
        }
        if let Ok(key) = variable.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder
        .with_bucket_name(name)
        .with_client_options(client)
        .with_retry(retry)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_virtual_hosted_style_request(!options.path_style)
        .with_http_connector(Conditional::default());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &options.access_key_id {
        builder = builder.with_access_key_id(key);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    if let Some(token) = &options.session_token {
        builder = builder.with_token(token);
    }
    builder.build()
}

/// The environment's variables of a provider, their names as the library's keys are written.
fn environment<'a>(options: &'a BucketOptions, start: &'a str) -> impl Iterator<Item = (String, &'a String)> {
    let of_it = options.environment.iter().filter(move |(name, _)| name.starts_with(start));
    of_it.map(|(name, value)| (name.to_ascii_lowercase(), value))
}

fn google(options: &BucketOptions, name: &str) -> object_store::Result<object_store::gcp::GoogleCloudStorage> {
    let (client, retry) = client(options);
    let mut builder = GoogleCloudStorageBuilder::new();
    for (variable, value) in environment(options, "GOOGLE_") {
        if let Ok(key) = variable.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    builder.with_bucket_name(name).with_client_options(client).with_retry(retry).build()
}

fn azure(options: &BucketOptions, name: &str) -> object_store::Result<object_store::azure::MicrosoftAzure> {
    let (client, retry) = client(options);
    let mut builder = MicrosoftAzureBuilder::new();
    for (variable, value) in environment(options, "AZURE_") {
        if let Ok(key) = variable.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_container_name(name).with_client_options(client).with_retry(retry);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(account) = &options.access_key_id {
        builder = builder.with_account(account);
    }
    if let Some(secret) = &options.secret_access_key {
        builder = builder.with_access_key(secret);
    }
    builder.build()
}

/// A path of an address with its %-codes read.
fn object_path_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use weir_proto::time::Clock;

    use super::*;

    fn refusal(url: &str) -> String {
        let surroundings = Surroundings::simulated(Clock::fixed(0));
        open(&BucketOptions::new(url), &surroundings).map(drop).expect_err("no bucket").to_string()
    }

    #[test]
    fn an_address_that_is_none_is_refused_in_words() {
        let cases = [
            ("bucket/prefix", "nothing like `s3://`"),
            ("ftp://host/x", "known are `s3`, `gs`, `az` and `file`"),
            ("file://folder", "a folder is written with three slashes: `file:///var/lib/archive`"),
            ("file:///a%2", "a %-code that is none"),
            ("s3:///prefix", "the bucket's name is missing"),
        ];
        for (url, why) in cases {
            assert_eq!(refusal(url), format!("`{url}` is no address of a bucket: {why}"));
        }
    }

    #[test]
    fn a_key_that_is_missing_is_asked_for() {
        let refused = refusal("az://container/prefix");
        assert!(refused.contains("cannot be asked") && refused.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{refused}");
    }

    #[test]
    fn the_prefix_is_what_comes_after_the_bucket() {
        let surroundings = Surroundings::simulated(Clock::fixed(0));
        let mut options = BucketOptions::new("s3://name/a/b/");
        options.access_key_id = Some("key".to_owned());
        options.secret_access_key = Some("secret".to_owned());
        let (store, prefix, pages) = open(&options, &surroundings).expect("an address");
        assert_eq!((prefix.as_ref(), pages), ("a/b", true));
        assert_eq!(store.to_string(), "AmazonS3(name)");
    }
}
