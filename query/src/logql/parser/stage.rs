//! Stages of a pipeline: `|= "error" | json | ms > 10`.

use super::Parser;
use crate::logql::{
    ast::{
        Chosen, Compare, Conversion, Extraction, FormatSource, LabelFilter, LabelFormat, LineOp, Needle, Stage, Unit,
        Unwrap,
    },
    error::LogqlError,
    ip::Addresses,
    path,
    pattern::PatternExpr,
    regex::Pattern,
    template::Template,
    token::Token,
};

impl Parser<'_> {
    /// The stages up to what is none.
    pub(super) fn stages(&mut self) -> Result<Vec<Stage>, LogqlError> {
        let mut stages = Vec::new();
        loop {
            match self.peek() {
                Token::Sign("|=" | "!=" | "|~" | "!~" | "|>" | "!>") if self.is_line_filter() => {
                    stages.push(self.line_filter()?);
                }
                Token::Sign("|") => {
                    if matches!(self.peek_second(), Token::Word(word) if word.eq_ignore_ascii_case("unwrap")) {
                        return Ok(stages);
                    }
                    self.take();
                    stages.push(self.stage()?);
                }
                _ => return Ok(stages),
            }
        }
    }

    /// `!=` may also compare two metric queries: a line filter has a text behind it.
    fn is_line_filter(&self) -> bool {
        !self.is_sign("!=")
            || matches!(self.peek_second(), Token::Text(_))
            || matches!(self.peek_second(), Token::Word(word) if word.eq_ignore_ascii_case("ip"))
            || matches!(self.peek_second(), Token::End)
    }

    fn line_filter(&mut self) -> Result<Stage, LogqlError> {
        let op = match self.take() {
            Token::Sign("|=") => LineOp::Contains,
            Token::Sign("!=") => LineOp::NotContains,
            Token::Sign("|~") => LineOp::Regex,
            Token::Sign("!~") => LineOp::NotRegex,
            Token::Sign("|>") => LineOp::Pattern,
            _ => LineOp::NotPattern,
        };
        let mut needles = vec![self.needle(op)?];
        while self.is_word("or") {
            self.take();
            needles.push(self.needle(op)?);
        }
        Ok(Stage::Line { op, needles })
    }

    fn needle(&mut self, op: LineOp) -> Result<Needle, LogqlError> {
        let at = self.at();
        if self.is_word("ip") {
            self.take();
            if !matches!(op, LineOp::Contains | LineOp::NotContains) {
                return Err(self.error(at, "ip() goes with |= and != only"));
            }
            self.expect_sign("(")?;
            let text = self.expect_text()?;
            self.expect_sign(")")?;
            Addresses::read(&text).map_err(|error| self.error(at, error))?;
            return Ok(Needle { is_ip: true, text });
        }
        let text = match self.peek() {
            Token::Text(_) => self.expect_text()?,
            _ => return Err(self.unexpected("STRING or ip")),
        };
        let checked = match op {
            LineOp::Regex | LineOp::NotRegex => Pattern::unanchored(&text).map(|_| ()),
            LineOp::Pattern | LineOp::NotPattern => PatternExpr::filter(&text).map(|_| ()),
            _ => Ok(()),
        };
        checked.map_err(|error| self.error(at, error))?;
        Ok(Needle { is_ip: false, text })
    }

    fn stage(&mut self) -> Result<Stage, LogqlError> {
        let Token::Word(word) = self.peek() else {
            if self.is_sign("(") {
                return Ok(Stage::Label(self.label_filter()?));
            }
            return Err(self.unexpected(""));
        };
        let word = word.to_lowercase();
        // A label may have a keyword's name: then a comparison follows.
        let compares =
            matches!(self.peek_second(), Token::Sign("=" | "==" | "!=" | "=~" | "!~" | ">" | ">=" | "<" | "<="));
        let at = self.at();
        if !compares {
            match word.as_str() {
                "json" => {
                    self.take();
                    return Ok(Stage::Json(self.extractions(true)?));
                }
                "logfmt" => {
                    self.take();
                    return self.logfmt();
                }
                "unpack" => {
                    self.take();
                    return Ok(Stage::Unpack);
                }
                "decolorize" => {
                    self.take();
                    return Ok(Stage::Decolorize);
                }
                "regexp" => {
                    self.take();
                    let text = self.expect_text()?;
                    let pattern = Pattern::unanchored(&text).map_err(|error| self.error(at, error))?;
                    pattern.labels().map_err(|error| self.error(at, error))?;
                    return Ok(Stage::Regexp(text));
                }
                "pattern" => {
                    self.take();
                    let text = self.expect_text()?;
                    PatternExpr::parser(&text).map_err(|error| self.error(at, error))?;
                    return Ok(Stage::Pattern(text));
                }
                "line_format" => {
                    self.take();
                    let at = self.at();
                    let text = self.expect_text()?;
                    Template::read(&text).map_err(|error| self.error(at, error))?;
                    return Ok(Stage::LineFormat(text));
                }
                "label_format" => {
                    self.take();
                    return self.label_format();
                }
                "drop" => {
                    self.take();
                    return Ok(Stage::Drop(self.chosen()?));
                }
                "keep" => {
                    self.take();
                    return Ok(Stage::Keep(self.chosen()?));
                }
                _ => {}
            }
        }
        Ok(Stage::Label(self.label_filter()?))
    }

    /// `a, b="path"`; none is everything.
    fn extractions(&mut self, is_json: bool) -> Result<Vec<Extraction>, LogqlError> {
        let mut found = Vec::new();
        while let Token::Word(name) = self.peek().clone() {
            // Behind an expression these go on with it.
            if found.is_empty() && matches!(name.to_lowercase().as_str(), "or" | "and" | "unless") {
                break;
            }
            let at = self.at();
            self.take();
            let path = if self.takes_sign("=") { self.expect_text()? } else { name.clone() };
            if is_json {
                path::read(&path).map_err(|error| self.error(at, error))?;
            }
            found.push(Extraction { name, path });
            if !self.takes_sign(",") {
                break;
            }
            if !matches!(self.peek(), Token::Word(_)) {
                return Err(self.unexpected("IDENTIFIER"));
            }
        }
        Ok(found)
    }

    fn logfmt(&mut self) -> Result<Stage, LogqlError> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Token::Flag(flag) = self.peek() {
            match flag.as_str() {
                "strict" => strict = true,
                "keep-empty" => keep_empty = true,
                other => return Err(self.error(self.at(), format!("logfmt has no flag --{other}"))),
            }
            self.take();
        }
        Ok(Stage::Logfmt { strict, keep_empty, fields: self.extractions(false)? })
    }

    fn label_format(&mut self) -> Result<Stage, LogqlError> {
        let mut formats: Vec<LabelFormat> = Vec::new();
        loop {
            let at = self.at();
            let name = self.expect_name()?;
            self.expect_sign("=")?;
            let source = match self.peek().clone() {
                Token::Word(source) => FormatSource::Label(source),
                Token::Text(text) => {
                    Template::read(&text).map_err(|error| self.error(self.at(), error))?;
                    FormatSource::Template(text)
                }
                _ => return Err(self.unexpected("IDENTIFIER or STRING")),
            };
            self.take();
            if formats.iter().any(|format| format.name == name) {
                let words = format!("label '{name}' is set twice in one label_format");
                return Err(self.error(at, words));
            }
            formats.push(LabelFormat { name, source });
            if !self.takes_sign(",") {
                return Ok(Stage::LabelFormat(formats));
            }
        }
    }

    fn chosen(&mut self) -> Result<Vec<Chosen>, LogqlError> {
        let mut chosen = Vec::new();
        loop {
            let name = self.expect_name()?;
            chosen.push(match self.peek() {
                Token::Sign("=" | "=~" | "!~") => Chosen::Matcher(self.matcher(name)?),
                Token::Sign("!=") if matches!(self.peek_second(), Token::Text(_)) => {
                    Chosen::Matcher(self.matcher(name)?)
                }
                _ => Chosen::Name(name),
            });
            if !self.takes_sign(",") {
                return Ok(chosen);
            }
        }
    }

    /// Conditions on labels, from left to right.
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter, LogqlError> {
        let mut filter = self.label_condition()?;
        let mut conditions = 1;
        loop {
            let continues = matches!(self.peek_second(), Token::Word(_) | Token::Sign("("));
            let is_or = self.is_word("or");
            if (is_or || self.is_word("and") || self.is_sign(",")) && continues && !self.leads_to_metric() {
                self.take();
            } else if !matches!(self.peek(), Token::Word(word) if !super::is_keyword(word)) {
                // Two conditions side by side are both meant.
                return Ok(filter);
            }
            conditions += 1;
            if conditions > super::DEPTH_MAX {
                return Err(self.error(self.at(), format!("more than {} conditions in a row", super::DEPTH_MAX)));
            }
            let right = Box::new(self.label_condition()?);
            let left = Box::new(filter);
            filter = if is_or { LabelFilter::Or(left, right) } else { LabelFilter::And(left, right) };
        }
    }

    /// Whether what follows `or` and the like is no condition on labels, but the operand of a binary operator.
    fn leads_to_metric(&self) -> bool {
        let third = &self.tokens[(self.next + 2).min(self.tokens.len() - 1)].token;
        match (self.peek_second(), third) {
            (Token::Word(word), Token::Sign("(")) => !word.eq_ignore_ascii_case("ip"),
            (Token::Sign("("), Token::Sign("{")) => true,
            _ => false,
        }
    }

    fn label_condition(&mut self) -> Result<LabelFilter, LogqlError> {
        if self.takes_sign("(") {
            let filter = self.deeper(Self::label_filter)?;
            self.expect_sign(")")?;
            return Ok(filter);
        }
        let name = self.expect_name()?;
        let is_text = matches!(self.peek_second(), Token::Text(_));
        if is_text && matches!(self.peek(), Token::Sign("=" | "!=" | "=~" | "!~")) {
            return Ok(LabelFilter::Text(self.matcher(name)?));
        }
        if matches!(self.peek_second(), Token::Word(word) if word.eq_ignore_ascii_case("ip")) {
            let negated = match self.peek() {
                Token::Sign("=" | "==") => false,
                Token::Sign("!=") => true,
                _ => return Err(self.unexpected("= or !=")),
            };
            self.take();
            let at = self.at();
            self.take();
            self.expect_sign("(")?;
            let addresses = self.expect_text()?;
            self.expect_sign(")")?;
            Addresses::read(&addresses).map_err(|error| self.error(at, error))?;
            return Ok(LabelFilter::Ip { name, negated, addresses });
        }
        self.number_condition(name)
    }

    fn number_condition(&mut self, name: String) -> Result<LabelFilter, LogqlError> {
        let op = match self.peek() {
            Token::Sign("=" | "==") => Compare::Equal,
            Token::Sign("!=") => Compare::NotEqual,
            Token::Sign(">") => Compare::Greater,
            Token::Sign(">=") => Compare::GreaterEqual,
            Token::Sign("<") => Compare::Less,
            Token::Sign("<=") => Compare::LessEqual,
            Token::Sign("=~" | "!~") => {
                self.take();
                return Err(self.unexpected("STRING"));
            }
            _ => return Err(self.unexpected("")),
        };
        self.take();
        let sign = if self.takes_sign("-") {
            -1.0
        } else {
            self.takes_sign("+");
            1.0
        };
        let (unit, value, written) = match self.peek().clone() {
            Token::Number(value, written) => (Unit::Number, value, written),
            Token::Duration(ns, written) => (Unit::Duration, ns as f64 / 1e9, written),
            Token::Bytes(bytes, written) => (Unit::Bytes, bytes, written),
            _ => return Err(self.unexpected("")),
        };
        self.take();
        let written = if sign < 0.0 { format!("-{written}") } else { written };
        Ok(LabelFilter::Number { name, op, unit, value: sign * value, written })
    }

    /// `| unwrap duration(took) | __error__=""`
    pub(super) fn unwrap(&mut self) -> Result<Option<Unwrap>, LogqlError> {
        let is_unwrap = matches!(self.peek_second(), Token::Word(word) if word.eq_ignore_ascii_case("unwrap"));
        if !(self.is_sign("|") && is_unwrap) {
            return Ok(None);
        }
        self.take();
        self.take();
        let at = self.at();
        let name = self.expect_name()?;
        let (label, conversion) = if self.takes_sign("(") {
            let conversion = match name.to_lowercase().as_str() {
                "duration" => Conversion::Duration,
                "duration_seconds" => Conversion::DurationSeconds,
                "bytes" => Conversion::Bytes,
                _ => {
                    return Err(self.error(at, format!("unwrap knows duration, duration_seconds, bytes; not {name}")));
                }
            };
            let label = self.expect_name()?;
            self.expect_sign(")")?;
            (label, conversion)
        } else {
            (name, Conversion::None)
        };
        let mut filters = Vec::new();
        while self.is_sign("|") {
            self.take();
            filters.push(self.label_filter()?);
        }
        Ok(Some(Unwrap { label, conversion, filters }))
    }
}
