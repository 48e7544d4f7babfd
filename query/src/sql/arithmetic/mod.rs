//! Arithmetic that is never silently wrong: texts beside numbers are read as numbers, and integers do not wrap around.

mod checked;
mod spelled;
mod sum;
mod texts;

use std::sync::Arc;

use datafusion::{
    execution::{FunctionRegistry, SessionState},
    functions_aggregate::{average::avg_udaf, sum::sum_udaf},
    logical_expr::planner::ExprPlanner,
};

/// What plans a binary operator before DataFusion does.
pub(super) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(texts::TextsBesideNumbers)
}

/// Puts `sum` and `avg` in the place of DataFusion's, and the rules beside its own.
pub(super) fn register(state: &mut SessionState) {
    for function in [sum::whole(sum_udaf()), sum::whole(avg_udaf())] {
        state.register_udaf(Arc::new(function)).expect("functions are only added");
    }
    // In this order: what was a text is a float afterwards.
    state.register_function_rewrite(Arc::new(texts::TextsBesideNumbers)).expect("rules are only added");
    state.register_function_rewrite(Arc::new(checked::CheckedArithmetic)).expect("rules are only added");
}
