//! What stands between operators: literals, parentheses, calls, aggregations.

use super::{Parsed, Parser};
use crate::promql::syntax::ast::Number;
use crate::promql::{
    functions,
    syntax::{
        ast::{Aggregate, Call, Expr, Node},
        duration,
        number::parse_number,
        quote::{quoted, unquoted},
        token::{Aggregator, Extent, Kind, Token},
    },
};

/// Whether a word can be the name of a metric.
pub(super) fn may_be_a_metric(kind: Kind) -> bool {
    use crate::promql::syntax::token::Operator;
    matches!(
        kind,
        Kind::Identifier
            | Kind::MetricIdentifier
            | Kind::Aggregator(_)
            | Kind::By
            | Kind::Without
            | Kind::Offset
            | Kind::Anchored
            | Kind::Smoothed
            | Kind::Start
            | Kind::Finish
            | Kind::Step
            | Kind::Range
            | Kind::MinOf
            | Kind::MaxOf
            | Kind::Fill
            | Kind::FillLeft
            | Kind::FillRight
            | Kind::Operator(Operator::And | Operator::Or | Operator::Unless)
    )
}

/// Whether an operand can begin so.
pub(super) fn begins_an_operand(kind: Kind) -> bool {
    use crate::promql::syntax::token::Operator;
    may_be_a_metric(kind)
        || matches!(
            kind,
            Kind::Number
                | Kind::Duration
                | Kind::Text
                | Kind::LeftParen
                | Kind::LeftBrace
                | Kind::Operator(Operator::Add | Operator::Sub)
        )
}

/// Whether a word can be the name of a function.
fn may_be_a_function(kind: Kind) -> bool {
    matches!(kind, Kind::Identifier | Kind::Start | Kind::Finish | Kind::Step | Kind::Range | Kind::MinOf | Kind::MaxOf)
}

