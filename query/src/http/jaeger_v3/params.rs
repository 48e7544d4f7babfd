//! Parameters by the names of the protobuf's fields.

use std::{collections::BTreeMap, ops::RangeInclusive};

use weir_proto::duration;
use weir_store::ScanFilter;

use crate::http::{
    answer::Failure,
    call::Call,
    jaeger::params::{Search, tag_object},
    moment,
};

/// Traces when `query.searchDepth` is not given.
const DEPTH_DEFAULT: usize = 100;

/// Fields that would change which traces are found, and that are not here: to pass over them would answer another question.
const NOT_OFFERED: [&str; 3] = ["query.filter", "query.pagination.pageSize", "query.pagination.pageToken"];

/// The field of the attributes.
const ATTRIBUTES: &str = "query.attributes";

/// A field's parameter as it is called in the request, and its value. An empty one counts as absent.
pub(super) fn parameter<'a>(call: &'a Call, field: &str) -> Option<(&'a str, &'a str)> {
    let given = |name: &str| {
        let (name, value) = call.query.iter().find(|(key, value)| key == name && !value.is_empty())?;
        Some((name.as_str(), value.as_str()))
    };
    given(field).or_else(|| given(&snake_case(field)))
}

fn snake_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len() + 4);
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

pub(super) fn malformed(name: &str, why: impl std::fmt::Display) -> Failure {
    Failure::BadRequest(format!("malformed parameter {name}: {why}"))
}

/// A time, Unix ns.
pub(super) fn time(call: &Call, field: &str) -> Result<Option<u64>, Failure> {
    let Some((name, text)) = parameter(call, field) else { return Ok(None) };
    let unreadable = || malformed(name, "not a time like 2024-02-29T12:00:00.5Z");
    moment::rfc3339(text).map(Some).ok_or_else(unreadable)
}

/// From a time to before another, both of which must be there.
pub(super) fn times(call: &Call, [from, to]: [&str; 2]) -> Result<(u64, u64), Failure> {
    let (from_ns, to_ns) = (time(call, from)?, time(call, to)?);
    let missing = |name: &str| Failure::BadRequest(format!("missing required parameter: {name}"));
    let (from_ns, to_ns) = (from_ns.ok_or_else(|| missing(from))?, to_ns.ok_or_else(|| missing(to))?);
    if from_ns > to_ns {
        return Err(Failure::BadRequest(format!("{to} must be after {from}")));
    }
    Ok((from_ns, to_ns))
}

/// A yes or no; absent means no.
pub(super) fn flag(call: &Call, field: &str) -> Result<bool, Failure> {
    match parameter(call, field) {
        None | Some((_, "0" | "f" | "F" | "false" | "FALSE" | "False")) => Ok(false),
        Some((_, "1" | "t" | "T" | "true" | "TRUE" | "True")) => Ok(true),
        Some((name, _)) => Err(malformed(name, "neither true nor false")),
    }
}

/// What `query` asks for.
pub(super) fn search(call: &Call) -> Result<Search, Failure> {
    if let Some((name, _)) = NOT_OFFERED.iter().find_map(|field| parameter(call, field)) {
        return Err(Failure::BadRequest(format!("parameter {name} is not offered here")));
    }
    let (from_ns, to_ns) = times(call, ["query.startTimeMin", "query.startTimeMax"])?;
    let traces_max = depth(call)?;
    let text = |field: &str| parameter(call, field).map(|(_, text)| text.to_owned());
    let mut filter = ScanFilter {
        services: text("query.serviceName").map(|name| vec![name]),
        // Jaeger's UI of early 2026 calls it by OTLP's name.
        names: text("query.operationName").or_else(|| text("query.spanName")).map(|name| vec![name]),
        duration_ns: durations(call)?,
        ..ScanFilter::default()
    };
    let tags = attributes(call)?;
    // The end is not within.
    let Some(last_ns) = to_ns.checked_sub(1).filter(|&last_ns| last_ns >= from_ns) else { return Ok(Search::Nothing) };
    filter.start_ns = from_ns..=last_ns;
    Ok(Search::like(filter, tags, traces_max))
}

fn depth(call: &Call) -> Result<usize, Failure> {
    let given = ["query.searchDepth", "query.numTraces"].iter().find_map(|field| parameter(call, field));
    let Some((name, text)) = given else { return Ok(DEPTH_DEFAULT.min(call.traces_max)) };
    let depth: u32 = text.parse().map_err(|_| malformed(name, "not a number of traces"))?;
    // Protobuf's 0 is "not given".
    let depth = if depth == 0 { DEPTH_DEFAULT } else { usize::try_from(depth).unwrap_or(usize::MAX) };
    Ok(depth.min(call.traces_max))
}

fn durations(call: &Call) -> Result<RangeInclusive<u64>, Failure> {
    let bound = |field: &str| -> Result<Option<u64>, Failure> {
        let Some((name, text)) = parameter(call, field) else { return Ok(None) };
        let duration = duration::parse(text).map_err(|error| malformed(name, error))?;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Ok((ns > 0).then_some(ns))
    };
    let min_ns = bound("query.durationMin")?.unwrap_or(0);
    let max_ns = bound("query.durationMax")?.unwrap_or(u64::MAX);
    if max_ns < min_ns {
        return Err(Failure::BadRequest("query.durationMax must not be less than query.durationMin".into()));
    }
    Ok(min_ns..=max_ns)
}

/// A JSON object, and the two ways in which gateways write a map: `query.attributes[key]=value` and `query.attributes.key=value`.
fn attributes(call: &Call) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for (name, value) in &call.query {
        let Some(rest) = name.strip_prefix(ATTRIBUTES) else { continue };
        if rest.is_empty() && !value.is_empty() {
            tags.append(&mut tag_object(ATTRIBUTES, value)?);
            continue;
        }
        let in_brackets = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let key = in_brackets.or_else(|| rest.strip_prefix('.')).filter(|key| !key.is_empty());
        if let Some(key) = key {
            tags.insert(key.to_owned(), value.clone());
        }
    }
    Ok(tags)
}
