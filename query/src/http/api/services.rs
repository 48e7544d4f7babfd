//! `/api/v1/services`: the services and how many operations each has.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::http::{
    answer::{Answer, Failure},
    call::Call,
    view::View,
};

#[derive(Debug, Serialize)]
struct Services<'a> {
    services: Vec<Service<'a>>,
    /// The deadline, a bound or a segment that cannot be read left something out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

#[derive(Debug, Serialize)]
struct Service<'a> {
    name: &'a str,
    /// Different pairs of span name and kind.
    operations: usize,
}

/// All services, by name.
pub(in crate::http) fn services(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let found = view.operations(&call.tenant, call.deadline)?;
    let mut counts: BTreeMap<&str, usize> = found.services.iter().map(|service| (service.as_str(), 0)).collect();
    for operation in &found.list {
        *counts.entry(&operation.service).or_default() += 1;
    }
    let services = counts.into_iter().map(|(name, operations)| Service { name, operations }).collect();
    let mut answer = Answer::json(&Services { services, partial: found.is_partial() }, false)?;
    answer.partial = found.is_partial();
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use weir_store::Operation;

    use super::*;
    use crate::http::fixtures::{Held, call};

    #[test]
    fn counts_operations() {
        let operation = |service: &str, name: &str| Operation { service: service.into(), name: name.into(), kind: 2 };
        let operations = vec![operation("b", "x"), operation("a", "x"), operation("b", "y")];
        let mut held = Held { operations, ..Held::default() };
        let body = |held: &Held| {
            let answer = services(&call(&[], &[]), held).expect("answers");
            (answer.partial, String::from_utf8(answer.body).expect("UTF-8"))
        };
        let expected = r#"{"services":[{"name":"a","operations":1},{"name":"b","operations":2}]}"#;
        assert_eq!(body(&held), (false, expected.to_owned()));
        held.is_damaged = true;
        assert_eq!(body(&held), (true, expected.replace("]}", r#"],"partial":true}"#)));
    }
}
