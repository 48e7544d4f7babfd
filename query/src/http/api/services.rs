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
}

#[derive(Debug, Serialize)]
struct Service<'a> {
    name: &'a str,
    /// Different pairs of span name and kind.
    operations: usize,
}

/// All services, by name.
pub(in crate::http) fn services(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let operations = view.operations(&call.tenant)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for operation in &operations {
        *counts.entry(&operation.service).or_default() += 1;
    }
    let services = counts.into_iter().map(|(name, operations)| Service { name, operations }).collect();
    Answer::json(&Services { services }, false)
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
        let body = services(&call(&[], &[]), &Held { operations, ..Held::default() }).expect("answers").body;
        let expected = r#"{"services":[{"name":"a","operations":1},{"name":"b","operations":2}]}"#;
        assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
    }
}
