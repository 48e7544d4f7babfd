//! What a query is made of: tokens, and how Prometheus names them in its errors.

use std::ops::Range;

use super::quote::quoted;

/// A stretch of the query's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Extent {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From where one begins to where another ends.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// `LINE:COLUMN` of where it starts, both from 1.
    pub(crate) fn at(self, query: &str) -> String {
        if query.is_empty() {
            return "unknown position".to_owned();
        }
        let Some(before) = query.as_bytes().get(..self.start) else { return "invalid position".to_owned() };
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = self.start - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1) + 1;
        format!("{line}:{column}")
    }
}

/// A token and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) extent: Extent,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    End,
    Comma,
    Colon,
    Equal,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    At,
    Matches,
    MatchesNot,
    Operator(Operator),
    Aggregator(Aggregator),
    Number,
    Duration,
    Text,
    Identifier,
    /// A name with a colon.
    MetricIdentifier,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Offset,
    Anchored,
    Smoothed,
    Start,
    Finish,
    Step,
    Range,
    MinOf,
    MaxOf,
}

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Unless,
    /// `</`: what a native histogram has below a number.
    TrimUpper,
    /// `>/`: what a native histogram has above a number.
    TrimLower,
}

impl Operator {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// The higher, the tighter it binds.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            Self::Pow => 6,
        }
    }

    pub(crate) fn compares(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual)
    }

    pub(crate) fn is_of_sets(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether the result is another quantity than the operands', so that the metric's name no longer fits.
    pub(crate) fn makes_another_metric(self) -> bool {
        !self.compares() && !self.is_of_sets() && !matches!(self, Self::TrimLower | Self::TrimUpper)
    }
}

/// What folds many series to one, or chooses among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregator {
    Avg,
    Bottomk,
    Count,
    CountValues,
    Group,
    LimitRatio,
    Limitk,
    Max,
    Min,
    Quantile,
    Stddev,
    Stdvar,
    Sum,
    Topk,
}

impl Aggregator {
    const ALL: [Self; 14] = [
        Self::Avg,
        Self::Bottomk,
        Self::Count,
        Self::CountValues,
        Self::Group,
        Self::LimitRatio,
        Self::Limitk,
        Self::Max,
        Self::Min,
        Self::Quantile,
        Self::Stddev,
        Self::Stdvar,
        Self::Sum,
        Self::Topk,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Bottomk => "bottomk",
            Self::Count => "count",
            Self::CountValues => "count_values",
            Self::Group => "group",
            Self::LimitRatio => "limit_ratio",
            Self::Limitk => "limitk",
            Self::Max => "max",
            Self::Min => "min",
            Self::Quantile => "quantile",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Sum => "sum",
            Self::Topk => "topk",
        }
    }

    pub(crate) fn has_parameter(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::CountValues | Self::Quantile | Self::Limitk | Self::LimitRatio
        )
    }

    /// Whether it hands on series of its operand instead of new ones.
    pub(crate) fn chooses(self) -> bool {
        matches!(self, Self::Topk | Self::Bottomk | Self::Limitk | Self::LimitRatio)
    }
}

/// What a word means outside of braces, whatever its case; `None` when it is a name.
pub(crate) fn keyword(word: &str) -> Option<Kind> {
    // The longest is `count_values`: most names need no copy.
    if word.len() > 12 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    if let Some(aggregator) = Aggregator::ALL.into_iter().find(|aggregator| aggregator.name() == word) {
        return Some(Kind::Aggregator(aggregator));
    }
    Some(match word.as_str() {
        "and" => Kind::Operator(Operator::And),
        "or" => Kind::Operator(Operator::Or),
        "unless" => Kind::Operator(Operator::Unless),
        "atan2" => Kind::Operator(Operator::Atan2),
        "offset" => Kind::Offset,
        "smoothed" => Kind::Smoothed,
        "anchored" => Kind::Anchored,
        "by" => Kind::By,
        "without" => Kind::Without,
        "on" => Kind::On,
        "ignoring" => Kind::Ignoring,
        "group_left" => Kind::GroupLeft,
        "group_right" => Kind::GroupRight,
        "fill" => Kind::Fill,
        "fill_left" => Kind::FillLeft,
        "fill_right" => Kind::FillRight,
        "bool" => Kind::Bool,
        "start" => Kind::Start,
        "end" => Kind::Finish,
        "step" => Kind::Step,
        "range" => Kind::Range,
        "min_of" => Kind::MinOf,
        "max_of" => Kind::MaxOf,
        "inf" | "nan" => Kind::Number,
        _ => return None,
    })
}

impl Token {
    /// As Prometheus' errors name it: `<op:+>`, `identifier "a"`, `end of input`.
    pub(crate) fn description(self, query: &str) -> String {
        let text = &query[self.extent.range()];
        match self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Operator(_) | Kind::At | Kind::Matches | Kind::MatchesNot => format!("<op:{text}>"),
            Kind::Aggregator(_) => format!("<aggr:{text}>"),
            Kind::By
            | Kind::Without
            | Kind::On
            | Kind::Ignoring
            | Kind::GroupLeft
            | Kind::GroupRight
            | Kind::Fill
            | Kind::FillLeft
            | Kind::FillRight
            | Kind::Bool
            | Kind::Offset
            | Kind::Anchored
            | Kind::Smoothed => format!("<{text}>"),
            Kind::Identifier => format!("identifier {}", quoted(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quoted(text)),
            Kind::Text => format!("string {}", shortened(text)),
            Kind::Number => format!("number {}", shortened(text)),
            Kind::Duration => format!("duration {}", shortened(text)),
            _ => quoted(text),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quoted(text);
    }
    format!("{}...", quoted(&text.chars().take(10).collect::<String>()))
}
