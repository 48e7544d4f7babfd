//! Turns conditions of a query into the scan's filter. What is turned is evaluated there, exactly; the rest stays with the query.

use std::ops::RangeInclusive;

use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Like, Operator, TableProviderFilterPushDown},
};
use weir_proto::TraceId;
use weir_store::{AttributeCondition, AttributeForm, AttributeTest, Place, ScanColumn, ScanFilter};

use super::{
    access,
    columns::{self, KINDS, STATUS_CODES, Table},
};

/// One condition that the scan can evaluate.
#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// The column is one of these texts.
    TextIn(ScanColumn, Vec<String>),
    /// The place in time or the duration lies within these bounds.
    Within(ScanColumn, RangeInclusive<u64>),
    /// Of an attribute.
    Attribute(AttributeCondition),
    /// The body has this text in it.
    BodyContains(String),
}

/// How much of the condition the scan evaluates.
pub(super) fn pushed_down(table: &Table, expr: &Expr) -> TableProviderFilterPushDown {
    let conditions = Conditions(table);
    if conditions.condition(expr).is_some() {
        TableProviderFilterPushDown::Exact
    } else if conditions.hull(expr).is_some() {
        TableProviderFilterPushDown::Inexact
    } else {
        TableProviderFilterPushDown::Unsupported
    }
}

/// The filter that all of these conditions make; those that cannot be turned are left out.
pub(super) fn scan_filter(table: &Table, exprs: &[Expr]) -> ScanFilter {
    let mut filter = ScanFilter::default();
    let conditions = Conditions(table);
    for condition in exprs.iter().filter_map(|expr| conditions.condition(expr).or_else(|| conditions.hull(expr))) {
        add(&mut filter, condition);
    }
    filter
}

/// The filter without what begins after a time, Unix ns.
pub(super) fn until(mut filter: ScanFilter, until_ns: u64) -> ScanFilter {
    filter.start_ns = meet(&filter.start_ns, &(0..=until_ns));
    filter
}

fn add(filter: &mut ScanFilter, condition: Condition) {
    match condition {
        Condition::Within(column, bounds) if column.is_place_in_time() => {
            filter.start_ns = meet(&filter.start_ns, &bounds);
        }
        Condition::Within(_, bounds) => filter.duration_ns = meet(&filter.duration_ns, &bounds),
        Condition::Attribute(condition) => filter.attributes.push(condition),
        Condition::BodyContains(needle) => filter.body_contains.push(needle),
        Condition::TextIn(column, texts) => match column {
            ScanColumn::TraceId => {
                narrow(&mut filter.trace_ids, texts.iter().filter_map(|text| trace_id(text)).collect())
            }
            ScanColumn::Service => narrow(&mut filter.services, texts),
            ScanColumn::Name => narrow(&mut filter.names, texts),
            ScanColumn::Kind => narrow(&mut filter.kinds, numbers(&texts, KINDS)),
            _ => narrow(&mut filter.status_codes, numbers(&texts, STATUS_CODES)),
        },
    }
}

fn numbers(texts: &[String], names: &[&str]) -> Vec<i32> {
    texts.iter().filter_map(|text| columns::number_named(text, names)).collect()
}

/// An id is compared as text: only what SQL shows is one.
fn trace_id(text: &str) -> Option<TraceId> {
    text.parse::<TraceId>().ok().filter(|id| id.to_string() == text)
}

fn narrow<T: PartialEq>(before: &mut Option<Vec<T>>, wanted: Vec<T>) {
    *before = Some(match before.take() {
        Some(before) => before.into_iter().filter(|one| wanted.contains(one)).collect(),
        None => wanted,
    });
}

fn meet(a: &RangeInclusive<u64>, b: &RangeInclusive<u64>) -> RangeInclusive<u64> {
    (*a.start()).max(*b.start())..=(*a.end()).min(*b.end())
}

/// Reads conditions on the columns of a table.
#[derive(Debug, Clone, Copy)]
struct Conditions<'t>(&'t Table);

