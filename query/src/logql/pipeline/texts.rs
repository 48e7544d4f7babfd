//! Regular expressions that stand for a few texts: to look for these is the same, and no line has to be put together for it.

use std::{iter::Peekable, str::Chars};

/// More texts than these are looked for as the expression.
const TEXTS_MAX: usize = 32;

/// Deeper groups are not looked into.
const DEPTH_MAX: u32 = 16;

/// The texts of which one is in whatever an expression matches somewhere, and which it matches everywhere; `None` when it says more than that.
pub(super) fn of(regex: &str) -> Option<Vec<String>> {
    let mut chars = trimmed(regex).chars().peekable();
    let texts = alternatives(&mut chars, 0)?;
    // An empty one is in every line.
    let is_all = chars.next().is_none() && texts.iter().all(|text| !text.is_empty());
    is_all.then_some(texts)
}

/// The same of an expression that takes letters in either case, and has none but those of ASCII: its texts in lower case.
pub(super) fn in_any_case(regex: &str) -> Option<Vec<String>> {
    let texts = of(regex.strip_prefix("(?i)").filter(|rest| rest.is_ascii())?)?;
    Some(texts.into_iter().map(|text| text.to_ascii_lowercase()).collect())
}

/// Without what matches anything at both ends, where that is not part of an alternative.
fn trimmed(regex: &str) -> &str {
    if regex.contains(['|', '\\']) {
        return regex;
    }
    let regex = regex.strip_prefix(".*").unwrap_or(regex);
    regex.strip_suffix(".*").unwrap_or(regex)
}

/// Alternatives up to the end of their group.
fn alternatives(chars: &mut Peekable<Chars<'_>>, depth: u32) -> Option<Vec<String>> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut all = Vec::new();
    loop {
        all.append(&mut sequence(chars, depth)?);
        if all.len() > TEXTS_MAX {
            return None;
        }
        if chars.next_if_eq(&'|').is_none() {
            return Some(all);
        }
    }
}

/// What stands behind each other: the texts of one part with those of the next.
fn sequence(chars: &mut Peekable<Chars<'_>>, depth: u32) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    while let Some(&next) = chars.peek() {
        let part = match next {
            '|' => break,
            ')' if depth > 0 => break,
            '(' => {
                chars.next();
                if chars.next_if_eq(&'?').is_some() {
                    chars.next_if_eq(&':')?;
                }
                let inner = alternatives(chars, depth + 1)?;
                chars.next_if_eq(&')')?;
                inner
            }
            '\\' => {
                chars.next();
                let escaped = chars.next().filter(char::is_ascii_punctuation)?;
                vec![escaped.to_string()]
            }
            // Braces and brackets that close nothing stand for themselves, but not in every engine.
            '.' | '^' | '$' | '*' | '+' | '?' | '[' | ']' | '{' | '}' | ')' => return None,
            other => {
                chars.next();
                vec![other.to_string()]
            }
        };
        // What follows may say how often.
        if matches!(chars.peek(), Some('*' | '+' | '?' | '{')) {
            return None;
        }
        if texts.len() * part.len() > TEXTS_MAX {
            return None;
        }
        texts = texts.iter().flat_map(|text| part.iter().map(move |more| format!("{text}{more}"))).collect();
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_are_texts() {
        let rows: [(&str, Option<&[&str]>); 26] = [
            ("error", Some(&["error"])),
            ("time(out|d)", Some(&["timeout", "timed"])),
            ("(?:a|b)(c|d)", Some(&["ac", "ad", "bc", "bd"])),
            ("error|warn", Some(&["error", "warn"])),
            ("(error|warn) at", Some(&["error at", "warn at"])),
            ("((a)b|c)d", Some(&["abd", "cd"])),
            (".*error.*", Some(&["error"])),
            (r"a\.b\|c", Some(&["a.b|c"])),
            (r#""path":"/cart""#, Some(&[r#""path":"/cart""#])),
            ("caf\u{e9}", Some(&["caf\u{e9}"])),
            ("", None),
            ("a|", None),
            ("(|a)b", Some(&["b", "ab"])),
            (".*", None),
            ("a.*b", None),
            ("^a", None),
            ("a$", None),
            ("ab?", None),
            ("(ab)+", None),
            ("a{2}", None),
            ("[ab]", None),
            ("(?i)a", None),
            ("(?P<x>a)", None),
            (r"\d", None),
            (r"a\", None),
            ("(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)", None),
        ];
        for (regex, expected) in rows {
            let found = of(regex);
            let found: Option<Vec<&str>> = found.as_ref().map(|texts| texts.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expected, "{regex}");
        }
    }

    #[test]
    fn cases_do_not_matter_behind_their_flag() {
        assert_eq!(in_any_case("(?i)Time(OUT|d)"), Some(vec!["timeout".to_owned(), "timed".to_owned()]));
        assert_eq!(in_any_case("(?i).*Error.*"), Some(vec!["error".to_owned()]));
        for other in ["error", "(?i)\u{e9}", "(?i)a+", "(?is)a", "(?i)", "a(?i)b"] {
            assert_eq!(in_any_case(other), None, "{other}");
        }
    }

    #[test]
    fn they_match_what_the_texts_are_in() {
        let lines =
            ["", "timeout", "timed out", "time", "an error at", "warn at", "ab", "acd", "bb", ".*", "a.b|c", "\n"];
        for expression in ["time(out|d)", "(error|warn) at", "(|a)b", ".*error.*", r"a\.b\|c", "(?:a|b)(c|d)"] {
            let regex = regex::Regex::new(expression).expect("an expression");
            let texts = of(expression).expect("texts");
            for line in lines {
                let has_one = texts.iter().any(|text| line.contains(text));
                assert_eq!(regex.is_match(line), has_one, "{expression} in {line}");
            }
        }
    }
}
