//! Which columns a query sees and which it gives, as far as its text alone tells.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions, With,
};

use super::apart;

/// Columns of one SELECT. Names that double in every query of a chain are short to write.
pub(super) const COLUMNS_MAX: usize = 4_096;

/// A column of a table or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// What it is called.
    pub(super) name: String,
    /// What it would be called, were it the only one of that name.
    pub(super) natural: String,
}

/// The columns of something; `None` where the text does not tell.
pub(super) type Columns = Option<Vec<Column>>;

/// Something in FROM.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// What it is called there.
    pub(super) name: Option<String>,
    /// The stored table that it is.
    pub(super) table: Option<String>,
    pub(super) columns: Columns,
}

/// What one SELECT reads from.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
    /// Whether a join leaves columns out, or makes one of two.
    pub(super) merges: bool,
    /// Columns that `USING` made one of two, with the relation that has the value of every row, where one has.
    pub(super) merged: Vec<(String, Option<String>)>,
    /// Names that it gives its columns by AS, which ORDER BY and GROUP BY may use.
    pub(super) given: Vec<String>,
    /// All names of its columns.
    pub(super) names: Vec<String>,
}

/// What the names of tables stand for.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// What there is, with its columns.
    pub(super) stored: Vec<(String, Vec<String>)>,
    /// Names in WITH, innermost last.
    pub(super) with: Vec<(String, Columns)>,
}

/// As it is looked up: without quotes the case does not matter.
pub(super) fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn last(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(normal)
}

fn columns<S: AsRef<str>>(names: &[S]) -> Vec<Column> {
    let column = |name: &S| Column { name: name.as_ref().to_owned(), natural: name.as_ref().to_owned() };
    names.iter().map(column).collect()
}

impl Tables {
    /// Adds what WITH names; how many there were before.
    pub(super) fn enter(&mut self, with: Option<&With>) -> usize {
        let before = self.with.len();
        for cte in with.iter().flat_map(|with| &with.cte_tables) {
            let name = normal(&cte.alias.name);
            // Inside its own query such a name still means what it hides: which columns it has is left to the planner.
            let is_hiding = self.columns_of(&name).is_some() || self.with.iter().any(|(known, _)| *known == name);
            let of_query = self.given_by(&cte.query);
            self.with.push((name, if is_hiding { None } else { renamed(of_query, &cte.alias) }));
        }
        before
    }

    /// Whether a table is called so.
    pub(super) fn has(&self, name: &ObjectName) -> bool {
        let parts: Option<Vec<_>> = name.0.iter().map(|part| part.as_ident().map(normal)).collect();
        let parts = parts.unwrap_or_default();
        match parts.as_slice() {
            [only] => self.columns_of(only).is_some() || self.with.iter().any(|(known, _)| known == only),
            [schema, table] => schema == "public" && self.columns_of(table).is_some(),
            [catalog, schema, table] => {
                catalog == "datafusion" && schema == "public" && self.columns_of(table).is_some()
            }
            _ => false,
        }
    }

    /// The columns of what is stored by this name.
    fn columns_of(&self, table: &str) -> Option<&Vec<String>> {
        self.stored.iter().find(|(name, _)| name == table).map(|(_, columns)| columns)
    }

    /// The columns that a query gives.
    pub(super) fn given_by(&mut self, query: &Query) -> Columns {
        let before = self.enter(query.with.as_ref());
        let given = self.given_by_body(&query.body);
        self.with.truncate(before);
        given
    }

    fn given_by_body(&mut self, body: &SetExpr) -> Columns {
        match body {
            SetExpr::Select(select) => {
                let scope = self.scope(&select.from);
                apart::given(select, &scope)
            }
            SetExpr::Query(query) => self.given_by(query),
            SetExpr::SetOperation { left, .. } => self.given_by_body(left),
            SetExpr::Values(values) => {
                let count = values.rows.first()?.content.len();
                Some(columns(&(1..=count).map(|n| format!("column{n}")).collect::<Vec<_>>()))
            }
            _ => None,
        }
    }

