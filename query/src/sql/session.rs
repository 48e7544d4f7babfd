//! One query's DataFusion session: our tables, no files, functions that cannot outgrow their input, its own memory and disk.

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use datafusion::{
    common::Result,
    execution::{
        SessionStateBuilder, SessionStateDefaults,
        context::SessionContext,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::ScalarUDF,
    prelude::SessionConfig,
    sql::sqlparser::ast::Statement,
};
use futures_util::FutureExt;

use super::{
    config::SqlConfig,
    error::SqlError,
    growing::{JoinPlanner, bounded},
    memory::QueryMemory,
    names::{self, Known},
    table::{self, Readers, Tables},
};

/// Parts in which a query runs at the same time.
const PARTITIONS: usize = 2;

/// What a sort sets aside for merging is at most one part in so many of a query's memory.
const SORTS_SHARE: usize = 16;

/// Functions whose result may be larger than what they are given by any factor, or that make values of any size and type.
const LEFT_OUT: [&str; 13] = [
    "approx_percentile_cont_with_weight",
    "array_repeat",
    "array_resize",
    "arrow_cast",
    "arrow_try_cast",
    "generate_series",
    "list_repeat",
    "list_resize",
    "lpad",
    "range",
    "repeat",
    "rpad",
    "space",
];

static FUNCTIONS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions
        .retain(|function| !is_left_out(function.name()) && !function.aliases().iter().any(|alias| is_left_out(alias)));
    functions.into_iter().map(bounded).collect()
});

/// Whether DataFusion has a function of this name, but not here.
pub(super) fn is_left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name)
}

/// Resolves the names of a statement.
pub(super) fn resolve(context: &SessionContext, statement: &mut Statement) -> Result<(), SqlError> {
    let state = context.state();
    let mut tables = Vec::new();
    for name in table::names() {
        let is_there = context.table_exist(name)?;
        let table = is_there.then(|| context.table_provider(name).now_or_never()).flatten().transpose()?;
        let columns = table.map(|table| table.schema().fields().iter().map(|field| field.name().clone()).collect());
        tables.push((name.to_owned(), columns.unwrap_or_default()));
    }
    let known = Known {
        tables,
        functions: &|| {
            let scalar = state.scalar_functions().keys().chain(state.higher_order_functions().keys());
            let grouping = state.aggregate_functions().keys().chain(state.window_functions().keys());
            scalar.chain(grouping).cloned().collect()
        },
        is_function: &|name| {
            state.scalar_functions().contains_key(name)
                || state.aggregate_functions().contains_key(name)
                || state.window_functions().contains_key(name)
                || state.higher_order_functions().contains_key(name)
        },
    };
    Ok(names::resolve(statement, &known)?)
}

/// A session that knows these tables and nothing else.
pub(super) fn open(
    limits: &SqlConfig,
    spill_folder: PathBuf,
    readers: &Arc<Readers>,
    tables: Tables,
) -> Result<SessionContext> {
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![spill_folder]))
        .with_max_temp_directory_size(limits.spill_bytes_max.get() as u64);
    let with_disk = |disk| {
        let pool = QueryMemory::pool(limits.memory_bytes_max.get());
        RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build_arc()
    };
    // A full disk has no room for the query's folder: what fits into memory is answered all the same.
    let without = || DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = with_disk(disk).or_else(|_| with_disk(without()))?;
    let mut config = SessionConfig::new().with_target_partitions(PARTITIONS).with_information_schema(false);
    config.set_extension(readers.clone());
    // It allocates for as many rows as LIMIT names before it has seen one.
    config.options_mut().optimizer.enable_topk_aggregation = false;
    // Each sort sets so much aside for merging, of which a join on disk has four.
    let set_aside = limits.memory_bytes_max.get() / SORTS_SHARE;
    let execution = &mut config.options_mut().execution;
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(set_aside);
    let mut aggregates = SessionStateDefaults::default_aggregate_functions();
    aggregates.retain(|function| !is_left_out(function.name()));
    let mut planners = SessionStateDefaults::default_expr_planners();
    planners.push(Arc::new(JoinPlanner));
    // No table factories, no file formats, no functions in FROM: nothing that could open a file.
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(planners)
        .with_scalar_functions(FUNCTIONS.clone())
        .with_aggregate_functions(aggregates)
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .build();
    let context = SessionContext::new_with_state(state);
    table::register(&context);
    for (name, table) in tables {
        context.register_table(name, table)?;
    }
    Ok(context)
}
