//! `/api/v1/trace/{id}`: one trace as OTLP JSON, each span with its state.

use super::otlp_json::TracesData;
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    trace::fold_resends,
};

/// A trace by its id. What a client sent twice is shown once, unless `raw=true` asks for every row.
pub(in crate::http) fn trace(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let id = call.trace_id()?;
    let mut rows = view.trace(&call.tenant, id, call.rows_max())?;
    if rows.is_empty() {
        return Err(Failure::NotFound(format!("trace {id} is not here")));
    }
    let rows_read = rows.len();
    if !call.flag("raw")? {
        rows = fold_resends(rows);
    }
    let left_out = call.left_out(rows_read, rows.len(), call.spans_max);
    rows.truncate(call.spans_max);
    let mut answer = Answer::json(&TracesData::of(&rows, left_out), false)?;
    answer.partial = left_out > 0;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::{Held, TRACE, call, record};

    fn spans(query: &[(&str, &str)], spans_max: usize) -> (usize, serde_json::Value) {
        let rows = vec![record("cart", 1, 5), record("cart", 1, 5), record("cart", 2, 6)];
        let mut call = call(&[("id", &TRACE.to_string())], query);
        call.spans_max = spans_max;
        let answer = trace(&call, &Held { rows, ..Held::default() }).expect("found");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list").len();
        assert_eq!(answer.partial, body.get("spansLeftOut").is_some());
        (spans, body["spansLeftOut"].clone())
    }

    #[test]
    fn folds_and_bounds() {
        assert_eq!(spans(&[], 10), (2, serde_json::Value::Null));
        assert_eq!(spans(&[("raw", "1")], 10), (3, serde_json::Value::Null));
        assert_eq!(spans(&[], 1), (1, serde_json::json!(1)));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let missing = call(&[("id", "ff")], &[]);
        assert!(matches!(trace(&missing, &Held::default()), Err(Failure::NotFound(_))));
        let flawed = call(&[("id", &"f".repeat(33))], &[]);
        assert!(matches!(trace(&flawed, &Held::default()), Err(Failure::BadRequest(_))));
    }
}
