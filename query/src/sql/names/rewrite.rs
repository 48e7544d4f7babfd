//! Writes what others write as it works here, where only one thing can be meant.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Ident, Interval, Join, JoinConstraint, JoinOperator, JsonPathElem,
    LimitClause, Query, SetExpr, Subscript, TableFactor, TableWithJoins, TimezoneInfo, TopQuantity, UnaryOperator,
    Value,
};

use super::elsewhere;
use crate::sql::table::is_fixed_text;

/// `TOP 10` and `FETCH FIRST 10 ROWS ONLY` are `LIMIT 10`; words for those that are not.
pub(super) fn limit(query: &mut Query) -> Option<&'static str> {
    const TOP: &str = "TOP is not supported in this form: write LIMIT 10 at the end of the query";
    const FETCH: &str = "FETCH is not supported in this form: write LIMIT 10 at the end of the query";
    let mut wanted = None;
    if let SetExpr::Select(select) = &mut *query.body
        && let Some(top) = select.top.take()
    {
        wanted = match top.quantity {
            Some(TopQuantity::Constant(count)) if !top.percent && !top.with_ties => Some(number(&count.to_string())),
            Some(TopQuantity::Expr(count)) if !top.percent && !top.with_ties => Some(count),
            _ => return Some(TOP),
        };
    }
    if let Some(fetch) = query.fetch.take() {
        if fetch.percent || fetch.with_ties || wanted.is_some() {
            return Some(FETCH);
        }
        wanted = Some(fetch.quantity.unwrap_or_else(|| number("1")));
    }
    let count = wanted?;
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(count), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(count),
        Some(_) => return Some("there are two limits: write LIMIT once, at the end of the query"),
    }
    None
}

fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_owned(), false))
}

fn text(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}

/// `names['key']`.
fn access(names: &[Ident], key: &str) -> Expr {
    let root = match names {
        [only] => Expr::Identifier(only.clone()),
        names => Expr::CompoundIdentifier(names.to_vec()),
    };
    let index = Subscript::Index { index: text(key) };
    Expr::CompoundFieldAccess { root: Box::new(root), access_chain: vec![AccessExpr::Subscript(index)] }
}

/// Rewrites one expression; words where what is meant cannot be done. `container` says how many of some names lead to a column of
/// attributes.
pub(super) fn expression(expr: &mut Expr, container: &dyn Fn(&[Ident]) -> Option<usize>) -> Option<String> {
    match expr {
        // attributes.http.route
        Expr::CompoundIdentifier(names) => {
            let of = container(names).filter(|of| *of < names.len())?;
            let key: Vec<_> = keys(names, of).iter().map(|name| name.value.as_str()).collect();
            *expr = access(&names[..of], &key.join("."));
        }
        // attributes["http.route"], and fields by name.
        Expr::CompoundFieldAccess { root, access_chain } => {
            lengthened(root, access_chain);
            if let Some(words) = shortened(root, access_chain, container) {
                return Some(words);
            }
            let is_container = is_container(root, container);
            for step in access_chain.iter_mut() {
                match step {
                    AccessExpr::Dot(Expr::Identifier(name)) => {
                        *step = AccessExpr::Subscript(Subscript::Index { index: text(&name.value) });
                    }
                    AccessExpr::Subscript(Subscript::Index { index }) if is_container => match index {
                        Expr::Identifier(name) if name.quote_style.is_some() => *index = text(&name.value),
                        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                            return Some(format!("an attribute's key is a text in quotes: write {root}['{index}']"));
                        }
                        _ => {}
                    },
                    _ => {}
                }
            }
            if is_container && access_chain.len() > 1 {
                return Some(beyond(root, access_chain));
            }
        }
        // attributes->>'key', attributes->'key'
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Arrow | BinaryOperator::LongArrow), right } => {
            let names = path(left);
            if names.is_empty() || container(names) != Some(names.len()) {
                return Some(arrow(left, &op.to_string(), literal(right).as_deref(), container));
            }
            let Some(key) = literal(right) else {
                return Some(format!("an attribute's key is a text in quotes: write {left}['key']"));
            };
            *expr = access(names, &key);
        }
        // attributes:key
        Expr::JsonAccess { value, path: steps } if is_container(value, container) => {
            let mut key: Vec<String> = Vec::new();
            for step in &steps.path {
                key.push(match step {
                    JsonPathElem::Dot { key, .. } => key.clone(),
                    JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => literal(key)?,
                });
            }
            *expr = access(path(value), &key.join("."));
        }
        Expr::RLike { negated, expr: left, pattern, .. } => {
            let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
            *expr = Expr::BinaryOp { left: left.clone(), op, right: pattern.clone() };
        }
        // DataFusion negates numbers only, and knows no type yet.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } if is_access(inner, container) => {
            let (left, right) = (Box::new(number("0")), inner.clone());
            *expr = Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Minus, right }));
        }
        Expr::Interval(interval) => whole(interval),
        // NOT attributes['vip']
        Expr::UnaryOp { op: UnaryOperator::Not, expr: inner }
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner) => condition(inner, container),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor, right } => {
            condition(left, container);
            condition(right, container);
        }
        Expr::Case { operand: None, conditions, .. } => {
            for when in conditions {
                condition(&mut when.condition, container);
            }
        }
        Expr::Cast { data_type, .. } => rename(data_type),
        Expr::BinaryOp { left, op, right } => return foreign(left, op, right, container),
        _ => {}
    }
    None
}