    /// What FROM makes visible.
    pub(super) fn scope(&mut self, from: &[TableWithJoins]) -> Scope {
        let mut scope = Scope::default();
        for table in from {
            self.add(table, &mut scope);
        }
        scope
    }

    fn add(&mut self, table: &TableWithJoins, scope: &mut Scope) {
        self.add_one(&table.relation, scope);
        for Join { relation, join_operator, .. } in &table.joins {
            let left = scope.relations.len();
            self.add_one(relation, scope);
            scope.merges |= merges(join_operator);
            scope.merge(join_operator, left);
        }
    }

    fn add_one(&mut self, factor: &TableFactor, scope: &mut Scope) {
        let mut stored_as = None;
        let (name, columns, alias) = match factor {
            TableFactor::Table { name, alias, .. } => {
                let table = last(name).unwrap_or_default();
                let known = self.with.iter().rev().find(|(known, _)| *known == table && name.0.len() == 1);
                let columns = match known {
                    Some((_, columns)) => columns.clone(),
                    None => {
                        stored_as = Some(table.clone());
                        self.columns_of(&table).map(|stored| columns(stored))
                    }
                };
                (Some(table), columns, alias)
            }
            TableFactor::Derived { subquery, alias, .. } => (None, self.given_by(subquery), alias),
            TableFactor::NestedJoin { table_with_joins, alias: None } => return self.add(table_with_joins, scope),
            other => (None, None, alias_of(other)),
        };
        let relation = match alias {
            Some(alias) => {
                Relation { name: Some(normal(&alias.name)), table: stored_as, columns: renamed(columns, alias) }
            }
            None => Relation { name, table: stored_as, columns },
        };
        scope.relations.push(relation);
    }
}

fn alias_of(factor: &TableFactor) -> &Option<TableAlias> {
    match factor {
        TableFactor::NestedJoin { alias, .. } | TableFactor::UNNEST { alias, .. } => alias,
        _ => &None,
    }
}

/// `AS t(a, b)`.
fn renamed(of: Columns, alias: &TableAlias) -> Columns {
    if alias.columns.is_empty() {
        return of;
    }
    let names: Vec<_> = alias.columns.iter().map(|column| normal(&column.name)).collect();
    match of {
        Some(of) if of.len() != names.len() => None,
        _ => Some(columns(&names)),
    }
}

/// Whether the join's columns are not simply those of both sides.
fn merges(operator: &JoinOperator) -> bool {
    use JoinOperator as J;
    match operator {
        J::Join(on)
        | J::Inner(on)
        | J::Left(on)
        | J::LeftOuter(on)
        | J::Right(on)
        | J::RightOuter(on)
        | J::FullOuter(on)
        | J::CrossJoin(on) => !matches!(on, JoinConstraint::On(_) | JoinConstraint::None),
        _ => true,
    }
}

/// One column of a SELECT: where it comes from, and its name by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Which of the SELECT's items.
    pub(super) at: usize,
    /// Of which relation, for one that `*` stands for.
    pub(super) relation: Option<usize>,
    pub(super) natural: String,
    /// What stands there.
    pub(super) kind: ItemKind,
}

/// What stands in a SELECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// A column, by its name or in `*`.
    Column,
    /// Something with AS.
    Named,
    /// An expression without a name.
    Unnamed,
}

/// The columns of a SELECT, `*` taken apart. `whole` is false where what a `*` stands for is not known: it is left out then.
pub(super) struct Items {
    pub(super) items: Vec<Item>,
    pub(super) whole: bool,
}

pub(super) fn items(select: &Select, scope: &Scope) -> Items {
    let mut found = Items { items: Vec::new(), whole: true };
    for (at, item) in select.projection.iter().enumerate() {
        let own = |natural: String, kind: ItemKind| Item { at, relation: None, natural, kind };
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let (natural, kind) = name_of(expr, scope);
                found.items.push(own(natural, kind));
            }
            SelectItem::ExprWithAlias { alias, .. } => found.items.push(own(normal(alias), ItemKind::Named)),
            SelectItem::Wildcard(options) => {
                let relations = 0..scope.relations.len();
                found.whole &= star(at, relations, options, scope, &mut found.items);
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let name = last(name);
                let of = scope.relations.iter().position(|relation| relation.name.is_some() && relation.name == name);
                found.whole &= of.is_some_and(|of| star(at, of..of + 1, options, scope, &mut found.items));
            }
            _ => found.whole = false,
        }
        if found.items.len() > COLUMNS_MAX {
            break;
        }
    }
    found
}

