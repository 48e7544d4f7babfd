//! Columns of one name get `_2`, `_3` …, and expressions without a name are called what was written.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, OrderByExpr, Select, SelectItem};

use super::scope::{Column, Columns, Item, ItemKind, Items, Scope, items};

/// The columns that the SELECT gives once [`name`] was there.
pub(super) fn given(select: &Select, scope: &Scope) -> Columns {
    let items = items(select, scope);
    if !items.whole {
        return None;
    }
    let names = names(&items);
    let columns = items.items.into_iter().zip(names);
    Some(columns.map(|(item, name)| Column { name, natural: item.natural }).collect())
}

/// DISTINCT is ordered by columns only: an expression that is one of them is called by its name.
pub(super) fn order(select: &Select, scope: &Scope, by: &mut [OrderByExpr]) {
    if select.distinct.is_none() {
        return;
    }
    let items = items(select, scope);
    let names = names(&items);
    for order in by {
        let is_it = |item: &Item| {
            item.kind == ItemKind::Unnamed
                && matches!(&select.projection[item.at], SelectItem::UnnamedExpr(expr) if *expr == order.expr)
        };
        if let Some((_, name)) = items.items.iter().zip(&names).find(|(item, _)| is_it(item)) {
            order.expr = Expr::Identifier(quoted(name));
        }
    }
}

/// Names the columns of a SELECT apart; what they are called now, and whether that is another name than a column of FROM has.
pub(super) fn name(select: &mut Select, scope: &Scope) -> Vec<(String, bool)> {
    let items = items(select, scope);
    let names = names(&items);
    let mut named = Vec::with_capacity(select.projection.len());
    let mut columns = items.items.iter().zip(&names).peekable();
    for (at, item) in std::mem::take(&mut select.projection).into_iter().enumerate() {
        let mut of_item = Vec::new();
        while let Some(column) = columns.next_if(|(item, _)| item.at == at) {
            of_item.push(column);
        }
        match item {
            SelectItem::UnnamedExpr(expr) => match of_item.first() {
                Some((item, name)) if item.kind == ItemKind::Unnamed || item.natural != **name => {
                    named.push(aliased(expr, name))
                }
                _ => named.push(SelectItem::UnnamedExpr(expr)),
            },
            SelectItem::ExprWithAlias { expr, alias } => match of_item.first() {
                Some((item, name)) if item.natural != **name => named.push(aliased(expr, name)),
                _ => named.push(SelectItem::ExprWithAlias { expr, alias }),
            },
            star => {
                // Only where one of its columns has to be called something else.
                if of_item.iter().all(|(item, name)| item.natural == **name) {
                    named.push(star);
                    continue;
                }
                for (item, name) in of_item {
                    let relation = item.relation.and_then(|relation| scope.relations[relation].name.as_deref());
                    let column = quoted(&item.natural);
                    let expr = match relation {
                        Some(relation) => Expr::CompoundIdentifier(vec![quoted(relation), column]),
                        None => Expr::Identifier(column),
                    };
                    let is_same = item.natural == *name;
                    named.push(if is_same { SelectItem::UnnamedExpr(expr) } else { aliased(expr, name) });
                }
            }
        }
    }
    select.projection = named;
    let is_own = |item: &Item, name: &String| item.kind != ItemKind::Column || item.natural != *name;
    let is_own: Vec<bool> = items.items.iter().zip(&names).map(|(item, name)| is_own(item, name)).collect();
    names.into_iter().zip(is_own).collect()
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn aliased(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: quoted(name) }
}

/// The first of a name keeps it.
fn names(items: &Items) -> Vec<String> {
    let mut taken: HashSet<String> = items.items.iter().map(|item| item.natural.clone()).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut names = Vec::with_capacity(items.items.len());
    for item in &items.items {
        names.push(if seen.insert(&item.natural) { item.natural.clone() } else { numbered(&item.natural, &mut taken) });
    }
    names
}

/// The name with the first number that is free.
pub(in crate::sql) fn numbered(name: &str, taken: &mut HashSet<String>) -> String {
    let mut number = 2;
    loop {
        let numbered = format!("{name}_{number}");
        if taken.insert(numbered.clone()) {
            return numbered;
        }
        number += 1;
    }
}
