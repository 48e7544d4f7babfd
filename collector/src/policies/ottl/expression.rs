//! What a condition is made of.

use regex::bytes::Regex;

use super::path::Path;

/// Something that is true or false.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Constant(bool),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare(Operand, Comparison, Operand),
    IsMatch(Operand, Regex),
    IsRootSpan,
}

/// `==` and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Something with a value.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Path(Path),
    Sum(Box<Operand>, Box<Operand>),
    Difference(Box<Operand>, Box<Operand>),
}
