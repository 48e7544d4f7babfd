//! `receivers.synthetic`: modules as blackbox_exporter's file has them, jobs with targets, and what bounds them.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Deserialize;
use weir_proto::{duration, relabel::RelabelConfig, yaml::Flaw};

use super::{allow::Network, module::Module};
use crate::receivers::{
    ReceiverSettings,
    prometheus::{FileDiscovery, TargetGroup},
};

/// `receivers.synthetic`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticConfig {
    /// Ways to probe, by name: what blackbox_exporter's file has under the same key.
    pub modules: BTreeMap<String, Module>,
    /// What is probed.
    pub probes: Vec<ProbeJobConfig>,
    /// Where the probes come from: the label `location`. Default: the machine's name.
    pub location: String,
    /// Networks that may be probed although they are not public: loopback, link-local, metadata, private.
    pub allow: Vec<Network>,
    /// Whether each probe is a trace, too. Default true.
    pub traces: bool,
    /// The service that its spans belong to. Default weir-probes.
    pub service_name: String,
    /// Longest time between two samples of a series: what a probe found is said again, so that no query falls between
    /// two. Default 2m.
    #[serde(deserialize_with = "duration::deserialize_positive")]
    pub repeat_interval_max: Duration,
    /// Probes under way at once; further ones wait. Default 100.
    pub probes_max: usize,
    /// Targets of one job; further ones are left out, and it is said. Default 10000.
    pub targets_max: usize,
    /// What is read of an answer, in bytes; a longer one fails the probe. Default 10485760.
    pub body_bytes_max: usize,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            modules: BTreeMap::new(),
            probes: Vec::new(),
            location: String::new(),
            allow: Vec::new(),
            traces: true,
            service_name: "weir-probes".into(),
            repeat_interval_max: Duration::from_secs(120),
            probes_max: 100,
            targets_max: 10_000,
            body_bytes_max: 10 << 20,
        }
    }
}

/// One of `probes`: targets that are probed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeJobConfig {
    /// Its name, the label `job` of what is found.
    pub job_name: String,
    /// The module, unless relabelling sets `__param_module`.
    #[serde(default)]
    pub module: String,
    /// How often. Default 5m.
    #[serde(default = "interval", deserialize_with = "duration::deserialize_positive")]
    pub interval: Duration,
    /// How long a probe may take, unless its module allows less. Default 10s, or the interval when that is shorter.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub timeout: Option<Duration>,
    /// Targets: an URL, or a host with or without a port, as the prober takes it.
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
}

fn interval() -> Duration {
    Duration::from_secs(300)
}

impl SyntheticConfig {
    /// Files that are named without a folder lie beside the configuration.
    pub fn resolve_files(&mut self, folder: &Path) {
        let resolve = |file: &mut String| {
            if !file.is_empty() && Path::new(&*file).is_relative() {
                *file = folder.join(&*file).to_string_lossy().into_owned();
            }
        };
        for job in &mut self.probes {
            job.file_sd_configs.iter_mut().flat_map(|discovery| &mut discovery.files).for_each(resolve);
        }
        self.modules.values_mut().flat_map(Module::files).for_each(resolve);
    }

    /// Finds values that nothing can be probed with.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(&self) -> Result<(), Flaw> {
        let bounds = [
            ("probes_max", self.probes_max, 100_000),
            ("targets_max", self.targets_max, 10_000_000),
            ("body_bytes_max", self.body_bytes_max, 1 << 30),
        ];
        for (key, value, most) in bounds {
            if value == 0 || value > most {
                return Err((key.into(), format!("{value} does not lie between 1 and {most}")));
            }
        }
        if self.repeat_interval_max < Duration::from_secs(1) {
            return Err(("repeat_interval_max".into(), "shorter than a second".into()));
        }
        if self.service_name.is_empty() {
            return Err(("service_name".into(), "spans need a service".into()));
        }
        for (name, module) in &self.modules {
            module.check().map_err(|(key, problem)| {
                let dot = if key.is_empty() { "" } else { "." };
                (format!("modules.{name}{dot}{key}"), problem)
            })?;
        }
        for (index, job) in self.probes.iter().enumerate() {
            job.check(&self.modules).map_err(|problem| ("probes".to_owned(), problem))?;
            if self.probes[..index].iter().any(|other| other.job_name == job.job_name) {
                return Err(("probes".into(), format!("two jobs with the name {:?}", job.job_name)));
            }
        }
        Ok(())
    }
}

impl ReceiverSettings for SyntheticConfig {
    const NAMES: &'static [&'static str] = &["synthetic"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check()
    }
}

impl ProbeJobConfig {
    fn check(&self, modules: &BTreeMap<String, Module>) -> Result<(), String> {
        let name = &self.job_name;
        if name.is_empty() {
            return Err("job_name is empty".into());
        }
        let sets_module = self.relabel_configs.iter().any(|step| step.target_label == "__param_module")
            || self.static_configs.iter().any(|group| group.labels.contains_key("__param_module"));
        if self.module.is_empty() && !sets_module {
            return Err(format!("{name:?}: no module is named"));
        }
        if !self.module.is_empty() && !modules.contains_key(&self.module) {
            let known: Vec<&str> = modules.keys().map(String::as_str).collect();
            return Err(format!("{name:?}: {}", weir_proto::nearest::unknown("module", &self.module, &known)));
        }
        if self.timeout.is_some_and(|timeout| timeout > self.interval) {
            return Err(format!("{name:?}: the timeout is longer than the interval"));
        }
        crate::receivers::prometheus::check_files(&self.file_sd_configs)
            .map_err(|problem| format!("{name:?}: {problem}"))
    }
}
