//! `/api/v1/trace/{id}`: one trace as OTLP JSON, each span with its state, its own time and its time on the critical path.

use weir_store::{ReadError, TraceRows};

use crate::{
    critical_path,
    http::{
        answer::{Answer, Failure},
        call::Call,
        otlp_json::{Detail, TracesData},
        view::View,
    },
    trace::fold_resends,
    tree::{Node, Tree},
};

/// A trace by its id. What a client sent twice is shown once, unless `raw=true` asks for every row.
pub(in crate::http) fn trace(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let id = call.trace_id()?;
    let room = &mut |bytes| call.has_room(bytes);
    let TraceRows { mut rows, is_damaged, is_cut } = view.trace(&call.tenant, id, call.rows_max(), room)?;
    if rows.is_empty() && is_damaged {
        return Err(Failure::Read(ReadError::Damaged(format!("trace {id} is in a segment that cannot be read"))));
    }
    if rows.is_empty() && is_cut {
        return Err(Failure::Busy);
    }
    if rows.is_empty() {
        return Err(Failure::NotFound(format!("trace {id} is not here")));
    }
    let rows_read = rows.len();
    if !call.flag("raw")? {
        rows = fold_resends(rows);
    }
    let mut left_out = call.left_out(rows_read, rows.len(), call.spans_max).max(usize::from(is_cut));
    // Before what is beyond the bound is cut off: it may be what the rest waited for.
    let nodes: Vec<_> = rows.iter().map(Node::of).collect();
    let times = critical_path::of_trace(&nodes, &Tree::of(&nodes));
    rows.truncate(call.spans_max);
    loop {
        let data = TracesData::of(&rows, Detail::Times(&times), left_out, is_damaged);
        if let Some(mut answer) = Answer::json_within(&call.allowance, &data, false)? {
            answer.partial = left_out > 0 || is_damaged;
            return Ok(answer);
        }
        let keep = rows.len() / 2;
        if rows.len() == keep {
            return Err(Failure::Busy);
        }
        left_out += rows.len() - keep;
        rows.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        drawn,
        http::{
            allowance::Allowance,
            fixtures::{Held, TRACE, call, record},
        },
    };

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
    fn what_is_too_large_is_cut_and_counted() {
        let rows: Vec<_> = (1..=40)
            .map(|id| {
                let mut row = record("cart", id, 5);
                row.span.name = "x".repeat(1000);
                row
            })
            .collect();
        let held = Held { rows, ..Held::default() };
        // For the answer's bytes, then for what its rows take, then for what others hold.
        for (answer_bytes, answers_bytes) in [(20_000, 1 << 20), (5_000, 1 << 20), (1 << 20, 10_000)] {
            let mut call = call(&[("id", &TRACE.to_string())], &[]);
            call.allowance = Allowance::new(answer_bytes, answers_bytes);
            call.rows = call.allowance.rows().into();
            let answer = trace(&call, &held).expect("found");
            assert!(answer.partial && answer.body.len() as u64 <= answer_bytes.min(answers_bytes + 1024));
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            let shown = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().map_or(0, Vec::len);
            let left_out = body["spansLeftOut"].as_u64().expect("a number");
            assert!(left_out >= 1 && shown < 40, "{shown} and {left_out}");
        }
    }

    #[test]
    fn spans_say_where_time_went() {
        let rows = drawn::rows("shop/root 0..100 trace=9\n  shop/db 10..40\n  shop/aside 15..20");
        let id = format!("{:032x}", 9);
        let answer = trace(&call(&[("id", &id)], &[]), &Held { rows, ..Held::default() }).expect("found");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list");
        let times: Vec<_> = spans
            .iter()
            .map(|span| {
                (span["selfTimeNs"].as_str(), span["criticalPathNs"].as_str(), span["onCriticalPath"].as_bool())
            })
            .collect();
        let expected = [
            (Some("70"), Some("70"), Some(true)),
            (Some("30"), Some("30"), Some(true)),
            (Some("5"), Some("0"), Some(false)),
        ];
        assert_eq!(times, expected);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let missing = call(&[("id", "ff")], &[]);
        assert!(matches!(trace(&missing, &Held::default()), Err(Failure::NotFound(_))));
        let flawed = call(&[("id", &"f".repeat(33))], &[]);
        assert!(matches!(trace(&flawed, &Held::default()), Err(Failure::BadRequest(_))));
    }
}
