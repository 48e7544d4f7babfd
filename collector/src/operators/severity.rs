//! Severities: `severity_parser`, and the `severity` block of other parsers.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use super::{Entry, Field, Next, Operator, OperatorConfig, Value};

pub(super) const KEYS: &[&str] = &["parse_from", "preset", "mapping", "overwrite_text"];

/// OTLP's names, from number 1 on: each with three steps above it.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// Widest range of a mapping.
const RANGE_MAX: i64 = 100_000;

/// How severities are called.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SeverityConfig {
    pub(super) parse_from: Option<Field>,
    pub(super) preset: Option<Preset>,
    pub(super) mapping: BTreeMap<Level, Names>,
    pub(super) overwrite_text: bool,
}

/// What is known without a mapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    #[default]
    Default,
    Otel,
    Aliases,
    None,
}

/// A severity by its name, `warn` or `warn3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level(u8);

impl Level {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        if text == "default" {
            return Some(Self(0));
        }
        if let Ok(number) = text.parse::<u8>() {
            return (1..=24).contains(&number).then_some(Self(number));
        }
        let at = LEVELS.iter().position(|name| text.starts_with(name))?;
        let step = match &text[LEVELS[at].len()..] {
            "" => 0,
            "2" => 1,
            "3" => 2,
            "4" => 3,
            _ => return None,
        };
        Some(Self(at as u8 * 4 + step + 1))
    }

    /// The short name of the logs data model.
    fn name(self) -> String {
        if self.0 == 0 {
            return String::new();
        }
        let (level, step) = ((self.0 - 1) / 4, (self.0 - 1) % 4);
        let name = LEVELS[usize::from(level)].to_uppercase();
        if step == 0 { name } else { format!("{name}{}", step + 1) }
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = || {
            format!("`{text}` is no severity: write trace, debug, info, warn, error or fatal, with 2, 3 or 4 behind it")
        };
        Self::parse(&text).ok_or_else(|| de::Error::custom(words()))
    }
}

/// What one severity is called: texts, numbers, ranges, `2xx`; one or a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor).map(Self)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list of values, or min and max")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Vec<String>, E> {
        Ok(vec![value.to_string()])
    }

    fn visit_i64<E>(self, number: i64) -> Result<Vec<String>, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_u64<E>(self, number: u64) -> Result<Vec<String>, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_f64<E>(self, number: f64) -> Result<Vec<String>, E> {
        Ok(vec![number.to_string()])
    }

    fn visit_str<E>(self, text: &str) -> Result<Vec<String>, E> {
        let hundred = match text {
            "2xx" => 200,
            "3xx" => 300,
            "4xx" => 400,
            "5xx" => 500,
            _ => return Ok(vec![text.to_lowercase()]),
        };
        Ok((hundred..hundred + 100).map(|number: i32| number.to_string()).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
        let mut names = Vec::new();
        while let Some(more) = seq.next_element::<Names>()? {
            names.extend(more.0);
        }
        Ok(names)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let (mut min, mut max) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "min" => min = Some(map.next_value::<i64>()?),
                "max" => max = Some(map.next_value::<i64>()?),
                _ => return Err(de::Error::unknown_field(&key, &["min", "max"])),
            }
        }
        let min = min.ok_or_else(|| de::Error::missing_field("min"))?;
        let max = max.ok_or_else(|| de::Error::missing_field("max"))?;
        let (min, max) = (min.min(max), min.max(max));
        if max.saturating_sub(min) >= RANGE_MAX {
            return Err(de::Error::custom(format!("a range has {RANGE_MAX} numbers at most")));
        }
        Ok((min..=max).map(|number| number.to_string()).collect())
    }
}

/// Finds severities.
pub(super) struct SeverityParser {
    from: Field,
    levels: HashMap<String, Level>,
    overwrites_text: bool,
}

impl SeverityParser {
    pub(super) fn new(config: &SeverityConfig) -> Result<Self, String> {
        let from = config.parse_from.clone().ok_or("the key `parse_from` of severity is missing")?;
        let mut levels = HashMap::new();
        let preset = config.preset.unwrap_or_default();
        if preset != Preset::None {
            for number in 1..=24 {
                let level = Level(number);
                levels.insert(level.name().to_lowercase(), level);
                levels.insert(number.to_string(), level);
                if preset == Preset::Default {
                    let name = level.name().to_lowercase();
                    if let Some(step) = name.strip_prefix("warn") {
                        levels.insert(format!("warning{step}"), level);
                    }
                    if let Some(step) = name.strip_prefix("error") {
                        levels.insert(format!("err{step}"), level);
                    }
                }
            }
        }
        for (level, names) in &config.mapping {
            levels.extend(names.0.iter().map(|name| (name.clone(), *level)));
        }
        Ok(Self { from, levels, overwrites_text: config.overwrite_text })
    }

    /// Where it reads.
    pub(super) fn from(&self) -> &Field {
        &self.from
    }

    /// Sets an entry's severity: the text is what it was called, the number 0 where nobody knows that.
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Result<(), String> {
        let value = self.from.get(entry).ok_or_else(|| format!("there is no {}", self.from))?;
        let text = match value {
            Value::Bool(_) => None,
            Value::Float(number) if number.fract() != 0.0 => None,
            value => value.to_text(),
        };
        let text = text.ok_or_else(|| format!("{} is {}, no severity", self.from, value.kind()))?;
        let level = match self.levels.get(&*text) {
            Some(level) => *level,
            None => self.levels.get(&text.to_lowercase()).copied().unwrap_or(Level(0)),
        };
        let text = if self.overwrites_text && level.0 > 0 { level.name() } else { text.into_owned() };
        entry.severity_number = level.0;
        entry.severity_text = Cow::Owned(text);
        Ok(())
    }
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(SeverityParser::new(&config.settings.levels)?))
}

impl Operator for SeverityParser {
    fn reads(&self) -> Option<Vec<&Field>> {
        Some(vec![&self.from])
    }

    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        Self::apply(self, entry).map(|()| Next::On)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_their_names() {
        for (text, number, name) in
            [("trace", 1, "TRACE"), ("Info3", 11, "INFO3"), ("fatal4", 24, "FATAL4"), ("13", 13, "WARN")]
        {
            let level = Level::parse(text).expect("a level");
            assert_eq!((level.0, level.name().as_str()), (number, name));
        }
        assert!(["", "warning", "info5", "info1", "25", "0"].iter().all(|text| Level::parse(text).is_none()));
    }
}
