//! The components that a configuration can name: receivers; no processors and exporters yet.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use weir_collector::receivers::otlp::OtlpConfig;

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
    const TYPES: &'static [&'static str] = &["otlp"];
}

/// Processors.
#[derive(Debug)]
pub(crate) enum Processor {}

impl Kind for Processor {
    const WORD: &'static str = "processor";
    const TYPES: &'static [&'static str] = &[];
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

/// A component's settings.
trait Settings<'de>: Deserialize<'de> + Default {
    /// Finds values that it cannot work with, in words.
    fn check(&self) -> Result<(), String>;
}

impl Settings<'_> for OtlpConfig {
    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|error| error.to_string())
    }
}

impl Settings<'_> for de::IgnoredAny {
    fn check(&self) -> Result<(), String> {
        Ok(())
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
pub(super) struct Receivers(pub(super) BTreeMap<String, OtlpConfig>);

impl<'de> Deserialize<'de> for Receivers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ComponentsVisitor::<Receiver, OtlpConfig>(PhantomData)).map(Self)
    }
}

/// `processors:` and `exporters:`, which may be there but must be empty.
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

impl<'de, K: Kind, C: Settings<'de>> Visitor<'de> for ComponentsVisitor<K, C> {
    type Value = BTreeMap<String, C>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s by name", K::WORD)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut components = BTreeMap::new();
        while let Some(ComponentId::<K>(id, _)) = map.next_key()? {
            // `otlp:` with nothing behind it is `otlp: {}`, as in the Collector.
            let config = map.next_value::<Option<Checked<C>>>()?;
            components.insert(id, config.map_or_else(C::default, |checked| checked.0));
        }
        Ok(components)
    }
}
