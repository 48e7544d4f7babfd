//! Which parts of SQL are let through, and how deep its trees may be.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, GroupByExpr, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor,
};

use super::Refused;

/// Expressions within expressions; `a OR b OR c` is three deep.
pub(super) const EXPRESSION_DEPTH_MAX: usize = 256;

/// Queries within queries.
const QUERY_DEPTH_MAX: usize = 16;

/// UNION, EXCEPT and INTERSECT.
const SET_OPERATIONS_MAX: usize = 64;

/// Regular expressions: one may take a tenth of a second to compile, and nothing can interrupt that.
const REGEXES_MAX: usize = 16;

/// Names and brackets behind one another, as in `a.b['c'][1]`.
const PATH_MAX: usize = 16;

/// Columns of a CUBE, which groups by every subset of them; at most one per query.
const CUBE_MAX: usize = 8;

/// What SHOW and DESCRIBE ask for.
const TABLES: &str = "only SELECT, WITH, VALUES and EXPLAIN are answered; the tables are spans and logs, and \
    SELECT * FROM spans LIMIT 1 shows the columns";

/// Refuses what is not offered and what is too deep.
pub(super) fn check(statement: &Statement) -> Result<(), Refused> {
    let mut shape = Shape::default();
    match statement.visit(&mut shape) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(refused),
    }
}

/// What was seen so far.
#[derive(Default)]
struct Shape {
    statements: usize,
    expressions_open: usize,
    queries_open: usize,
    set_operations: usize,
    regexes: usize,
    cubes: usize,
}

type Flow = ControlFlow<Refused>;

fn unsupported(what: &'static str) -> Flow {
    ControlFlow::Break(Refused::Unsupported(what))
}

fn within(count: usize, max: usize, what: &'static str) -> Flow {
    if count > max { ControlFlow::Break(Refused::TooMuch { what, max: max as u64 }) } else { ControlFlow::Continue(()) }
}

impl Visitor for Shape {
    type Break = Refused;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        self.statements += 1;
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            // Only outermost: what it explains is the second statement.
            Statement::Explain { .. } if self.statements == 1 => ControlFlow::Continue(()),
            Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ExplainTable { .. } => ControlFlow::Break(Refused::Unknown(TABLES.to_owned())),
            _ => ControlFlow::Break(Refused::NotAQuestion),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        self.queries_open += 1;
        within(self.queries_open, QUERY_DEPTH_MAX, "queries within queries")?;
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            return unsupported("WITH RECURSIVE");
        }
        if !query.locks.is_empty() {
            return unsupported("FOR UPDATE");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return unsupported("FOR, SETTINGS or FORMAT after a query");
        }
        if !query.pipe_operators.is_empty() {
            return unsupported("|>");
        }
        // Before the visitor follows the chain to its end.
        self.set_operations += set_operations(&query.body);
        within(self.set_operations, SET_OPERATIONS_MAX, "UNION, EXCEPT and INTERSECT")
    }

    fn post_visit_query(&mut self, _: &Query) -> Flow {
        self.queries_open -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        if select.into.is_some() {
            return unsupported("INTO");
        }
        if !select.lateral_views.is_empty() || !select.connect_by.is_empty() {
            return unsupported("LATERAL VIEW or CONNECT BY");
        }
        if let GroupByExpr::Expressions(_, modifiers) | GroupByExpr::All(modifiers) = &select.group_by
            && !modifiers.is_empty()
        {
            return unsupported("WITH after GROUP BY");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        match factor {
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. } => unsupported("a function in FROM"),
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                unsupported("TABLESAMPLE")
            }
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            _ => unsupported("this kind of table"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.expressions_open += 1;
        within(self.expressions_open, EXPRESSION_DEPTH_MAX, "expressions within expressions")?;
        if is_regex(expr) {
            self.regexes += 1;
            within(self.regexes, REGEXES_MAX, "regular expressions")?;
        }
        match expr {
            // DataFusion makes an array of that length of every NULL.
            Expr::Cast { data_type, .. } if !is_plain(data_type) => unsupported("a cast to nested or sized arrays"),
            // Flat for the parser, nested for the planner.
            Expr::CompoundFieldAccess { access_chain, .. } => within(access_chain.len(), PATH_MAX, "steps of one path"),
            Expr::CompoundIdentifier(names) => within(names.len(), PATH_MAX, "steps of one path"),
            Expr::Cube(sets) | Expr::Rollup(sets) | Expr::GroupingSets(sets) => {
                self.cubes += 1;
                within(self.cubes, 1, "CUBE, ROLLUP and GROUPING SETS")?;
                within(sets.len(), CUBE_MAX, "columns in CUBE, ROLLUP or GROUPING SETS")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> Flow {
        self.expressions_open -= 1;
        ControlFlow::Continue(())
    }
}

/// UNION and the like in one body; without recursion along its left side, which may be as long as the text.
fn set_operations(body: &SetExpr) -> usize {
    let mut operations = 0;
    let mut left = body;
    while let SetExpr::SetOperation { left: next, right, .. } = left {
        operations += 1 + set_operations(right);
        left = next;
    }
    operations
}

/// A type without others in it, or an array of such without a size.
fn is_plain(data_type: &DataType) -> bool {
    let inner = match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(inner, None))
        | DataType::Array(ArrayElemTypeDef::AngleBracket(inner) | ArrayElemTypeDef::Parenthesis(inner)) => inner,
        other => other,
    };
    use DataType as T;
    !matches!(
        inner,
        T::Array(_)
            | T::Struct(..)
            | T::Map(..)
            | T::Tuple(_)
            | T::Nested(_)
            | T::Nullable(_)
            | T::LowCardinality(_)
            | T::FixedString(_)
    )
}

fn is_regex(expr: &Expr) -> bool {
    use datafusion::sql::sqlparser::ast::BinaryOperator as Op;
    match expr {
        Expr::SimilarTo { .. } | Expr::RLike { .. } => true,
        Expr::BinaryOp { op, .. } => {
            matches!(op, Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch | Op::Regexp)
        }
        Expr::Function(function) => function.name.to_string().to_ascii_lowercase().starts_with("regexp_"),
        _ => false,
    }
}
