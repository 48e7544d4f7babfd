//! What a label's value must be: one, some, or whatever an expression takes, with the prefix that all of them have.

use std::sync::OnceLock;

use regex_automata::{Anchored, Input, meta::Regex, util::syntax};
use weir_proto::metrics::{LabelMatcher, MatchOp};

use super::automaton::ValueAutomaton;

/// Memory that the parts of an expression may take.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// Longer alternatives are left to the automaton.
const ALTERNATIVES_MAX: usize = 10_000;

/// So many values pay for making an automaton.
const WALKED_MIN: u32 = if cfg!(test) { 4 } else { 1000 };

/// A matcher, made ready to be asked.
#[derive(Debug)]
pub(crate) struct ValueTest {
    values: Values,
    /// It takes the values that `values` does not have.
    pub(super) is_negated: bool,
}

/// Values of a label.
#[expect(clippy::large_enum_variant, reason = "a few of each query, never kept in numbers")]
#[derive(Debug)]
pub(crate) enum Values {
    /// These, sorted.
    Some(Vec<String>),
    /// Those that an expression takes; all of them begin with `prefix`.
    Taken {
        /// The expression.
        pattern: String,
        /// Perhaps empty.
        prefix: String,
        /// Asked about whole values.
        regex: Box<Regex>,
        /// The same to walk maps of values with; `None` where it would be too large.
        automaton: OnceLock<Option<ValueAutomaton>>,
    },
    /// All, the empty one included.
    All,
}

/// An expression that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the expression {pattern:?}: {reason}")]
pub struct InvalidPattern {
    /// Which.
    pub pattern: String,
    /// Why.
    pub reason: String,
}

impl ValueTest {
    /// Makes a matcher ready.
    pub(crate) fn new(matcher: &LabelMatcher) -> Result<Self, InvalidPattern> {
        let values = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Values::Some(vec![matcher.value.clone()]),
            MatchOp::Matches | MatchOp::MatchesNot => Values::of_pattern(&matcher.value)?,
        };
        Ok(Self { values, is_negated: matches!(matcher.op, MatchOp::NotEqual | MatchOp::MatchesNot) })
    }

    /// The values behind the negation.
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// Whether a series without the label passes.
    pub(crate) fn takes_absent(&self) -> bool {
        self.takes("")
    }

    /// Whether a value passes.
    pub(crate) fn takes(&self, value: &str) -> bool {
        self.values.contain(value) != self.is_negated
    }
}

impl Values {
    fn of_pattern(pattern: &str) -> Result<Self, InvalidPattern> {
        let bare = without_wrapping(pattern);
        if bare == ".*" && bare.len() < pattern.len() {
            // With the flag for line ends, as PromQL has it.
            return Ok(Self::All);
        }
        if let Some(alternatives) = alternatives(bare) {
            return Ok(Self::Some(alternatives));
        }
        let whole = whole(pattern);
        let regex = Regex::builder()
            .configure(Regex::config().nfa_size_limit(Some(REGEX_BYTES_MAX)).utf8_empty(true))
            .syntax(syntax::Config::new())
            .build(&whole)
            .map_err(|error| InvalidPattern { pattern: pattern.to_owned(), reason: reason(&error) })?;
        Ok(Self::Taken {
            pattern: pattern.to_owned(),
            prefix: prefix(bare),
            regex: Box::new(regex),
            automaton: OnceLock::new(),
        })
    }

    /// What walks a map of so many values faster than asking about each would be; made when it is asked for first.
    pub(crate) fn automaton(&self, values: u32) -> Option<&ValueAutomaton> {
        let Self::Taken { pattern, automaton, .. } = self else { return None };
        if values < WALKED_MIN {
            return None;
        }
        automaton.get_or_init(|| ValueAutomaton::new(&whole(pattern))).as_ref()
    }

    /// Whether a value is among them.
    pub(crate) fn contain(&self, value: &str) -> bool {
        match self {
            Self::Some(values) => values.binary_search_by(|known| known.as_str().cmp(value)).is_ok(),
            Self::Taken { prefix, regex, .. } => {
                value.starts_with(prefix.as_str()) && regex.is_match(Input::new(value).anchored(Anchored::Yes))
            }
            Self::All => true,
        }
    }
}

/// Anchored at both ends.
fn whole(pattern: &str) -> String {
    format!(r"\A(?:{pattern})\z")
}

fn reason(error: &regex_automata::meta::BuildError) -> String {
    match error.syntax_error() {
        Some(syntax) => syntax.to_string(),
        None => error.to_string(),
    }
}

