//! What a top-k or a join has learnt while a scan runs: rows that start before some time are not wanted any more.

use std::sync::Arc;

use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, IsNullExpr, Literal},
    },
};

/// The start, Unix ns, before which no row fulfils the expression, as far as that can be told; `start` is the index of the column.
pub(super) fn start_floor_ns(expr: &Arc<dyn PhysicalExpr>, start: usize) -> u64 {
    u64::try_from(floor(expr, start).unwrap_or(0)).unwrap_or(0)
}

/// Nothing before the answer fulfils the expression; `None` when that says nothing.
fn floor(expr: &Arc<dyn PhysicalExpr>, start: usize) -> Option<i64> {
    if let Some(dynamic) = expr.downcast_ref::<DynamicFilterPhysicalExpr>() {
        return floor(&dynamic.current().ok()?, start);
    }
    if let Some(is_null) = expr.downcast_ref::<IsNullExpr>() {
        // A span always has a start.
        return is_column(is_null.arg(), start).then_some(i64::MAX);
    }
    let binary = expr.downcast_ref::<BinaryExpr>()?;
    match binary.op() {
        Operator::And => floor(binary.left(), start).max(floor(binary.right(), start)),
        Operator::Or => Some(floor(binary.left(), start)?.min(floor(binary.right(), start)?)),
        Operator::Gt | Operator::GtEq | Operator::Eq if is_column(binary.left(), start) => {
            match binary.right().downcast_ref::<Literal>()?.value() {
                ScalarValue::TimestampNanosecond(ns, _) => *ns,
                _ => None,
            }
        }
        _ => None,
    }
}

fn is_column(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    expr.downcast_ref::<Column>().is_some_and(|column| column.index() == index)
}
