//! `/jaeger/api/v3/traces` and `/jaeger/api/v3/traces/{id}`: whole traces as OTLP JSON.

use serde::Serialize;
use weir_store::ReadError;

use super::{
    NOT_FOUND,
    params::{self, flag, malformed, time},
};
use crate::{
    explore::newest,
    http::{
        answer::{Answer, Failure},
        call::Call,
        jaeger::{
            params::Search,
            trace::{Passes, Shown, TOO_LARGE},
        },
        otlp_json::{Detail, TracesData},
        view::View,
    },
};

/// What Jaeger's HTTP gateway wraps traces in.
#[derive(Debug, Serialize)]
struct Wrapper<'a> {
    result: TracesData<'a>,
    /// Not Jaeger's: what is left out, if anything is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One trace, wherever in time it lies: `startTime` and `endTime` are checked, and not needed.
pub(in crate::http) fn trace(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let unreadable = |failure: Failure| match failure {
        Failure::BadRequest(why) => malformed("trace_id", why.trim_start_matches("trace id: ")),
        other => other,
    };
    let id = call.trace_id().map_err(unreadable)?;
    time(call, "startTime")?;
    time(call, "endTime")?;
    let raw = flag(call, "rawTraces")?;
    let shown = Passes::new(call, view, raw).next(&[id], call.spans_max)?;
    let shown = shown.ok_or_else(|| Failure::NotFound(NOT_FOUND.into()))?;
    answer(call, vec![shown], raw, Vec::new())
}

/// The newest traces that fit, one after the other.
pub(in crate::http) fn search(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let raw = flag(call, "query.rawTraces")?;
    let mut all = Vec::new();
    let warnings = each(call, view, raw, |shown| all.push(shown))?;
    if all.is_empty() && warnings.is_empty() {
        return Err(Failure::NotFound(NOT_FOUND.into()));
    }
    answer(call, all, raw, warnings)
}

/// As many of the traces as an answer may hold.
fn answer(call: &Call, mut all: Vec<Shown>, raw: bool, mut said: Vec<String>) -> Result<Answer, Failure> {
    loop {
        let (mut result, mut warnings) = (TracesData::default(), said.clone());
        for shown in &all {
            warnings.extend(shown.warnings().into_iter().map(|warning| format!("trace {}: {warning}", shown.id)));
            let detail = if raw { Detail::Raw } else { Detail::Jaeger };
            result.append(TracesData::of(&shown.rows, detail, 0, false));
        }
        let partial = !warnings.is_empty();
        if let Some(mut answer) = Answer::json_within(&call.allowance, &Wrapper { result, warnings }, false)? {
            answer.partial = partial;
            return Ok(answer);
        }
        if let [only] = all.as_mut_slice() {
            if !only.halve() {
                return Err(Failure::Busy);
            }
            call.keeps_rows(only.row_bytes());
            continue;
        }
        let keep = all.len() / 2;
        if all.len() == keep {
            return Err(Failure::Busy);
        }
        said.push(format!("partial: {} more traces are left out ({TOO_LARGE})", all.len() - keep));
        all.truncate(keep);
        call.keeps_rows(all.iter().map(Shown::row_bytes).sum());
    }
}

/// Hands over the traces that `query` asks for, newest first, until the deadline or `query.spans_max` is reached; says what is left out.
pub(super) fn each(
    call: &Call,
    view: &dyn View,
    raw: bool,
    mut take: impl FnMut(Shown),
) -> Result<Vec<String>, Failure> {
    let Search::Like { filter, traces_max } = params::search(call)? else { return Ok(Vec::new()) };
    let scan = |request| view.scan(&call.tenant, request);
    let found = newest::traces(*filter, traces_max, &scan, call.deadline);
    let mut warnings = Vec::new();
    if found.is_partial {
        warnings.push("partial: the search was cut short by query.timeout, or something cannot be read".to_owned());
    }
    let mut spans_left = call.spans_max;
    let mut passes = Passes::new(call, view, raw);
    for (position, &id) in found.traces.iter().enumerate() {
        if spans_left == 0 || call.is_late() {
            let bound = if spans_left == 0 { "query.spans_max" } else { "query.timeout" };
            let left_out = found.traces.len() - position;
            warnings.push(format!("partial: {left_out} more traces are left out ({bound})"));
            break;
        }
        match passes.next(&found.traces[position..], spans_left) {
            Ok(Some(shown)) => {
                spans_left -= shown.rows.len();
                take(shown);
            }
            Ok(None) => {}
            Err(Failure::Read(ReadError::Damaged(_))) => {
                warnings.push(format!("partial: trace {id} is in a segment that cannot be read"));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(warnings)
}
