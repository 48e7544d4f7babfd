//! A policy in the configuration: `{name, type, <type>: {…}}`, strict in every key.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use weir_store::ledger::{HEAD_SAMPLER, UNKNOWN_POLICY};

use super::{KEYS, PolicySettings, Settings, TYPES};

/// Longest name of a policy, in bytes: it stands in every kept span.
pub(crate) const NAME_BYTES_MAX: usize = 128;

/// Most policies of one list.
pub(crate) const POLICIES_MAX: usize = 256;

/// A policy as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyConfig {
    /// Names it in verdicts, reports and `weir.sampling.policy`.
    pub name: String,
    pub(crate) settings: Settings,
}

impl PolicyConfig {
    /// Its type.
    pub fn kind(&self) -> &'static str {
        self.settings.kind()
    }
}

/// Settings that were checked where their place in the file is still known.
pub(crate) struct Checked<S>(pub(crate) S);

impl<'de, S: Deserialize<'de> + PolicySettings> Deserialize<'de> for Checked<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let settings = S::deserialize(deserializer)?;
        settings.check().map_err(de::Error::custom)?;
        Ok(Self(settings))
    }
}

/// A type that exists.
struct TypeName(&'static str);

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = TYPES.iter().find(|known| **known == name);
        known.map(|known| Self(known)).ok_or_else(|| de::Error::unknown_variant(&name, TYPES))
    }
}

/// A name of usable length that is nobody else's in the ledger.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(de::Error::custom(format!("a policy's name has 1 to {NAME_BYTES_MAX} bytes")));
        }
        if [HEAD_SAMPLER, UNKNOWN_POLICY].contains(&name.as_str()) {
            return Err(de::Error::custom(format!(
                "`{name}` is a row of the ledger already; a policy has another name"
            )));
        }
        Ok(Self(name))
    }
}

impl<'de> Deserialize<'de> for PolicyConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PolicyVisitor)
    }
}

struct PolicyVisitor;

impl<'de> Visitor<'de> for PolicyVisitor {
    type Value = PolicyConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy: name, type and the type's settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PolicyConfig, A::Error> {
        let (mut name, mut kind, mut settings) = (None, None, None::<Settings>);
        while let Some(key) = map.next_key::<Key>()? {
            match key.0 {
                "name" => name = Some(map.next_value::<Name>()?.0),
                "type" => kind = Some(map.next_value::<TypeName>()?.0),
                key => match (Settings::read(key, &mut map)?, &settings) {
                    (None, _) => {}
                    (read, None) => settings = read,
                    (Some(read), Some(first)) => {
                        return Err(de::Error::custom(format!(
                            "settings of two types, {} and {}; a policy has one",
                            first.kind(),
                            read.kind()
                        )));
                    }
                },
            }
        }
        let name = name.ok_or_else(|| de::Error::missing_field("name"))?;
        let kind = kind.ok_or_else(|| de::Error::missing_field("type"))?;
        let settings = match settings {
            Some(settings) if settings.kind() == kind => settings,
            Some(settings) => {
                return Err(de::Error::custom(format!(
                    "policy `{name}` has the type {kind} and settings of {}",
                    settings.kind()
                )));
            }
            None => Settings::when_absent(kind).ok_or_else(|| de::Error::missing_field(kind))?,
        };
        Ok(PolicyConfig { name, settings })
    }
}

/// One of [`KEYS`].
struct Key(&'static str);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let known = KEYS.iter().find(|known| **known == key);
        known.map(|known| Self(known)).ok_or_else(|| de::Error::unknown_field(&key, KEYS))
    }
}

/// For `#[serde(deserialize_with)]`: policies with different names, one at least.
pub(crate) fn policies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PolicyConfig>, D::Error> {
    deserializer.deserialize_seq(PoliciesVisitor)
}

struct PoliciesVisitor;

impl<'de> Visitor<'de> for PoliciesVisitor {
    type Value = Vec<PolicyConfig>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of policies")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<PolicyConfig>, A::Error> {
        let mut policies: Vec<PolicyConfig> = Vec::new();
        while let Some(policy) = seq.next_element_seed(Another { known: &policies })? {
            if policies.len() == POLICIES_MAX {
                return Err(de::Error::custom(format!("more than {POLICIES_MAX} policies in one list")));
            }
            policies.push(policy);
        }
        if policies.is_empty() {
            return Err(de::Error::custom("at least one policy is needed"));
        }
        Ok(policies)
    }
}

/// One more policy of a list. That its name is there already is a fault of its own, so that it is said at its place, and hides nothing.
struct Another<'k> {
    known: &'k [PolicyConfig],
}

impl<'de> DeserializeSeed<'de> for Another<'_> {
    type Value = PolicyConfig;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PolicyConfig, D::Error> {
        let policy = PolicyConfig::deserialize(deserializer)?;
        if self.known.iter().any(|known| known.name == policy.name) {
            return Err(de::Error::custom(format!("two policies named `{}`", policy.name)));
        }
        Ok(policy)
    }
}

/// For `#[serde(deserialize_with)]`: a number that can be compared, 0 or more.
pub(crate) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !number.is_finite() || number < 0.0 {
        return Err(de::Error::custom(format!("{number} is not a number of 0 or more")));
    }
    Ok(number)
}