/// Adds what a `*` stands for; whether that is known.
fn star(
    at: usize,
    relations: std::ops::Range<usize>,
    options: &WildcardAdditionalOptions,
    scope: &Scope,
    items: &mut Vec<Item>,
) -> bool {
    let WildcardAdditionalOptions { opt_ilike, opt_exclude, opt_except, opt_replace, opt_rename, opt_alias, .. } =
        options;
    let is_plain =
        opt_ilike.is_none() && opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none() && !scope.merges;
    if !is_plain || scope.relations[relations.clone()].iter().any(|relation| relation.columns.is_none()) {
        return false;
    }
    let mut without: Vec<String> = Vec::new();
    match opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => without.extend(last(name)),
        Some(ExcludeSelectItem::Multiple(names)) => without.extend(names.iter().filter_map(last)),
        None => {}
    }
    if let Some(except) = opt_except {
        without.push(normal(&except.first_element));
        without.extend(except.additional_elements.iter().map(normal));
    }
    for relation in relations {
        for column in scope.relations[relation].columns.iter().flatten() {
            if !without.contains(&column.name) && items.len() <= COLUMNS_MAX {
                items.push(Item { at, relation: Some(relation), natural: column.name.clone(), kind: ItemKind::Column });
            }
        }
    }
    true
}

/// What a column of this expression is called.
fn name_of(expr: &Expr, scope: &Scope) -> (String, ItemKind) {
    match expr {
        Expr::Identifier(name) => (normal(name), ItemKind::Column),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [relation, name] if scope.relation(&normal(relation)).is_some() => (normal(name), ItemKind::Column),
            _ => (shown(expr), ItemKind::Unnamed),
        },
        _ => (shown(expr), ItemKind::Unnamed),
    }
}

/// The longest name that is made of an expression.
const NAME_CHARS_MAX: usize = 256;

/// An expression as it was written, about.
fn shown(expr: &Expr) -> String {
    let text = expr.to_string();
    match text.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The columns of `USING`, and whether the left or the right side has every row; neither, in a full join.
fn using(operator: &JoinOperator) -> Option<(&[ObjectName], Option<Side>)> {
    use JoinOperator as J;
    let (constraint, side) = match operator {
        J::Join(on) | J::Inner(on) | J::Left(on) | J::LeftOuter(on) => (on, Some(Side::Left)),
        J::Right(on) | J::RightOuter(on) => (on, Some(Side::Right)),
        J::FullOuter(on) => (on, None),
        _ => return None,
    };
    let JoinConstraint::Using(names) = constraint else { return None };
    Some((names, side))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Scope {
    /// Notes what `USING` makes one; the relations from `left` on are the right side.
    fn merge(&mut self, operator: &JoinOperator, left: usize) {
        let Some((names, side)) = using(operator) else { return };
        for name in names.iter().filter_map(last) {
            let has = |relation: &&Relation| {
                relation.columns.iter().flatten().any(|column| column.name == name) && relation.name.is_some()
            };
            let (lefts, rights) = self.relations.split_at(left);
            let of = match side {
                // What an earlier join made one stays that.
                Some(Side::Left) => match self.merged.iter().find(|(known, _)| *known == name) {
                    Some((_, of)) => of.clone(),
                    None => lefts.iter().find(has).and_then(|relation| relation.name.clone()),
                },
                Some(Side::Right) => rights.iter().find(has).and_then(|relation| relation.name.clone()),
                None => None,
            };
            self.merged.retain(|(known, _)| *known != name);
            self.merged.push((name, of));
        }
    }

    /// What is called so in FROM.
    pub(super) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name.as_deref() == Some(name))
    }
}
