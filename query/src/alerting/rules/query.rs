//! What a rule asks, in one of three languages.

use crate::{
    logql,
    promql::syntax::{self, ast},
    sql::guard,
};

/// What the rules of a group are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// PromQL, over metrics.
    #[default]
    PromQl,
    /// LogQL, over logs: queries for metrics.
    LogQl,
    /// SQL, over spans and logs: rows with a column `value`; the other columns are labels.
    Sql,
}

impl Language {
    /// The words for them, as the key `language` has them.
    pub(crate) const NAMES: [&'static str; 3] = ["promql", "logql", "sql"];

    /// The language of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "promql" => Some(Self::PromQl),
            "logql" => Some(Self::LogQl),
            "sql" => Some(Self::Sql),
            _ => None,
        }
    }

    /// As the key `language` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PromQl => "promql",
            Self::LogQl => "logql",
            Self::Sql => "sql",
        }
    }
}

/// A query that was read.
#[derive(Debug, Clone)]
pub struct Query(pub(crate) Asked);

/// What it asks.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    PromQl(Box<ast::Expr>),
    /// Gives numbers.
    LogQl(Box<logql::ast::Expr>),
    /// Passed the guard of SQL.
    Sql(String),
}

impl Query {
    /// Reads a query; what is wrong with it in the words of its language.
    pub fn read(language: Language, text: &str) -> Result<Self, String> {
        let asked = match language {
            Language::PromQl => Asked::PromQl(Box::new(syntax::parse(text).map_err(|error| error.to_string())?)),
            Language::LogQl => match logql::parse(text).map_err(|error| error.to_string())? {
                expr @ logql::ast::Expr::Metric(_) => Asked::LogQl(Box::new(expr)),
                logql::ast::Expr::Log(_) => {
                    return Err("it gives lines, and a rule needs numbers: wrap it in count_over_time(… [5m])".into());
                }
            },
            Language::Sql => match guard::refusal(text) {
                None => Asked::Sql(text.to_owned()),
                Some(words) => return Err(words),
            },
        };
        Ok(Self(asked))
    }

    /// What it gives, when that is nothing for a rule.
    pub(crate) fn no_result(&self) -> Option<&'static str> {
        match &self.0 {
            Asked::PromQl(expr) => match expr.value_type() {
                ast::ValueType::Scalar | ast::ValueType::Vector => None,
                other => Some(other.documented()),
            },
            Asked::LogQl(_) | Asked::Sql(_) => None,
        }
    }

    /// The text as Prometheus prints it, where it is PromQL.
    pub fn printed(&self) -> Option<String> {
        match &self.0 {
            Asked::PromQl(expr) => Some(expr.text()),
            Asked::LogQl(_) | Asked::Sql(_) => None,
        }
    }
}
