//! What a template says, once it is read, and how error messages show its parts.

use std::fmt::{self, Write};

/// A piece of a template.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    /// Written, unless it only sets variables.
    Action(Pipeline),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Break,
    Continue,
    /// `{{template "name" .}}`
    Template {
        at: usize,
        name: String,
        with: Option<Pipeline>,
    },
}

/// What is chosen between, or repeated.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands that hand their values on.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) at: usize,
    /// `$x :=`; two of them before a range.
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// A value, or a function and what it is given.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

/// A word of a command, and where it begins, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) word: Word,
}

/// What a word is.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Function(String),
    Dot,
    Nil,
    Bool(bool),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`, without the `$`.
    Variable(String, Vec<String>),
    /// As written, and what it means.
    Text(String, String),
    Number(Number),
    Pipeline(Box<Pipeline>),
    /// `(…).a.b`
    Chain(Box<Operand>, Vec<String>),
}

/// A number as it is written, and what it may be.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) text: String,
    pub(super) int: Option<i64>,
    pub(super) float: Option<f64>,
    /// It is a float where anything is meant.
    pub(super) is_float: bool,
}

fn path(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.word {
            Word::Function(name) => f.write_str(name),
            Word::Dot => f.write_str("."),
            Word::Nil => f.write_str("nil"),
            Word::Bool(value) => write!(f, "{value}"),
            Word::Field(names) => path(f, names),
            Word::Variable(name, names) => {
                write!(f, "${name}")?;
                path(f, names)
            }
            Word::Text(written, _) => f.write_str(written),
            Word::Number(number) => f.write_str(&number.text),
            Word::Pipeline(pipeline) => write!(f, "({pipeline})"),
            Word::Chain(operand, names) => {
                write!(f, "{operand}")?;
                path(f, names)
            }
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, operand) in self.operands.iter().enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            operand.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.variables.iter().enumerate() {
            write!(f, "{}${name}", if number > 0 { ", " } else { "" })?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (number, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if number > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}
