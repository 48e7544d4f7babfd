//! The parameters of a search, as Jaeger's `query_parser.go` reads them.

use std::{collections::BTreeMap, ops::RangeInclusive};

use weir_proto::{TraceId, duration};
use weir_store::ScanFilter;

use super::sought::tag_filter;
use crate::http::{answer::Failure, call::Call};

/// Traces when `limit` is not given.
const LIMIT_DEFAULT: usize = 100;

/// What a search asks for.
#[derive(Debug)]
pub(in crate::http) enum Search {
    /// These traces.
    Ids(Vec<TraceId>),
    /// The newest traces with a span like this.
    Like { filter: Box<ScanFilter>, traces_max: usize },
    /// What no span can be.
    Nothing,
}

impl Search {
    /// Reads and checks the parameters of a call.
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let ids = trace_ids(call)?;
        if !ids.is_empty() {
            return Ok(Self::Ids(ids));
        }
        let service = call.first("service").ok_or_else(|| bad("parameter 'service' is required"))?;
        let traces_max = call.limit_of_jaeger(LIMIT_DEFAULT)?;
        let filter = ScanFilter {
            services: Some(vec![service.into()]),
            names: call.first("operation").map(|name| vec![name.into()]),
            duration_ns: durations(call)?,
            start_ns: starts(call)?,
            ..ScanFilter::default()
        };
        Ok(Self::like(filter, tags(call)?, traces_max))
    }

    /// What fits `filter` and has all of the tags.
    pub(in crate::http) fn like(filter: ScanFilter, tags: BTreeMap<String, String>, traces_max: usize) -> Self {
        let tags = tags.into_iter().map(|(key, text)| tag_filter(key, text)).collect();
        Self::Like { filter: Box::new(ScanFilter { tags, ..filter }), traces_max }
    }
}

fn trace_ids(call: &Call) -> Result<Vec<TraceId>, Failure> {
    let mut ids: Vec<TraceId> = Vec::new();
    for text in call.all("traceID").filter(|text| !text.is_empty()) {
        // A plus sign of base64 that nobody escaped comes as a space.
        let id = text
            .trim()
            .replace(' ', "+")
            .parse()
            .map_err(|error| Failure::BadRequest(format!("parameter 'traceID': {error}")))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > call.traces_max {
            return Err(Failure::BadRequest(format!("more than {} trace ids (query.traces_max)", call.traces_max)));
        }
    }
    Ok(ids)
}

fn durations(call: &Call) -> Result<RangeInclusive<u64>, Failure> {
    let read = |name: &str| -> Result<Option<u64>, Failure> {
        match call.first(name) {
            None => Ok(None),
            Some(text) => {
                let duration = duration::parse(text)
                    .map_err(|error| Failure::BadRequest(format!("parameter '{name}': {error}")))?;
                let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                // Jaeger takes 0 for "not given".
                Ok((ns > 0).then_some(ns))
            }
        }
    };
    let (min_ns, max_ns) = (read("minDuration")?.unwrap_or(0), read("maxDuration")?.unwrap_or(u64::MAX));
    if max_ns < min_ns {
        return Err(bad("'maxDuration' should be greater than 'minDuration'"));
    }
    Ok(min_ns..=max_ns)
}

/// The bounds on a span's start. Without any, everything that is kept is searched.
fn starts(call: &Call) -> Result<RangeInclusive<u64>, Failure> {
    let micros = |name: &str| -> Result<Option<u64>, Failure> {
        match call.first(name) {
            None => Ok(None),
            Some(text) => {
                let us: i64 = text.parse().map_err(|_| {
                    Failure::BadRequest(format!("parameter '{name}' is not a time in Unix microseconds"))
                })?;
                Ok(Some(u64::try_from(us).unwrap_or(0)))
            }
        }
    };
    // The last microsecond belongs to the range as a whole.
    let end_ns = micros("end")?.map_or(u64::MAX, |us| us.saturating_mul(1000).saturating_add(999));
    let start_ns = match (micros("start")?, call.first("lookback")) {
        (Some(us), _) => us.saturating_mul(1000),
        // Jaeger's UI says "custom" beside a start and an end of its own.
        (None, None | Some("custom")) => 0,
        (None, Some(text)) => {
            let duration =
                duration::parse(text).map_err(|error| Failure::BadRequest(format!("parameter 'lookback': {error}")))?;
            let back_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            end_ns.min(call.now_ns).saturating_sub(back_ns)
        }
    };
    if start_ns > end_ns {
        return Err(bad("parameter 'start' must not be after 'end'"));
    }
    Ok(start_ns..=end_ns)
}

/// `tag=key:value` and `tags={"key":"value"}`, both any number of times; a later one wins.
fn tags(call: &Call) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for pair in call.all("tag").filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once(':')
            .ok_or_else(|| Failure::BadRequest(format!("parameter 'tag' is not key:value: {pair:?}")))?;
        tags.insert(key.to_owned(), value.to_owned());
    }
    for object in call.all("tags").filter(|object| !object.is_empty()) {
        tags.append(&mut tag_object("tags", object)?);
    }
    Ok(tags)
}

/// A parameter that holds tags as a JSON object.
pub(in crate::http) fn tag_object(name: &str, object: &str) -> Result<BTreeMap<String, String>, Failure> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(object)
        .map_err(|error| Failure::BadRequest(format!("parameter '{name}' is not a JSON object: {error}")))?;
    let mut tags = BTreeMap::new();
    for (key, value) in object {
        let value = match value {
            serde_json::Value::String(text) => text,
            // Jaeger takes strings only; what else is meant is plain.
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Null => {
                return Err(Failure::BadRequest(format!("parameter '{name}': {key:?} has no value")));
            }
            // Lists and maps are shown as this text.
            other => other.to_string(),
        };
        tags.insert(key, value);
    }
    Ok(tags)
}

fn bad(message: &str) -> Failure {
    Failure::BadRequest(message.into())
}

#[cfg(test)]
mod tests;
