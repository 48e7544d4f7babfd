//! Metric queries: windows, aggregations, operators.

use super::Parser;
use crate::logql::{
    ast::{
        BinaryOp, Cardinality, Compare, Expr, Grouping, LogRange, Metric, Modifier, RANGE_OPS, RangeOp, VECTOR_OPS,
        VectorOp,
    },
    error::LogqlError,
    regex::Pattern,
    scalar,
    token::Token,
};

impl Parser<'_> {
    /// A whole query.
    pub(super) fn expr(&mut self) -> Result<Expr, LogqlError> {
        // Parentheses may stand around both kinds: look behind them.
        let first = self.tokens[self.next..].iter().find(|placed| placed.token != Token::Sign("("));
        if first.is_some_and(|placed| placed.token == Token::Sign("{")) {
            return Ok(Expr::Log(self.log()?));
        }
        Ok(Expr::Metric(self.binary(0)?))
    }

    /// Operators that bind at least so strongly, and their operands.
    fn binary(&mut self, strength_min: u8) -> Result<Metric, LogqlError> {
        let mut left = self.operand()?;
        loop {
            let at = self.at();
            let Some(op) = self.operator().filter(|op| op.strength() >= strength_min) else {
                return Ok(left);
            };
            self.take();
            let modifier = self.modifier(op, at)?;
            // A power binds to its right, the others to their left.
            let right_min = if op == BinaryOp::Pow { op.strength() } else { op.strength() + 1 };
            let right = self.deeper(|parser| parser.binary(right_min))?;
            left = scalar::combine(op, modifier, left, right).map_err(|words| self.error(at, words))?;
            if left.depth() > super::DEPTH_MAX {
                return Err(self.error(at, format!("the query is nested deeper than {} levels", super::DEPTH_MAX)));
            }
        }
    }

    fn operator(&self) -> Option<BinaryOp> {
        Some(match self.peek() {
            Token::Sign("+") => BinaryOp::Add,
            Token::Sign("-") => BinaryOp::Sub,
            Token::Sign("*") => BinaryOp::Mul,
            Token::Sign("/") => BinaryOp::Div,
            Token::Sign("%") => BinaryOp::Mod,
            Token::Sign("^") => BinaryOp::Pow,
            Token::Sign("==") => BinaryOp::Compare(Compare::Equal),
            Token::Sign("!=") => BinaryOp::Compare(Compare::NotEqual),
            Token::Sign(">") => BinaryOp::Compare(Compare::Greater),
            Token::Sign(">=") => BinaryOp::Compare(Compare::GreaterEqual),
            Token::Sign("<") => BinaryOp::Compare(Compare::Less),
            Token::Sign("<=") => BinaryOp::Compare(Compare::LessEqual),
            Token::Word(word) => match word.to_lowercase().as_str() {
                "and" => BinaryOp::And,
                "or" => BinaryOp::Or,
                "unless" => BinaryOp::Unless,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn modifier(&mut self, op: BinaryOp, at: usize) -> Result<Modifier, LogqlError> {
        let mut modifier = Modifier::default();
        if self.is_word("bool") {
            if !matches!(op, BinaryOp::Compare(_)) {
                return Err(self.error(self.at(), "bool goes with comparisons only"));
            }
            self.take();
            modifier.returns_bool = true;
        }
        let is_on = self.is_word("on");
        if !is_on && !self.is_word("ignoring") {
            if self.is_word("group_left") || self.is_word("group_right") {
                return Err(self.unexpected(""));
            }
            return Ok(modifier);
        }
        self.take();
        modifier.matching = Some((is_on, self.names()?));
        let is_left = self.is_word("group_left");
        if is_left || self.is_word("group_right") {
            if op.is_set() {
                return Err(self.error(at, format!("no grouping with the set operator '{}'", op.text())));
            }
            self.take();
            let labels = if self.is_sign("(") && self.are_names() { self.names()? } else { Vec::new() };
            modifier.cardinality =
                if is_left { Cardinality::ManyToOne(labels) } else { Cardinality::OneToMany(labels) };
        }
        Ok(modifier)
    }

    /// Whether the parenthesis holds names, not an operand.
    fn are_names(&self) -> bool {
        let second = self.peek_second();
        let third = &self.tokens[(self.next + 2).min(self.tokens.len() - 1)].token;
        *second == Token::Sign(")") || (matches!(second, Token::Word(_)) && matches!(third, Token::Sign("," | ")")))
    }

    fn operand(&mut self) -> Result<Metric, LogqlError> {
        match self.peek().clone() {
            Token::Sign("(") => {
                self.take();
                let inner = self.deeper(|parser| parser.binary(0))?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            Token::Sign(sign @ ("-" | "+")) => {
                self.take();
                let Token::Number(value, _) = self.peek() else {
                    return Err(self.unexpected("NUMBER"));
                };
                let value = if sign == "-" { -value } else { *value };
                self.take();
                Ok(Metric::Number(value))
            }
            Token::Number(value, _) => {
                self.take();
                Ok(Metric::Number(value))
            }
            Token::Word(word) => self.deeper(|parser| parser.call(&word.to_lowercase())),
            _ => Err(self.unexpected("")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Metric, LogqlError> {
        if let Some((_, op)) = RANGE_OPS.iter().find(|(known, _)| *known == name) {
            return self.range_aggregation(*op);
        }
        if let Some((_, op)) = VECTOR_OPS.iter().find(|(known, _)| *known == name) {
            return self.vector_aggregation(*op);
        }
        match name {
            "vector" => {
                self.take();
                self.expect_sign("(")?;
                let value = self.signed_number()?;
                self.expect_sign(")")?;
                Ok(Metric::VectorOf(value))
            }
            "label_replace" => self.label_replace(),
            _ => Err(self.unexpected("")),
        }
    }

    fn signed_number(&mut self) -> Result<f64, LogqlError> {
        let sign = if self.takes_sign("-") { -1.0 } else { 1.0 };
        let Token::Number(value, _) = self.peek() else {
            return Err(self.unexpected("NUMBER"));
        };
        let value = sign * value;
        self.take();
        Ok(value)
    }

    fn label_replace(&mut self) -> Result<Metric, LogqlError> {
        self.take();
        self.expect_sign("(")?;
        let inner = Box::new(self.deeper(|parser| parser.binary(0))?);
        let mut texts = Vec::new();
        let mut at = self.at();
        for _ in 0..4 {
            self.expect_sign(",")?;
            at = self.at();
            texts.push(self.expect_text()?);
        }
        self.expect_sign(")")?;
        let regex = texts.pop().unwrap_or_default();
        let source = texts.pop().unwrap_or_default();
        let replacement = texts.pop().unwrap_or_default();
        let target = texts.pop().unwrap_or_default();
        Pattern::anchored(&regex).map_err(|error| self.error(at, error))?;
        if !is_label(&target) {
            return Err(self.error(at, format!("invalid destination label name in label_replace: {target:?}")));
        }
        Ok(Metric::LabelReplace { inner, target, replacement, source, regex })
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Result<Metric, LogqlError> {
        let at = self.at();
        self.take();
        let before = self.grouping()?;
        self.expect_sign("(")?;
        let takes_k = matches!(op, VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk);
        let mut parameter = None;
        let is_parameter = matches!(self.peek_second(), Token::Sign(","))
            || (self.is_sign("-") && matches!(self.peek_second(), Token::Number(..)));
        if let Token::Number(k, written) = self.peek().clone()
            && is_parameter
        {
            if !takes_k {
                return Err(self.error(at, format!("{} takes no parameter, but has {written}", op.text())));
            }
            if k.fract() != 0.0 || k < 1.0 || k > f64::from(u32::MAX) {
                return Err(self.error(self.at(), format!("invalid parameter of {}: {written}", op.text())));
            }
            self.take();
            self.take();
            parameter = Some(k as i64);
        } else if takes_k {
            return Err(self.error(at, format!("parameter required for operation {}", op.text())));
        }
        let inner = Box::new(self.deeper(|parser| parser.binary(0))?);
        if matches!(*inner, Metric::Number(_)) {
            return Err(self.unexpected(""));
        }
        self.expect_sign(")")?;
        let grouping = self.grouping_behind(before)?;
        let groups_never = matches!(op, VectorOp::Sort | VectorOp::SortDesc | VectorOp::ApproxTopk);
        if groups_never && grouping.is_some() {
            return Err(self.error(at, format!("grouping not allowed for {} aggregation", op.text())));
        }
        Ok(Metric::Vector { op, parameter, inner, grouping })
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, LogqlError> {
        let without = self.is_word("without");
        if !without && !self.is_word("by") {
            return Ok(None);
        }
        self.take();
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    /// The grouping that stands behind, where none stands before.
    fn grouping_behind(&mut self, before: Option<Grouping>) -> Result<Option<Grouping>, LogqlError> {
        if before.is_some() {
            return Ok(before);
        }
        self.grouping()
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<Metric, LogqlError> {
        let at = self.at();
        self.take();
        self.expect_sign("(")?;
        let mut parameter = None;
        if matches!(self.peek(), Token::Number(..) | Token::Sign("-" | "+")) {
            let negative = self.takes_sign("-");
            self.takes_sign("+");
            let Token::Number(value, _) = self.peek() else {
                return Err(self.unexpected("NUMBER"));
            };
            let value = if negative { -*value } else { *value };
            if op != RangeOp::Quantile {
                return Err(self.error(at, format!("parameter {value} not supported for operation {}", op.text())));
            }
            parameter = Some(value);
            self.take();
            self.expect_sign(",")?;
        } else if op == RangeOp::Quantile {
            return Err(self.error(at, "parameter required for operation quantile_over_time"));
        }
        let range = self.log_range()?;
        self.expect_sign(")")?;
        let grouping = self.grouping()?;
        check_range(op, &range, grouping.as_ref()).map_err(|words| self.error(at, words))?;
        Ok(Metric::Range { op, parameter, range, grouping })
    }

    /// A pipeline with its window, which may stand behind the selector or at the end, in parentheses or not.
    fn log_range(&mut self) -> Result<LogRange, LogqlError> {
        if self.is_sign("(") {
            self.take();
            let mut range = self.deeper(|parser| parser.log_range_within(true))?;
            self.expect_sign(")")?;
            if range.range_ns == 0 {
                range.log.stages.extend(self.stages()?);
                range.unwrap = match self.unwrap()? {
                    Some(unwrap) => Some(unwrap),
                    None => range.unwrap,
                };
                self.window(&mut range)?;
            }
            if range.range_ns == 0 {
                return Err(self.unexpected("RANGE"));
            }
            return Ok(range);
        }
        self.log_range_within(false)
    }

    /// `may_lack` says that the window may follow later: then it is 0 here.
    fn log_range_within(&mut self, may_lack: bool) -> Result<LogRange, LogqlError> {
        if self.is_sign("(") {
            self.take();
            let range = self.deeper(|parser| parser.log_range_within(may_lack))?;
            self.expect_sign(")")?;
            return Ok(range);
        }
        let matchers = self.matchers()?;
        let log = crate::logql::ast::LogExpr { matchers, stages: Vec::new() };
        let mut range = LogRange { log, unwrap: None, range_ns: 0, offset_ns: 0 };
        self.window(&mut range)?;
        range.log.stages = self.stages()?;
        range.unwrap = self.unwrap()?;
        if range.range_ns == 0 {
            self.window(&mut range)?;
        }
        if range.range_ns == 0 && !may_lack {
            return Err(self.unexpected("RANGE"));
        }
        Ok(range)
    }

    /// `[5m] offset 1h`
    fn window(&mut self, range: &mut LogRange) -> Result<(), LogqlError> {
        let Token::Range(ns) = self.peek() else {
            return Ok(());
        };
        range.range_ns = *ns;
        self.take();
        if self.takes_word("offset") {
            let negative = self.takes_sign("-");
            let ns = match self.peek() {
                Token::Duration(ns, _) => *ns,
                Token::Number(value, _) if *value == 0.0 => 0,
                _ => return Err(self.unexpected("DURATION")),
            };
            range.offset_ns = if negative { -ns } else { ns };
            self.take();
        }
        Ok(())
    }
}

/// Whether operator, unwrap and grouping go together.
fn check_range(op: RangeOp, range: &LogRange, grouping: Option<&Grouping>) -> Result<(), String> {
    use RangeOp::*;
    if grouping.is_some() && !matches!(op, Avg | Min | Max | Stddev | Stdvar | Quantile | First | Last) {
        return Err(format!("grouping not allowed for {} aggregation", op.text()));
    }
    match range.unwrap.is_some() {
        true if matches!(op, Count | Bytes | BytesRate) => {
            Err(format!("invalid aggregation {} with unwrap", op.text()))
        }
        false if !matches!(op, Count | Rate | Bytes | BytesRate | Absent) => {
            Err(format!("invalid aggregation {} without unwrap", op.text()))
        }
        _ => Ok(()),
    }
}

/// Whether a text can name a label.
fn is_label(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
