//! `/api/v1/trace/{id}`: one trace as OTLP JSON, each span with its state, its own time, its time on the critical path and its lines.

use weir_store::{LineRecord, ReadError, SpanRecord, TraceRows};

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
    let lines = view.lines(&call.tenant, id, None, call.rows_max(), &mut |bytes| call.has_room(bytes))?;
    let is_damaged = is_damaged || lines.is_damaged;
    let are_lines_cut = lines.is_cut;
    let mut lines = lines.rows;
    let is_nothing = rows.is_empty() && lines.is_empty();
    if is_nothing && is_damaged {
        return Err(Failure::Read(ReadError::Damaged(format!("trace {id} is in a segment that cannot be read"))));
    }
    if rows.is_empty() && is_cut || is_nothing && are_lines_cut {
        return Err(Failure::Busy);
    }
    if is_nothing {
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
    let mut lines_left_out = call.left_out(lines.len(), lines.len(), call.spans_max).max(usize::from(are_lines_cut));
    lines.truncate(call.spans_max);
    loop {
        let data =
            TracesData::of(&rows, Detail::Times(&times), left_out, is_damaged).with_lines(&lines, lines_left_out);
        if let Some(mut answer) = Answer::json_within(&call.allowance, &data, false)? {
            answer.partial = left_out > 0 || lines_left_out > 0 || is_damaged;
            return Ok(answer);
        }
        let (keep, keep_lines) = (rows.len() / 2, lines.len() / 2);
        if (rows.len(), lines.len()) == (keep, keep_lines) {
            return Err(Failure::Busy);
        }
        left_out += rows.len() - keep;
        rows.truncate(keep);
        lines_left_out += lines.len() - keep_lines;
        lines.truncate(keep_lines);
        let of_lines: u64 = lines.iter().map(LineRecord::memory_bytes).sum();
        call.keeps_rows(rows.iter().map(SpanRecord::memory_bytes).sum::<u64>() + of_lines);
    }
}

#[cfg(test)]
mod tests {
    use weir_proto::otlp::messages::{
        common::v1::{AnyValue, InstrumentationScope, any_value::Value},
        logs::v1::LogRecord,
        resource::v1::Resource,
    };
    use weir_store::LineRecord;

    use super::*;
    use crate::{
        drawn,
        http::{
            allowance::Allowance,
            fixtures::{Held, TRACE, call, record, span_id, string},
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

    fn line(span: u8, body: &str, time_ns: u64) -> LineRecord {
        let line = LogRecord {
            trace_id: TRACE.0.to_vec(),
            span_id: if span == 0 { Vec::new() } else { span_id(span) },
            time_unix_nano: time_ns,
            severity_number: 9,
            body: Some(AnyValue { value: Some(Value::StringValue(body.into())) }),
            ..LogRecord::default()
        };
        let resource = Resource { attributes: vec![string("service.name", "cart")], ..Resource::default() };
        LineRecord { line, time_ns, resource: resource.into(), scope: InstrumentationScope::default().into() }
    }

    fn shown(held: &Held) -> serde_json::Value {
        let answer = trace(&call(&[("id", &TRACE.to_string())], &[]), held).expect("found");
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    #[test]
    fn each_line_is_beside_its_span() {
        let rows = vec![record("cart", 1, 5), record("cart", 2, 6)];
        let lines = vec![line(2, "out of stock", 6500), line(0, "no span", 7000), line(9, "another span", 8000)];
        let body = shown(&Held { rows, lines, ..Held::default() });
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("a list");
        assert_eq!(spans[0].get("logs"), None);
        let expected = serde_json::json!([{
            "timeUnixNano": "6500", "severityNumber": 9, "body": {"stringValue": "out of stock"},
            "traceId": TRACE.to_string(), "spanId": "0000000000000002", "service": "cart",
        }]);
        assert_eq!(spans[1]["logs"], expected);
        let rest: Vec<_> = body["logs"].as_array().expect("a list").iter().map(|line| &line["body"]).collect();
        let text = |text: &str| serde_json::json!({"stringValue": text});
        assert_eq!(rest, [&text("no span"), &text("another span")]);
    }

    #[test]
    fn a_trace_of_lines_alone_is_found() {
        let body = shown(&Held { lines: vec![line(1, "alone", 5)], ..Held::default() });
        assert_eq!(body["resourceSpans"], serde_json::json!([]));
        assert_eq!(body["logs"][0]["body"]["stringValue"], "alone");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let missing = call(&[("id", "ff")], &[]);
        assert!(matches!(trace(&missing, &Held::default()), Err(Failure::NotFound(_))));
        let flawed = call(&[("id", &"f".repeat(33))], &[]);
        assert!(matches!(trace(&flawed, &Held::default()), Err(Failure::BadRequest(_))));
    }
}
