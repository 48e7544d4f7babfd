//! Line filters: `|=`, `!=`, `|~`, `!~`, `|>`, `!>`.

use memchr::memmem::Finder;

use super::{Record, Step, Working};
use crate::logql::{
    ast::{LineOp, Needle},
    error::LogqlError,
    ip::Addresses,
    pattern::PatternExpr,
    regex::Pattern,
};

/// A line filter, ready.
pub(super) struct LineTest {
    wanted: Vec<Wanted>,
    negated: bool,
}

enum Wanted {
    Text(Box<Finder<'static>>),
    Regex(Pattern),
    Pattern(PatternExpr),
    Ip(Addresses),
}

impl LineTest {
    pub(super) fn new(op: LineOp, needles: &[Needle]) -> Result<Self, LogqlError> {
        let wanted = needles.iter().map(|needle| {
            if needle.is_ip {
                return Addresses::read(&needle.text).map(Wanted::Ip);
            }
            match op {
                LineOp::Contains | LineOp::NotContains => {
                    Ok(Wanted::Text(Box::new(Finder::new(needle.text.as_bytes()).into_owned())))
                }
                LineOp::Regex | LineOp::NotRegex => Pattern::unanchored(&needle.text).map(Wanted::Regex),
                LineOp::Pattern | LineOp::NotPattern => PatternExpr::filter(&needle.text).map(Wanted::Pattern),
            }
        });
        let wanted = wanted.collect::<Result<_, _>>().map_err(LogqlError::Invalid)?;
        Ok(Self { wanted, negated: op.is_negated() })
    }

    /// Whether a line stays.
    pub(super) fn passes(&self, text: &str) -> bool {
        let found = self.wanted.iter().any(|wanted| match wanted {
            Wanted::Text(finder) => finder.find(text.as_bytes()).is_some(),
            Wanted::Regex(pattern) => pattern.is_match(text),
            Wanted::Pattern(pattern) => pattern.fits(text),
            Wanted::Ip(addresses) => addresses.occur_in(text),
        });
        found != self.negated
    }
}

impl Step for LineTest {
    fn apply(&mut self, record: &Record<'_>, working: &mut Working) -> bool {
        self.passes(working.text(record))
    }
}

/// Whether a filter asks for one text and nothing else.
pub(super) fn is_text(op: LineOp, wanted: &[Needle]) -> bool {
    op == LineOp::Contains && matches!(wanted, [needle] if !needle.is_ip)
}

/// Adds the texts without which no line passes.
pub(super) fn needles(op: LineOp, wanted: &[Needle], out: &mut Vec<String>) {
    let [needle] = wanted else { return };
    match op {
        LineOp::Contains if !needle.is_ip => out.push(needle.text.clone()),
        LineOp::Regex if is_plain(&needle.text) => out.push(needle.text.clone()),
        LineOp::Pattern => {
            if let Ok(pattern) = PatternExpr::filter(&needle.text) {
                out.extend(pattern.literals().map(str::to_owned));
            }
        }
        _ => {}
    }
}

/// Whether an expression only stands for itself.
fn is_plain(regex: &str) -> bool {
    !regex.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}
