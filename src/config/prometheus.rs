//! What prometheus.yml has beside what the `prometheus` receiver does, each in words; and files of targets in YAML.

use weir_collector::receivers::prometheus::TargetGroup;

use super::{
    check::Findings,
    elsewhere::Standing::{self, Missing, Needless},
    error::lines,
    yaml::{Node, Problem, Reading, Step, Value, parse},
};

const DISCOVERY: Standing = Missing("static_configs and file_sd_configs are");
const PROXY: Standing = Missing("targets are asked directly");
const NATIVE: Standing = Needless("native histograms come with protobuf scrapes, which are not there yet");

/// Keys of a scrape config.
const JOB_KEYS: &[(&str, Standing)] = &[
    ("oauth2", Missing("basic_auth and authorization are")),
    ("proxy_url", PROXY),
    ("no_proxy", PROXY),
    ("proxy_from_environment", PROXY),
    ("proxy_connect_header", PROXY),
    ("sigv4", Missing("basic_auth and authorization are")),
    ("scrape_native_histograms", NATIVE),
    ("scrape_classic_histograms", NATIVE),
    ("always_scrape_classic_histograms", NATIVE),
    ("native_histogram_bucket_limit", NATIVE),
    ("native_histogram_min_bucket_factor", NATIVE),
    ("convert_classic_histograms_to_nhcb", Missing("classic histograms stay what they are")),
    ("scrape_failure_log_file", Needless("/prometheus/api/v1/targets says what failed")),
];

/// Keys of the file and of its global section.
const FILE_KEYS: &[(&str, Standing)] = &[
    ("config.alerting", Missing("the section alerting takes alertmanagers and alert_relabel_configs")),
    ("config.rule_files", Missing("the section alerting takes rule_files")),
    ("config.remote_write", Missing("Weir keeps what it scrapes and sends nothing on")),
    ("config.remote_read", Missing("Weir answers from what it keeps itself")),
    ("config.otlp", Missing("the same keys stand under receivers.otlp.metrics")),
    ("config.scrape_config_files", Missing("write the jobs into scrape_configs")),
    ("config.storage", Needless("the section storage says how data is kept")),
    ("config.runtime", Needless("there is no Go runtime to tune")),
    ("config.tracing", Needless("Weir sends no spans of its own")),
    ("config.global.query_log_file", Needless("the log says which queries failed")),
    ("config.global.rule_query_offset", Missing("alerting.global takes it")),
    ("config.global.scrape_failure_log_file", Needless("/prometheus/api/v1/targets says what failed")),
    ("config.global.scrape_native_histograms", NATIVE),
    ("config.global.scrape_classic_histograms", NATIVE),
    ("config.global.always_scrape_classic_histograms", NATIVE),
    ("config.global.convert_classic_histograms_to_nhcb", Missing("classic histograms stay what they are")),
    ("target_allocator", Missing("static_configs and file_sd_configs are")),
    ("api_server", Needless("Prometheus' API is on the query endpoint, under /prometheus")),
    ("trim_metric_suffixes", Missing("names are kept as they are exposed")),
    ("use_start_time_metric", Needless("_created lines say when counting began")),
    ("start_time_metric_regex", Needless("_created lines say when counting began")),
    ("report_extra_scrape_metrics", Missing("config.global.extra_scrape_metrics is Prometheus' word for it")),
    ("skip_offsetting", Missing("targets are spread over the interval")),
    ("ignore_metadata", Missing("what is said of families is kept")),
];

