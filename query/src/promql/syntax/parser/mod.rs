//! From text to tree, by recursive descent, with the errors that Prometheus gives.

mod duration;
mod modifiers;
mod primary;
mod selector;

use std::fmt;

use super::{
    ast::{Binary, Cardinality, Expr, Matching, Node, Number},
    check,
    lexer::Lexer,
    token::{Extent, Kind, Operator, Token},
};
use primary::begins_an_operand;

/// The longest query that is read.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep a query may be nested: what is read and evaluated by recursion has to fit its stack.
pub(crate) const DEPTH_MAX: usize = 200;

/// What is wrong with a query, and where: `1:15: parse error: unexpected end of input`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// Where it begins and ends, in bytes.
    pub(crate) extent: Extent,
    /// `LINE:COLUMN`
    pub(crate) at: String,
    pub(crate) message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: parse error: {}", self.at, self.message)
    }
}

impl std::error::Error for ParseError {}

/// A query, its types checked.
pub(crate) fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    if parser.ahead.kind == Kind::End {
        return Err(parser.error(Extent::default(), "no expression found in input".to_owned()));
    }
    let expr = parser.expr(0)?;
    parser.finish()?;
    check::check(&expr, text)?;
    Ok(expr)
}

/// Whether a word says what stands for what is missing.
fn is_fill(kind: Kind) -> bool {
    matches!(kind, Kind::Fill | Kind::FillLeft | Kind::FillRight)
}

