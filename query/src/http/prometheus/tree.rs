//! `parse_query`: a query's tree as JSON, for pages that draw it.

use serde_json::{Value, json};
use weir_proto::metrics::LabelMatcher;

use super::{Success, params::invalid};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    promql::syntax::{
        self,
        ast::{
            At, Binary, Cardinality, DurationExpr, Edges, Expr, Length, Node, Number, Selector, Shift, Subquery,
            ValueType,
        },
    },
};

/// `/prometheus/api/v1/parse_query`.
pub(in crate::http) fn parse_query(call: &Call, _: &dyn View) -> Result<Answer, Failure> {
    let query = call.first("query").unwrap_or_default();
    let expr = syntax::parse(query).map_err(|error| invalid("query", &error.to_string()))?;
    Success::of(tree(&expr)).answer(call)
}

fn tree(expr: &Expr) -> Value {
    match &expr.node {
        Node::Number(Number { value, .. }) => json!({"type": "numberLiteral", "val": digits(*value)}),
        Node::Text(bytes) => json!({"type": "stringLiteral", "val": String::from_utf8_lossy(bytes)}),
        Node::Paren(inner) => json!({"type": "parenExpr", "expr": tree(inner)}),
        Node::Unary { is_negative, operand } => {
            json!({"type": "unaryExpr", "op": if *is_negative { "-" } else { "+" }, "expr": tree(operand)})
        }
        Node::Binary(both) => binary(both),
        Node::Call(call) => json!({
            "type": "call",
            "func": {
                "name": call.function.name,
                "argTypes": call.function.arguments.iter().map(|taken| taken.name()).collect::<Vec<_>>(),
                "variadic": call.function.variadic,
                "returnType": call.function.returns.name(),
            },
            "args": call.arguments.iter().map(tree).collect::<Vec<_>>(),
        }),
        Node::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.operator.name(),
            "expr": tree(&aggregate.operand),
            "param": aggregate.parameter.as_ref().map(tree),
            "grouping": aggregate.grouping,
            "without": aggregate.is_without,
        }),
        Node::Selector(one) => selector("vectorSelector", one),
        Node::Range(range) => {
            let mut written = selector("matrixSelector", &range.selector);
            written["range"] = range.range.ms().into();
            written["rangeExpr"] = computed(Some(&range.range));
            written
        }
        Node::Subquery(inner) => subquery(inner),
    }
}

fn binary(both: &Binary) -> Value {
    let is_of_vectors = [&both.left, &both.right].iter().all(|side| side.value_type() == ValueType::Vector);
    let matching = is_of_vectors.then(|| {
        let cardinality = match both.matching.cardinality {
            Cardinality::OneToOne => "one-to-one",
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        };
        json!({
            "card": cardinality,
            "labels": both.matching.labels,
            "on": both.matching.is_on,
            "include": both.matching.include,
            "fillValues": {"lhs": both.matching.fill_left, "rhs": both.matching.fill_right},
        })
    });
    json!({
        "type": "binaryExpr",
        "op": both.operator.text(),
        "lhs": tree(&both.left),
        "rhs": tree(&both.right),
        "matching": matching,
        "bool": both.is_bool,
    })
}

fn selector(kind: &str, selector: &Selector) -> Value {
    let mut written = json!({
        "type": kind,
        "name": selector.name,
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "anchored": selector.edges == Edges::Anchored,
        "smoothed": selector.edges == Edges::Smoothed,
    });
    shifted(&mut written, &selector.shift);
    written
}

fn subquery(inner: &Subquery) -> Value {
    let mut written = json!({
        "type": "subquery",
        "expr": tree(&inner.operand),
        "range": inner.range.ms(),
        "step": inner.step.as_ref().map_or(0, Length::ms),
        "rangeExpr": computed(Some(&inner.range)),
        "stepExpr": computed(inner.step.as_ref()),
    });
    shifted(&mut written, &inner.shift);
    written
}