impl Conditions<'_> {
    /// What a condition is about.
    fn target(self, expr: &Expr) -> Option<ScanColumn> {
        match expr {
            Expr::Column(column) => self.0.named(&column.name).map(|column| column.scan),
            Expr::Cast(cast) => self.target_in_place(&cast.expr, cast.field.data_type()),
            Expr::TryCast(cast) => self.target_in_place(&cast.expr, cast.field.data_type()),
            call => access::accessed(call).map(|column| column.scan),
        }
    }

    /// A cast from text to text changes nothing.
    fn target_in_place(self, expr: &Expr, to: &datafusion::arrow::datatypes::DataType) -> Option<ScanColumn> {
        to.is_string().then(|| self.target(expr)).flatten().filter(is_text)
    }

    fn condition(self, expr: &Expr) -> Option<Condition> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                let (left, right) = (self.condition(left)?, self.condition(right)?);
                union(left, right)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (&**left, &**right) {
                (column, Expr::Literal(value, _)) => comparison(self.target(column)?, *op, value),
                (Expr::Literal(value, _), column) => comparison(self.target(column)?, op.swap()?, value),
                _ => None,
            },
            Expr::InList(list) if !list.negated => {
                let column = self.target(&list.expr).filter(is_text)?;
                let text = |expr: &Expr| match expr {
                    Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
                    _ => None,
                };
                text_in(column, list.list.iter().map(text).collect::<Option<_>>()?)
            }
            Expr::Between(between) if !between.negated => match (&*between.low, &*between.high) {
                (Expr::Literal(low, _), Expr::Literal(high, _)) => {
                    let column = self.target(&between.expr)?;
                    let low = comparison(column.clone(), Operator::GtEq, low)?;
                    both(low, comparison(column, Operator::LtEq, high)?)
                }
                _ => None,
            },
            Expr::IsNotNull(inner) => match self.target(inner)? {
                ScanColumn::Attribute { place, key, form: AttributeForm::Text } => {
                    Some(Condition::Attribute(AttributeCondition { place, key, test: AttributeTest::Present }))
                }
                _ => None,
            },
            Expr::Like(like) => self.contained(like).map(Condition::BodyContains),
            Expr::Not(inner) => boolean(self.target(inner)?, false),
            Expr::IsTrue(inner) => boolean(self.target(inner)?, true),
            bare => boolean(self.target(bare)?, true),
        }
    }

    /// The text that `body LIKE '%text%'` asks for, where nothing else in the pattern stands for something.
    fn contained(self, like: &Like) -> Option<String> {
        let Expr::Column(column) = &*like.expr else { return None };
        let is_body = self.0.named(&column.name).is_some_and(|column| column.scan == ScanColumn::Body);
        let Expr::Literal(pattern, _) = &*like.pattern else { return None };
        let needle = pattern.try_as_str()??.strip_prefix('%')?.strip_suffix('%')?;
        let is_plain = !needle.is_empty() && !needle.contains(['%', '_', '\\']);
        let is_usual = !like.negated && !like.case_insensitive && like.escape_char.is_none();
        (is_body && is_plain && is_usual).then(|| needle.to_owned())
    }

    /// Bounds around all numbers that fulfil the condition: an attribute is one of several numbers, or within one of several bounds.
    fn hull(self, expr: &Expr) -> Option<Condition> {
        let mut numbers: Vec<Condition> = Vec::new();
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                for side in [left, right] {
                    numbers.push(self.condition(side).or_else(|| self.hull(side))?);
                }
            }
            Expr::InList(list) if !list.negated => {
                let column = self.target(&list.expr).filter(|column| !is_text(column))?;
                for item in &list.list {
                    let Expr::Literal(value, _) = item else { return None };
                    numbers.push(comparison(column.clone(), Operator::Eq, value)?);
                }
            }
            _ => return None,
        }
        numbers.into_iter().map(Some).reduce(|all, one| around(all?, one?))?
    }
}

fn is_text(column: &ScanColumn) -> bool {
    matches!(
        column,
        ScanColumn::TraceId
            | ScanColumn::Service
            | ScanColumn::Name
            | ScanColumn::Kind
            | ScanColumn::StatusCode
            | ScanColumn::Attribute { form: AttributeForm::Text, .. }
    )
}

/// Bounds around two bounds on the same attribute.
fn around(left: Condition, right: Condition) -> Option<Condition> {
    let (Condition::Attribute(left), Condition::Attribute(right)) = (left, right) else { return None };
    let (AttributeTest::NumberIn(a), AttributeTest::NumberIn(b)) = (&left.test, &right.test) else { return None };
    if left.place != right.place || left.key != right.key {
        return None;
    }
    let least = if a.start().total_cmp(b.start()).is_lt() { a.start() } else { b.start() };
    let most = if a.end().total_cmp(b.end()).is_gt() { a.end() } else { b.end() };
    let test = AttributeTest::NumberIn(*least..=*most);
    Some(Condition::Attribute(AttributeCondition { test, ..left }))
}

fn boolean(column: ScanColumn, wanted: bool) -> Option<Condition> {
    match column {
        ScanColumn::Attribute { place, key, form: AttributeForm::Bool } => {
            Some(Condition::Attribute(AttributeCondition { place, key, test: AttributeTest::Is(wanted) }))
        }
        _ => None,
    }
}

fn text_in(column: ScanColumn, texts: Vec<String>) -> Option<Condition> {
    match column {
        ScanColumn::Attribute { place, key, .. } => {
            Some(Condition::Attribute(AttributeCondition { place, key, test: AttributeTest::TextIn(texts) }))
        }
        column => Some(Condition::TextIn(column, texts)),
    }
}