/// A selector alone, as `match[]` has them.
pub(crate) fn parse_selector(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    let extent = parser.ahead.extent;
    let expr = match parser.ahead.kind {
        Kind::LeftBrace => parser.selector(None)?,
        kind if primary::may_be_a_metric(kind) => {
            let name = parser.advance()?;
            parser.selector(Some(name))?
        }
        _ => return Err(parser.unexpected("", "")),
    };
    parser.finish()?;
    match expr.node {
        Node::Selector(_) => check::check(&expr, text).map(|()| expr),
        _ => Err(parser.error(extent, "a selector is expected".to_owned())),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The next token.
    ahead: Token,
    /// Where the last token that can close an expression ended.
    last_closing: usize,
    depth: usize,
    /// How many aggregations' parentheses are open.
    open_aggregations: usize,
    /// In what a length of time stands, and what is expected there.
    length_context: (&'static str, &'static str),
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parsed<Self> {
        let nothing = Token { kind: Kind::End, extent: Extent::default() };
        let mut parser = Self {
            lexer: Lexer::new(text),
            ahead: nothing,
            last_closing: 0,
            depth: 0,
            open_aggregations: 0,
            length_context: ("", ""),
        };
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("the query is longer than {TEXT_BYTES_MAX} bytes");
            return Err(parser.error(Extent::default(), message));
        }
        parser.advance()?;
        Ok(parser)
    }

    fn text(&self) -> &'a str {
        self.lexer.text()
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text()[token.extent.range()]
    }

    /// The next token, and one further is looked at.
    fn advance(&mut self) -> Parsed<Token> {
        let token = self.ahead;
        if matches!(
            token.kind,
            Kind::RightBrace | Kind::RightParen | Kind::RightBracket | Kind::Duration | Kind::Number
        ) {
            self.last_closing = token.extent.end;
        }
        match self.lexer.next_token() {
            Ok(ahead) => self.ahead = ahead,
            Err(error) => return Err(self.error(error.extent, error.message)),
        }
        Ok(token)
    }

    fn error(&self, extent: Extent, message: String) -> ParseError {
        ParseError { extent, at: extent.at(self.text()), message }
    }

    /// The next token does not belong there.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let mut message = format!("unexpected {}", self.ahead.description(self.text()));
        // What has no better name is told of the aggregation around it.
        let context = if context.is_empty() && self.open_aggregations > 0 { "aggregation" } else { context };
        if !context.is_empty() {
            message.push_str(" in ");
            message.push_str(context);
        }
        if !expected.is_empty() {
            message.push_str(", expected ");
            message.push_str(expected);
        }
        self.error(self.ahead.extent, message)
    }

    fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Parsed<Token> {
        if self.ahead.kind == kind { self.advance() } else { Err(self.unexpected(context, expected)) }
    }

    fn finish(&self) -> Parsed<()> {
        if self.ahead.kind == Kind::End { Ok(()) } else { Err(self.unexpected("", "")) }
    }

    /// One level further in.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("the query is nested deeper than {DEPTH_MAX} levels");
            return Err(self.error(self.ahead.extent, message));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Operands between operators that bind at least as tight as `strength`.
    fn expr(&mut self, strength: u8) -> Parsed<Expr> {
        self.deeper(|parser| {
            let mut left = parser.unary()?;
            let mut chained = 0;
            while let Kind::Operator(operator) = parser.ahead.kind {
                if operator.strength() < strength {
                    break;
                }
                chained += 1;
                if parser.depth + chained > DEPTH_MAX {
                    let message = format!("the query is nested deeper than {DEPTH_MAX} levels");
                    return Err(parser.error(parser.ahead.extent, message));
                }
                left = parser.binary(left, operator)?;
            }
            Ok(left)
        })
    }

    fn binary(&mut self, left: Expr, operator: Operator) -> Parsed<Expr> {
        self.advance()?;
        let is_bool = self.ahead.kind == Kind::Bool;
        if is_bool {
            self.advance()?;
        }
        let mut matching = self.matching()?;
        if operator.is_of_sets() && matching.cardinality == Cardinality::OneToOne {
            matching.cardinality = Cardinality::ManyToMany;
        }
        // A power's right operand may be a power; all others are folded from the left.
        let strength = operator.strength() + u8::from(operator != Operator::Pow);
        let right = self.expr(strength)?;
        let extent = left.extent.to(right.extent);
        Ok(Expr::new(Node::Binary(Box::new(Binary { operator, left, right, is_bool, matching })), extent))
    }

    /// `on (…) group_left (…) fill (…)`
    fn matching(&mut self) -> Parsed<Matching> {
        let mut matching = Matching::default();
        if matches!(self.ahead.kind, Kind::On | Kind::Ignoring) {
            matching.is_on = self.advance()?.kind == Kind::On;
            matching.labels = self.grouping()?;
            if matches!(self.ahead.kind, Kind::GroupLeft | Kind::GroupRight) {
                let is_left = self.advance()?.kind == Kind::GroupLeft;
                matching.cardinality = if is_left { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                if self.ahead.kind == Kind::LeftParen {
                    matching.include = self.grouping()?;
                } else if !begins_an_operand(self.ahead.kind) && !is_fill(self.ahead.kind) {
                    return Err(self.unexpected("grouping opts", "\"(\""));
                }
            }
        }
        match self.ahead.kind {
            Kind::Fill => {
                let value = self.fill_value()?;
                (matching.fill_left, matching.fill_right) = (Some(value), Some(value));
            }
            Kind::FillLeft => {
                matching.fill_left = Some(self.fill_value()?);
                if self.ahead.kind == Kind::FillRight {
                    matching.fill_right = Some(self.fill_value()?);
                }
            }
            Kind::FillRight => {
                matching.fill_right = Some(self.fill_value()?);
                if self.ahead.kind == Kind::FillLeft {
                    matching.fill_left = Some(self.fill_value()?);
                }
            }
            _ => {}
        }
        Ok(matching)
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.advance()?;
        self.expect(Kind::LeftParen, "", "")?;
        let sign = self.sign()?;
        let value = match self.ahead.kind {
            Kind::Number | Kind::Duration => self.number()?.0.value,
            _ => return Err(self.unexpected("", "")),
        };
        self.expect(Kind::RightParen, "", "")?;
        Ok(if sign.is_some_and(|(is_negative, _)| is_negative) { -value } else { value })
    }

    /// A sign, and whether it is a minus.
    fn sign(&mut self) -> Parsed<Option<(bool, Extent)>> {
        match self.ahead.kind {
            Kind::Operator(operator @ (Operator::Add | Operator::Sub)) => {
                Ok(Some((operator == Operator::Sub, self.advance()?.extent)))
            }
            _ => Ok(None),
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let Some((is_negative, sign)) = self.sign()? else {
            let primary = self.primary()?;
            return self.modified(primary);
        };
        // As in mathematics, -1^2 is -(1^2).
        let mut operand = self.expr(Operator::Pow.strength())?;
        if let Node::Number(Number { value, .. }) = &mut operand.node {
            if is_negative {
                *value = -*value;
            }
            operand.extent.start = sign.start;
            return Ok(operand);
        }
        let extent = sign.to(operand.extent);
        Ok(Expr::new(Node::Unary { is_negative, operand: Box::new(operand) }, extent))
    }
}