/// Whether a word can be a label's name: all can.
fn may_be_a_label(kind: Kind) -> bool {
    use crate::promql::syntax::token::Operator;
    may_be_a_metric(kind)
        || matches!(
            kind,
            Kind::On
                | Kind::Ignoring
                | Kind::GroupLeft
                | Kind::GroupRight
                | Kind::Bool
                | Kind::Operator(Operator::Atan2)
        )
}

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        match self.ahead.kind {
            Kind::Number | Kind::Duration => {
                let (number, extent) = self.number()?;
                Ok(Expr::new(Node::Number(number), extent))
            }
            Kind::Text => {
                let token = self.advance()?;
                let bytes = self.unquote(token)?;
                Ok(Expr::new(Node::Text(bytes), token.extent))
            }
            Kind::LeftParen => {
                let open = self.advance()?;
                let inner = self.expr(0)?;
                let close = self.expect(Kind::RightParen, "", "")?;
                Ok(Expr::new(Node::Paren(Box::new(inner)), open.extent.to(close.extent)))
            }
            Kind::LeftBrace => self.selector(None),
            Kind::Aggregator(aggregator) => {
                let name = self.advance()?;
                match self.ahead.kind {
                    Kind::LeftParen | Kind::By | Kind::Without => self.aggregate(aggregator, name.extent),
                    _ => self.selector(Some(name)),
                }
            }
            kind if may_be_a_metric(kind) => {
                let name = self.advance()?;
                if self.ahead.kind == Kind::LeftParen && may_be_a_function(kind) {
                    return self.call(name);
                }
                self.selector(Some(name))
            }
            _ => Err(self.unexpected("", "")),
        }
    }

    fn call(&mut self, name: Token) -> Parsed<Expr> {
        let arguments = self.arguments()?;
        let close = self.ahead.extent;
        let extent = name.extent.to(close);
        let name = Token { kind: Kind::Identifier, ..name };
        let text = self.text_of(name);
        // Before what follows is looked at: it may make no sense either.
        let Some(function) = functions::named(text) else {
            return Err(self.error(name.extent, format!("unknown function with name {}", quoted(text))));
        };
        self.advance()?;
        Ok(Expr::new(Node::Call(Box::new(Call { function, arguments, extent })), extent))
    }

    /// `(a, b)`, up to the closing parenthesis, which is still ahead.
    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.expect(Kind::LeftParen, "", "")?;
        let mut arguments = Vec::new();
        if self.ahead.kind == Kind::RightParen {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expr(0)?);
            match self.ahead.kind {
                Kind::RightParen => return Ok(arguments),
                Kind::Comma => {}
                _ => return Err(self.unexpected("", "")),
            }
            let comma = self.advance()?;
            if !begins_an_operand(self.ahead.kind) {
                let message = "trailing commas not allowed in function call args".to_owned();
                return Err(self.error(comma.extent, message));
            }
        }
    }

    fn aggregate(&mut self, operator: Aggregator, name: Extent) -> Parsed<Expr> {
        let mut modifier = self.aggregate_modifier()?;
        if self.ahead.kind != Kind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        self.open_aggregations += 1;
        let mut arguments = self.arguments()?;
        let mut close = self.advance()?.extent;
        self.open_aggregations -= 1;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
            if modifier.is_some() {
                close.end = self.last_closing;
            }
        }
        let extent = name.to(close);
        let (is_without, grouping) = modifier.unwrap_or_default();
        if arguments.is_empty() {
            return Err(self.error(extent, "no arguments for aggregate expression provided".to_owned()));
        }
        let desired = 1 + usize::from(operator.has_parameter());
        if arguments.len() != desired {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {desired}, got {}",
                arguments.len()
            );
            return Err(self.error(extent, message));
        }
        let operand = arguments.pop().expect("as many as desired");
        let parameter = arguments.pop();
        let aggregate = Aggregate { operator, parameter, operand, grouping, is_without };
        Ok(Expr::new(Node::Aggregate(Box::new(aggregate)), extent))
    }

    fn aggregate_modifier(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        if !matches!(self.ahead.kind, Kind::By | Kind::Without) {
            return Ok(None);
        }
        let is_without = self.advance()?.kind == Kind::Without;
        Ok(Some((is_without, self.grouping()?)))
    }

    /// `(a, b)` of labels.
    pub(super) fn grouping(&mut self) -> Parsed<Vec<String>> {
        self.expect(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while self.ahead.kind != Kind::RightParen {
            let label = match self.ahead.kind {
                Kind::Text => {
                    let token = self.advance()?;
                    let bytes = self.unquote(token)?;
                    match String::from_utf8(bytes) {
                        Ok(label) if !label.is_empty() => label,
                        _ => return Err(self.unexpected_at(token, "grouping opts", "label")),
                    }
                }
                kind if may_be_a_label(kind) => {
                    let token = self.advance()?;
                    self.text_of(token).to_owned()
                }
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            labels.push(label);
            match self.ahead.kind {
                Kind::RightParen => {}
                Kind::Comma => {
                    self.advance()?;
                }
                _ => return Err(self.unexpected("grouping opts", "\",\" or \")\"")),
            }
        }
        self.advance()?;
        Ok(labels)
    }

    pub(super) fn unexpected_at(&self, token: Token, context: &str, expected: &str) -> super::ParseError {
        let message = format!("unexpected {} in {context}, expected {expected}", token.description(self.text()));
        self.error(token.extent, message)
    }

    pub(super) fn unquote(&self, token: Token) -> Parsed<Vec<u8>> {
        let text = self.text_of(token);
        unquoted(text)
            .map_err(|_| self.error(token.extent, format!("error unquoting string {}: invalid syntax", quoted(text))))
    }

    /// A number or a duration, in seconds.
    pub(super) fn number(&mut self) -> Parsed<(Number, Extent)> {
        let token = self.ahead;
        let text = self.text_of(token);
        let number = if token.kind == Kind::Duration {
            duration::parse(text).map(|ms| Number { value: ms as f64 / 1e3, is_duration: true })
        } else {
            parse_number(text)
                .map(|value| Number { value, is_duration: false })
                .map_err(|error| format!("error parsing number: {error}"))
        };
        // Before what follows is looked at: it may make no sense either.
        let number = number.map_err(|message| self.error(token.extent, message))?;
        self.advance()?;
        Ok((number, token.extent))
    }
}
