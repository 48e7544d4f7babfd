//! From tree to text, as Prometheus prints it: on one line, or broken where a line would be long.

use weir_proto::metrics::{LabelMatcher, METRIC_NAME, MatchOp};

use super::{
    ast::{
        Aggregate, At, Binary, Cardinality, DurationExpr, Edges, Expr, Length, Matching, Node, Number, RangeSelector,
        Selector, Shift, Subquery,
    },
    duration,
    quote::{quoted, quoted_bytes},
    token::Operator,
};
use crate::promql::format;

/// Longer lines are broken.
const LINE_LENGTH_MAX: usize = 100;

impl Expr {
    /// On one line.
    pub(crate) fn text(&self) -> String {
        match &self.node {
            Node::Number(number) => number_text(*number),
            Node::Text(bytes) => quoted_bytes(bytes),
            Node::Paren(inner) => format!("({})", inner.text()),
            Node::Unary { is_negative, operand } => format!("{}{}", sign(*is_negative), operand.text()),
            Node::Binary(binary) => {
                let left = binary.left.text();
                // A sign before a power is the power's.
                let left = if left == "+Inf" && binary.operator == Operator::Pow { "Inf" } else { &left };
                format!("{left} {} {}", operator_text(binary), binary.right.text())
            }
            Node::Call(call) => {
                let arguments: Vec<_> = call.arguments.iter().map(Self::text).collect();
                format!("{}({})", call.function.name, arguments.join(", "))
            }
            Node::Aggregate(aggregate) => {
                let parameter = aggregate.parameter.as_ref().map_or(String::new(), |expr| expr.text() + ", ");
                format!("{}({parameter}{})", aggregate_text(aggregate), aggregate.operand.text())
            }
            Node::Selector(selector) => selector_text(selector),
            Node::Range(range) => range_text(range),
            Node::Subquery(subquery) => subquery.operand.text() + &subquery_suffix(subquery),
        }
    }

    /// On as many lines as it takes.
    pub(crate) fn pretty(&self) -> String {
        self.pretty_at(0)
    }

    fn pretty_at(&self, level: usize) -> String {
        let indent = "  ".repeat(level);
        let line = self.text();
        if line.len() <= LINE_LENGTH_MAX {
            return indent + &line;
        }
        match &self.node {
            Node::Paren(inner) => format!("{indent}(\n{}\n{indent})", inner.pretty_at(level + 1)),
            Node::Unary { is_negative, operand } => {
                format!("{indent}{}{}", sign(*is_negative), operand.pretty_at(level).trim())
            }
            Node::Binary(binary) => format!(
                "{}\n{indent}{}\n{}",
                binary.left.pretty_at(level + 1),
                operator_text(binary),
                binary.right.pretty_at(level + 1)
            ),
            Node::Call(call) if !call.arguments.is_empty() => {
                let arguments: Vec<_> = call.arguments.iter().map(|argument| argument.pretty_at(level + 1)).collect();
                format!("{indent}{}(\n{}\n{indent})", call.function.name, arguments.join(",\n"))
            }
            Node::Aggregate(aggregate) => {
                let parameter =
                    aggregate.parameter.as_ref().map_or(String::new(), |expr| expr.pretty_at(level + 1) + ",\n");
                let operand = aggregate.operand.pretty_at(level + 1);
                format!("{indent}{}(\n{parameter}{operand}\n{indent})", aggregate_text(aggregate))
            }
            Node::Subquery(subquery) => subquery.operand.pretty_at(level) + &subquery_suffix(subquery),
            _ => indent + &line,
        }
    }
}

fn sign(is_negative: bool) -> &'static str {
    if is_negative { "-" } else { "+" }
}

fn number_text(number: Number) -> String {
    if number.is_duration {
        return duration::format((number.value * 1e3).round() as i64);
    }
    format::plain(number.value)
}

fn operator_text(binary: &Binary) -> String {
    let is_bool = if binary.is_bool { " bool" } else { "" };
    format!("{}{is_bool}{}", binary.operator.text(), matching_text(&binary.matching))
}

