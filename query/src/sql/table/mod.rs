//! The tables `spans` and `logs`: a snapshot's rows as SQL.
//!
//! [`columns`] has the tables and their columns; [`filter`] turns conditions into what the store's scan evaluates by itself; [`exec`] and [`parts`] read the parts.
//! `attributes['key']` is a function call that travels down to the scan, which reads that key only.

mod access;
mod aggregate;
mod columns;
mod exec;
mod filter;
mod floor;
mod histogram;
mod newest;
mod parts;
mod percentile;
mod provider;

use std::sync::Arc;

use datafusion::{
    catalog::TableProvider,
    execution::{FunctionRegistry, SessionStateBuilder},
    logical_expr::{AggregateUDF, ScalarUDF, planner::ExprPlanner},
    prelude::SessionContext,
};
use weir_proto::TenantId;

use super::{arithmetic, stop::Stop};

pub(super) use access::AttributeFunction;
#[cfg(test)]
pub(crate) use columns::as_of_table;
pub(super) use columns::{column_of_table, is_fixed_text};
pub(super) use exec::PARTS_DAMAGED;
pub(super) use parts::Readers;

/// Tables by their names.
pub(crate) type Tables = Vec<(&'static str, Arc<dyn TableProvider>)>;

/// The tables of a tenant, all as of the snapshot, without what begins after `until_ns` (Unix ns); planning what to read
/// ends when `stop` says so.
pub(crate) fn tables(
    snapshot: &weir_store::Snapshot,
    tenant: &TenantId,
    until_ns: Option<u64>,
    stop: &Arc<Stop>,
) -> Tables {
    let provider = |table: &'static columns::Table| -> Arc<dyn TableProvider> {
        let rows = (snapshot.clone(), tenant.clone(), until_ns.unwrap_or(u64::MAX));
        Arc::new(provider::SignalTable::new(table, rows, Arc::clone(stop)))
    };
    columns::TABLES.iter().map(|table| (table.name, provider(table))).collect()
}

/// The names of all tables.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    columns::TABLES.iter().map(|table| table.name)
}

/// Adds what queries on the table need: `attributes['key']`, `attr_num`, `attr_bool`, `p50` … `p99`, `approx_percentile`, arithmetic, and the rules
/// that make top-k and grouped queries quick.
pub(crate) fn register(context: &SessionContext) {
    let state = context.state_ref();
    let mut state = state.write();
    // At the front: the planners that are there take any access for one to a struct or list.
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(access::AttributePlanner), arithmetic::planner()];
    planners.extend(state.expr_planners().iter().cloned());
    let mut next = SessionStateBuilder::new_from_existing(state.clone())
        .with_expr_planners(planners)
        .with_physical_optimizer_rule(Arc::new(newest::NewestFirst))
        .with_physical_optimizer_rule(Arc::new(aggregate::GroupByCodes))
        .build();
    for function in access::functions() {
        next.register_udf(Arc::new(ScalarUDF::new_from_shared_impl(function))).expect("functions are only added");
    }
    for function in percentile::functions() {
        next.register_udaf(Arc::new(AggregateUDF::new_from_shared_impl(function))).expect("functions are only added");
    }
    arithmetic::register(&mut next);
    *state = next;
}

#[cfg(test)]
pub(crate) mod tests;