/// Takes out of a `prometheus` receiver's settings what Prometheus or the Collector has there beside.
pub(super) fn take_out(node: &mut Node, above: &[Step], findings: &mut Findings) {
    let is_prometheus =
        matches!(above.last(), Some(Step::Key(id)) if id.split('/').next().map(str::trim) == Some("prometheus"));
    if !is_prometheus {
        return;
    }
    for (path, standing) in FILE_KEYS {
        let way: Vec<Step> = path.split('.').map(|key| Step::Key(key.to_owned())).collect();
        take(node, above, &way, *standing, findings);
    }
    let jobs = [Step::Key("config".into()), Step::Key("scrape_configs".into())];
    let Some(Node { value: Value::List(items), .. }) = node.at(&jobs) else { return };
    for index in 0..items.len() {
        let job = [&jobs[..], &[Step::Item(index)]].concat();
        let keys: Vec<String> =
            node.at(&job).iter().flat_map(|job| job.entries()).map(|entry| entry.key.clone()).collect();
        for key in keys {
            let known = JOB_KEYS.iter().find(|(known, _)| *known == key).map(|(_, standing)| *standing);
            let is_discovery =
                key.ends_with("_sd_configs") && key != "file_sd_configs" && DISCOVERIES.contains(&key.as_str());
            let Some(standing) = known.or(is_discovery.then_some(DISCOVERY)) else { continue };
            take(node, above, &[&job[..], &[Step::Key(key)]].concat(), standing, findings);
        }
    }
}

/// Prometheus' other ways to find targets.
const DISCOVERIES: &[&str] = &[
    "aws_sd_configs",
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "dns_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "http_sd_configs",
    "ionos_sd_configs",
    "kubernetes_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "openstack_sd_configs",
    "outscale_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
    "vultr_sd_configs",
];

/// Takes out one key, if it is there, and says how it stands.
pub(super) fn take(node: &mut Node, above: &[Step], way: &[Step], standing: Standing, findings: &mut Findings) {
    let Some((last, parent)) = way.split_last() else { return };
    let Step::Key(key) = last else { return };
    let Some(at) = node.at(parent).and_then(|parent| parent.get(key)).map(|entry| entry.at) else { return };
    let steps = [above, way].concat();
    let path: Vec<&str> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        })
        .collect();
    let path = path.join(".");
    let (list, words) = match standing {
        Needless(words) => (&mut findings.warnings, format!("is not needed here: {words}")),
        Missing(words) => (&mut findings.problems, format!("is not there yet: {words}")),
    };
    list.push(Problem { at, steps, message: format!("{path} {words}") });
    node.leave_out(way, false);
}

/// Says of `$$1` in a replacement that it is read as the Collector reads it: in Prometheus' own files it is written `$1`, here too.
pub(super) fn warn_of_doubled(root: &Node, findings: &mut Findings) {
    let Some(receivers) = root.get("receivers") else { return };
    for receiver in receivers.node.entries().filter(|entry| entry.key.split('/').next() == Some("prometheus")) {
        let jobs = receiver.node.innermost(&["config", "scrape_configs"]);
        let Some((jobs, true)) = jobs else { continue };
        let Value::List(jobs) = &jobs.node.value else { continue };
        for steps in jobs.iter().flat_map(|job| job.entries()).filter(|entry| entry.key.ends_with("relabel_configs")) {
            let Value::List(steps) = &steps.node.value else { continue };
            for replacement in steps.iter().filter_map(|step| step.get("replacement")) {
                if let Value::Scalar { text, .. } = &replacement.node.value
                    && text.contains("$$")
                {
                    let message =
                        "`$$` is read as `$`, as the Collector reads it; `$1` may be written as in prometheus.yml";
                    findings.warnings.push(Problem {
                        at: replacement.node.at,
                        steps: Vec::new(),
                        message: message.to_owned(),
                    });
                }
            }
        }
    }
}

/// Groups of targets from a file in YAML.
pub(crate) fn target_groups(text: &str) -> Result<Vec<TargetGroup>, String> {
    let mut problems = Vec::new();
    let groups = parse(text, &mut problems).map(|root| match &root.value {
        Value::List(items) => {
            let mut groups = Vec::new();
            for item in items {
                let mut reading = Reading { problems: &mut problems };
                groups.extend(reading.read::<TargetGroup>(item, &[], |_| Ok(())));
            }
            groups
        }
        Value::Null => Vec::new(),
        _ => {
            problems.push(Problem { at: root.at, steps: Vec::new(), message: "expected a list of groups".into() });
            Vec::new()
        }
    });
    match groups {
        Some(groups) if problems.is_empty() => Ok(groups),
        _ => Err(lines("line", problems).join("; ")),
    }
}
