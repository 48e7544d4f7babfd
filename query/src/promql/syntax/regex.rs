//! Regular expressions as PromQL has them: Go's dialect, of a whole value.

use regex::Regex;
use weir_proto::{
    go_regex,
    metrics::{LabelMatcher, MatchOp},
};

/// What a program of one expression may take.
const PROGRAM_BYTES_MAX: usize = 4 << 20;

/// The same expression for the `regex` crate, without anchors. A dot takes line ends, as in Prometheus.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    Ok(format!("(?s:{})", go_regex::translate(pattern)?.text))
}

/// The expression, which has to match the whole text.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    compiled(pattern, &format!("^{}$", translate(pattern)?))
}

/// The expression, which may match anywhere in a text, and whose dot takes no line ends.
pub(crate) fn anywhere(pattern: &str) -> Result<Regex, String> {
    compiled(pattern, &go_regex::translate(pattern)?.text)
}

fn compiled(pattern: &str, translated: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(translated).size_limit(PROGRAM_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned();
        format!("{reason}: `{pattern}`")
    })
}

/// Whether it is an expression.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    whole(pattern).map(|_| ())
}

/// A matcher that is ready to match.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    test: Test,
    is_negated: bool,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    Regex(Regex),
}

impl Matcher {
    /// Of a matcher in Go's dialect.
    pub(crate) fn new(matcher: &LabelMatcher) -> Result<Self, String> {
        let test = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Test::Equal(matcher.value.clone()),
            MatchOp::Matches | MatchOp::MatchesNot => Test::Regex(whole(&matcher.value)?),
        };
        let is_negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::MatchesNot);
        Ok(Self { test, is_negated })
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        let matches = match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::Regex(regex) => regex.is_match(value),
        };
        matches != self.is_negated
    }
}

/// Matchers as storage takes them: expressions in the dialect of the `regex` crate.
pub(crate) fn translated(matchers: &[LabelMatcher]) -> Result<Vec<LabelMatcher>, String> {
    let one = |matcher: &LabelMatcher| {
        let value = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => matcher.value.clone(),
            MatchOp::Matches | MatchOp::MatchesNot => translate(&matcher.value)?,
        };
        Ok(LabelMatcher { value, ..matcher.clone() })
    };
    matchers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_dialect_is_understood() {
        for (pattern, text, matches) in [
            ("a.c", "a\nc", true),
            (r"\Qa.b\E+", "a.b", true),
            ("a{,2}", "a{,2}", true),
            (r"\d+", "٣", false),
            ("a|b", "ab", false),
            ("", "", true),
        ] {
            assert_eq!(whole(pattern).expect(pattern).is_match(text), matches, "{pattern} {text}");
        }
        for (pattern, error) in [
            ("(.*", "missing closing ): `(.*`"),
            ("a)(b", "unexpected ): `a)(b`"),
            ("b{1001}", "invalid repeat count: `{1001}`"),
        ] {
            assert_eq!(whole(pattern).expect_err(pattern), error, "{pattern}");
        }
    }
}
