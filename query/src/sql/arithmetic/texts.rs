//! Texts beside numbers: `attributes['code'] >= 500` compares what `attr_num` reads, so that no other row's text matters.
//!
//! Without this a comparison would cast the whole column, and one "OK" among the numbers would end the query.

use datafusion::{
    arrow::datatypes::DataType,
    common::{DFSchema, ExprSchema, config::ConfigOptions, plan_err, tree_node::Transformed},
    error::Result,
    logical_expr::{
        Between, BinaryExpr, Case, Expr, ExprSchemable, Operator, ScalarUDF, TryCast,
        expr::{InList, InSubquery, WindowFunction, WindowFunctionDefinition},
        expr_rewriter::FunctionRewrite,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};
use weir_store::AttributeForm;

use super::spelled;
use crate::sql::table::{AttributeFunction, column_of_table, is_fixed_text};

/// Aggregate functions of numbers that take texts, too.
const OF_NUMBERS: [&str; 7] = ["approx_percentile", "avg", "p50", "p90", "p95", "p99", "sum"];

/// Functions whose arguments are of one kind, the first number among them.
const OF_ONE_KIND: [&str; 5] = ["coalesce", "greatest", "least", "nullif", "nvl"];

/// Reads texts as what stands beside them.
#[derive(Debug)]
pub(super) struct TextsBesideNumbers;

/// What matters of a type here.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Number,
    Boolean,
    /// A date, or a timestamp of this type.
    Time(DataType),
    /// A text that differs from row to row. One in the query becomes a number by itself, or is said to be none.
    Text,
    Other,
}

fn kind(expr: &Expr, schema: &DFSchema) -> Kind {
    match expr.get_type(schema) {
        Ok(of) if of.is_numeric() => Kind::Number,
        Ok(DataType::Boolean) => Kind::Boolean,
        Ok(of @ (DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)) => Kind::Time(of),
        Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) if !is_literal(expr) => Kind::Text,
        _ => Kind::Other,
    }
}

/// As [`Kind::Text`]; what is computed is none, and not looked into: a chain of operators would be at each of them.
fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    !matches!(expr, Expr::BinaryExpr(_) | Expr::Literal(..)) && kind(expr, schema) == Kind::Text
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_literal(&alias.expr),
        Expr::Cast(cast) => is_literal(&cast.expr),
        _ => false,
    }
}

fn call(form: AttributeForm, text: Expr) -> Expr {
    ScalarUDF::new_from_impl(AttributeFunction::new(form)).call(vec![text])
}

/// The text as a number. A column of the table that never holds numbers is refused; what only has its name is not.
fn number(text: Expr, schema: &DFSchema) -> Result<Expr> {
    if let Expr::Column(column) = &text
        && let Ok(field) = schema.field_from_column(column)
        && let Some(example) = column_of_table(field).and_then(is_fixed_text)
    {
        let name = &column.name;
        return plan_err!("column {name} is text and no number: write {name} = '{example}', say, or attr_num({name})");
    }
    Ok(call(AttributeForm::Number, text))
}

/// `text` as the kind of thing that it is compared with; itself when that makes no difference.
fn read_as(text: Expr, other: &Kind, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match other {
        Kind::Number => Transformed::yes(number(text, schema)?),
        Kind::Boolean => Transformed::yes(call(AttributeForm::Bool, text)),
        Kind::Time(of) => Transformed::yes(Expr::TryCast(TryCast::new(Box::new(text), of.clone()))),
        Kind::Text | Kind::Other => Transformed::no(text),
    })
}

/// Both sides of a comparison.
fn compared(left: Expr, right: Expr, schema: &DFSchema) -> Result<Transformed<(Expr, Expr)>> {
    Ok(if is_text(&left, schema) {
        read_as(left, &kind(&right, schema), schema)?.update_data(|left| (left, right))
    } else if is_text(&right, schema) {
        read_as(right, &kind(&left, schema), schema)?.update_data(|right| (left, right))
    } else {
        Transformed::no((left, right))
    })
}