fn shifted(written: &mut Value, shift: &Shift) {
    let (timestamp, edge) = match shift.at {
        Some(At::Time(ms)) => (Some(ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
        None => (None, None),
    };
    written["offset"] = shift.offset.as_ref().map_or(0, Length::ms).into();
    written["offsetExpr"] = computed(shift.offset.as_ref());
    written["timestamp"] = timestamp.into();
    written["startOrEnd"] = edge.into();
}

/// How a length of time is computed; nothing where it is known.
fn computed(length: Option<&Length>) -> Value {
    match length {
        Some(Length::Computed(how)) => duration(how, false),
        _ => Value::Null,
    }
}

/// As Prometheus has it: a sign before a number belongs to the number, around a number there are no parentheses.
fn duration(how: &DurationExpr, is_wrapped: bool) -> Value {
    let (op, left, right) = match how {
        DurationExpr::Number(number, _) => return literal(number, 1.0),
        DurationExpr::Paren(inner) => return duration(inner, true),
        DurationExpr::Negative(inner, _) => match without_parentheses(inner) {
            DurationExpr::Number(number, _) => return literal(number, -1.0),
            _ => ("-", None, Some(inner)),
        },
        DurationExpr::Step(_) => ("step", None, None),
        DurationExpr::Range(_) => ("range", None, None),
        DurationExpr::Min(left, right) => ("min", Some(left), Some(right)),
        DurationExpr::Max(left, right) => ("max", Some(left), Some(right)),
        DurationExpr::Binary(operator, left, right) => (operator.text(), Some(left), Some(right)),
    };
    let side = |side: Option<&Box<DurationExpr>>| side.map(|side| duration(side, false));
    json!({"type": "durationExpr", "op": op, "lhs": side(left), "rhs": side(right), "wrapped": is_wrapped})
}

fn without_parentheses(how: &DurationExpr) -> &DurationExpr {
    match how {
        DurationExpr::Paren(inner) => without_parentheses(inner),
        other => other,
    }
}

fn literal(number: &Number, sign: f64) -> Value {
    json!({"type": "numberLiteral", "val": digits(sign * number.value), "duration": number.is_duration})
}

fn matcher(matcher: &LabelMatcher) -> Value {
    json!({"name": matcher.name, "value": matcher.value, "type": matcher.op.sign()})
}

/// All digits, as Go's format `f` writes them.
fn digits(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Value {
        tree(&syntax::parse(query).expect("a query"))
    }

    #[test]
    fn selectors_and_calls() {
        assert_eq!(
            parsed("rate(up{job!~\"a.*\"}[5m] offset -1m)"),
            json!({
                "type": "call",
                "func": {"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"},
                "args": [{
                    "type": "matrixSelector", "name": "up", "range": 300_000, "offset": -60_000,
                    "matchers": [
                        {"name": "job", "value": "a.*", "type": "!~"},
                        {"name": "__name__", "value": "up", "type": "="},
                    ],
                    "timestamp": null, "startOrEnd": null, "anchored": false, "smoothed": false,
                    "offsetExpr": null, "rangeExpr": null,
                }],
            })
        );
        let at = parsed("max_over_time(up[1h:5m] @ start())");
        assert_eq!(at["args"][0]["startOrEnd"], "start");
        assert_eq!((&at["args"][0]["range"], &at["args"][0]["step"]), (&json!(3_600_000), &json!(300_000)));
    }

    #[test]
    fn lengths_that_are_computed() {
        let number = |val: &str, is_duration| json!({"type": "numberLiteral", "val": val, "duration": is_duration});
        let step = json!({"type": "durationExpr", "op": "step", "lhs": null, "rhs": null, "wrapped": false});
        let at = parsed("a[-(1m)+5m:step()*2] offset (1m*2)");
        assert_eq!(
            at["rangeExpr"],
            json!({"type": "durationExpr", "op": "+", "lhs": number("-60", true), "rhs": number("300", true), "wrapped": false})
        );
        assert_eq!((&at["stepExpr"]["lhs"], &at["stepExpr"]["rhs"]), (&step, &number("2", false)));
        assert_eq!((&at["offsetExpr"]["op"], &at["offsetExpr"]["wrapped"]), (&json!("*"), &json!(true)));
        assert_eq!((&at["range"], &at["step"], &at["offset"]), (&json!(0), &json!(0), &json!(0)));
        let negative = parsed("a offset -step()");
        assert_eq!((&negative["offsetExpr"]["op"], &negative["offsetExpr"]["rhs"]), (&json!("-"), &step));
    }

    #[test]
    fn operators_and_aggregations() {
        let both = parsed("a / on(x) group_left(y) b");
        assert_eq!(
            both["matching"],
            json!({
                "card": "many-to-one", "labels": ["x"], "on": true, "include": ["y"],
                "fillValues": {"lhs": null, "rhs": null},
            })
        );
        assert_eq!(parsed("a == bool 1")["matching"], Value::Null);
        assert_eq!(parsed("a and b")["matching"]["card"], "many-to-many");
        let top = parsed("topk without(x) (3, -(up))");
        assert_eq!((&top["op"], &top["without"], &top["param"]["val"]), (&json!("topk"), &json!(true), &json!("3")));
        assert_eq!((&top["expr"]["op"], &top["expr"]["expr"]["type"]), (&json!("-"), &json!("parenExpr")));
        assert_eq!(parsed("'x'"), json!({"type": "stringLiteral", "val": "x"}));
        assert_eq!(parsed("1e3")["val"], "1000");
    }
}