/// One of two conditions, where both are lists of texts for the same column.
fn union(left: Condition, right: Condition) -> Option<Condition> {
    match (left, right) {
        (Condition::TextIn(column, mut texts), Condition::TextIn(other, more)) if column == other => {
            texts.extend(more);
            Some(Condition::TextIn(column, texts))
        }
        (Condition::Attribute(mut left), Condition::Attribute(right))
            if left.place == right.place && left.key == right.key =>
        {
            match (&mut left.test, right.test) {
                (AttributeTest::TextIn(texts), AttributeTest::TextIn(more)) => texts.extend(more),
                _ => return None,
            }
            Some(Condition::Attribute(left))
        }
        _ => None,
    }
}

/// Both of two bounds on the same column.
fn both(low: Condition, high: Condition) -> Option<Condition> {
    match (low, high) {
        (Condition::Within(column, low), Condition::Within(_, high)) => {
            Some(Condition::Within(column, meet(&low, &high)))
        }
        (Condition::Attribute(low), Condition::Attribute(high)) => match (&low.test, &high.test) {
            (AttributeTest::NumberIn(a), AttributeTest::NumberIn(b)) => {
                let test = AttributeTest::NumberIn(a.start().max(*b.start())..=a.end().min(*b.end()));
                Some(Condition::Attribute(AttributeCondition { test, ..low }))
            }
            _ => None,
        },
        _ => None,
    }
}

fn comparison(column: ScanColumn, op: Operator, value: &ScalarValue) -> Option<Condition> {
    if is_text(&column) {
        let text = value.try_as_str()??;
        return if op == Operator::Eq { text_in(column, vec![text.to_owned()]) } else { None };
    }
    match (column, value) {
        (column @ (ScanColumn::StartTime | ScanColumn::Time), ScalarValue::TimestampNanosecond(Some(ns), _)) => {
            whole_bounds(op, *ns).map(|bounds| Condition::Within(column, bounds))
        }
        (ScanColumn::Duration, ScalarValue::Int64(Some(ns))) => {
            whole_bounds(op, *ns).map(|bounds| Condition::Within(ScanColumn::Duration, bounds))
        }
        (ScanColumn::Attribute { place, key, form: AttributeForm::Number }, ScalarValue::Float64(Some(number))) => {
            number_condition(place, key, op, *number)
        }
        (column @ ScanColumn::Attribute { form: AttributeForm::Bool, .. }, ScalarValue::Boolean(Some(wanted))) => {
            match op {
                Operator::Eq => boolean(column, *wanted),
                Operator::NotEq => boolean(column, !*wanted),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Bounds on a column of numbers that SQL shows as signed: those beyond the largest (from the year 2262 on) as the largest.
fn whole_bounds(op: Operator, number: i64) -> Option<RangeInclusive<u64>> {
    const NOTHING: RangeInclusive<u64> = RangeInclusive::new(1, 0);
    let at_least = |from: i64| from.max(0) as u64..=u64::MAX;
    let at_most = |to: i64| match to {
        i64::MAX => 0..=u64::MAX,
        to => u64::try_from(to).map_or(NOTHING, |to| 0..=to),
    };
    Some(match op {
        Operator::Eq => meet(&at_least(number), &at_most(number)),
        Operator::GtEq => at_least(number),
        Operator::Gt => number.checked_add(1).map_or(NOTHING, at_least),
        Operator::LtEq => at_most(number),
        Operator::Lt => number.checked_sub(1).map_or(NOTHING, at_most),
        _ => return None,
    })
}

fn number_condition(place: Place, key: String, op: Operator, number: f64) -> Option<Condition> {
    // SQL compares in total order, as the scan does.
    const LOWEST: f64 = f64::from_bits(u64::MAX);
    const HIGHEST: f64 = f64::from_bits(u64::MAX >> 1);
    let bounds = match op {
        Operator::Eq => number..=number,
        Operator::LtEq => LOWEST..=number,
        Operator::Lt => LOWEST..=neighbour(number, -1)?,
        Operator::GtEq => number..=HIGHEST,
        Operator::Gt => neighbour(number, 1)?..=HIGHEST,
        _ => return None,
    };
    Some(Condition::Attribute(AttributeCondition { place, key, test: AttributeTest::NumberIn(bounds) }))
}

/// The next double in total order, above or below.
fn neighbour(number: f64, step: i64) -> Option<f64> {
    // The order of doubles is that of these numbers.
    let rank = |bits: i64| bits ^ ((bits >> 63) as u64 >> 1) as i64;
    rank(number.to_bits() as i64).checked_add(step).map(|next| f64::from_bits(rank(next) as u64))
}
