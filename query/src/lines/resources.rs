//! Streams of resources: a pushed stream's labels are its resource's attributes; of what came as OTLP, Loki's default list of attributes is.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;
use weir_proto::loki::{SCOPE, UNKNOWN_SERVICE};

use crate::logql::labels::{StreamLabels, push_name};

/// Resource attributes that Loki makes labels of by default (`default_resource_attributes_as_index_labels`).
/// Beside them, what names the place that others' shippers sent a document, an event or a message to, or where they had it from.
const LABELS: [&str; 21] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
    "elasticsearch.index",
    "com.splunk.index",
    "com.splunk.source",
    "com.splunk.sourcetype",
];

const SERVICE: &str = "service.name";
const SERVICE_LABEL: &str = "service_name";

/// What a resource is to LogQL.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) stream: Arc<StreamLabels>,
    /// Attributes that are no labels, by the names of labels.
    pub(super) rest: Vec<(String, String)>,
    /// As the store writes them.
    pub(super) json: String,
    /// Whether it was pushed as a stream.
    pub(super) is_pushed: bool,
}

/// Resources that are remembered: of more, those met so far are forgotten, and made again when they are met again.
const REMEMBERED_MAX: usize = if cfg!(test) { 8 } else { 65_536 };

/// The resources that were met: equal ones are one, and so is their stream, as long as there are not too many.
#[derive(Debug, Default)]
pub(super) struct Resources {
    known: HashMap<(bool, String), Arc<Resource>>,
}

impl Resources {
    /// The resource of these attributes, as JSON text, within this scope.
    pub(super) fn of(&mut self, json: &str, scope: &str) -> Arc<Resource> {
        let is_pushed = scope == SCOPE;
        let key = (is_pushed, json.to_owned());
        if self.known.len() >= REMEMBERED_MAX && !self.known.contains_key(&key) {
            self.known.clear();
        }
        let resource = self.known.entry(key).or_insert_with(|| Arc::new(read(json, is_pushed)));
        Arc::clone(resource)
    }
}

fn read(json: &str, is_pushed: bool) -> Resource {
    let mut labels: Vec<(String, String)> = Vec::new();
    let mut rest: Vec<(String, String)> = Vec::new();
    let attributes = match serde_json::from_str(json) {
        Ok(Value::Object(attributes)) => attributes,
        _ => serde_json::Map::new(),
    };
    let mut service = None;
    for (key, value) in attributes {
        match value {
            Value::String(value) if is_pushed && key == SERVICE => service = Some(value),
            Value::String(value) if is_pushed => labels.push((key, value)),
            value if !is_pushed && LABELS.contains(&key.as_str()) => {
                labels.push((key.replace('.', "_"), text_of(&value)))
            }
            value => flatten(&key, &value, &mut rest),
        }
    }
    let has_service = labels.iter().any(|(name, _)| name == SERVICE_LABEL);
    match service {
        // What was discovered, which the stream's own label stands before.
        Some(service) if !has_service => labels.push((SERVICE_LABEL.to_owned(), service)),
        None if !is_pushed && !has_service => labels.push((SERVICE_LABEL.to_owned(), UNKNOWN_SERVICE.to_owned())),
        _ => {}
    }
    Resource { stream: Arc::new(StreamLabels::new(labels)), rest, json: json.to_owned(), is_pushed }
}

/// A value as a label: texts as they are, bytes in base64, everything else as JSON.
fn text_of(value: &Value) -> String {
    match plain(value) {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// What the store wrote as an object because JSON has no words for it: bytes and what is no number as their text, maps as they were.
fn plain(value: &Value) -> &Value {
    static NAN: LazyLock<Value> = LazyLock::new(|| "NaN".into());
    let Value::Object(members) = value else { return value };
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((key, inner)), None) if key == "$bytes" || key == "$object" => inner,
        (Some((key, Value::String(text))), None) if key == "$double" && !text.ends_with("Infinity") => &NAN,
        (Some((key, inner)), None) if key == "$double" => inner,
        _ => value,
    }
}

/// Adds an attribute under a label's name; of maps each member under a name of its own.
pub(super) fn flatten(key: &str, value: &Value, out: &mut Vec<(String, String)>) {
    // Attributes nest 64 deep at most.
    if let Value::Object(members) = plain(value) {
        for (name, value) in members {
            flatten(&format!("{key}_{name}"), value, out);
        }
        return;
    }
    let mut name = String::new();
    push_name(key, &mut name);
    if !name.is_empty() {
        out.push((name, text_of(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushed_labels_come_back_and_otlp_has_the_default_list() {
        let mut resources = Resources::default();
        let pushed = r#"{"app":"cart","a.b":"c","service.name":"cart"}"#;
        assert_eq!(resources.of(pushed, "loki").stream.to_string(), r#"{a.b="c", app="cart", service_name="cart"}"#);
        let own = r#"{"service_name":"mine","service.name":"x"}"#;
        assert_eq!(resources.of(own, "loki").stream.to_string(), r#"{service_name="mine"}"#);
        let odd = r#"{"b":{"$bytes":"AQL/"},"i":{"$double":"-Infinity"},"m":{"d":{"$double":"NaN"}},"n":{"$double":"7ff8000000000001"},"o":{"$object":{"$bytes":1}},"service.name":{"$bytes":"AA=="}}"#;
        let odd = resources.of(odd, "");
        assert_eq!(odd.stream.to_string(), r#"{service_name="AA=="}"#);
        let rest: Vec<String> = odd.rest.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(rest.join(" "), "b=AQL/ i=-Infinity m_d=NaN n=NaN o__bytes=1");
        let otlp = r#"{"service.name":"cart","k8s.pod.name":"p","host.name":"h","n":1.5,"m":{"x":[1]}}"#;
        let resource = resources.of(otlp, "");
        assert_eq!(resource.stream.to_string(), r#"{k8s_pod_name="p", service_name="cart"}"#);
        let rest: Vec<String> = resource.rest.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(rest.join(" "), "host_name=h m_x=[1] n=1.5");
        assert_eq!(resources.of("", "").stream.to_string(), r#"{service_name="unknown_service"}"#);
        assert!(Arc::ptr_eq(&resource, &resources.of(otlp, "")));
    }
}