/// An attribute that stands where a condition is expected holds when it is true.
pub(super) fn condition(expr: &mut Expr, container: &dyn Fn(&[Ident]) -> Option<usize>) {
    if is_access(expr, container) {
        let (left, right) = (Box::new(expr.clone()), Box::new(Expr::value(Value::Boolean(true))));
        *expr = Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Eq, right }));
    }
}

/// The same of what stands behind ON.
pub(super) fn joins(table: &mut TableWithJoins, container: &dyn Fn(&[Ident]) -> Option<usize>) {
    nested(&mut table.relation, container);
    for Join { relation, join_operator, .. } in &mut table.joins {
        nested(relation, container);
        if let Some(JoinConstraint::On(on)) = constraint(join_operator) {
            condition(on, container);
        }
    }
}

fn nested(factor: &mut TableFactor, container: &dyn Fn(&[Ident]) -> Option<usize>) {
    if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
        joins(table_with_joins, container);
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    use JoinOperator as J;
    match operator {
        J::Join(on)
        | J::Inner(on)
        | J::Left(on)
        | J::LeftOuter(on)
        | J::Right(on)
        | J::RightOuter(on)
        | J::FullOuter(on)
        | J::Semi(on)
        | J::LeftSemi(on)
        | J::RightSemi(on)
        | J::Anti(on)
        | J::LeftAnti(on)
        | J::RightAnti(on) => Some(on),
        _ => None,
    }
}

/// The types of BigQuery and ClickHouse.
fn rename(data_type: &mut DataType) {
    let ours = match data_type {
        DataType::Int64 => DataType::BigInt(None),
        DataType::Int32 => DataType::Int(None),
        DataType::Int16 => DataType::SmallInt(None),
        DataType::UInt64 => DataType::BigIntUnsigned(None),
        DataType::UInt32 => DataType::IntUnsigned(None),
        DataType::Float64 => DataType::DoublePrecision,
        DataType::Float32 => DataType::Real,
        DataType::Datetime(_) => DataType::Timestamp(None, TimezoneInfo::None),
        _ => return,
    };
    *data_type = ours;
}

/// `->>` beside something that is no column of attributes.
fn arrow(left: &Expr, op: &str, key: Option<&str>, container: &dyn Fn(&[Ident]) -> Option<usize>) -> String {
    // attributes->'a'->>'b'
    let mut keys: Vec<String> = key.map(str::to_owned).into_iter().collect();
    let mut root = left;
    while let Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } = root {
        keys.extend(literal(right));
        root = left;
    }
    keys.reverse();
    let of = path(root);
    if keys.len() > 1 && !of.is_empty() && container(of) == Some(of.len()) {
        return nothing_within(&root.to_string(), &keys.join("."));
    }
    match of.last().map(|name| name.value.to_lowercase()).as_deref() {
        Some("events" | "links") => elsewhere::IN_JSON.to_owned(),
        // Fields of a JSON body are found like attributes.
        Some("body") => format!("a field of a JSON body is {}", elsewhere::access("attributes", &keys.join("."))),
        _ => format!("{op} is for attributes only: write attributes['key'], whose value is a text"),
    }
}

/// Operators of others; words for them.
fn foreign(
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    container: &dyn Fn(&[Ident]) -> Option<usize>,
) -> Option<String> {
    let of = if is_container(left, container) { left.to_string() } else { "attributes".to_owned() };
    Some(match (op, right) {
        (BinaryOperator::PGOverlap, _) => "&& is written AND".to_owned(),
        (BinaryOperator::AtArrow, right) if holds_json(left, right, container) => {
            format!("@> is not there: write {}", elsewhere::access(&of, "key") + " = 'value'")
        }
        (BinaryOperator::HashArrow | BinaryOperator::HashLongArrow, keys) => {
            let keys = literal(keys).unwrap_or_else(|| "key".to_owned());
            let key = keys.trim_matches(['{', '}']).replace(',', ".");
            format!("{op} is not there: write {}", elsewhere::access(&of, &key))
        }
        (BinaryOperator::Eq, Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr: pattern }) => {
            format!("=~ is written ~, and finds the pattern anywhere: {left} ~ {pattern}")
        }
        (BinaryOperator::NotEq, Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr: pattern }) => {
            format!("write {left} !~ {pattern}")
        }
        _ => return None,
    })
}

