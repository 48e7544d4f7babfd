//! A point's labels: its attributes, what is promoted, job and instance.

use std::collections::BTreeMap;

use weir_proto::{
    metrics::{Labels, LabelsError, METRIC_NAME},
    otlp::metrics::{Attributes, ResourceView, ScopeView, in_words},
};

use super::{config::MetricsConfig, naming::label_name};

const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// What all points of a resource, and of a scope in it, have in common.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Promoted attributes of the resource.
    promoted: Vec<(String, String)>,
    scope: Vec<(String, String)>,
    job: String,
    instance: String,
    /// Attributes that `target_info` has, by their own names.
    info: Vec<(String, String)>,
    /// Whether any attribute says more than job and instance do.
    says_more: bool,
}

impl Surroundings {
    /// A resource's.
    pub(super) fn of_resource(resource: &ResourceView<'_>, config: &MetricsConfig) -> Self {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        for attribute in resource.attributes.iter() {
            let key = String::from_utf8_lossy(attribute.key).into_owned();
            all.entry(key).or_insert_with(|| in_words(attribute.value).into_owned());
        }
        let get = |key: &str| all.get(key).map_or("", String::as_str);
        let (name, namespace) = (get(SERVICE_NAME), get(SERVICE_NAMESPACE));
        let job = if name.is_empty() || namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        let instance = get(SERVICE_INSTANCE).to_owned();
        let is_promoted = |key: &String| {
            if config.promote_all_resource_attributes {
                !config.ignore_resource_attributes.contains(key)
            } else {
                config.promote_resource_attributes.contains(key)
            }
        };
        let promoted: Vec<(String, String)> = joined(
            all.iter().filter(|(key, _)| is_promoted(key)).map(|(key, value)| (key.as_str(), value.clone())),
            config,
        );
        let is_identifying = |key: &str| [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE].contains(&key);
        let says_more = all.keys().any(|key| !is_identifying(key));
        let info = all.iter().filter(|(key, _)| config.keep_identifying_resource_attributes || !is_identifying(key));
        let info = info.map(|(key, value)| (key.clone(), value.clone())).collect();
        Self { promoted, scope: Vec::new(), job, instance, info, says_more }
    }

    /// The labels of a scope come to those of its resource.
    pub(super) fn set_scope(&mut self, scope: &ScopeView<'_>, config: &MetricsConfig) {
        self.scope.clear();
        if !config.promote_scope_metadata {
            return;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for attribute in scope.attributes.iter() {
            let key = label_name(&format!("otel_scope_{}", text(attribute.key)), config);
            self.scope.push((key, in_words(attribute.value).into_owned()));
        }
        // Later ones win: an attribute that is called `name` is not the scope's.
        self.scope.push(("otel_scope_name".into(), text(scope.name)));
        self.scope.push(("otel_scope_version".into(), text(scope.version)));
        self.scope.push(("otel_scope_schema_url".into(), text(scope.schema_url)));
    }

    /// The labels of `target_info`; `None` where there is nothing to say, or of nobody.
    pub(super) fn target_info(&self, config: &MetricsConfig) -> Option<Labels> {
        if !self.says_more || (self.job.is_empty() && self.instance.is_empty()) {
            return None;
        }
        let own = joined(self.info.iter().map(|(key, value)| (key.as_str(), value.clone())), config);
        let mut set: BTreeMap<&str, &str> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.put_identity(&mut set);
        set.insert(METRIC_NAME, "target_info");
        Labels::new(set).ok()
    }

    /// The labels of a point's series, without its metric's name. What identifies the sender wins over attributes.
    pub(super) fn of_point(&self, attributes: Attributes<'_>, config: &MetricsConfig) -> BaseLabels {
        let mut own: Vec<(&[u8], _)> = attributes.iter().map(|attribute| (attribute.key, attribute.value)).collect();
        own.sort_by_key(|(key, _)| *key);
        let own =
            own.iter().filter_map(|(key, value)| Some((std::str::from_utf8(key).ok()?, in_words(*value).into_owned())));
        let own = joined(own, config);
        let mut set: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in own.iter().chain(&self.scope) {
            set.insert(name, value);
        }
        for (name, value) in &self.promoted {
            set.entry(name).or_insert(value);
        }
        self.put_identity(&mut set);
        let pairs = set.into_iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        BaseLabels(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn put_identity<'s>(&'s self, set: &mut BTreeMap<&'s str, &'s str>) {
        for (name, value) in [("job", &self.job), ("instance", &self.instance)] {
            if !value.is_empty() {
                set.insert(name, value);
            }
        }
    }
}

/// Attributes as labels, in the order of their own names: values of those that get one name are joined.
fn joined<'k>(attributes: impl Iterator<Item = (&'k str, String)>, config: &MetricsConfig) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (key, value) in attributes {
        let name = label_name(key, config);
        match out.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push(';');
                known.push_str(&value);
            }
            None => out.push((name, value)),
        }
    }
    out
}

/// A point's labels but for its metric's name, sorted.
#[derive(Debug)]
pub(super) struct BaseLabels(Vec<(String, String)>);

impl BaseLabels {
    /// With a metric's name, and one label more, which wins.
    pub(super) fn with(&self, name: &str, more: Option<(&str, &str)>) -> Result<Labels, LabelsError> {
        let is_other = |label: &str| label != METRIC_NAME && more.is_none_or(|(more, _)| more != label);
        let own =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(label, _)| is_other(label));
        Labels::new(own.chain([(METRIC_NAME, name)]).chain(more))
    }
}
