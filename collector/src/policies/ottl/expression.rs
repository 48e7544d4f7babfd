//! What a condition is made of.

use regex::bytes::Regex;

use super::{functions::Function, path::Path};

/// Something that is true or false.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Constant(bool),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare(Operand, Comparison, Operand),
    /// A function that says yes or no.
    Test(Operand),
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

/// `+` and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    By,
}

/// Something with a value.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    List(Vec<Operand>),
    Path(Path),
    /// What is behind a key or at a position of a value.
    At(Box<Operand>, Index),
    Reckon(Operator, Box<Operand>, Box<Operand>),
    Call(Box<Call>),
}

/// A place in a map or a list.
#[derive(Debug, Clone)]
pub(super) enum Index {
    Key(Box<str>),
    Position(i64),
}

/// A function with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: &'static Function,
    pub(super) arguments: Vec<Operand>,
    /// Compiled from the argument that is a pattern.
    pub(super) regex: Option<Regex>,
}
