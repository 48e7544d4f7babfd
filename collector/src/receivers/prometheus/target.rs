//! A target: what is discovered, relabelled into where to scrape and what to call it.

use std::{collections::BTreeMap, time::Duration};

use weir_proto::{
    duration,
    metrics::{Labels, METRIC_NAME},
    relabel::{LabelSet, relabel},
};

use super::{
    job::{Job, Source},
    probing::Probing,
};
use crate::samples::period_in_words;

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Before relabelling.
    pub(super) discovered: BTreeMap<String, String>,
    /// What its series get.
    pub(super) labels: Labels,
    /// Where; of a probed one as it stands in the configuration.
    pub(super) url: String,
    /// Between two samples.
    pub(super) interval: Duration,
    /// How it is probed; of a scraped one empty.
    pub(super) module: String,
    /// Samples for each time that it is asked: 1, but for probes that are far apart.
    pub(super) samples_per_probe: u32,
    pub(super) timeout: Duration,
}

/// What makes it the same one after a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TargetKey {
    labels: Labels,
    url: String,
    module: String,
}

/// What became of a discovered one.
#[derive(Debug)]
pub(super) enum Populated {
    Active(Box<Target>),
    /// By relabelling.
    Dropped(BTreeMap<String, String>),
}

impl Target {
    pub(super) fn key(&self) -> TargetKey {
        TargetKey { labels: self.labels.clone(), url: self.url.clone(), module: self.module.clone() }
    }

    /// Relabels one address of a group. The error says what is wrong with the address or its labels.
    pub(super) fn populate(
        job: &Job,
        address: &str,
        group_labels: &BTreeMap<String, String>,
    ) -> Result<Populated, String> {
        let mut labels = LabelSet::default();
        labels.set("__address__", address);
        for (name, value) in group_labels {
            labels.set(name, value.as_str());
        }
        let interval = period_in_words(job.interval);
        let timeout = period_in_words(job.timeout);
        let own: [(&str, &str); 2] = match &job.source {
            Source::Scraped(_) => {
                [("__metrics_path__", &job.config.metrics_path), ("__scheme__", job.config.scheme.name())]
            }
            Source::Probed(probing) => [("__param_module", &probing.module), ("location", &probing.location)],
        };
        let every = [("job", job.name()), ("__scrape_interval__", &interval), ("__scrape_timeout__", &timeout)];
        let defaults = every.into_iter().chain(own);
        for (name, value) in defaults {
            if labels.get(name).is_empty() {
                labels.set(name, value);
            }
        }
        for (name, values) in &job.config.params {
            let name = format!("__param_{name}");
            if let Some(first) = values.first()
                && labels.get(&name).is_empty()
            {
                labels.set(&name, first.as_str());
            }
        }
        let is_probed = matches!(job.source, Source::Probed(_));
        let shown = |value: &str| if is_probed { without_password(value) } else { value.to_owned() };
        let discovered = labels.iter().map(|(name, value)| (name.to_owned(), shown(value))).collect();
        if !relabel(&mut labels, &job.config.relabel_configs) {
            return Ok(Populated::Dropped(discovered));
        }
        let interval = period(&labels, "__scrape_interval__", "scrape interval")?;
        let timeout = period(&labels, "__scrape_timeout__", "scrape timeout")?;
        if timeout > interval {
            return Err(format!(
                "scrape timeout cannot be greater than scrape interval ({} > {})",
                labels.get("__scrape_timeout__"),
                labels.get("__scrape_interval__")
            ));
        }
        let Place { url, instance, module } = match &job.source {
            Source::Scraped(_) => scraped(job, &labels)?,
            Source::Probed(probing) => probed(probing, &labels)?,
        };
        let samples_per_probe = match &job.source {
            Source::Scraped(_) => 1,
            Source::Probed(probing) => probing.samples_per_probe(interval),
        };
        let interval = interval / samples_per_probe;
        if labels.get("instance").is_empty() {
            labels.set("instance", instance);
        }
        // What begins so is for relabelling alone; a metric's name is no target's.
        labels.retain(|name| !name.starts_with("__") && name != METRIC_NAME);
        if is_probed {
            hide_passwords(&mut labels);
        }
        let labels = labels.labels().map_err(|error| error.to_string())?;
        let target = Self { discovered, labels, url, interval, module, samples_per_probe, timeout };
        Ok(Populated::Active(Box::new(target)))
    }
}

