//! Which strings a policy is after: exact ones, or those that a regular expression finds.

use std::{collections::HashSet, hash::BuildHasher};

use foldhash::quality::FixedState;
use regex::bytes::{RegexSet, RegexSetBuilder};
use weir_proto::go_regex;

/// Most values of one policy.
pub(crate) const VALUES_MAX: usize = 10_000;

/// Most regular expressions of one policy.
pub(crate) const REGEXES_MAX: usize = 256;

/// Memory of a compiled set of regular expressions, in bytes: `(a{1000}){1000}` and its like are refused.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// Lists up to this length are compared one by one.
const LIST_MAX: usize = 8;

/// A test of strings.
#[derive(Debug, Clone)]
pub(crate) struct TextMatch {
    values: Vec<String>,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    List,
    Set(HashSet<Box<[u8]>, FixedState>),
    Regexes(RegexSet),
}

/// Values and the way they are read say all.
impl PartialEq for TextMatch {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values && matches!(self.test, Test::Regexes(_)) == matches!(other.test, Test::Regexes(_))
    }
}

impl TextMatch {
    /// Strings that are one of `values`. An empty value matches nothing, as in the Collector.
    pub(crate) fn exact(values: &[String]) -> Self {
        let mut values: Vec<String> = values.iter().filter(|value| !value.is_empty()).cloned().collect();
        values.sort();
        values.dedup();
        let test = if values.len() <= LIST_MAX {
            Test::List
        } else {
            let set = values.iter().map(|value| value.as_bytes().into());
            let mut hashed = HashSet::with_hasher(FixedState::default());
            hashed.extend(set);
            Test::Set(hashed)
        };
        Self { values, test }
    }

    /// Strings in which one of these regular expressions finds something. Go's syntax: anchors are
    /// the writer's. Matching takes time linear in the string.
    pub(crate) fn regexes(values: &[String]) -> Result<Self, String> {
        if values.len() > REGEXES_MAX {
            return Err(format!("{} regular expressions; at most {REGEXES_MAX}", values.len()));
        }
        let translated = values.iter().map(|value| go_regex::translate(value).map(|translated| translated.text));
        let translated =
            translated.collect::<Result<Vec<_>, _>>().map_err(|why| format!("not a regular expression: {why}"))?;
        let set = RegexSetBuilder::new(translated)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .nest_limit(64)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => {
                    format!("these regular expressions are too large: more than {} MiB compiled", REGEX_BYTES_MAX >> 20)
                }
                other => format!("not a regular expression: {}", last_line(&other.to_string())),
            })?;
        Ok(Self { values: values.to_vec(), test: Test::Regexes(set) })
    }

    /// Whether a string is meant. The empty one never is.
    #[inline]
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            return false;
        }
        match &self.test {
            Test::List => self.values.iter().any(|value| value.as_bytes() == text),
            Test::Set(set) => set.contains(text),
            Test::Regexes(set) => set.is_match(text),
        }
    }
}

/// The part of the regex crate's message that says what is wrong.
fn last_line(message: &str) -> &str {
    message.lines().last().unwrap_or(message).trim_start_matches("error: ")
}

/// A hash that is the same in every process, for random numbers made of trace ids.
pub(crate) fn salted(salt: &str, bytes: &[u8]) -> u64 {
    FixedState::with_seed(FixedState::default().hash_one(salt)).hash_one(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn exact_values_are_exact() {
        let few = TextMatch::exact(&strings(&["a", "bc", ""]));
        let many: Vec<String> = (0..100).map(|n| format!("v{n}")).collect();
        let many = TextMatch::exact(&many);
        assert!(few.matches(b"bc") && !few.matches(b"b") && !few.matches(b"abc") && !few.matches(b""));
        assert!(many.matches(b"v99") && !many.matches(b"v100") && !many.matches(b""));
    }

    #[test]
    fn regular_expressions_are_not_anchored() {
        let found = TextMatch::regexes(&strings(&["val*", r"\/health"])).expect("valid");
        assert!(found.matches(b"a va") && found.matches(b"/health/live") && !found.matches(b"health"));
        let anchored = TextMatch::regexes(&strings(&["^v[0-9]+$"])).expect("valid");
        assert!(anchored.matches(b"v12") && !anchored.matches(b"xv12"));
    }

    #[test]
    fn bombs_are_refused() {
        for (bomb, said) in [
            ("(a{1000}){1000}", "too large"),
            ("(", "missing closing )"),
            ("a{2,1}", "invalid repeat count"),
            (&*format!("{}a{}", "(".repeat(100), ")".repeat(100)), "nest"),
        ] {
            let error = TextMatch::regexes(&[bomb.to_owned()]).expect_err("refused");
            assert!(error.contains(said) && error.len() < 300, "{error}");
        }
        assert!(TextMatch::regexes(&vec!["a".to_owned(); REGEXES_MAX + 1]).is_err());
        // The classic bomb of backtracking engines is quick here.
        let nested = TextMatch::regexes(&strings(&["^(a+)+$"])).expect("valid");
        assert!(!nested.matches(&[&[b'a'; 100_000][..], b"!"].concat()));
    }
}
