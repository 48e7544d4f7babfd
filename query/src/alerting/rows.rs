//! Rows of SQL as results of a rule: the column `value` is the number, the others are labels.

use std::collections::HashMap;

use serde_json::Value as Json;
use weir_proto::metrics::Labels;

use super::group::Vector;
use crate::promql::value::Point;

/// The column that a row's number stands in.
const VALUE: &str = "value";

/// Rows of JSON as a vector: the column `value`, the others as labels. Rows without a value are left out.
pub(crate) fn vector(bytes: &[u8], is_whole: bool) -> Result<Vector, String> {
    let answer: Json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !is_whole {
        let said = answer.pointer("/error/message").and_then(Json::as_str).unwrap_or("there are more rows");
        return Err(format!("the answer is not whole: {said}"));
    }
    let columns = answer.get("columns").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if !columns.iter().any(|column| column.get("name").and_then(Json::as_str) == Some(VALUE)) {
        return Err("there is no column `value`: name the number of each row so (… AS value)".into());
    }
    let rows = answer.get("rows").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut vector = Vec::with_capacity(rows.len());
    for row in rows.iter().filter_map(Json::as_object) {
        let value = match row.get(VALUE) {
            None | Some(Json::Null) => continue,
            Some(Json::Number(number)) => number.as_f64(),
            Some(Json::String(text)) => text.parse().ok(),
            Some(Json::Bool(is_so)) => Some(f64::from(u8::from(*is_so))),
            Some(Json::Array(_) | Json::Object(_)) => None,
        };
        let value = value.ok_or("the column `value` is no number")?;
        let texts: HashMap<&str, String> =
            row.iter().filter(|(name, _)| *name != VALUE).map(|(name, cell)| (&**name, text_of(cell))).collect();
        let labels = Labels::new(texts.iter().map(|(name, text)| (*name, &**text)));
        vector.push((labels.map_err(|error| error.to_string())?, Point::Float(value)));
    }
    Ok(vector)
}

fn text_of(cell: &Json) -> String {
    match cell {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_vector() {
        let rows = br#"{"columns":[{"name":"service","type":"text"},{"name":"value","type":"float64"}],"rows":[
            {"service":"a","value":1.5},{"service":null,"value":"NaN"},{"service":"c","value":null},{"n":7,"value":true}]}"#;
        let found = vector(rows, true).expect("a vector");
        let texts: Vec<_> = found.iter().map(|(labels, point)| format!("{labels} {point:?}")).collect();
        assert_eq!(texts, ["{service=\"a\"} Float(1.5)", "{} Float(NaN)", "{n=\"7\"} Float(1.0)"]);
        assert!(vector(rows, false).is_err());
        assert!(vector(br#"{"columns":[],"rows":[]}"#, true).expect_err("none").contains("`value`"));
    }
}
