//! What a query means: its tree.

use weir_proto::metrics::LabelMatcher;

use super::token::{Aggregator, Extent, Operator};
use crate::promql::functions::Function;

/// A part of a query, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) extent: Extent,
    /// Whether it has one value, whatever the time it is asked for. Known after it was prepared.
    pub(crate) is_fixed: bool,
}

/// What a part is.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Number(Number),
    /// May be no UTF-8, by escapes.
    Text(Vec<u8>),
    Paren(Box<Expr>),
    Unary {
        is_negative: bool,
        operand: Box<Expr>,
    },
    Binary(Box<Binary>),
    Call(Box<Call>),
    Aggregate(Box<Aggregate>),
    Selector(Box<Selector>),
    Range(Box<RangeSelector>),
    Subquery(Box<Subquery>),
}

/// A number, which may have been written as a duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) is_duration: bool,
}

/// Two operands.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) operator: Operator,
    pub(crate) left: Expr,
    pub(crate) right: Expr,
    /// Whether a comparison gives 0 or 1 instead of leaving out.
    pub(crate) is_bool: bool,
    pub(crate) matching: Matching,
}

/// Which series of both sides belong together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Matching {
    /// `on` instead of `ignoring`.
    pub(crate) is_on: bool,
    /// Sorted when prepared.
    pub(crate) labels: Vec<String>,
    pub(crate) cardinality: Cardinality,
    /// Labels that are taken from the side that has one.
    pub(crate) include: Vec<String>,
    /// What stands in where the left side has nothing.
    pub(crate) fill_left: Option<f64>,
    /// The same for the right side.
    pub(crate) fill_right: Option<f64>,
}

/// How many series of each side may belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Sets.
    ManyToMany,
}

/// A function and what it is given.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    pub(crate) arguments: Vec<Expr>,
    /// Where it stands.
    pub(crate) extent: Extent,
}

/// An aggregation.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) operator: Aggregator,
    pub(crate) parameter: Option<Expr>,
    pub(crate) operand: Expr,
    pub(crate) grouping: Vec<String>,
    pub(crate) is_without: bool,
}

/// Which series, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    /// What stood before the braces; empty when nothing did.
    pub(crate) name: String,
    /// As written, regular expressions in Go's dialect; the name's is the last.
    pub(crate) matchers: Vec<LabelMatcher>,
    pub(crate) shift: Shift,
    pub(crate) edges: Edges,
    /// Whether histograms are compared with those before them where nothing says if counting began anew. Known after
    /// it was prepared.
    pub(crate) finds_resets: bool,
}

/// What is done at the edges of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Edges {
    #[default]
    Plain,
    Anchored,
    Smoothed,
}

/// `@` and `offset`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shift {
    pub(crate) at: Option<At>,
    pub(crate) offset: Option<Length>,
}

/// A time that does not depend on when is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Unix ms.
    Time(i64),
    /// The first time that the query asks for.
    Start,
    /// The last one.
    End,
}

/// A length of time.
#[derive(Debug, Clone)]
pub(crate) enum Length {
    /// Milliseconds, below zero for negative offsets.
    Known(i64),
    /// To be computed when the query's times are known.
    Computed(Box<DurationExpr>),
}

impl Length {
    /// Milliseconds of one that was prepared.
    pub(crate) fn ms(&self) -> i64 {
        match self {
            Self::Known(ms) => *ms,
            Self::Computed(_) => 0,
        }
    }
}

/// Arithmetic with lengths of time, in seconds.
#[derive(Debug, Clone)]
pub(crate) enum DurationExpr {
    Number(Number, Extent),
    Step(Extent),
    Range(Extent),
    /// With where its sign stands.
    Negative(Box<DurationExpr>, usize),
    Paren(Box<DurationExpr>),
    Min(Box<DurationExpr>, Box<DurationExpr>),
    Max(Box<DurationExpr>, Box<DurationExpr>),
    Binary(Operator, Box<DurationExpr>, Box<DurationExpr>),
}

impl DurationExpr {
    /// From its first to its last number.
    pub(crate) fn extent(&self) -> Extent {
        match self {
            Self::Number(_, extent) | Self::Step(extent) | Self::Range(extent) => *extent,
            Self::Negative(inner, start) => Extent::new(*start, inner.extent().end),
            Self::Paren(inner) => inner.extent(),
            Self::Min(left, right) | Self::Max(left, right) | Self::Binary(_, left, right) => {
                left.extent().to(right.extent())
            }
        }
    }
}

/// All samples of a stretch of time.
#[derive(Debug, Clone)]
pub(crate) struct RangeSelector {
    pub(crate) selector: Selector,
    pub(crate) selector_extent: Extent,
    pub(crate) range: Length,
}

/// An expression asked for at several times.
#[derive(Debug, Clone)]
pub(crate) struct Subquery {
    pub(crate) operand: Expr,
    pub(crate) range: Length,
    /// The engine's when `None`.
    pub(crate) step: Option<Length>,
    pub(crate) shift: Shift,
}

/// What a part gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl ValueType {
    /// As the API calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::Text => "string",
        }
    }

    /// As the documentation calls it.
    pub(crate) fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::Text => "string",
        }
    }
}

impl Expr {
    pub(crate) fn new(node: Node, extent: Extent) -> Self {
        Self { node, extent, is_fixed: false }
    }

    pub(crate) fn value_type(&self) -> ValueType {
        match &self.node {
            Node::Number(_) => ValueType::Scalar,
            Node::Text(_) => ValueType::Text,
            Node::Paren(inner) => inner.value_type(),
            Node::Unary { operand, .. } => operand.value_type(),
            Node::Binary(binary) => {
                let both = (binary.left.value_type(), binary.right.value_type());
                if both == (ValueType::Scalar, ValueType::Scalar) { ValueType::Scalar } else { ValueType::Vector }
            }
            Node::Call(call) => call.function.returns,
            Node::Aggregate(_) | Node::Selector(_) => ValueType::Vector,
            Node::Range(_) | Node::Subquery(_) => ValueType::Matrix,
        }
    }

    /// What is in the parentheses around it.
    pub(crate) fn unwrapped(&self) -> &Self {
        let mut expr = self;
        while let Node::Paren(inner) = &expr.node {
            expr = inner;
        }
        expr
    }
}
