//! Resolves the names of a query before it is planned: what is unknown is told in our own words, what others write differently is written
//! as it works here, and columns of one name are told apart.
//!
//! Only what the text alone says is judged. Where it does not tell which columns there are, the planner decides.

mod apart;
mod elsewhere;
mod functions;
mod rewrite;
mod scope;
#[cfg(test)]
mod tests;
mod unread;

use std::ops::ControlFlow;

use datafusion::{
    common::utils::datafusion_strsim::levenshtein,
    sql::sqlparser::ast::{
        Expr, Function, Ident, ObjectName, OrderBy, OrderByKind, Query, Select, SetExpr, Statement, TableFactor, Value,
        VisitMut, VisitorMut,
    },
};

use self::scope::{COLUMNS_MAX, Scope, Tables, normal};
use super::{guard::Refused, session::is_left_out};

pub(super) use apart::numbered;
pub(super) use unread::unread;

/// What a query may name.
pub(super) struct Known<'k> {
    /// The tables, with their columns.
    pub(super) tables: Vec<(String, Vec<String>)>,
    /// Every function.
    pub(super) functions: &'k dyn Fn() -> Vec<String>,
    /// Whether there is a function of this name.
    pub(super) is_function: &'k dyn Fn(&str) -> bool,
}

impl Known<'_> {
    /// Whether a table has a column of this name.
    fn is_column(&self, name: &str) -> bool {
        self.tables.iter().any(|(_, columns)| columns.iter().any(|column| column == name))
    }
}

/// Functions that the planner knows beside those of the session.
const PLANNED: [&str; 4] = ["make_map", "map", "unnest", "unnest_outer"];

/// Rewrites the statement into what can be planned. The statement's depth must have been checked.
///
/// # Errors
///
/// A name that is not there, with what is.
pub(super) fn resolve(statement: &mut Statement, known: &Known<'_>) -> Result<(), Refused> {
    let tables = Tables { stored: known.tables.clone(), with: Vec::new() };
    let mut names = Names { known, tables, entered: Vec::new(), scopes: Vec::new() };
    match statement.visit(&mut names) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(refused),
    }
}

/// What is visible where the visitor is.
struct Names<'k> {
    known: &'k Known<'k>,
    tables: Tables,
    /// How many names of WITH were there before each open query.
    entered: Vec<usize>,
    /// Innermost last.
    scopes: Vec<Scope>,
}

type Flow = ControlFlow<Refused>;

fn unknown(words: String) -> Flow {
    ControlFlow::Break(Refused::Unknown(words))
}

