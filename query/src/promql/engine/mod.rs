//! Answers queries: rows of values, handed on one series at a time.

mod aggregate;
mod binary;
mod budget;
mod call;
mod collect;
mod labels;
mod parts;
mod prepare;
mod range;
mod select;

use std::{cell::RefCell, fmt};

pub(crate) use budget::{Budget, Stop, Unstopped};

use super::{
    notes::Notes,
    source::Source,
    syntax::{
        self, ParseError,
        ast::{Expr, Node, ValueType},
        duration::QueryTimes,
    },
    value::{Row, Value},
};

/// What a query may take, and how it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// How long a sample stands for its series.
    pub(crate) lookback_ms: i64,
    /// The steps of subqueries that name none.
    pub(crate) subquery_step_ms: i64,
    /// How many samples selectors may give.
    pub(crate) samples_max: u64,
    /// Bytes that rows may take while they are held.
    pub(crate) bytes_max: u64,
    /// How many threads read a selector's series.
    pub(crate) threads: usize,
}

/// When a query asks: every `step_ms` from one time to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) step_ms: i64,
}

/// What a query came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) value: Value,
    pub(crate) notes: Notes,
    /// How many samples its selectors gave.
    pub(crate) samples: u64,
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// It is none.
    Parse(ParseError),
    /// It cannot be asked like this.
    Invalid(String),
    /// It cannot be answered with these samples.
    Execution(String),
    TooManySamples,
    TooMuchMemory(u64),
    Timeout,
    /// Samples could not be read.
    Storage(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::Invalid(message) | Self::Execution(message) | Self::Storage(message) => f.write_str(message),
            Self::TooManySamples => {
                f.write_str("query processing would load too many samples into memory in query execution")
            }
            Self::TooMuchMemory(max) => write!(f, "query processing would hold more than {max} bytes in memory"),
            Self::Timeout => f.write_str("query timed out in expression evaluation"),
        }
    }
}

impl From<ParseError> for QueryError {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl From<super::source::SourceError> for QueryError {
    fn from(error: super::source::SourceError) -> Self {
        Self::Storage(error.to_string())
    }
}

fn failed(message: impl Into<String>) -> QueryError {
    QueryError::Execution(message.into())
}

/// What the series of an answer have when two of them have the same labels.
const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

/// Asks at one time.
pub(crate) fn instant(
    source: &dyn Source,
    query: &str,
    at_ms: i64,
    options: &Options,
    stop: &dyn Stop,
) -> Result<Outcome, QueryError> {
    instant_of(source, syntax::parse(query)?, at_ms, options, stop)
}

/// Asks at one time, the query read already.
pub(crate) fn instant_of(
    source: &dyn Source,
    expr: Expr,
    at_ms: i64,
    options: &Options,
    stop: &dyn Stop,
) -> Result<Outcome, QueryError> {
    Evaluator::run(source, expr, Times { start_ms: at_ms, end_ms: at_ms, step_ms: 0 }, options, stop)
}

/// Asks at many times. The step is above zero, the end not before the start.
pub(crate) fn range(
    source: &dyn Source,
    query: &str,
    times: Times,
    options: &Options,
    stop: &dyn Stop,
) -> Result<Outcome, QueryError> {
    let expr = syntax::parse(query)?;
    let found = expr.value_type();
    if !matches!(found, ValueType::Vector | ValueType::Scalar) {
        let found = syntax::quote::quoted(found.documented());
        let message = format!("invalid expression type {found} for range query, must be Scalar or instant Vector");
        return Err(QueryError::Invalid(message));
    }
    Evaluator::run(source, expr, times, options, stop)
}

/// Times to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Steps {
    start_ms: i64,
    /// Above zero.
    step_ms: i64,
    count: usize,
}

impl Steps {
    fn of(times: Times) -> Self {
        let step_ms = times.step_ms.max(1);
        let count = (times.end_ms.saturating_sub(times.start_ms) / step_ms).max(0) as usize + 1;
        Self { start_ms: times.start_ms, step_ms, count }
    }

    fn time(self, step: usize) -> i64 {
        self.start_ms + self.step_ms * step as i64
    }

