//! `/jaeger/api/v3/services` and `/jaeger/api/v3/operations`.

use std::collections::BTreeSet;

use serde::Serialize;

use super::params::parameter;
use crate::http::{
    answer::{Answer, Failure},
    call::Call,
    jaeger::{kinds, left_out},
    view::View,
};

#[derive(Debug, Serialize)]
struct Services<'a> {
    services: &'a BTreeSet<String>,
    /// Not Jaeger's: what is left out, if anything is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Operations<'a> {
    operations: Vec<Operation<'a>>,
    /// Not Jaeger's, as above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    name: &'a str,
    span_kind: &'static str,
}

/// The names of all services.
pub(in crate::http) fn services(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let found = view.operations(&call.tenant, call.deadline)?;
    let mut answer = Answer::json(&Services { services: &found.services, warnings: left_out(&found) }, false)?;
    answer.partial = found.is_partial();
    Ok(answer)
}

/// The operations of `service` with their kinds, of `spanKind` if given. As in Jaeger, what nobody gave a kind is internal.
pub(in crate::http) fn operations(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let missing = || Failure::BadRequest("missing required parameter: service".into());
    let (_, service) = parameter(call, "service").ok_or_else(missing)?;
    let wanted = match parameter(call, "spanKind") {
        None => None,
        Some((name, kind)) => {
            let unknown = || super::params::malformed(name, format!("{kind:?} names no kind"));
            Some(shown(kinds::number(&kind.to_ascii_lowercase()).ok_or_else(unknown)?))
        }
    };
    let found = view.operations(&call.tenant, call.deadline)?;
    let mut named = BTreeSet::new();
    for operation in found.list.iter().filter(|operation| operation.service == service) {
        let kind = shown(operation.kind);
        if wanted.is_none_or(|wanted| wanted == kind) {
            named.insert((operation.name.as_str(), kind));
        }
    }
    let operations = named.into_iter().map(|(name, span_kind)| Operation { name, span_kind }).collect();
    let mut answer = Answer::json(&Operations { operations, warnings: left_out(&found) }, false)?;
    answer.partial = found.is_partial();
    Ok(answer)
}

fn shown(kind: i32) -> &'static str {
    let name = kinds::name(kind);
    if name.is_empty() { "internal" } else { name }
}