/// Both sides of an arithmetic operator.
fn computed(left: Expr, right: Expr, schema: &DFSchema) -> Result<(Expr, Expr)> {
    // Text plus interval is a mistake of another kind.
    let fits = |expr: &Expr| match kind(expr, schema) {
        Kind::Number | Kind::Text => true,
        _ => is_literal(expr) && expr.get_type(schema).is_ok_and(|of| of.is_string() || of.is_null()),
    };
    let (is_left, is_right) = (is_text(&left, schema), is_text(&right, schema));
    if !(is_left || is_right) || !fits(&left) || !fits(&right) {
        return Ok((left, right));
    }
    let operand = |side: Expr| if is_text(&side, schema) { number(side, schema) } else { Ok(side) };
    Ok((operand(left)?, operand(right)?))
}

impl ExprPlanner for TextsBesideNumbers {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as Op;
        let RawBinaryExpr { op, left, right } = raw;
        let (left, right) = match op {
            Op::Eq | Op::NotEq => {
                spelled::check(&left, &right, schema)?;
                compared(left, right, schema)?.data
            }
            Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                spelled::check_bound(&left, &right, schema)?;
                compared(left, right, schema)?.data
            }
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => computed(left, right, schema)?,
            _ => (left, right),
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

impl FunctionRewrite for TextsBesideNumbers {
    fn name(&self) -> &'static str {
        "texts_beside_numbers"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom) =>
            {
                let sides = compared(*left, *right, schema)?;
                Ok(sides.update_data(|(left, right)| {
                    Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
                }))
            }
            Expr::Between(between) => bounded(between, schema),
            Expr::InList(list) => listed(list, schema),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let of = subquery.subquery.schema().field(0).data_type().clone();
                let is_of_numbers = kind(&expr, schema) == Kind::Text && of.is_numeric();
                let expr = if is_of_numbers { Box::new(number(*expr, schema)?) } else { expr };
                let rewritten = Expr::InSubquery(InSubquery { expr, subquery, negated });
                Ok(Transformed::new_transformed(rewritten, is_of_numbers))
            }
            Expr::Case(case) => chosen(case, schema),
            Expr::Negative(inner) if kind(&inner, schema) == Kind::Text => {
                Ok(Transformed::yes(Expr::Negative(Box::new(number(*inner, schema)?))))
            }
            Expr::ScalarFunction(mut function) if OF_ONE_KIND.contains(&function.func.name()) => {
                let changed = of_one_kind(&mut function.args, schema)?;
                Ok(Transformed::new_transformed(Expr::ScalarFunction(function), changed))
            }
            Expr::AggregateFunction(mut function) if takes_numbers(function.func.name()) => {
                let changed = first_is_number(&mut function.params.args, schema)?;
                Ok(Transformed::new_transformed(Expr::AggregateFunction(function), changed))
            }
            Expr::WindowFunction(mut function) if is_of_numbers(&function) => {
                let changed = first_is_number(&mut function.params.args, schema)?;
                Ok(Transformed::new_transformed(Expr::WindowFunction(function), changed))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

fn takes_numbers(function: &str) -> bool {
    OF_NUMBERS.contains(&function)
}

fn is_of_numbers(function: &WindowFunction) -> bool {
    matches!(&function.fun, WindowFunctionDefinition::AggregateUDF(function) if takes_numbers(function.name()))
}

/// `coalesce(attributes['code'], 0)`
fn of_one_kind(arguments: &mut [Expr], schema: &DFSchema) -> Result<bool> {
    let kinds: Vec<Kind> = arguments.iter().map(|argument| kind(argument, schema)).collect();
    if !kinds.contains(&Kind::Number) || !kinds.contains(&Kind::Text) {
        return Ok(false);
    }
    for (argument, kind) in arguments.iter_mut().zip(kinds) {
        if kind == Kind::Text {
            *argument = number(argument.clone(), schema)?;
        }
    }
    Ok(true)
}

fn first_is_number(arguments: &mut [Expr], schema: &DFSchema) -> Result<bool> {
    let Some(first) = arguments.first_mut().filter(|first| kind(first, schema) == Kind::Text) else { return Ok(false) };
    *first = number(first.clone(), schema)?;
    Ok(true)
}

fn bounded(between: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Between { expr, negated, low, high } = between;
    let kinds = [kind(&expr, schema), kind(&low, schema), kind(&high, schema)];
    let other = kinds.iter().find(|kind| matches!(kind, Kind::Number | Kind::Boolean | Kind::Time(_)));
    let Some(other) = other.filter(|_| kinds.contains(&Kind::Text)) else {
        return Ok(Transformed::no(Expr::Between(Between { expr, negated, low, high })));
    };
    let read = |side: Box<Expr>, kind: &Kind| -> Result<Box<Expr>> {
        if *kind == Kind::Text { Ok(Box::new(read_as(*side, other, schema)?.data)) } else { Ok(side) }
    };
    let between =
        Between { expr: read(expr, &kinds[0])?, negated, low: read(low, &kinds[1])?, high: read(high, &kinds[2])? };
    Ok(Transformed::yes(Expr::Between(between)))
}

/// A list of texts and numbers is two lists.
fn listed(list: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let InList { expr, list, negated } = list;
    for item in &list {
        spelled::check(&expr, item, schema)?;
    }
    let of = kind(&expr, schema);
    if of != Kind::Text {
        let mut changed = false;
        let mut read = Vec::with_capacity(list.len());
        for item in list {
            let item =
                if kind(&item, schema) == Kind::Text { read_as(item, &of, schema)? } else { Transformed::no(item) };
            changed |= item.transformed;
            read.push(item.data);
        }
        return Ok(Transformed::new_transformed(Expr::InList(InList { expr, list: read, negated }), changed));
    }
    let (mut texts, mut others): (Vec<Expr>, Vec<(Kind, Vec<Expr>)>) = (Vec::new(), Vec::new());
    for item in list {
        match kind(&item, schema) {
            Kind::Text | Kind::Other => texts.push(item),
            other => match others.iter_mut().find(|(known, _)| *known == other) {
                Some((_, items)) => items.push(item),
                None => others.push((other, vec![item])),
            },
        }
    }
    if others.is_empty() {
        return Ok(Transformed::no(Expr::InList(InList { expr, list: texts, negated })));
    }
    let mut tests = Vec::new();
    for (other, list) in others {
        let read = read_as((*expr).clone(), &other, schema)?.data;
        tests.push(Expr::InList(InList { expr: Box::new(read), list, negated }));
    }
    if !texts.is_empty() {
        tests.push(Expr::InList(InList { expr, list: texts, negated }));
    }
    let all = tests.into_iter().reduce(|left, right| if negated { left.and(right) } else { left.or(right) });
    Ok(Transformed::yes(all.expect("at least one")))
}

/// `CASE attributes['code'] WHEN 500 THEN …`
fn chosen(case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if let Some(of) = &case.expr {
        for (when, _) in &case.when_then_expr {
            spelled::check(of, when, schema)?;
        }
    }
    let of_text = case.expr.as_ref().is_some_and(|expr| kind(expr, schema) == Kind::Text);
    let mut kinds = case.when_then_expr.iter().map(|(when, _)| kind(when, schema));
    let first = kinds.next().unwrap_or(Kind::Other);
    if !of_text || kinds.any(|kind| kind != first) {
        return Ok(Transformed::no(Expr::Case(case)));
    }
    let read = case.expr.map(|expr| read_as(*expr, &first, schema)).transpose()?;
    let case = Case { expr: read.map(|read| Box::new(read.data)), ..case };
    Ok(Transformed::yes(Expr::Case(case)))
}