    fn last(self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    fn first_only(self) -> Self {
        Self { count: 1, ..self }
    }
}

/// Takes rows one by one.
type Sink<'s> = &'s mut dyn FnMut(Row<'_>) -> Result<(), QueryError>;

/// What is at work while a query is answered.
struct Evaluator<'a> {
    source: &'a dyn Source,
    options: &'a Options,
    times: Times,
    budget: Budget<'a>,
    notes: RefCell<Notes>,
}

impl<'a> Evaluator<'a> {
    fn run(
        source: &'a dyn Source,
        mut expr: Expr,
        times: Times,
        options: &'a Options,
        stop: &'a dyn Stop,
    ) -> Result<Outcome, QueryError> {
        let query_times = QueryTimes { step_ms: times.step_ms, range_ms: times.end_ms - times.start_ms };
        prepare::prepare(&mut expr, times, query_times).map_err(QueryError::Execution)?;
        let budget = Budget::new(options, stop);
        let evaluator = Self { source, options, times, budget, notes: RefCell::default() };
        let value = evaluator.value(&expr)?;
        let samples = evaluator.budget.samples();
        Ok(Outcome { value, notes: evaluator.notes.into_inner(), samples })
    }

    fn is_instant(&self) -> bool {
        self.times.step_ms == 0
    }

    /// The rows of a vector, one after the other.
    fn rows(&self, expr: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        self.budget.check()?;
        if expr.is_fixed && steps.count > 1 {
            // The same at all times: asked once.
            return self.rows_of(expr, steps.first_only(), &mut |row| sink(repeated(row, steps.count)));
        }
        self.rows_of(expr, steps, sink)
    }

    fn rows_of(&self, expr: &Expr, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        match &expr.node {
            Node::Paren(inner) => self.rows(inner, steps, sink),
            Node::Unary { is_negative: false, operand } => self.rows(operand, steps, sink),
            Node::Unary { operand, .. } => self.rows(operand, steps, &mut |row| sink(binary::negated(row))),
            Node::Selector(selector) => self.selector((selector, expr.extent), select::Wanted::Value, steps, sink),
            Node::Call(call) => self.call(call, steps, sink),
            Node::Aggregate(aggregate) => self.aggregate(aggregate, expr.extent, steps, sink),
            Node::Binary(binary) => self.binary(binary, expr.extent, steps, sink),
            Node::Number(_) | Node::Text(_) | Node::Range(_) | Node::Subquery(_) => {
                Err(failed(format!("{} is no instant vector", expr.value_type().documented())))
            }
        }
    }

    /// A scalar at all times.
    fn scalars(&self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, QueryError> {
        self.budget.check()?;
        if expr.is_fixed && steps.count > 1 {
            let value = self.scalars_of(expr, steps.first_only())?[0];
            return Ok(vec![value; steps.count]);
        }
        self.scalars_of(expr, steps)
    }

    fn scalars_of(&self, expr: &Expr, steps: Steps) -> Result<Vec<f64>, QueryError> {
        match &expr.node {
            Node::Number(number) => Ok(vec![number.value; steps.count]),
            Node::Paren(inner) => self.scalars(inner, steps),
            Node::Unary { is_negative, operand } => {
                let mut values = self.scalars(operand, steps)?;
                if *is_negative {
                    values.iter_mut().for_each(|value| *value = -*value);
                }
                Ok(values)
            }
            Node::Binary(binary) => {
                let left = self.scalars(&binary.left, steps)?;
                let right = self.scalars(&binary.right, steps)?;
                let both = left.into_iter().zip(right);
                Ok(both.map(|(left, right)| binary::of_scalars(binary.operator, left, right)).collect())
            }
            Node::Call(call) => self.scalar_call(call, steps),
            _ => Err(failed(format!("{} is no scalar", expr.value_type().documented()))),
        }
    }
}

/// A row of one step, at all steps.
fn repeated(row: Row<'_>, count: usize) -> Row<'_> {
    let histograms = row.histograms.first().map_or_else(Vec::new, |histogram| vec![histogram.clone(); count]);
    Row { floats: vec![row.floats[0]; count], histograms, ..row }
}