impl VisitorMut for Names<'_> {
    type Break = Refused;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Some(words) = rewrite::limit(query) {
            return unknown(words.into());
        }
        self.entered.push(self.tables.enter(query.with.as_ref()));
        // What ORDER BY sees.
        let scope = match &*query.body {
            SetExpr::Select(select) => {
                let scope = self.tables.scope(&select.from);
                if let Some(OrderBy { kind: OrderByKind::Expressions(by), .. }) = &mut query.order_by {
                    apart::order(select, &scope, by);
                }
                scope
            }
            _ => {
                let relation = scope::Relation { name: None, table: None, columns: None };
                Scope { relations: vec![relation], ..Scope::default() }
            }
        };
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> Flow {
        self.scopes.pop();
        let before = self.entered.pop().expect("each query was entered");
        self.tables.with.truncate(before);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        let mut scope = self.tables.scope(&select.from);
        if scope::items(select, &scope).items.len() > COLUMNS_MAX {
            return ControlFlow::Break(Refused::TooMuch { what: "columns in one SELECT", max: COLUMNS_MAX as u64 });
        }
        let given = apart::name(select, &scope);
        scope.names = given.iter().map(|(name, _)| name.clone()).collect();
        scope.given = given.into_iter().filter(|(_, is_own)| *is_own).map(|(name, _)| name).collect();
        self.scopes.push(scope);
        for condition in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
            rewrite::condition(condition, &|names| self.container(names));
        }
        for table in &mut select.from {
            rewrite::joins(table, &|names| self.container(names));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> Flow {
        let names = self.scopes.pop().map(|scope| scope.names);
        // For ORDER BY, which comes now.
        if let Some(outer) = self.scopes.last_mut() {
            outer.given.extend(names.unwrap_or_default());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        match factor {
            TableFactor::Table { name, .. } if !self.tables.has(name) => unknown(self.no_table(name)),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        rewrite::expression(expr, &|names| self.container(names)).map_or(ControlFlow::Continue(()), unknown)?;
        match expr {
            Expr::Identifier(name) => {
                self.column(name)?;
                if let Some(relation) = self.merged(&normal(name)) {
                    *expr = Expr::CompoundIdentifier(vec![Ident::with_quote('"', relation), name.clone()]);
                }
                ControlFlow::Continue(())
            }
            Expr::CompoundIdentifier(names) => self.path(names),
            Expr::CompoundFieldAccess { root, access_chain } => match rewrite::key(access_chain) {
                Some(key) => self.accessed(root, &key),
                None => ControlFlow::Continue(()),
            },
            Expr::Function(function) => {
                if let Some(filter) = &mut function.filter {
                    rewrite::condition(filter, &|names| self.container(names));
                }
                self.function(function)
            }
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => {
                    unknown(format!("{name} stands for a value that a program fills in: write the value itself"))
                }
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

/// What a name is.
enum Found {
    /// One column.
    One,
    /// So many columns of one name.
    Several,
    /// The same name twice in one subquery; the second's name now.
    Twice(String),
    None,
    /// The text does not tell.
    Untold,
}

impl Names<'_> {
    fn find(&self, name: &str) -> Found {
        for scope in self.scopes.iter().rev() {
            let mut found = 0;
            for relation in &scope.relations {
                let Some(columns) = &relation.columns else { return Found::Untold };
                found += usize::from(columns.iter().any(|column| column.name == name));
                if let Some(second) = columns.iter().find(|column| column.natural == name && column.name != name) {
                    return Found::Twice(second.name.clone());
                }
            }
            match found {
                0 if scope.given.iter().any(|given| given == name) => return Found::One,
                0 => {}
                1 => return Found::One,
                _ if scope.merges || scope.given.iter().any(|given| given == name) => return Found::Untold,
                _ => return Found::Several,
            }
        }
        Found::None
    }

    /// Of which relation a column is that `USING` made of two: the planner calls it ambiguous.
    fn merged(&self, name: &str) -> Option<String> {
        for scope in self.scopes.iter().rev() {
            if let Some((_, of)) = scope.merged.iter().find(|(known, _)| known == name) {
                return of.clone();
            }
            let is_here = |relation: &scope::Relation| {
                relation.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column.name == name))
            };
            if scope.relations.iter().any(is_here) || scope.given.iter().any(|given| given == name) {
                return None;
            }
        }
        None
    }

    /// Whether there is certainly a column of this name, by itself.
    fn is_column(&self, name: &str) -> bool {
        matches!(self.find(name), Found::One | Found::Several | Found::Twice(_))
    }

    fn relation(&self, name: &str) -> Option<&scope::Relation> {
        self.scopes.iter().rev().find_map(|scope| scope.relation(name))
    }

    /// How many of the names lead to a column of attributes: what follows is a key.
    fn container(&self, names: &[Ident]) -> Option<usize> {
        let is_container = |name: &Ident| matches!(normal(name).as_str(), "attributes" | "resource");
        match names {
            [first, second, ..] if self.relation(&normal(first)).is_some() => is_container(second).then_some(2),
            [first, ..] if is_container(first) && !matches!(self.find(&normal(first)), Found::None) => Some(1),
            _ => None,
        }
    }

    fn column(&self, ident: &Ident) -> Flow {
        let name = normal(ident);
        if ident.value.starts_with('@') {
            return ControlFlow::Continue(());
        }
        match self.find(&name) {
            Found::One | Found::Untold => ControlFlow::Continue(()),
            Found::Several => unknown(format!(
                "column {name} is in more than one of the tables: write of which, as in {}.{name}",
                self.of_which()
            )),
            Found::Twice(second) => unknown(format!(
                "column {name} is there more than once in a subquery: name them apart with AS; without that the second is {second}"
            )),
            Found::None => unknown(self.no_column(ident)),
        }
    }

    /// A table that an ambiguous name may be of.
    fn of_which(&self) -> &str {
        let relations = self.scopes.iter().rev().flat_map(|scope| &scope.relations);
        relations.filter_map(|relation| relation.name.as_deref()).next().unwrap_or("a")
    }

    /// What a stored table with this column is called in FROM.
    fn named_otherwise(&self, table: &str, column: &str) -> Option<&str> {
        let relations = self.scopes.iter().rev().flat_map(|scope| &scope.relations);
        let is_it = |relation: &&scope::Relation| {
            let mut columns = relation.columns.iter().flatten();
            relation.table.as_deref() == Some(table) && columns.any(|one| one.name == column)
        };
        relations.filter(is_it).find_map(|relation| relation.name.as_deref())
    }

    fn path(&self, names: &[Ident]) -> Flow {
        let parts: Vec<String> = names.iter().map(normal).collect();
        if let Some(relation) = self.relation(&parts[0]) {
            let Some(columns) = &relation.columns else { return ControlFlow::Continue(()) };
            if columns.iter().any(|column| column.name == parts[1]) {
                return ControlFlow::Continue(());
            }
            return unknown(self.no_column_of(&parts[0], &parts[1]));
        }
        let is_qualified = parts.len() > 2 && matches!(parts[0].as_str(), "public" | "datafusion");
        let untold = self.scopes.iter().any(|scope| scope.relations.iter().any(|relation| relation.columns.is_none()));
        let is_text = self.known.is_column(&parts[0]);
        if is_qualified || untold || (self.is_column(&parts[0]) && !is_text) {
            return ControlFlow::Continue(());
        }
        let written: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
        let rest = written[1..].join(".");
        // A table that got another name in FROM.
        if parts.len() == 2
            && let Some(named) = self.named_otherwise(&parts[0], &parts[1])
        {
            return unknown(format!("table {} has another name here: write {named}.{rest}", written[0]));
        }
        unknown(format!("there is no column {}: {}", written.join("."), elsewhere::dotted(&written)))
    }

    /// `root['key']`, where there is no such root, or one of other systems.
    fn accessed(&self, root: &Expr, key: &str) -> Flow {
        let names = match root {
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(names) => names.as_slice(),
            _ => return ControlFlow::Continue(()),
        };
        if self.container(names).is_some() {
            return ControlFlow::Continue(());
        }
        let written: Vec<String> = names.iter().map(|name| name.value.clone()).collect();
        let is_there = match names {
            [name] => !matches!(self.find(&normal(name)), Found::None),
            [first, ..] => self.relation(&normal(first)).is_some() || !matches!(self.find(&normal(first)), Found::None),
            [] => true,
        };
        if is_there {
            // The table's other columns have no keys; those of a subquery may.
            let is_text = names.len() == 1 && self.known.is_column(&normal(&names[0]));
            let attribute = elsewhere::access("attributes", key);
            let is_json = matches!(written.last().map(String::as_str), Some("events" | "links"));
            let instead = if is_json { elsewhere::IN_JSON.to_owned() } else { format!("an attribute is {attribute}") };
            let words = format!("column {} has no keys; {instead}", written.join("."));
            return if is_text { unknown(words) } else { ControlFlow::Continue(()) };
        }
        let container = written.last().and_then(|last| elsewhere::container(last)).unwrap_or("attributes");
        unknown(format!("there is no column {}: write {}", written.join("."), elsewhere::access(container, key)))
    }

    fn function(&self, function: &Function) -> Flow {
        let [part] = function.name.0.as_slice() else { return ControlFlow::Continue(()) };
        let Some(ident) = part.as_ident() else { return ControlFlow::Continue(()) };
        let name = normal(ident);
        if let ("count", Some(values)) = (name.as_str(), elsewhere::several_distinct(function)) {
            return unknown(format!(
                "count(DISTINCT …) counts one value: write count(DISTINCT concat_ws(' ', {values}))"
            ));
        }
        if (self.known.is_function)(&name) && !self.is_of_attributes(function, &name) {
            let mistake = functions::mistaken(&name, &elsewhere::arguments(function));
            return mistake.map_or(ControlFlow::Continue(()), unknown);
        }
        if PLANNED.contains(&name.as_str()) {
            return ControlFlow::Continue(());
        }
        if is_left_out(&name) {
            return unknown(format!("there is no function {name}: it could make values of any size or type"));
        }
        if let Some(ours) = elsewhere::function(&name, function) {
            let is_there = (self.known.is_function)(&name);
            let what =
                if is_there { format!("{name} is not for attributes") } else { format!("there is no function {name}") };
            return unknown(format!("{what}: write {ours}"));
        }
        let functions = (self.known.functions)();
        unknown(match nearest(&name, functions.iter().map(String::as_str)) {
            Some(near) => format!("there is no function {name}; did you mean {near}?"),
            None => format!("there is no function {name}"),
        })
    }

    /// A function for maps that is asked of attributes.
    fn is_of_attributes(&self, function: &Function, name: &str) -> bool {
        matches!(name, "element_at" | "map_extract") && elsewhere::asks_attributes(function)
    }

    fn no_table(&self, name: &ObjectName) -> String {
        let written = name.to_string();
        let with: Vec<_> = self.tables.with.iter().map(|(name, _)| name.as_str()).collect();
        match nearest(&written.to_lowercase(), with.iter().copied()) {
            Some(near) => format!("there is no table {written}; did you mean {near}?"),
            None => {
                let stored: Vec<_> = self.known.tables.iter().map(|(name, _)| name.as_str()).collect();
                format!("there is no table {written}; there are {}", stored.join(" and "))
            }
        }
    }

    /// Columns in the innermost SELECT, with their tables' names where there are several.
    fn visible(&self) -> Vec<String> {
        let Some(scope) = self.scopes.last() else { return Vec::new() };
        let mut visible = Vec::new();
        for relation in &scope.relations {
            for column in relation.columns.iter().flatten() {
                visible.push(match &relation.name {
                    Some(name) if scope.relations.len() > 1 => format!("{name}.{}", column.name),
                    _ => column.name.clone(),
                });
            }
        }
        visible
    }

    fn no_column(&self, ident: &Ident) -> String {
        let name = &ident.value;
        let quote = ident.quote_style;
        let shown = if quote == Some('"') { format!("\"{name}\"") } else { name.clone() };
        let has_attributes = self.is_column("attributes");
        let text = format!("a text stands in single quotes: '{}'", name.replace('\'', "''"));
        let key = elsewhere::access("attributes", name);
        if name.contains('.') && !name.contains(' ') && has_attributes {
            let parts: Vec<_> = name.split('.').map(str::to_owned).collect();
            let words = elsewhere::dotted(&parts);
            let words = if quote == Some('"') { format!("{words}; {text}") } else { words };
            return format!("there is no column {shown}: {words}");
        }
        let visible = self.visible();
        let near = nearest(&normal(ident), visible.iter().map(String::as_str));
        if let (None, Some('"')) = (near, quote) {
            let or_key =
                if has_attributes && !name.contains(' ') { format!("; an attribute is {key}") } else { String::new() };
            return format!("there is no column {shown}: {text}{or_key}");
        }
        let ours = elsewhere::column(name, |ours| self.is_column(ours));
        if let Some(ours) = ours.or_else(|| elsewhere::container(name).filter(|ours| self.is_column(ours))) {
            return format!("there is no column {shown}: here it is {ours}");
        }
        let mut words = format!("there is no column {shown}");
        if let Some(near) = near {
            words.push_str(&format!("; did you mean {near}?"));
        } else if has_attributes {
            words.push_str(&format!("; an attribute is {key}"));
            // As systems write a key that have no dots in theirs.
            if name.contains('_') {
                words.push_str(&format!(", or {}", elsewhere::access("attributes", &name.replace('_', "."))));
            }
        }
        list(&mut words, near.is_some(), &visible);
        words
    }

    fn no_column_of(&self, relation: &str, name: &str) -> String {
        let visible = self.visible();
        let written = format!("{relation}.{name}");
        let mut words = format!("there is no column {written}");
        let of_relation = visible.iter().map(|column| column.strip_prefix(&format!("{relation}.")).unwrap_or(column));
        let near = nearest(name, of_relation);
        let ours = elsewhere::column(name, |ours| self.is_column(ours));
        if let Some(ours) = ours {
            return format!("{words}: here it is {relation}.{ours}");
        }
        if let Some(near) = near {
            words.push_str(&format!("; did you mean {relation}.{near}?"));
        } else if self.is_column("attributes") {
            words.push_str(&format!("; an attribute is {relation}.{}", elsewhere::access("attributes", name)));
        }
        list(&mut words, near.is_some(), &visible);
        words
    }
}

fn list(words: &mut String, after_question: bool, visible: &[String]) {
    if !visible.is_empty() {
        words.push_str(if after_question { " There are " } else { "; there are " });
        words.push_str(&visible.join(", "));
    }
}

/// The name that was meant, if one is near.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let far = 1.max(name.chars().count() / 3);
    let near = names.map(|one| (levenshtein(one, name), one)).filter(|(distance, _)| *distance <= far);
    near.min().map(|(_, one)| one)
}
