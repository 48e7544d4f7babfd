//! The components that a configuration can name: receivers and processors; no exporters yet.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};
use weir_collector::{
    processors::{probabilistic_sampler::ProbabilisticSamplerConfig, tail_sampling::TailSamplingConfig},
    receivers::{otlp::OtlpConfig, zipkin::ZipkinConfig},
};

use super::error::unknown;

/// A kind of component: the word for it, and its types.
pub(super) trait Kind {
    /// `receiver`, …
    const WORD: &'static str;
    /// The types that exist.
    const TYPES: &'static [&'static str];
}

/// Receivers.
#[derive(Debug)]
pub(crate) enum Receiver {}

impl Kind for Receiver {
    const WORD: &'static str = "receiver";
    const TYPES: &'static [&'static str] = &["otlp", "zipkin"];
}

/// Processors.
#[derive(Debug)]
pub(crate) enum Processor {}

impl Kind for Processor {
    const WORD: &'static str = "processor";
    const TYPES: &'static [&'static str] = &["probabilistic_sampler", "tail_sampling"];
}

/// Exporters.
#[derive(Debug)]
pub(crate) enum Exporter {}

impl Kind for Exporter {
    const WORD: &'static str = "exporter";
    const TYPES: &'static [&'static str] = &[];
}

/// A component's id as the Collector writes it: `type` or `type/name`.
struct ComponentId<K>(String, PhantomData<K>);

impl<'de, K: Kind> Deserialize<'de> for ComponentId<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let (component_type, name) = id.split_once('/').unwrap_or((&id, "-"));
        if name.is_empty() {
            return Err(de::Error::custom(format!("`{id}` has no name after the /")));
        }
        if !K::TYPES.contains(&component_type) {
            return Err(de::Error::custom(unknown(K::WORD, component_type, K::TYPES)));
        }
        Ok(Self(id, PhantomData))
    }
}

/// A receiver of one of the types, with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReceiverConfig {
    /// `otlp`.
    Otlp(OtlpConfig),
    /// `zipkin`.
    Zipkin(ZipkinConfig),
}

/// What a component's id is followed by, of whatever type it is.
trait Component: Sized {
    /// Reads the settings of the component of this type, one of [`Kind::TYPES`].
    fn read<'de, A: MapAccess<'de>>(component_type: &str, map: &mut A) -> Result<Self, A::Error>;
}

impl Component for ReceiverConfig {
    fn read<'de, A: MapAccess<'de>>(component_type: &str, map: &mut A) -> Result<Self, A::Error> {
        match component_type {
            "zipkin" => settings(map).map(Self::Zipkin),
            _ => settings(map).map(Self::Otlp),
        }
    }
}

impl Component for de::IgnoredAny {
    fn read<'de, A: MapAccess<'de>>(_: &str, map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

/// Settings behind an id. `otlp:` with nothing behind it is `otlp: {}`, as in the Collector.
fn settings<'de, A: MapAccess<'de>, C: Settings<'de> + Default>(map: &mut A) -> Result<C, A::Error> {
    let config = map.next_value::<Option<Checked<C>>>()?;
    Ok(config.map_or_else(C::default, |checked| checked.0))
}

/// A component's settings.
trait Settings<'de>: Deserialize<'de> {
    /// Finds values that it cannot work with, in words.
    fn check(&self) -> Result<(), String>;
}

impl Settings<'_> for OtlpConfig {
    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|error| error.to_string())
    }
}

impl Settings<'_> for TailSamplingConfig {
    fn check(&self) -> Result<(), String> {
        Self::check(self)
    }
}

impl Settings<'_> for ZipkinConfig {
    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|error| error.to_string())
    }
}

/// Settings that were checked where their place in the file is still known.
struct Checked<C>(C);

impl<'de, C: Settings<'de>> Deserialize<'de> for Checked<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = C::deserialize(deserializer)?;
        settings.check().map_err(de::Error::custom)?;
        Ok(Self(settings))
    }
}

/// `receivers:`, by id.
#[derive(Debug, Default)]
pub(super) struct Receivers(pub(super) BTreeMap<String, ReceiverConfig>);

impl<'de> Deserialize<'de> for Receivers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ComponentsVisitor::<Receiver, ReceiverConfig>(PhantomData)).map(Self)
    }
}

/// `processors:`, in the order written, each with its place.
#[derive(Debug, Default)]
pub(super) struct Processors(pub(super) Vec<ProcessorBlock>);

/// A processor as configured.
#[derive(Debug)]
pub(super) struct ProcessorBlock {
    pub(super) id: String,
    pub(super) location: Location,
    pub(super) config: ProcessorConfig,
}

/// Its settings, by type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ProcessorConfig {
    ProbabilisticSampler(ProbabilisticSamplerConfig),
    TailSampling(Box<TailSamplingConfig>),
}

impl<'de> Deserialize<'de> for Processors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ProcessorsVisitor)
    }
}

struct ProcessorsVisitor;

impl<'de> Visitor<'de> for ProcessorsVisitor {
    type Value = Processors;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("processors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Processors, A::Error> {
        let mut blocks = Vec::new();
        while let Some(key) = map.next_key::<Spanned<ComponentId<Processor>>>()? {
            let ComponentId(id, _) = key.value;
            let config = match id.split('/').next() {
                Some("probabilistic_sampler") => ProcessorConfig::ProbabilisticSampler(map.next_value()?),
                _ => ProcessorConfig::TailSampling(Box::new(map.next_value::<Checked<TailSamplingConfig>>()?.0)),
            };
            blocks.push(ProcessorBlock { id, location: key.referenced, config });
        }
        Ok(Processors(blocks))
    }
}

/// `exporters:`, which may be there but must be empty.
#[derive(Debug)]
pub(super) struct Nothing<K>(PhantomData<K>);

impl<K> Default for Nothing<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Nothing<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ComponentsVisitor::<K, de::IgnoredAny>(PhantomData))?;
        Ok(Self::default())
    }
}

/// Reads `id: config` pairs.
struct ComponentsVisitor<K, C>(PhantomData<(K, C)>);

impl<'de, K: Kind, C: Component> Visitor<'de> for ComponentsVisitor<K, C> {
    type Value = BTreeMap<String, C>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s by name", K::WORD)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut components = BTreeMap::new();
        while let Some(ComponentId::<K>(id, _)) = map.next_key()? {
            let component_type = id.split('/').next().unwrap_or_default();
            let component = C::read(component_type, &mut map)?;
            components.insert(id, component);
        }
        Ok(components)
    }
}
