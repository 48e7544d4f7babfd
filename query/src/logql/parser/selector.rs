//! Stream selectors: `{app="cart", env=~"prod|test"}`, and conditions on labels' texts.

use super::Parser;
use crate::logql::{
    ast::{LogExpr, MatchOp, Matcher},
    error::LogqlError,
    regex::Pattern,
    token::Token,
};

impl Parser<'_> {
    /// A selector, with the stages behind it.
    pub(super) fn log(&mut self) -> Result<LogExpr, LogqlError> {
        if self.is_sign("(") {
            self.take();
            let mut log = self.deeper(Self::log)?;
            self.expect_sign(")")?;
            log.stages.extend(self.stages()?);
            return Ok(log);
        }
        let matchers = self.matchers()?;
        let stages = self.stages()?;
        Ok(LogExpr { matchers, stages })
    }

    pub(super) fn matchers(&mut self) -> Result<Vec<Matcher>, LogqlError> {
        let at = self.at();
        self.expect_sign("{")?;
        let mut matchers = Vec::new();
        while !self.is_sign("}") {
            if !matchers.is_empty() && !self.takes_sign(",") {
                return Err(self.unexpected("} or ,"));
            }
            if self.is_sign("}") {
                break;
            }
            let name = self.expect_name()?;
            matchers.push(self.matcher(name)?);
        }
        self.expect_sign("}")?;
        if !selects(&matchers) {
            return Err(self.error(
                at,
                "a query needs at least one matcher that no empty value fulfils: app=~\".*\" does not select \
                 anything, app=~\".+\" does",
            ));
        }
        Ok(matchers)
    }

    /// What follows a label's name.
    pub(super) fn matcher(&mut self, name: String) -> Result<Matcher, LogqlError> {
        let op = match self.peek() {
            Token::Sign("=") => MatchOp::Equal,
            Token::Sign("!=") => MatchOp::NotEqual,
            Token::Sign("=~") => MatchOp::Regex,
            Token::Sign("!~") => MatchOp::NotRegex,
            _ => return Err(self.unexpected("= or =~ or !~ or !=")),
        };
        self.take();
        let at = self.at();
        let value = self.expect_text()?;
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex) {
            Pattern::anchored(&value).map_err(|error| self.error(at, error))?;
        }
        Ok(Matcher { name, op, value })
    }
}

/// Whether some matcher excludes an empty value.
fn selects(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|matcher| match matcher.op {
        MatchOp::Equal => !matcher.value.is_empty(),
        MatchOp::NotEqual => matcher.value.is_empty(),
        MatchOp::Regex => Pattern::anchored(&matcher.value).is_ok_and(|pattern| !pattern.is_match("")),
        MatchOp::NotRegex => Pattern::anchored(&matcher.value).is_ok_and(|pattern| pattern.is_match("")),
    })
}