/// The expression inside `(?s:…)`, `(?:…)` or behind `(?s)`, which change nothing where there is nothing special in it.
fn without_wrapping(pattern: &str) -> &str {
    if let Some(rest) = pattern.strip_prefix("(?s)") {
        return without_wrapping(rest);
    }
    for open in ["(?s:", "(?:", "("] {
        if let Some(inner) = pattern.strip_prefix(open).and_then(|rest| rest.strip_suffix(')'))
            && is_one_group(inner)
            && !inner.starts_with('?')
        {
            return without_wrapping(inner);
        }
    }
    pattern
}

/// Whether the parentheses around `inner` belong together: no other one is in it, as far as can be told easily.
fn is_one_group(inner: &str) -> bool {
    !inner.contains(['(', ')', '\\', '['])
}

/// Values that an expression lists; `None` when it is more than a list.
fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut values = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let last = values.last_mut().expect("there is one from the beginning");
        match char {
            '|' => values.push(String::new()),
            '\\' => last.push(chars.next().filter(|&escaped| is_plain_when_escaped(escaped))?),
            special if is_special(special) => return None,
            plain => last.push(plain),
        }
    }
    values.sort_unstable();
    values.dedup();
    (values.len() <= ALTERNATIVES_MAX).then_some(values)
}

/// What every match begins with.
fn prefix(pattern: &str) -> String {
    let mut prefix = String::new();
    if pattern.contains('|') {
        return prefix;
    }
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        let plain = match char {
            '\\' => chars.next().filter(|&escaped| is_plain_when_escaped(escaped)),
            special if is_special(special) => None,
            plain => Some(plain),
        };
        let Some(plain) = plain else { break };
        // What follows may make it optional.
        if chars.peek().is_some_and(|next| matches!(next, '*' | '?' | '{')) {
            break;
        }
        prefix.push(plain);
    }
    prefix
}

fn is_special(char: char) -> bool {
    matches!(
        char,
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~'
    ) && !matches!(char, '#' | '&' | '-' | '~')
}

fn is_plain_when_escaped(char: char) -> bool {
    char.is_ascii_punctuation() && char != '<' && char != '>'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(op: MatchOp, value: &str) -> ValueTest {
        ValueTest::new(&LabelMatcher { name: "a".into(), op, value: value.into() }).expect("valid")
    }

    #[test]
    fn lists_need_no_automaton() {
        let values = |pattern: &str| match test(MatchOp::Matches, pattern).values {
            Values::Some(values) => Some(values.join(",")),
            _ => None,
        };
        assert_eq!(values("b|a|b").as_deref(), Some("a,b"));
        assert_eq!(values("(?s:GET|POST)").as_deref(), Some("GET,POST"));
        assert_eq!(values("(?s)(a|b)").as_deref(), Some("a,b"));
        assert_eq!(values(r"a\.b|c-d|").as_deref(), Some(",a.b,c-d"));
        assert_eq!(values(""), Some(String::new()));
        for more in ["a+", "(a)|(b)", r"\d", "^a", "a.b", "(?i)a", "(a|b)(c|d)"] {
            assert_eq!(values(more), None, "{more}");
        }
        assert!(matches!(test(MatchOp::Matches, "(?s:.*)").values, Values::All));
        assert!(matches!(test(MatchOp::Matches, "(?s).*").values, Values::All));
    }

    #[test]
    fn prefixes_are_what_every_match_begins_with() {
        for (pattern, expected) in [
            ("abc.*", "abc"),
            ("abc?d", "ab"),
            ("ab+c", "ab"),
            ("ab{0}c", "a"),
            (r"a\.b.+", "a.b"),
            ("a.*|b", ""),
            ("(?i)abc.*", ""),
            ("(?s:node_.+)", "node_"),
            ("(?s)node_.+", "node_"),
            ("^abc.+", ""),
        ] {
            assert_eq!(prefix(without_wrapping(pattern)), expected, "{pattern}");
        }
    }

    #[test]
    fn the_whole_value_is_matched() {
        use MatchOp::{Equal, Matches, MatchesNot, NotEqual};
        for (op, value, taken, not) in [
            (Equal, "a", "a", "ab"),
            (NotEqual, "a", "", "a"),
            (Matches, "a|ab.?", "abc", "abcd"),
            (Matches, "a.+", "ab", "a"),
            (Matches, "(?s:a.b)", "a\nb", "ab"),
            (MatchesNot, "a.*", "b", "a"),
            (Matches, "(?i:GET)", "get", "gets"),
        ] {
            let test = test(op, value);
            assert!(test.takes(taken) && !test.takes(not), "{op:?} {value}");
        }
        assert!(test(Matches, ".*").takes_absent() && !test(Matches, ".+").takes_absent());
        let error = ValueTest::new(&LabelMatcher { name: "a".into(), op: Matches, value: "(".into() });
        assert!(error.expect_err("no expression").to_string().starts_with("cannot use the expression \"(\": "));
    }
}
