//! `/jaeger/api/v3/dependencies`: who calls whom.

use serde::Serialize;

use super::params::times;
use crate::{
    dependencies::{self, Callee},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

#[derive(Debug, Serialize)]
struct Dependencies<'a> {
    dependencies: Vec<Dependency<'a>>,
    /// Not Jaeger's: what is left out, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'static str; 1]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    parent: &'a str,
    child: &'a str,
    /// A 64-bit number is text in protobuf's JSON.
    call_count: String,
}

/// Calls between different services, of spans that start from `startTime` to before `endTime`.
pub(in crate::http) fn dependencies(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let (from_ns, to_ns) = times(call, ["startTime", "endTime"])?;
    if from_ns == to_ns {
        return Err(Failure::BadRequest("endTime must be after startTime".into()));
    }
    let batches = view.scan(&call.tenant, dependencies::request(from_ns..=to_ns - 1, false));
    let found = dependencies::dependencies(batches.as_ref(), call.deadline);
    let mut dependencies = Vec::new();
    for one in &found.dependencies {
        if one.callee_kind == Callee::Service && one.caller != one.callee {
            dependencies.push(Dependency {
                parent: &one.caller,
                child: &one.callee,
                call_count: one.calls.to_string(),
            });
        }
    }
    let left_out = "partial: query.timeout, a bound or damaged data left spans out";
    let warnings = found.partial.then_some([left_out]);
    let mut answer = Answer::json(&Dependencies { dependencies, warnings }, false)?;
    answer.partial = found.partial;
    Ok(answer)
}
