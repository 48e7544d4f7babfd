//! Regular expressions in RE2's dialect, which Go and so Loki's users write, over Rust's.
//!
//! Both engines are linear and know nearly the same syntax (<https://github.com/google/re2/wiki/Syntax>). What differs is
//! rewritten: classes are ASCII, braces that repeat nothing stand for themselves, `\Q…\E` quotes, `[[a]` is a class with a bracket.

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// As line filters have it: anywhere.
    pub(crate) fn unanchored(text: &str) -> Result<Self, String> {
        Self::compile(text, &translated(text))
    }

    /// As matchers have it: the whole value.
    pub(crate) fn anchored(text: &str) -> Result<Self, String> {
        Self::compile(text, &format!("^(?s:{})$", translated(text)))
    }

    fn compile(text: &str, translated: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(translated)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(200)
            .build();
        built.map(Self).map_err(|error| match error {
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
        let named = self.0.capture_names().enumerate();
        let labels: Vec<(usize, String)> =
            named.filter_map(|(number, name)| Some((number, name?.to_owned()))).collect();
        if labels.is_empty() {
            return Err("at least one named capture must be supplied".into());
        }
        Ok(labels)
    }
}

/// Go's replacement text in Rust's syntax: `$1x` names the group `1x` in both; a dollar that names nothing is dropped in Go.
pub(crate) fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = behind;
            continue;
        }
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let braced = rest.strip_prefix('{').and_then(|inner| inner.find('}').map(|end| (&inner[..end], end + 2)));
        let braced = braced.filter(|(name, _)| name.chars().all(is_name));
        let (name, len) = match braced {
            Some(found) => found,
            None => {
                let len = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
                (&rest[..len], len)
            }
        };
        if name.is_empty() {
            out.push_str("$$");
            continue;
        }
        out.push_str(&format!("${{{name}}}"));
        rest = &rest[len..];
    }
    out.push_str(rest);
    out
}

/// The same expression for Rust's engine.
fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.char_indices().peekable();
    let mut in_class = false;
    let mut class_begins = false;
    while let Some((at, c)) = chars.next() {
        let begins = std::mem::take(&mut class_begins);
        match c {
            '\\' => {
                let Some((_, escaped)) = chars.next() else {
                    out.push('\\');
                    break;
                };
                escape(escaped, in_class, &text[at + 2..], &mut chars, &mut out);
            }
            '[' if in_class => {
                if text[at..].starts_with("[:") && text[at..].contains(":]") {
                    let len = text[at..].find(":]").map_or(1, |len| len + 2);
                    out.push_str(&text[at..at + len]);
                    for _ in 1..text[at..at + len].chars().count() {
                        chars.next();
                    }
                } else {
                    out.push_str("\\[");
                }
            }
            '[' => {
                in_class = true;
                class_begins = true;
                out.push('[');
                if chars.peek().is_some_and(|(_, next)| *next == '^') {
                    chars.next();
                    out.push('^');
                }
            }
            ']' if in_class && begins => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && chars.peek().is_some_and(|(_, next)| *next == '-') => out.push_str("\\-"),
            '{' if !in_class && !is_repetition(&text[at..]) => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

/// What stands behind a backslash, and before `rest`, whose characters it takes as it needs them.
fn escape(
    escaped: char,
    in_class: bool,
    rest: &str,
    chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    out: &mut String,
) {
    match escaped {
        'Q' if !in_class => {
            let quoted = rest.find("\\E").map_or(rest, |end| &rest[..end]);
            out.push_str(&regex::escape(quoted));
            let skipped = quoted.chars().count() + if quoted.len() < rest.len() { 2 } else { 0 };
            for _ in 0..skipped {
                chars.next();
            }
        }
        'E' if !in_class => {}
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        // Between bytes that are no ASCII letters: Rust wants whole characters, which its Unicode form gives.
        'B' if !in_class => out.push_str("\\B"),
        '0'..='7' => {
            let mut value = escaped.to_digit(8).unwrap_or_default();
            let mut digits = 1;
            while digits < 3 {
                let Some(digit) = chars.peek().and_then(|(_, next)| next.to_digit(8)) else {
                    break;
                };
                value = value * 8 + digit;
                digits += 1;
                chars.next();
            }
            // A single digit other than 0 would be a back reference, which neither engine has.
            if digits == 1 && escaped != '0' {
                out.push('\\');
                out.push(escaped);
            } else {
                out.push_str(&format!("\\x{{{value:x}}}"));
            }
        }
        // Their braces hold a name or number.
        'x' | 'p' | 'P' => {
            out.push('\\');
            out.push(escaped);
            let braced = rest.starts_with('{').then(|| rest.find('}')).flatten();
            for _ in 0..braced.map_or(0, |end| end + 1) {
                out.extend(chars.next().map(|(_, c)| c));
            }
        }
        // Rust has these for the ends of words.
        '<' | '>' => out.push(escaped),
        other if other.is_ascii_punctuation() || other.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(other);
        }
        other => out.push(other),
    }
}

/// Whether braces repeat what is before them.
fn is_repetition(text: &str) -> bool {
    let Some(end) = text.find('}') else {
        return false;
    };
    let inner = &text[1..end];
    let (least, most) = inner.split_once(',').unwrap_or((inner, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number(least) && (most.is_empty() || is_number(most))
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
        assert_eq!(replacement("$1-${2}x$$ $"), "${1}-${2}x$$ $$");
    }
}