fn matching_text(matching: &Matching) -> String {
    let mut out = String::new();
    let groups = matches!(matching.cardinality, Cardinality::ManyToOne | Cardinality::OneToMany);
    if matching.is_on || !matching.labels.is_empty() || groups {
        let word = if matching.is_on { "on" } else { "ignoring" };
        out += &format!(" {word} ({})", labels_text(&matching.labels));
    }
    if groups {
        let side = if matching.cardinality == Cardinality::ManyToOne { "left" } else { "right" };
        out += &format!(" group_{side} ({})", labels_text(&matching.include));
    }
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
            out += &format!(" fill ({})", format::shortest(left));
        }
        (left, right) => {
            for (side, value) in [("left", left), ("right", right)] {
                if let Some(value) = value {
                    out += &format!(" fill_{side} ({})", format::shortest(value));
                }
            }
        }
    }
    out
}

fn labels_text(labels: &[String]) -> String {
    let labels: Vec<_> = labels.iter().map(|label| format::label_name(label)).collect();
    labels.join(", ")
}

fn aggregate_text(aggregate: &Aggregate) -> String {
    let name = aggregate.operator.name();
    match (aggregate.is_without, aggregate.grouping.is_empty()) {
        (true, _) => format!("{name} without ({}) ", labels_text(&aggregate.grouping)),
        (false, false) => format!("{name} by ({}) ", labels_text(&aggregate.grouping)),
        (false, true) => name.to_owned(),
    }
}

fn selector_text(selector: &Selector) -> String {
    format!(
        "{}{}{}{}",
        series_text(selector),
        at_text(&selector.shift),
        edges_text(selector.edges),
        offset_text(&selector.shift)
    )
}

fn series_text(selector: &Selector) -> String {
    let is_the_name = |matcher: &LabelMatcher| {
        matcher.name == METRIC_NAME
            && matcher.op == MatchOp::Equal
            && matcher.value == selector.name
            && !matcher.value.is_empty()
    };
    let mut matchers: Vec<_> =
        selector.matchers.iter().filter(|matcher| !is_the_name(matcher)).map(matcher_text).collect();
    matchers.sort();
    if matchers.is_empty() && !selector.name.is_empty() {
        return selector.name.clone();
    }
    if matchers.is_empty() {
        return "{}".to_owned();
    }
    format!("{}{{{}}}", selector.name, matchers.join(","))
}

fn matcher_text(matcher: &LabelMatcher) -> String {
    format!("{}{}{}", format::label_name(&matcher.name), matcher.op.sign(), quoted(&matcher.value))
}

fn at_text(shift: &Shift) -> String {
    match shift.at {
        None => String::new(),
        Some(At::Time(ms)) => format!(" @ {:.3}", ms as f64 / 1e3),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
    }
}

fn edges_text(edges: Edges) -> &'static str {
    match edges {
        Edges::Plain => "",
        Edges::Anchored => " anchored",
        Edges::Smoothed => " smoothed",
    }
}

fn offset_text(shift: &Shift) -> String {
    match &shift.offset {
        None | Some(Length::Known(0)) => String::new(),
        Some(length) => format!(" offset {}", length_text(length)),
    }
}

fn range_text(range: &RangeSelector) -> String {
    let selector = &range.selector;
    format!(
        "{}[{}]{}{}{}",
        series_text(selector),
        length_text(&range.range),
        edges_text(selector.edges),
        at_text(&selector.shift),
        offset_text(&selector.shift)
    )
}

fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map_or(String::new(), length_text);
    format!("[{}:{step}]{}{}", length_text(&subquery.range), at_text(&subquery.shift), offset_text(&subquery.shift))
}

fn length_text(length: &Length) -> String {
    match length {
        Length::Known(ms) => duration::format(*ms),
        Length::Computed(expr) => duration_text(expr),
    }
}

fn duration_text(expr: &DurationExpr) -> String {
    match expr {
        DurationExpr::Number(number, _) => number_text(*number),
        DurationExpr::Step(_) => "step()".to_owned(),
        DurationExpr::Range(_) => "range()".to_owned(),
        DurationExpr::Negative(inner, _) => format!("-{}", duration_text(inner)),
        DurationExpr::Paren(inner) => format!("({})", duration_text(inner)),
        DurationExpr::Min(left, right) => format!("min_of({}, {})", duration_text(left), duration_text(right)),
        DurationExpr::Max(left, right) => format!("max_of({}, {})", duration_text(left), duration_text(right)),
        DurationExpr::Binary(operator, left, right) => {
            format!("{} {} {}", duration_text(left), operator.text(), duration_text(right))
        }
    }
}
