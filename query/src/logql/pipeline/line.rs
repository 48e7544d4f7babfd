//! Line filters: `|=`, `!=`, `|~`, `!~`, `|>`, `!>`.

use memchr::memmem::Finder;

use super::{Needles, Record, Step, Working, required, texts};
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
        if let Some((op, texts)) = as_texts(op, needles) {
            return Self::new(op, &texts);
        }
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

/// A filter by expressions that stand for a few texts as the filter by these, which looks for them in columns.
fn as_texts(op: LineOp, wanted: &[Needle]) -> Option<(LineOp, Vec<Needle>)> {
    let op = match op {
        LineOp::Regex => LineOp::Contains,
        LineOp::NotRegex => LineOp::NotContains,
        _ => return None,
    };
    let texts = |needle: &Needle| (!needle.is_ip).then(|| texts::of(&needle.text)).flatten();
    let all: Option<Vec<Vec<String>>> = wanted.iter().map(texts).collect();
    let needles = all?.concat().into_iter().map(|text| Needle { text, is_ip: false });
    Some((op, needles.collect()))
}

/// The texts that a filter looks for in any case, where that is all that it says.
fn in_any_case(op: LineOp, wanted: &[Needle]) -> Option<Vec<String>> {
    let texts = |needle: &Needle| (!needle.is_ip).then(|| texts::in_any_case(&needle.text)).flatten();
    let all: Option<Vec<Vec<String>>> = wanted.iter().map(texts).collect();
    all.filter(|_| op == LineOp::Regex).map(|all| all.concat())
}

/// Whether a filter asks for texts and nothing else: [`needles`] say all of it.
pub(super) fn is_text(op: LineOp, wanted: &[Needle]) -> bool {
    if let Some((op, texts)) = as_texts(op, wanted) {
        return is_text(op, &texts);
    }
    if in_any_case(op, wanted).is_some() {
        return true;
    }
    let is_negated = op.is_negated();
    matches!(op, LineOp::Contains | LineOp::NotContains)
        && wanted.iter().all(|needle| !(needle.is_ip || is_negated && needle.text.is_empty()))
}

/// Adds what a filter says of texts in a line.
pub(super) fn needles(op: LineOp, wanted: &[Needle], out: &mut Needles) {
    if let Some((op, texts)) = as_texts(op, wanted) {
        return needles(op, &texts, out);
    }
    if let Some(texts) = in_any_case(op, wanted) {
        return out.any_case.push(texts);
    }
    let texts = || wanted.iter().map(|needle| needle.text.clone());
    match (op, wanted) {
        (LineOp::Contains, _) if is_text(op, wanted) => out.add(texts().collect()),
        (LineOp::NotContains, _) if is_text(op, wanted) => out.none.extend(texts()),
        (LineOp::Regex, _) if !wanted.iter().any(|needle| needle.is_ip) => {
            let branches: Option<Vec<Vec<String>>> =
                wanted.iter().map(|needle| required::branches(&needle.text)).collect();
            match branches.map(|branches| branches.concat()).as_deref() {
                // All of what one expression without alternatives requires.
                Some([_]) if wanted.len() == 1 => out.all.extend(required::of(&wanted[0].text)),
                Some(branches) => out.add(branches.to_vec()),
                None => {}
            }
        }
        (LineOp::Pattern, [needle]) => {
            if let Ok(pattern) = PatternExpr::filter(&needle.text) {
                out.all.extend(pattern.literals().map(str::to_owned));
            }
        }
        _ => {}
    }
}

impl Needles {
    /// One of these is there.
    fn add(&mut self, mut one_of: Vec<String>) {
        if one_of.iter().any(String::is_empty) {
            return;
        }
        match one_of.len() {
            0 => {}
            1 => self.all.append(&mut one_of),
            _ => self.any.push(one_of),
        }
    }
}
