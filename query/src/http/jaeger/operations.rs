//! `/jaeger/api/services`, `/jaeger/api/services/{service}/operations` and `/jaeger/api/operations`.

use std::collections::BTreeSet;

use weir_store::Operations;

use super::{
    kinds,
    model::{Envelope, OperationOfKind, Problem},
};
use crate::http::{
    answer::{Answer, Failure},
    call::Call,
    view::View,
};

/// The names of all services.
pub(in crate::http) fn services(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let found = view.operations(&call.tenant, call.deadline)?;
    list(call, &found.services, found.services.len(), &found)
}

/// The names of a service's operations; none for a service that nobody heard of.
pub(in crate::http) fn operation_names(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let found = view.operations(&call.tenant, call.deadline)?;
    let service = call.segment("service");
    let of_service = found.list.iter().filter(|operation| operation.service == service);
    let names: BTreeSet<_> = of_service.map(|operation| operation.name.as_str()).collect();
    list(call, &names, names.len(), &found)
}

/// A service's operations with their kinds, of one kind when `spanKind` is given.
pub(in crate::http) fn operations(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let service = call.first("service").ok_or_else(|| Failure::BadRequest("parameter 'service' is required".into()))?;
    let wanted = match call.first("spanKind") {
        None => None,
        Some(name) => {
            let unknown = || Failure::BadRequest(format!("parameter 'spanKind' names no kind: {name:?}"));
            Some(kinds::number(name).ok_or_else(unknown)?)
        }
    };
    let found = view.operations(&call.tenant, call.deadline)?;
    let mut names = BTreeSet::new();
    for operation in &found.list {
        if operation.service == service && wanted.is_none_or(|kind| kind == operation.kind) {
            names.insert((operation.name.as_str(), kinds::name(operation.kind)));
        }
    }
    let data: Vec<_> = names.into_iter().map(|(name, span_kind)| OperationOfKind { name, span_kind }).collect();
    list(call, &data, data.len(), &found)
}

/// What is left out of names, and why.
pub(in crate::http) fn left_out(found: &Operations) -> Vec<&'static str> {
    let mut said = Vec::new();
    if found.is_cut {
        said.push("partial: names are left out, by query.timeout or because a segment has too many operations to list");
    }
    if found.is_damaged {
        said.push("partial: a segment cannot be read");
    }
    said
}

fn list(call: &Call, data: &impl serde::Serialize, total: usize, found: &Operations) -> Result<Answer, Failure> {
    let problems = left_out(found).into_iter().map(|msg| Problem { msg: msg.into(), trace_id: None });
    let problems = problems.chain(Problem::missing(call)).collect();
    let mut answer = Answer::json(&Envelope::new(data, total, problems), call.flag("prettyPrint")?)?;
    answer.partial = found.is_partial();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use weir_store::Operation;

    use super::*;
    use crate::http::fixtures::{Held, call};

    fn held() -> Held {
        let operation =
            |service: &str, name: &str, kind| Operation { service: service.into(), name: name.into(), kind };
        Held {
            operations: vec![
                operation("web", "GET /", 2),
                operation("cart", "GET /", 3),
                operation("cart", "add", 2),
                operation("cart", "GET /", 2),
                operation("cart", "tick", 0),
            ],
            ..Held::default()
        }
    }

    fn text(answer: Result<Answer, Failure>) -> String {
        String::from_utf8(answer.expect("answers").body).expect("UTF-8")
    }

    #[test]
    fn lists_names_once_and_sorted() {
        assert_eq!(
            text(services(&call(&[], &[]), &held())),
            r#"{"data":["cart","web"],"total":2,"limit":0,"offset":0,"errors":null}"#
        );
        assert_eq!(
            text(operation_names(&call(&[("service", "cart")], &[]), &held())),
            r#"{"data":["GET /","add","tick"],"total":3,"limit":0,"offset":0,"errors":null}"#
        );
        assert_eq!(
            text(operation_names(&call(&[("service", "who")], &[]), &held())),
            r#"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#
        );
    }

    #[test]
    fn kinds_tell_operations_apart() {
        assert_eq!(
            text(operations(&call(&[], &[("service", "cart")]), &held())),
            concat!(
                r#"{"data":[{"name":"GET /","spanKind":"client"},{"name":"GET /","spanKind":"server"},"#,
                r#"{"name":"add","spanKind":"server"},{"name":"tick","spanKind":""}],"#,
                r#""total":4,"limit":0,"offset":0,"errors":null}"#
            )
        );
        let clients = text(operations(&call(&[], &[("service", "cart"), ("spanKind", "client")]), &held()));
        assert!(clients.starts_with(r#"{"data":[{"name":"GET /","spanKind":"client"}],"total":1"#), "{clients}");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let held = Held { is_damaged: true, ..held() };
        let answer = services(&call(&[], &[]), &held).expect("answers");
        assert!(answer.partial);
        assert!(text(Ok(answer)).ends_with(r#""errors":[{"msg":"partial: a segment cannot be read"}]}"#));
        let mut found = Operations::default();
        (0..=Operations::MAX).for_each(|n| found.add_service(&n.to_string()));
        assert!(found.is_partial() && found.services.len() == Operations::MAX);
        let answer = list(&call(&[], &[]), &[0; 0], 0, &found).expect("answers");
        assert!(answer.partial && text(Ok(answer)).contains("names are left out"));
    }

    #[test]
    fn a_service_must_be_named() {
        assert!(matches!(operations(&call(&[], &[]), &held()), Err(Failure::BadRequest(_))));
        let unknown = call(&[], &[("service", "cart"), ("spanKind", "x")]);
        assert!(matches!(operations(&unknown, &held()), Err(Failure::BadRequest(_))));
    }
}
