//! A request's body as parameters: what a search is asked by POST.

use serde_json::Value;

use crate::http::answer::Failure;

/// The fields of a JSON object, with dots between the names of nested ones: `{"query": {"serviceName": "a"}}` is `query.serviceName=a`. Attributes
/// stay one object.
pub(in crate::http) fn parameters(body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let mut parameters = Vec::new();
    if !body.trim_ascii().is_empty() {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::BadRequest(format!("the body is not a JSON object: {error}")))?;
        if !value.is_object() {
            return Err(Failure::BadRequest("the body is not a JSON object".into()));
        }
        flatten(String::new(), value, &mut parameters);
    }
    Ok(parameters)
}

/// Goes as deep as the JSON, whose depth `serde_json` bounds.
fn flatten(name: String, value: Value, parameters: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if name != "query.attributes" && name != "query.filter" => {
            for (key, value) in fields {
                let name = if name.is_empty() { key } else { format!("{name}.{key}") };
                flatten(name, value, parameters);
            }
        }
        Value::Null => {}
        Value::String(text) => parameters.push((name, text)),
        other => parameters.push((name, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_parameters() {
        let body = br#"{"query": {"serviceName": "a", "search_depth": 5, "rawTraces": true, "durationMin": null,
            "attributes": {"k": "v", "n": 1}, "pagination": {"pageSize": 3}}}"#;
        let expected = [
            ("query.attributes", r#"{"k":"v","n":1}"#),
            ("query.pagination.pageSize", "3"),
            ("query.rawTraces", "true"),
            ("query.search_depth", "5"),
            ("query.serviceName", "a"),
        ];
        let mut found = parameters(body).expect("reads");
        found.sort();
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parameters(b" ").expect("reads"), []);
        for bad in [&b"[]"[..], b"{", b"\"query\""] {
            assert!(matches!(parameters(bad), Err(Failure::BadRequest(_))));
        }
    }
}
