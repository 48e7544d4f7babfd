//! From tokens to a tree, by the precedences of expr-lang.

mod calls;
mod primary;

use super::{
    functions::Function,
    token::{Token, Wrong, tokens},
};
use crate::operators::pattern::Pattern;

/// Nodes in each other.
const DEPTH_MAX: usize = 64;

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// From and to, both in it.
    Range(Box<Node>, Box<Node>),
    Root(Root),
    /// What a predicate is asked about, and what else it knows.
    Item(Known),
    /// The variable that was declared as this one, of those that are known there.
    Variable(usize),
    /// A variable's value, and what is made with it.
    Let(Box<Node>, Box<Node>),
    /// Of what is nothing it is an error, unless a `?.` stands before it.
    Member(Box<Node>, Box<Node>, bool),
    /// From and to, where they are said.
    Slice(Box<Node>, Option<Box<Node>>, Option<Box<Node>>),
    Not(Box<Node>),
    Minus(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Else(Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    Matches(Box<Node>, Pattern),
    Binary(Binary, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    /// Something of each item of a list: the list, the predicate, and what is begun with.
    Each(Each, Box<Node>, Option<Box<Node>>, Option<Box<Node>>),
}

/// What is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Body,
    Attributes,
    Resource,
    Timestamp,
    SeverityText,
    SeverityNumber,
}

/// What is known in a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// `#`.
    Item,
    /// `#index`.
    Index,
    /// `#acc`.
    Sum,
}

/// What is made of the items of a list by a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Any,
    One,
    None,
    Map,
    Filter,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    Count,
    Sum,
    GroupBy,
    SortBy,
    Reduce,
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    MatchesAny,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Power,
}

pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, next: 0, end: text.len(), depth: 0, predicates: 0, variables: Vec::new() };
    let node = parser.whole()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.wrong("the expression should end here")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
    depth: usize,
    /// Predicates in each other.
    predicates: usize,
    /// Names that are declared.
    variables: Vec<String>,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn wrong(&self, what: impl Into<String>) -> Wrong {
        let at = self.tokens.get(self.next).map_or(self.end, |(_, at)| *at);
        Wrong { at, what: what.into() }
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    fn take_name(&mut self, name: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Name(next)) if next == name);
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Wrong> {
        if self.take(sign) { Ok(()) } else { Err(self.wrong(format!("expected `{sign}`"))) }
    }

    fn deeper(&mut self) -> Result<(), Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.wrong("nested too deep")) } else { Ok(()) }
    }

    /// Variables, and what is made with them.
    fn whole(&mut self) -> Result<Node, Wrong> {
        if !self.take_name("let") {
            let mut last = self.choice()?;
            // Of several the last one counts.
            while self.take(";") && !matches!(self.peek(), None | Some(Token::Sign("}" | ")"))) {
                last = self.whole()?;
            }
            return Ok(last);
        }
        self.deeper()?;
        let Some(Token::Name(name)) = self.peek().cloned() else { return Err(self.wrong("expected a name")) };
        self.next += 1;
        self.expect("=")?;
        let value = self.choice()?;
        self.expect(";")?;
        self.variables.push(name);
        let rest = self.whole()?;
        self.variables.pop();
        self.depth -= 1;
        Ok(Node::Let(value.into(), rest.into()))
    }

    fn choice(&mut self) -> Result<Node, Wrong> {
        self.deeper()?;
        let condition = self.piped()?;
        let node = if self.take("?") {
            let then = self.choice()?;
            self.expect(":")?;
            Node::Choice(Box::new([condition, then, self.choice()?]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// `a | f(b)` is `f(a, b)`.
    fn piped(&mut self) -> Result<Node, Wrong> {
        let mut left = self.or(None)?;
        while self.take("|") {
            let Some(Token::Name(name)) = self.peek().cloned() else {
                return Err(self.wrong("expected a function after `|`"));
            };
            self.next += 1;
            self.expect("(")?;
            let call = self.call(&name, Some(left))?;
            let call = self.members_of(call)?;
            // What follows is done with what it gives.
            let call = self.or_default(call)?;
            left = self.or(Some(call))?;
        }
        Ok(left)
    }

    /// `first` is what stands there already.
    fn or(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = self.and(first)?;
        while self.take("||") || self.take_name("or") {
            left = Node::Or(left.into(), self.and(None)?.into());
        }
        Ok(left)
    }

    fn and(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = self.comparison(first)?;
        while self.take("&&") || self.take_name("and") {
            left = Node::And(left.into(), self.comparison(None)?.into());
        }
        Ok(left)
    }

    fn comparison(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = self.range(first)?;
        loop {
            let before = self.next;
            let is_negated = self.take_name("not");
            let Some(operator) = self.comparing() else {
                self.next = before;
                return Ok(left);
            };
            let at = self.next;
            let right = self.range(None)?;
            left = match (operator, right) {
                (Binary::MatchesAny, Node::Text(pattern)) => {
                    let pattern = Pattern::new(&pattern).map_err(|problem| {
                        self.next = at;
                        self.wrong(problem)
                    })?;
                    Node::Matches(left.into(), pattern)
                }
                (operator, right) => Node::Binary(operator, left.into(), right.into()),
            };
            if is_negated {
                left = Node::Not(left.into());
            }
        }
    }

    fn comparing(&mut self) -> Option<Binary> {
        let operator = match self.peek()? {
            Token::Sign("==") => Binary::Equal,
            Token::Sign("!=") => Binary::Unequal,
            Token::Sign("<") => Binary::Less,
            Token::Sign("<=") => Binary::LessOrEqual,
            Token::Sign(">") => Binary::Greater,
            Token::Sign(">=") => Binary::GreaterOrEqual,
            Token::Name(name) => match name.as_str() {
                "in" => Binary::In,
                "matches" => Binary::MatchesAny,
                "contains" => Binary::Contains,
                "startsWith" => Binary::StartsWith,
                "endsWith" => Binary::EndsWith,
                _ => return None,
            },
            _ => return None,
        };
        self.next += 1;
        Some(operator)
    }

    fn range(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = self.sum(first)?;
        while self.take("..") {
            left = Node::Range(left.into(), self.sum(None)?.into());
        }
        Ok(left)
    }

    fn sum(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = self.product(first)?;
        loop {
            let operator = match () {
                () if self.take("+") => Binary::Plus,
                () if self.take("-") => Binary::Minus,
                () => return Ok(left),
            };
            left = Node::Binary(operator, left.into(), self.product(None)?.into());
        }
    }

    fn product(&mut self, first: Option<Node>) -> Result<Node, Wrong> {
        let mut left = match first {
            Some(node) => node,
            None => self.unary()?,
        };
        loop {
            let operator = match () {
                () if self.take("*") => Binary::Times,
                () if self.take("/") => Binary::Divide,
                () if self.take("%") => Binary::Modulo,
                () => return Ok(left),
            };
            left = Node::Binary(operator, left.into(), self.unary()?.into());
        }
    }

    fn unary(&mut self) -> Result<Node, Wrong> {
        self.deeper()?;
        let node = if self.take("!") || self.take_name("not") {
            Node::Not(self.unary()?.into())
        } else if self.take("-") {
            Node::Minus(self.unary()?.into())
        } else if self.take("+") {
            self.unary()?
        } else {
            let base = self.with_default()?;
            match self.take("**") || self.take("^") {
                true => Node::Binary(Binary::Power, base.into(), self.unary()?.into()),
                false => base,
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn with_default(&mut self) -> Result<Node, Wrong> {
        let left = self.members()?;
        self.or_default(left)
    }

    fn or_default(&mut self, mut left: Node) -> Result<Node, Wrong> {
        while self.take("??") {
            left = Node::Else(left.into(), self.members()?.into());
        }
        Ok(left)
    }
}
