//! Regular expressions in RE2's dialect, which Go and so Loki's users write, over Rust's.
//!
//! [`go_regex`] tells them apart.

use regex::{Regex, RegexBuilder};
use weir_proto::go_regex::{self, Translated};

pub(crate) use weir_proto::go_regex::replacement;

/// Bytes that a compiled expression may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A compiled expression, and the names of its groups by number.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex, Vec<Option<String>>);

impl Pattern {
    /// As line filters have it: anywhere.
    pub(crate) fn unanchored(text: &str) -> Result<Self, String> {
        Self::compile(text, |translated| translated)
    }

    /// As matchers have it: the whole value.
    pub(crate) fn anchored(text: &str) -> Result<Self, String> {
        Self::compile(text, |translated| format!("^(?s:{translated})$"))
    }

    fn compile(text: &str, whole: impl Fn(String) -> String) -> Result<Self, String> {
        let translated = go_regex::translate(text).map_err(|why| format!("error parsing regexp: {why}"))?;
        let Translated { text: translated, names } = translated;
        let built = RegexBuilder::new(&whole(translated))
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(200)
            .build();
        built.map(|regex| Self(regex, names)).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("error parsing regexp: expression too large: `{text}`")
            }
            // The library draws the expression and points into it over many lines; the last one says why.
            error => {
                let words = error.to_string();
                let why = words.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
                format!("error parsing regexp: {why}: `{text}`")
            }
        })
    }

    /// Whether it matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression itself.
    pub(crate) fn regex(&self) -> &Regex {
        &self.0
    }

    /// The names of its groups, with their numbers: what `| regexp` extracts.
    pub(crate) fn labels(&self) -> Result<Vec<(usize, String)>, String> {
        let labels: Vec<(usize, String)> =
            self.1.iter().enumerate().filter_map(|(number, name)| Some((number, name.clone()?))).collect();
        if labels.is_empty() {
            return Err("at least one named capture must be supplied".into());
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn re2_means_the_same() {
        for (pattern, text, fits) in [
            (r#"{"level":"error""#, r#"x {"level":"error"}"#, true),
            (r"a{2}", "aa", true),
            (r"a{2,}b", "aaab", true),
            (r"a{,2}", "a{,2}", true),
            (r"\Qa.b\E+", "a.bbb", true),
            (r"\Qa.b\E", "axb", false),
            (r"[[]x[]]", "[x]", true),
            (r"[^]a]", "]", false),
            (r"^\d+$", "٣", false),
            (r"[[:alpha:]]+=", "ab=", true),
            (r"\w", "é", false),
            (r"(?i)ERROR", "error", true),
            (r"[a&&b]", "&", true),
            (r"\bfoo\b", "a foo b", true),
            (r"\x{e9}", "é", true),
            (r"\141", "a", true),
            (r"\<a\>", "<a>", true),
        ] {
            let compiled = Pattern::unanchored(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(compiled.is_match(text), fits, "{pattern} on {text}");
        }
        assert!(Pattern::unanchored("((a{1000}){1000}){1000}").is_err());
        assert!(Pattern::unanchored("a(").is_err());
        assert!(!Pattern::anchored("a|b").expect("valid").is_match("ab"));
    }
}
