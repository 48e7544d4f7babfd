//! What follows an operand: `[5m]`, `[5m:1m]`, `offset`, `@`, `anchored`, `smoothed`.

use super::{Parsed, Parser, duration::LENGTH};
use crate::promql::syntax::{
    ast::{At, Edges, Expr, Length, Node, RangeSelector, Selector, Shift, Subquery},
    token::{Extent, Kind},
};

const NOT_SHIFTED: &str = "must be preceded by an instant vector selector or range vector selector or a subquery";

impl Parser<'_> {
    pub(super) fn modified(&mut self, mut expr: Expr) -> Parsed<Expr> {
        for _ in 0..super::DEPTH_MAX {
            match self.ahead.kind {
                Kind::LeftBracket => expr = self.bracketed(expr)?,
                Kind::Offset => self.offset(&mut expr)?,
                Kind::At => self.at(&mut expr)?,
                Kind::Anchored => self.edges(&mut expr, Edges::Anchored)?,
                Kind::Smoothed => self.edges(&mut expr, Edges::Smoothed)?,
                _ => return Ok(expr),
            }
        }
        Err(self.unexpected("", ""))
    }

    fn bracketed(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.advance()?;
        let range = self.positive_length("subquery or range selector", LENGTH)?;
        match self.ahead.kind {
            Kind::RightBracket => {
                let close = self.advance()?;
                self.range_selector(expr, range, open.extent.to(close.extent))
            }
            Kind::Colon => {
                self.advance()?;
                let step = if self.ahead.kind == Kind::RightBracket {
                    None
                } else {
                    Some(self.positive_length("subquery selector", "number, duration, step(), range(), or \"]\"")?)
                };
                let close = self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?;
                let extent = expr.extent.to(close.extent);
                let subquery = Subquery { operand: expr, range, step, shift: Shift::default() };
                Ok(Expr::new(Node::Subquery(Box::new(subquery)), extent))
            }
            _ => Err(self.unexpected("subquery or range", "\":\" or \"]\"")),
        }
    }

    fn range_selector(&mut self, expr: Expr, range: Length, brackets: Extent) -> Parsed<Expr> {
        let extent = Extent::new(expr.extent.start, brackets.end);
        let selector_extent = expr.extent;
        let message = match expr.node {
            Node::Selector(selector) if selector.shift.offset.is_some() => "no offset modifiers allowed before range",
            Node::Selector(selector) if selector.shift.at.is_some() => "no @ modifiers allowed before range",
            Node::Selector(selector) => {
                let range = RangeSelector { selector: *selector, selector_extent, range };
                return Ok(Expr::new(Node::Range(Box::new(range)), extent));
            }
            _ => "ranges only allowed for vector selectors",
        };
        Err(self.error(brackets, message.to_owned()))
    }

    fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance()?;
        let length = self.offset_length()?;
        let extent = expr.extent;
        let Some(shift) = shift_of(expr) else {
            return Err(self.error(extent, format!("offset modifier {NOT_SHIFTED}")));
        };
        // An offset of nothing leaves room for another.
        if shift.offset.as_ref().is_some_and(|offset| !matches!(offset, Length::Known(0))) {
            return Err(self.error(extent, "offset may not be set multiple times".to_owned()));
        }
        shift.offset = Some(length);
        expr.extent.end = self.last_closing;
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Parsed<()> {
        self.advance()?;
        let at = match self.ahead.kind {
            kind @ (Kind::Start | Kind::Finish) => {
                self.advance()?;
                self.expect(Kind::LeftParen, "@", "timestamp")?;
                self.expect(Kind::RightParen, "@", "timestamp")?;
                if kind == Kind::Start { At::Start } else { At::End }
            }
            _ => {
                let is_negative = self.sign()?.is_some_and(|(is_negative, _)| is_negative);
                if !matches!(self.ahead.kind, Kind::Number | Kind::Duration) {
                    return Err(self.unexpected("@", "timestamp"));
                }
                let seconds = self.number()?.0.value;
                let seconds = if is_negative { -seconds } else { seconds };
                if !(seconds > i64::MIN as f64 && seconds < i64::MAX as f64) {
                    let seconds = match seconds {
                        f64::INFINITY => "+Inf".to_owned(),
                        f64::NEG_INFINITY => "-Inf".to_owned(),
                        _ => format!("{seconds:.6}"),
                    };
                    let message = format!("timestamp out of bounds for @ modifier: {seconds}");
                    return Err(self.error(expr.extent, message));
                }
                At::Time((seconds * 1e3).round() as i64)
            }
        };
        let extent = expr.extent;
        let Some(shift) = shift_of(expr) else {
            return Err(self.error(extent, format!("@ modifier {NOT_SHIFTED}")));
        };
        if shift.at.is_some() {
            return Err(self.error(extent, "@ <timestamp> may not be set multiple times".to_owned()));
        }
        shift.at = Some(at);
        expr.extent.end = self.last_closing;
        Ok(())
    }

    fn edges(&mut self, expr: &mut Expr, edges: Edges) -> Parsed<()> {
        self.advance()?;
        let word = if edges == Edges::Anchored { "anchored" } else { "smoothed" };
        let extent = expr.extent;
        let message = match &mut expr.node {
            Node::Selector(selector) => set_edges(selector, edges),
            Node::Range(range) => set_edges(&mut range.selector, edges),
            Node::Subquery(_) => Some(format!("{word} modifier is not supported for subqueries")),
            _ => Some(format!("{word} modifier not implemented")),
        };
        message.map_or(Ok(()), |message| Err(self.error(extent, message)))
    }
}

fn set_edges(selector: &mut Selector, edges: Edges) -> Option<String> {
    if selector.edges != Edges::Plain && selector.edges != edges {
        return Some("anchored and smoothed modifiers cannot be used together".to_owned());
    }
    selector.edges = edges;
    None
}

fn shift_of(expr: &mut Expr) -> Option<&mut Shift> {
    match &mut expr.node {
        Node::Selector(selector) => Some(&mut selector.shift),
        Node::Range(range) => Some(&mut range.selector.shift),
        Node::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