/// Where a target is, and what it is called.
struct Place {
    url: String,
    instance: String,
    module: String,
}

fn scraped(job: &Job, labels: &LabelSet) -> Result<Place, String> {
    let address = labels.get("__address__").to_owned();
    if address.is_empty() {
        return Err("no address".into());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    Ok(Place { url: url(job, labels, &address)?, instance: address, module: String::new() })
}

/// What files for blackbox_exporter write, works: there relabelling puts the target into `__param_target`, and the
/// exporter's own address into the target's place.
fn probed(probing: &Probing, labels: &LabelSet) -> Result<Place, String> {
    let written = Some(labels.get("__param_target")).filter(|target| !target.is_empty());
    let target = written.unwrap_or_else(|| labels.get("__address__")).to_owned();
    if target.is_empty() {
        return Err("no address".into());
    }
    let module = labels.get("__param_module").to_owned();
    if !probing.modules.contains(&module) {
        let known: Vec<&str> = probing.modules.iter().map(String::as_str).collect();
        return Err(weir_proto::nearest::unknown("module", &module, &known));
    }
    Ok(Place { instance: target.clone(), url: target, module })
}

/// Labels are for everybody: a target's URL stands in them without its password, as Go redacts it.
fn hide_passwords(labels: &mut LabelSet) {
    let hidden: Vec<(String, String)> = labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value, without_password(value)))
        .filter(|(_, value, hidden)| value != hidden)
        .map(|(name, _, hidden)| (name, hidden))
        .collect();
    hidden.iter().for_each(|(name, value)| labels.set(name, value.as_str()));
}

/// `https://user:xxxxx@host/path`, with a scheme or without; what has no password stays as it is.
pub(in crate::receivers) fn without_password(text: &str) -> String {
    let redacted = || {
        // Without a scheme it is taken as one of http, and so are its name and password.
        let rest = match text.split_once("://") {
            Some((_, rest)) => rest,
            None if text.contains(char::is_whitespace) => return None,
            None => text,
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (user, host) = authority.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        let before = &text[..text.len() - rest.len()];
        Some(format!("{before}{name}:xxxxx@{host}{}", &rest[authority.len()..]))
    };
    redacted().unwrap_or_else(|| text.to_owned())
}

fn period(labels: &LabelSet, name: &str, what: &str) -> Result<Duration, String> {
    let text = labels.get(name);
    let period = duration::parse(text).map_err(|error| format!("error parsing {what}: {error}"))?;
    if period.is_zero() {
        return Err(format!("{what} cannot be 0"));
    }
    Ok(period)
}

/// Scheme, address, path and parameters; `__param_x` stands for the first value of `x`.
fn url(job: &Job, labels: &LabelSet, address: &str) -> Result<String, String> {
    let scheme = labels.get("__scheme__");
    if !matches!(scheme, "http" | "https") {
        return Err(format!("unsupported scheme {scheme:?}"));
    }
    let mut params: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &job.config.params {
        params.insert(name, values.iter().map(String::as_str).collect());
    }
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix("__param_") else { continue };
        let values = params.entry(name).or_default();
        if values.is_empty() {
            values.push(value);
        } else {
            values[0] = value;
        }
    }
    let path = labels.get("__metrics_path__");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let (path, written_query) = path.split_once('?').unwrap_or((path, ""));
    let mut query = String::new();
    for (name, values) in params {
        for value in values {
            let separator = if query.is_empty() { "" } else { "&" };
            query += &format!("{separator}{}={}", escaped(name, true), escaped(value, true));
        }
    }
    // As Go escapes a question mark in a path that was set as such.
    let path = match written_query {
        "" => escaped(path, false),
        _ => escaped(&format!("{path}?{written_query}"), false),
    };
    let question = if query.is_empty() { "" } else { "?" };
    Ok(format!("{scheme}://{address}{slash}{path}{question}{query}"))
}

/// Percent-encoded: for a query (a blank is a plus) or a path.
fn escaped(text: &str, for_query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~')
            || (!for_query && matches!(byte, b'/' | b'$' | b'&' | b'+' | b',' | b':' | b';' | b'=' | b'@' | b'%'));
        match byte {
            b' ' if for_query => out.push('+'),
            _ if is_plain => out.push(byte as char),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
