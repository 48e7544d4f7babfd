//! `name{label="value"}`

use weir_proto::metrics::{LabelMatcher, METRIC_NAME, MatchOp};

use super::{Parsed, Parser};
use crate::promql::syntax::{
    ast::{Expr, Node, Selector},
    regex,
    token::{Extent, Kind, Operator, Token},
};

impl Parser<'_> {
    /// What comes after a name, or the braces alone.
    pub(super) fn selector(&mut self, name: Option<Token>) -> Parsed<Expr> {
        let mut extent = name.map_or(self.ahead.extent, |name| name.extent);
        let mut selector = Selector::default();
        if self.ahead.kind == Kind::LeftBrace {
            selector.matchers = self.matchers()?;
            extent.end = self.last_closing;
        }
        if let Some(name) = name {
            selector.name = self.text_of(name).to_owned();
            selector.matchers.push(equal(METRIC_NAME, &selector.name));
        }
        Ok(Expr::new(Node::Selector(Box::new(selector)), extent))
    }

    fn matchers(&mut self) -> Parsed<Vec<LabelMatcher>> {
        self.advance()?;
        let mut matchers = Vec::new();
        loop {
            match self.ahead.kind {
                Kind::RightBrace => {
                    self.advance()?;
                    return Ok(matchers);
                }
                Kind::Identifier | Kind::Text => matchers.push(self.matcher()?),
                _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
            }
            match self.ahead.kind {
                Kind::RightBrace => {}
                Kind::Comma => {
                    self.advance()?;
                }
                _ => return Err(self.unexpected("label matching", "\",\" or \"}\"")),
            }
        }
    }

    fn matcher(&mut self) -> Parsed<LabelMatcher> {
        let label = self.advance()?;
        let name = if label.kind == Kind::Text {
            String::from_utf8_lossy(&self.unquote(label)?).into_owned()
        } else {
            self.text_of(label).to_owned()
        };
        let op = match self.ahead.kind {
            Kind::Equal => MatchOp::Equal,
            Kind::Operator(Operator::NotEqual) => MatchOp::NotEqual,
            Kind::Matches => MatchOp::Matches,
            Kind::MatchesNot => MatchOp::MatchesNot,
            // A quoted name alone is the metric's.
            _ if label.kind == Kind::Text => return Ok(equal(METRIC_NAME, &name)),
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.advance()?;
        if self.ahead.kind != Kind::Text {
            return Err(self.unexpected("label matching", "string"));
        }
        let token = self.advance()?;
        let value = String::from_utf8_lossy(&self.unquote(token)?).into_owned();
        if matches!(op, MatchOp::Matches | MatchOp::MatchesNot)
            && let Err(message) = regex::check(&value)
        {
            let extent = Extent::new(label.extent.start, token.extent.end);
            return Err(self.error(extent, format!("error parsing regexp: {message}")));
        }
        Ok(LabelMatcher { name, op, value })
    }
}

fn equal(name: &str, value: &str) -> LabelMatcher {
    LabelMatcher { name: name.to_owned(), op: MatchOp::Equal, value: value.to_owned() }
}
