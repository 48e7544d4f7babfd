//! Times: `time_parser`, and the `timestamp` block of other parsers.

mod calendar;
mod layout;
mod zone;

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use self::layout::{Layout, read};
use super::{Entry, Field, Next, Operator, OperatorConfig, Value};

pub(super) use self::{
    calendar::Moment,
    layout::{fraction, rfc3339},
    zone::Zone,
};

pub(super) const KEYS: &[&str] = &["parse_from", "layout_type", "layout", "location", "time_zone_locations"];

/// How a time is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimeConfig {
    pub(super) parse_from: Option<Field>,
    pub(super) layout_type: LayoutType,
    pub(super) layout: Option<String>,
    pub(super) location: Option<String>,
    /// Places by the abbreviation that `%Z` reads.
    pub(super) time_zone_locations: BTreeMap<String, String>,
}

/// In which language the layout is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LayoutType {
    #[default]
    Strptime,
    Gotime,
    Epoch,
}

/// A time as an entry has it. What lies before 1970, or beyond what Unix ns can say, is the first or last that can be said.
pub(super) fn unix_ns(found: i128) -> u64 {
    found.clamp(1, i128::from(i64::MAX)) as u64
}

/// Finds times.
pub(super) struct TimeParser {
    from: Field,
    how: How,
}

enum How {
    Layout(Layout, Arc<Zone>, Zones),
    /// What a unit has in nanoseconds, and to how many of them a number with a fraction says anything.
    Epoch(i128, i128),
}

/// Places by abbreviation.
type Zones = BTreeMap<String, Zone>;

/// Where times without a zone are from.
pub(super) fn zone_of(location: Option<&str>) -> Result<Arc<Zone>, String> {
    Zone::find(location.unwrap_or("Local")).map(Arc::new)
}

impl TimeParser {
    pub(super) fn new(config: &TimeConfig) -> Result<Self, String> {
        let from = config.parse_from.clone().ok_or("the key `parse_from` of the time is missing")?;
        let layout = config.layout.as_deref().ok_or("the key `layout` of the time is missing")?;
        let zones = || -> Result<Zones, String> {
            config.time_zone_locations.iter().map(|(word, name)| Ok((word.clone(), Zone::find(name)?))).collect()
        };
        let how = match config.layout_type {
            LayoutType::Epoch => {
                let (unit_ns, step_ns) = match layout {
                    "s.ms" => (1_000_000_000, 1_000_000),
                    // A number of seconds today has no more digits than that.
                    "s" | "s.us" => (1_000_000_000, 1_000),
                    "s.ns" => (1_000_000_000, 1),
                    "ms" => (1_000_000, 1),
                    "us" => (1_000, 1),
                    "ns" => (1, 1),
                    other => return Err(format!("`{other}` is no layout of epoch: s, ms, us, ns, s.ms, s.us, s.ns")),
                };
                How::Epoch(unit_ns, step_ns)
            }
            LayoutType::Strptime => {
                How::Layout(layout::strptime(layout)?, zone_of(config.location.as_deref())?, zones()?)
            }
            LayoutType::Gotime => How::Layout(layout::gotime(layout)?, zone_of(config.location.as_deref())?, zones()?),
        };
        Ok(Self { from, how })
    }

    /// Where it reads.
    pub(super) fn from(&self) -> &Field {
        &self.from
    }

    /// Sets an entry's time.
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Result<(), String> {
        let value = self.from.get(entry).ok_or_else(|| format!("there is no {}", self.from))?;
        let found = match &self.how {
            How::Epoch(unit_ns, step_ns) => epoch(value, *unit_ns, *step_ns),
            How::Layout(layout, zone, zones) => {
                let text = value.as_text().ok_or_else(|| format!("{} is {}, not a text", self.from, value.kind()))?;
                let found = read(layout, text, zones);
                found.and_then(|(moment, named)| moment.unix_ns(named.unwrap_or(zone), entry.observed_ns))
            }
        };
        let found = found.ok_or_else(|| {
            let shown = value.to_text().unwrap_or_default();
            format!("`{}` is no time of this layout", shown.chars().take(60).collect::<String>())
        })?;
        entry.time_ns = unix_ns(found);
        Ok(())
    }
}

/// A number of units since 1970, whole or with a fraction.
fn epoch(value: &Value<'_>, unit_ns: i128, step_ns: i128) -> Option<i128> {
    match value {
        Value::Int(number) => i128::from(*number).checked_mul(unit_ns),
        Value::Float(number) if number.is_finite() => {
            let whole = number.trunc();
            let steps = ((number - whole) * (unit_ns / step_ns) as f64).round() as i128;
            (whole as i128).checked_mul(unit_ns)?.checked_add(steps * step_ns)
        }
        Value::Text(text) => {
            let text = text.trim();
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            let is_negative = whole.starts_with('-');
            let ns = whole.parse::<i64>().ok().map(i128::from)?.checked_mul(unit_ns)?;
            if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let digits = &fraction[..fraction.len().min(18)];
            let scale = 10_i128.pow(digits.len() as u32);
            let part = digits.parse::<i128>().unwrap_or(0) * unit_ns / scale;
            Some(if is_negative { ns - part } else { ns + part })
        }
        _ => None,
    }
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(TimeParser::new(&config.settings.time)?))
}

impl Operator for TimeParser {
    fn reads(&self) -> Option<Vec<&Field>> {
        Some(vec![&self.from])
    }

    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        Self::apply(self, entry).map(|()| Next::On)
    }
}

#[cfg(test)]
mod tests;
