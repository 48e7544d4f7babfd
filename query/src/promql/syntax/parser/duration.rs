//! Lengths of time in brackets and after `offset`, which may be computed.

use super::{Parsed, Parser};
use crate::promql::syntax::{
    ast::{DurationExpr, Length, Number},
    token::{Extent, Kind, Operator},
};

/// What is expected where a length of time is.
pub(super) const LENGTH: &str = "number, duration, step(), or range()";

/// The longest that can be meant: Go's durations are nanoseconds in 64 bits.
const SECONDS_MAX: f64 = 9_223_372_036.0;

impl Parser<'_> {
    /// What stands in brackets: has to be above zero.
    pub(super) fn positive_length(&mut self, context: &'static str, expected: &'static str) -> Parsed<Length> {
        if !self.begins_a_length() {
            return Err(self.unexpected(context, expected));
        }
        let begin = self.ahead.extent;
        self.length_context = (context, expected);
        let expr = self.duration_expr(0)?;
        let extent = Extent::new(begin.start, self.last_closing);
        match known_seconds(&expr) {
            Some(seconds) if seconds <= 0.0 => Err(self.error(extent, "duration must be greater than 0".to_owned())),
            Some(seconds) => self.known(seconds, extent),
            None => Ok(Length::Computed(Box::new(expr))),
        }
    }

    /// What follows `offset`: arithmetic only in parentheses.
    pub(super) fn offset_length(&mut self) -> Parsed<Length> {
        let begin = self.ahead.extent;
        let sign = self.sign()?;
        if !self.begins_a_length() || matches!(self.ahead.kind, Kind::Operator(_)) {
            return Err(self.unexpected("offset", LENGTH));
        }
        self.length_context = ("offset", LENGTH);
        let mut expr = self.duration_primary()?;
        if sign.is_some_and(|(is_negative, _)| is_negative) {
            expr = match expr {
                DurationExpr::Number(number, extent) => {
                    DurationExpr::Number(Number { value: -number.value, ..number }, extent)
                }
                expr => DurationExpr::Negative(Box::new(expr), begin.start),
            };
        }
        let extent = Extent::new(begin.start, self.last_closing);
        match known_seconds(&expr) {
            Some(seconds) => self.known(seconds, extent),
            None => Ok(Length::Computed(Box::new(expr))),
        }
    }

    fn known(&self, seconds: f64, extent: Extent) -> Parsed<Length> {
        if seconds.abs() > SECONDS_MAX || seconds.is_nan() {
            return Err(self.error(extent, "duration out of range".to_owned()));
        }
        // Go's conversion cuts off what is below a millisecond.
        Ok(Length::Known((seconds * 1e3 + 1e-6_f64.copysign(seconds)).trunc() as i64))
    }

    fn begins_a_length(&self) -> bool {
        matches!(
            self.ahead.kind,
            Kind::Number
                | Kind::Duration
                | Kind::Step
                | Kind::Range
                | Kind::LeftParen
                | Kind::MinOf
                | Kind::MaxOf
                | Kind::Operator(Operator::Add | Operator::Sub)
        )
    }

    fn duration_expr(&mut self, strength: u8) -> Parsed<DurationExpr> {
        self.deeper(|parser| {
            let mut left = parser.duration_unary()?;
            let mut chained = 0;
            while let Kind::Operator(
                operator @ (Operator::Add
                | Operator::Sub
                | Operator::Mul
                | Operator::Div
                | Operator::Mod
                | Operator::Pow),
            ) = parser.ahead.kind
            {
                chained += 1;
                if operator.strength() < strength || parser.depth + chained > super::DEPTH_MAX {
                    break;
                }
                let sign = parser.advance()?;
                let next = operator.strength() + u8::from(operator != Operator::Pow);
                let right = parser.duration_expr(next)?;
                if matches!(right, DurationExpr::Number(Number { value: 0.0, .. }, _)) {
                    match operator {
                        Operator::Div => return Err(parser.error(sign.extent, "division by zero".to_owned())),
                        Operator::Mod => return Err(parser.error(sign.extent, "modulo by zero".to_owned())),
                        _ => {}
                    }
                }
                left = DurationExpr::Binary(operator, Box::new(left), Box::new(right));
            }
            Ok(left)
        })
    }

    fn duration_unary(&mut self) -> Parsed<DurationExpr> {
        let start = self.ahead.extent.start;
        let Some((is_negative, _)) = self.sign()? else { return self.duration_primary() };
        let operand = self.duration_expr(Operator::Pow.strength())?;
        Ok(match operand {
            DurationExpr::Number(number, extent) if is_negative => {
                DurationExpr::Number(Number { value: -number.value, ..number }, extent)
            }
            operand if is_negative => DurationExpr::Negative(Box::new(operand), start),
            operand => operand,
        })
    }

    fn duration_primary(&mut self) -> Parsed<DurationExpr> {
        match self.ahead.kind {
            Kind::Number | Kind::Duration => {
                let (number, extent) = self.number()?;
                if number.value.abs() > SECONDS_MAX {
                    return Err(self.error(extent, "duration out of range".to_owned()));
                }
                Ok(DurationExpr::Number(number, extent))
            }
            kind @ (Kind::Step | Kind::Range) => {
                let word = self.advance()?;
                self.expect(Kind::LeftParen, "", "")?;
                let close = self.expect(Kind::RightParen, "", "")?;
                let extent = word.extent.to(close.extent);
                Ok(if kind == Kind::Step { DurationExpr::Step(extent) } else { DurationExpr::Range(extent) })
            }
            kind @ (Kind::MinOf | Kind::MaxOf) => {
                self.advance()?;
                self.expect(Kind::LeftParen, "", "")?;
                let left = Box::new(self.duration_expr(0)?);
                self.expect(Kind::Comma, "", "")?;
                let right = Box::new(self.duration_expr(0)?);
                self.expect(Kind::RightParen, "", "")?;
                Ok(if kind == Kind::MinOf { DurationExpr::Min(left, right) } else { DurationExpr::Max(left, right) })
            }
            Kind::LeftParen => {
                self.advance()?;
                let inner = self.duration_expr(0)?;
                self.expect(Kind::RightParen, "", "")?;
                Ok(match inner {
                    // Parentheses around one number are forgotten.
                    number @ DurationExpr::Number(..) => number,
                    inner => DurationExpr::Paren(Box::new(inner)),
                })
            }
            _ => Err(self.unexpected(self.length_context.0, self.length_context.1)),
        }
    }
}

/// What needs no arithmetic.
fn known_seconds(expr: &DurationExpr) -> Option<f64> {
    match expr {
        DurationExpr::Number(number, _) => Some(number.value),
        _ => None,
    }
}