/// Whether `left @> right` looks into JSON; lists have the operator, too.
fn holds_json(left: &Expr, right: &Expr, container: &dyn Fn(&[Ident]) -> Option<usize>) -> bool {
    let is_text = || path(left).last().is_some_and(|name| is_fixed_text(&name.value.to_lowercase()).is_some());
    is_container(left, container) || is_access(left, container) || (!matches!(right, Expr::Array(_)) && is_text())
}

/// What follows the column: in `resource.attributes.zone` not the word that only says where one is.
fn keys(names: &[Ident], of: usize) -> &[Ident] {
    match &names[of..] {
        [first, rest @ ..] if !rest.is_empty() && first.value.eq_ignore_ascii_case("attributes") => rest,
        all => all,
    }
}

/// The names at the beginning are one path: `a.attributes['key']` begins as `a`.
fn lengthened(root: &mut Expr, chain: &mut Vec<AccessExpr>) {
    let names = beginning(root, chain);
    chain.drain(..names.len().saturating_sub(path(root).len()));
    if names.len() > 1 {
        *root = Expr::CompoundIdentifier(names);
    }
}

/// The names that it begins with; none where it begins with something else.
fn beginning(root: &Expr, chain: &[AccessExpr]) -> Vec<Ident> {
    let mut names = path(root).to_vec();
    if names.is_empty() {
        return names;
    }
    // Something has to be left to look up.
    for step in &chain[..chain.len().saturating_sub(1)] {
        let AccessExpr::Dot(Expr::Identifier(name)) = step else { break };
        names.push(name.clone());
    }
    names
}

/// `resource.attributes['zone']` is `resource['zone']`; words for `attributes.http['route']`.
fn shortened(root: &mut Expr, chain: &[AccessExpr], container: &dyn Fn(&[Ident]) -> Option<usize>) -> Option<String> {
    let names = path(root);
    let of = container(names).filter(|of| *of < names.len())?;
    if let [only] = &names[of..]
        && only.value.eq_ignore_ascii_case("attributes")
    {
        *root = match &names[..of] {
            [only] => Expr::Identifier(only.clone()),
            names => Expr::CompoundIdentifier(names.to_vec()),
        };
        return None;
    }
    let mut key: Vec<String> = names[of..].iter().map(|name| name.value.clone()).collect();
    key.extend(chain.iter().filter_map(step_key));
    let column: Vec<_> = names[..of].iter().map(|name| name.value.as_str()).collect();
    Some(nothing_within(&column.join("."), &key.join(".")))
}

fn nothing_within(column: &str, key: &str) -> String {
    format!(
        "the value of an attribute is a text: nothing lies within it. Was {} meant?",
        elsewhere::access(column, key)
    )
}

/// `INTERVAL 1 HOUR` is `INTERVAL '1' HOUR`.
fn whole(interval: &mut Interval) {
    if let Expr::Value(value) = &*interval.value
        && let Value::Number(count, _) = &value.value
    {
        *interval.value = text(count);
    }
}

/// Whether it is an attribute, however it is written.
fn is_access(expr: &Expr, container: &dyn Fn(&[Ident]) -> Option<usize>) -> bool {
    match expr {
        Expr::Nested(inner) => is_access(inner, container),
        Expr::CompoundFieldAccess { root, access_chain } => container(&beginning(root, access_chain)).is_some(),
        Expr::CompoundIdentifier(names) => container(names).is_some_and(|of| of < names.len()),
        Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, .. } => {
            is_container(left, container)
        }
        _ => false,
    }
}

fn is_container(expr: &Expr, container: &dyn Fn(&[Ident]) -> Option<usize>) -> bool {
    let names = path(expr);
    !names.is_empty() && container(names) == Some(names.len())
}

fn path(expr: &Expr) -> &[Ident] {
    match expr {
        Expr::Identifier(name) => std::slice::from_ref(name),
        Expr::CompoundIdentifier(names) => names,
        Expr::Nested(inner) => path(inner),
        _ => &[],
    }
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Identifier(name) if name.quote_style.is_some() => Some(name.value.clone()),
        _ => None,
    }
}

/// `attributes['a']['b']`
fn beyond(root: &Expr, chain: &[AccessExpr]) -> String {
    let key: Vec<String> = chain.iter().filter_map(step_key).collect();
    nothing_within(&root.to_string(), &key.join("."))
}

fn step_key(step: &AccessExpr) -> Option<String> {
    match step {
        AccessExpr::Subscript(Subscript::Index { index }) => literal(index),
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.value.clone()),
        _ => None,
    }
}

/// The first text among the steps.
pub(super) fn key(chain: &[AccessExpr]) -> Option<String> {
    chain.iter().find_map(step_key)
}
