//! How large a query becomes when its names are replaced by what they stand for, as the planner does.
//!
//! `WITH a AS (… FROM spans), b AS (… FROM a, a), c AS (… FROM b, b)` is short and reads `spans` four times; so does a
//! column that is computed from another one twice, over and over.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins,
    Visit, Visitor, visit_expressions,
};

use super::Refused;

/// Tables read, counting one as often as it is used.
const SCANS_MAX: u64 = 64;

/// Columns read by one output column, counting through every query between it and the table.
const READS_MAX: u64 = 5_000;

/// Queries between the outermost and a table.
const LEVELS_MAX: u64 = 64;

/// What a query or a table costs.
#[derive(Debug, Clone, Copy)]
struct Weight {
    scans: u64,
    reads: u64,
    levels: u64,
}

/// A table, or a row of literals.
const ONE: Weight = Weight { scans: 1, reads: 1, levels: 1 };

/// Refuses what becomes too large. The statement's own depth must have been checked.
pub(super) fn check(statement: &Statement) -> Result<(), Refused> {
    weigh(statement).1
}

/// Also how many queries were looked at, one as often as it was.
fn weigh(statement: &Statement) -> (u64, Result<(), Refused>) {
    let query = match statement {
        Statement::Query(query) => query,
        Statement::Explain { statement, .. } => return weigh(statement),
        _ => return (0, Ok(())),
    };
    let mut names = Names::default();
    let weight = names.query(query);
    for (count, max, what) in [
        (weight.scans, SCANS_MAX, "tables, counting one as often as it is used"),
        (weight.reads, READS_MAX, "columns behind one column, counting one as often as it is used"),
        (weight.levels, LEVELS_MAX, "queries that read from one another"),
    ] {
        if count > max {
            return (names.queries, Err(Refused::TooMuch { what, max }));
        }
    }
    (names.queries, Ok(()))
}

/// What is known on the way.
#[derive(Default)]
struct Names {
    /// What the names in WITH stand for, innermost last.
    known: Vec<(String, Weight)>,
    /// Queries looked at.
    queries: u64,
}

impl Weight {
    /// Both at a time.
    fn beside(self, other: Self) -> Self {
        Self {
            scans: self.scans.saturating_add(other.scans),
            reads: self.reads.max(other.reads),
            levels: self.levels.max(other.levels),
        }
    }
}

impl Names {
    fn query(&mut self, query: &Query) -> Weight {
        self.queries += 1;
        let known = self.known.len();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let weight = self.query(&cte.query);
            self.known.push((cte.alias.name.value.to_lowercase(), weight));
        }
        let mut weight = self.body(&query.body);
        weight.scans = weight.scans.saturating_add(self.subqueries(&query.order_by));
        weight.scans = weight.scans.saturating_add(self.subqueries(&query.limit_clause));
        self.known.truncate(known);
        weight
    }

    fn body(&mut self, body: &SetExpr) -> Weight {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let both = self.body(left).beside(self.body(right));
                Weight { levels: both.levels + 1, ..both }
            }
            other => Weight { scans: ONE.scans.saturating_add(self.subqueries(other)), ..ONE },
        }
    }

    fn select(&mut self, select: &Select) -> Weight {
        let mut from = Weight { scans: 0, reads: 1, levels: 0 };
        for table in &select.from {
            from = from.beside(self.joined(table));
        }
        let mut scans = from.scans.max(1).saturating_add(self.subqueries(&select.projection));
        scans = scans.saturating_add(self.subqueries(&select.selection));
        scans = scans.saturating_add(self.subqueries(&select.having)).saturating_add(self.subqueries(&select.qualify));
        scans = scans.saturating_add(self.subqueries(&select.group_by));
        let mut columns = 1;
        match &select.group_by {
            // What an aggregate computes is not computed again further out: only what is grouped by is looked through.
            GroupByExpr::Expressions(groups, _) if !groups.is_empty() => {
                for group in groups {
                    columns = columns.max(columns_read(group));
                }
            }
            _ => {
                for item in &select.projection {
                    columns = columns.max(match item {
                        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => columns_read(expr),
                        _ => 1,
                    });
                }
            }
        }
        Weight { scans, reads: from.reads.saturating_mul(columns), levels: from.levels + 1 }
    }

    fn joined(&mut self, table: &TableWithJoins) -> Weight {
        let mut weight = self.table(&table.relation);
        for join in &table.joins {
            weight = weight.beside(self.table(&join.relation));
            weight.scans = weight.scans.saturating_add(self.subqueries(&join.join_operator));
        }
        weight
    }

    fn table(&mut self, factor: &TableFactor) -> Weight {
        match factor {
            TableFactor::Table { name, .. } => {
                let Some(ObjectNamePart::Identifier(name)) = name.0.last() else { return ONE };
                let name = name.value.to_lowercase();
                self.known.iter().rev().find(|(known, _)| *known == name).map_or(ONE, |(_, weight)| *weight)
            }
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins),
            _ => ONE,
        }
    }

    /// Tables read by the queries within expressions.
    fn subqueries(&mut self, node: &impl Visit) -> u64 {
        let mut subqueries = Subqueries { names: self, open: 0, scans: 0 };
        let _: ControlFlow<()> = node.visit(&mut subqueries);
        subqueries.scans
    }
}

/// Counts the outermost queries within expressions; what is within them they count themselves.
struct Subqueries<'n> {
    names: &'n mut Names,
    open: usize,
    scans: u64,
}

impl Visitor for Subqueries<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.open == 0 {
            self.scans = self.scans.saturating_add(self.names.query(query).scans);
            if self.scans > SCANS_MAX {
                return ControlFlow::Break(());
            }
        }
        self.open += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.open -= 1;
        ControlFlow::Continue(())
    }
}

/// Columns that an expression names.
fn columns_read(expr: &Expr) -> u64 {
    let mut columns = 0;
    let _: ControlFlow<()> = visit_expressions(expr, |expr| {
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            columns += 1;
        }
        ControlFlow::Continue(())
    });
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::guard::tokens;

    fn weighed(text: &str) -> (u64, Result<(), Refused>) {
        weigh(&tokens::parse(tokens::read(text).expect("tokens")).expect("one statement"))
    }

    fn nested(depth: usize, innermost: &str) -> String {
        let level = "SELECT span_id FROM spans WHERE span_id IN (";
        format!("{}{innermost}{}", level.repeat(depth), ")".repeat(depth))
    }

    #[test]
    fn each_query_is_looked_at_once() {
        assert_eq!(weighed(&nested(8, "SELECT span_id FROM spans")), (9, Ok(())));
        assert_eq!(weighed("SELECT (SELECT 1), EXISTS (SELECT 2) FROM (SELECT 3) t"), (4, Ok(())));
        let array =
            "SELECT ARRAY(SELECT 1), 1 = ANY(SELECT 2) GROUP BY (SELECT 3) ORDER BY (SELECT 4) LIMIT (SELECT 5)";
        assert_eq!(weighed(array), (6, Ok(())));
    }

    #[test]
    fn what_is_too_much_is_not_looked_at_to_its_end() {
        let innermost = format!("SELECT {}1", "(SELECT 1),".repeat(1_900));
        let (queries, result) = weighed(&nested(14, &innermost));
        assert!(result.is_err() && queries < 100, "{queries}: {result:?}");
        let values = format!("VALUES ({}1)", "(SELECT 1),".repeat(100));
        assert!(weighed(&values).1.is_err());
    }
}
