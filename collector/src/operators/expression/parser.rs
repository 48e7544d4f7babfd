//! From tokens to a tree, by the precedences of expr-lang.

use super::{
    functions::{self, Function},
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
    Root(Root),
    /// Of what is nothing it is an error, unless a `?.` stands before it.
    Member(Box<Node>, Box<Node>, bool),
    Not(Box<Node>),
    Minus(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Else(Box<Node>, Box<Node>),
    Choice(Box<[Node; 3]>),
    Matches(Box<Node>, Pattern),
    Binary(Binary, Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
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
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), depth: 0 };
    let node = parser.choice()?;
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

    fn choice(&mut self) -> Result<Node, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("nested too deep"));
        }
        let condition = self.or()?;
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

    fn or(&mut self) -> Result<Node, Wrong> {
        let mut left = self.and()?;
        while self.take("||") || self.take_name("or") {
            left = Node::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, Wrong> {
        let mut left = self.comparison()?;
        while self.take("&&") || self.take_name("and") {
            left = Node::And(left.into(), self.comparison()?.into());
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Node, Wrong> {
        let mut left = self.sum()?;
        loop {
            let before = self.next;
            let is_negated = self.take_name("not");
            let Some(operator) = self.comparing() else {
                self.next = before;
                return Ok(left);
            };
            let at = self.next;
            let right = self.sum()?;
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

    fn sum(&mut self) -> Result<Node, Wrong> {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.take("+") => Binary::Plus,
                () if self.take("-") => Binary::Minus,
                () => return Ok(left),
            };
            left = Node::Binary(operator, left.into(), self.product()?.into());
        }
    }

    fn product(&mut self) -> Result<Node, Wrong> {
        let mut left = self.unary()?;
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
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.wrong("nested too deep"));
        }
        let node = if self.take("!") || self.take_name("not") {
            Node::Not(self.unary()?.into())
        } else if self.take("-") {
            Node::Minus(self.unary()?.into())
        } else if self.take("+") {
            self.unary()?
        } else {
            let base = self.with_default()?;
            if self.take("**") { Node::Binary(Binary::Power, base.into(), self.unary()?.into()) } else { base }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn with_default(&mut self) -> Result<Node, Wrong> {
        let mut left = self.members()?;
        while self.take("??") {
            left = Node::Else(left.into(), self.members()?.into());
        }
        Ok(left)
    }

    fn members(&mut self) -> Result<Node, Wrong> {
        let mut node = self.primary()?;
        let mut is_optional = false;
        loop {
            let is_optional_here = self.take("?.");
            is_optional |= is_optional_here;
            let key = if is_optional_here || self.take(".") {
                if self.take("[") {
                    let key = self.choice()?;
                    self.expect("]")?;
                    key
                } else {
                    match self.peek().cloned() {
                        Some(Token::Name(name)) => {
                            self.next += 1;
                            Node::Text(name)
                        }
                        _ => return Err(self.wrong("expected a name after the point")),
                    }
                }
            } else if self.take("[") {
                let key = self.choice()?;
                self.expect("]")?;
                key
            } else {
                return Ok(node);
            };
            node = Node::Member(node.into(), key.into(), is_optional);
        }
    }

    fn primary(&mut self) -> Result<Node, Wrong> {
        let Some(token) = self.peek().cloned() else { return Err(self.wrong("the expression ends too early")) };
        self.next += 1;
        match token {
            Token::Int(number) => Ok(Node::Int(number)),
            Token::Float(number) => Ok(Node::Float(number)),
            Token::Text(text) => Ok(Node::Text(text)),
            Token::Sign("(") => {
                let node = self.choice()?;
                self.expect(")")?;
                Ok(node)
            }
            Token::Sign("[") => Ok(Node::List(self.list("]")?)),
            // `$` is the body; `$body` is how that was once written.
            Token::Sign("$") => match &self.tokens[self.next - 1..] {
                [(_, at), (Token::Name(_), name_at), ..] if *name_at == at + 1 => self.primary(),
                _ => Ok(Node::Root(Root::Body)),
            },
            Token::Name(name) => self.named(&name),
            Token::Sign(sign) => {
                self.next -= 1;
                Err(self.wrong(format!("`{sign}` stands where a value is meant")))
            }
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Node>, Wrong> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    fn named(&mut self, name: &str) -> Result<Node, Wrong> {
        if self.take("(") {
            let Some(function) = functions::find(name) else {
                self.next -= 2;
                let known: Vec<&str> = functions::NAMES.iter().map(|(known, ..)| *known).collect();
                return Err(self.wrong(format!("there is no function `{name}`; there are {}", known.join(", "))));
            };
            let arguments = self.list(")")?;
            if arguments.len() != function.arguments {
                let words = format!("`{name}` takes {} arguments, not {}", function.arguments, arguments.len());
                return Err(self.wrong(words));
            }
            return Ok(Node::Call(function, arguments));
        }
        Ok(match name {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "nil" | "null" => Node::Null,
            "body" => Node::Root(Root::Body),
            "attributes" => Node::Root(Root::Attributes),
            "resource" => Node::Root(Root::Resource),
            "timestamp" => Node::Root(Root::Timestamp),
            "severity_text" => Node::Root(Root::SeverityText),
            "severity_number" | "severity" => Node::Root(Root::SeverityNumber),
            _ => {
                self.next -= 1;
                let words = "there are body, attributes, resource, timestamp, severity_text, severity_number";
                return Err(self.wrong(format!("`{name}` is not known; {words}")));
            }
        })
    }
}
