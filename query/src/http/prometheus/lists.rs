//! `series`, `labels`, `label/{name}/values` and `metadata`: what there is to ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weir_proto::metrics::{LabelMatcher, METRIC_NAME};

use super::{Success, params, written::Metric};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    promql::{source::SourceError, syntax::quote::quoted},
};

const TRUNCATED: &str = "results truncated due to limit";

/// The times that are asked for.
fn times(call: &Call) -> Result<(i64, i64), Failure> {
    let start = params::optional_time(call, "start", params::TIME_MIN)?;
    Ok((start, params::optional_time(call, "end", params::TIME_MAX)?))
}

/// What all sets of matchers give together.
fn together<T: Ord>(
    sets: &[Vec<LabelMatcher>],
    mut find: impl FnMut(&[LabelMatcher]) -> Result<Vec<T>, SourceError>,
) -> Result<Vec<T>, Failure> {
    match sets {
        [] => Ok(find(&[])?),
        [one] => Ok(find(one)?),
        several => {
            let mut all = BTreeSet::new();
            for set in several {
                all.extend(find(set)?);
            }
            Ok(all.into_iter().collect())
        }
    }
}

fn limited<T: Serialize>(call: &Call, mut list: Vec<T>, limit: Option<usize>) -> Result<Answer, Failure> {
    let mut warnings = Vec::new();
    if let Some(limit) = limit.filter(|&limit| list.len() > limit) {
        list.truncate(limit);
        warnings.push(TRUNCATED.to_owned());
    }
    Success { warnings, ..Success::of(list) }.answer(call)
}

/// `/prometheus/api/v1/series`.
pub(in crate::http) fn series(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    if call.all("match[]").next().is_none() {
        return Err(Failure::BadRequest("no match[] parameter provided".into()));
    }
    let limit = params::limit(call, "limit")?;
    let (start, end) = times(call)?;
    // Only here Prometheus says which parameter it was.
    let sets = params::match_sets(call).map_err(|failure| params::invalid("match[]", &failure.to_string()))?;
    let metrics = view.metrics(&call.tenant);
    let found = together(&sets, |matchers| {
        let found = metrics.select(matchers, start, end)?;
        // One more shows that there are more.
        let count = limit.map_or(found.len(), |limit| found.len().min(limit + 1));
        Ok(found[..count].iter().map(|series| series.labels().clone()).collect())
    })?;
    limited(call, found.into_iter().map(Metric).collect(), limit)
}

/// `/prometheus/api/v1/labels`.
pub(in crate::http) fn labels(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = params::limit(call, "limit")?;
    let (start, end) = times(call)?;
    let sets = params::match_sets(call)?;
    let metrics = view.metrics(&call.tenant);
    let names = together(&sets, |matchers| metrics.label_names(matchers, start, end))?;
    limited(call, names, limit)
}

/// `/prometheus/api/v1/label/{name}/values`.
pub(in crate::http) fn label_values(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let name = params::unescaped(call.segment("name"));
    if name.is_empty() {
        return Err(Failure::BadRequest(format!("invalid label name: {}", quoted(&name))));
    }
    let limit = params::limit(call, "limit")?;
    let (start, end) = times(call)?;
    let sets = params::match_sets(call)?;
    let metrics = view.metrics(&call.tenant);
    let values = together(&sets, |matchers| metrics.label_values(&name, matchers, start, end))?;
    limited(call, values, limit)
}

#[derive(Debug, Serialize)]
struct Family {
    #[serde(rename = "type")]
    metric_type: &'static str,
    help: String,
    unit: String,
}

/// `/prometheus/api/v1/metadata`.
pub(in crate::http) fn metadata(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let limit = params::metadata_limit(call, "limit")?;
    let limit_per_metric = params::metadata_limit(call, "limit_per_metric")?;
    let wanted = call.first("metric");
    let mut families: BTreeMap<String, Vec<Family>> = BTreeMap::new();
    for metadata in view.metrics(&call.tenant).metadata()? {
        if wanted.is_some_and(|wanted| wanted != metadata.family) || metadata.family == METRIC_NAME {
            continue;
        }
        let known = families.entry(metadata.family).or_default();
        if limit_per_metric.is_none_or(|limit| known.len() < limit) {
            let metric_type = metadata.metric_type.name();
            known.push(Family { metric_type, help: metadata.help, unit: metadata.unit });
        }
    }
    let families: BTreeMap<_, _> = families.into_iter().take(limit.unwrap_or(usize::MAX)).collect();
    Success::of(families).answer(call)
}
