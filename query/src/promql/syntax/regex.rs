//! Regular expressions of Go's dialect (RE2), in that of the `regex` crate.

use std::fmt::Write as _;

use regex::Regex;
use weir_proto::metrics::{LabelMatcher, MatchOp};

/// What a program of one expression may take.
const PROGRAM_BYTES_MAX: usize = 4 << 20;

/// The same expression for the `regex` crate, without anchors. A dot takes line ends, as in Prometheus.
pub(crate) fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    out.push_str("(?s:");
    let mut rest = pattern;
    // How many repetitions the last ones were: Go refuses two at once.
    let mut begins = true;
    let mut last_repeats = false;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let mut repeats = false;
        // At its beginning, and behind what opens a group or another branch, there is nothing to repeat.
        if matches!(letter, '*' | '+' | '?') && (begins || out.ends_with('|')) {
            return Err(format!("missing argument to repetition operator: `{letter}`"));
        }
        begins = letter == '(';
        rest = match letter {
            '\\' => escape(after, &mut out, false)?,
            '[' => class(after, &mut out)?,
            '{' => match repetition(rest) {
                Some(after) => {
                    check_counts(&rest[..rest.len() - after.len()])?;
                    repeats = true;
                    out.push_str(&rest[..rest.len() - after.len()]);
                    lazy(after, &mut out)
                }
                None => {
                    out.push_str("\\{");
                    after
                }
            },
            '*' | '+' | '?' => {
                repeats = true;
                if last_repeats {
                    let last = pattern[..pattern.len() - rest.len()].chars().next_back().unwrap_or(letter);
                    return Err(format!("invalid nested repetition operator: `{last}{letter}`"));
                }
                out.push(letter);
                lazy(after, &mut out)
            }
            '(' => group(after, &mut out)?,
            '}' | ']' | '&' | '~' | '-' | '#' | ' ' => {
                out.push('\\');
                out.push(letter);
                after
            }
            letter => {
                out.push(letter);
                after
            }
        };
        last_repeats = repeats;
    }
    out.push(')');
    Ok(out)
}

/// A question mark after a repetition.
fn lazy<'a>(rest: &'a str, out: &mut String) -> &'a str {
    rest.strip_prefix('?').inspect(|_| out.push('?')).unwrap_or(rest)
}

/// What follows `{2}`, `{2,}` or `{2,5}`; another brace stands for itself.
fn repetition(rest: &str) -> Option<&str> {
    let (inner, after) = rest[1..].split_once('}')?;
    let (from, to) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(from) && (to.is_empty() || is_number(to))).then_some(after)
}

/// Go repeats at most a thousand times.
fn check_counts(repetition: &str) -> Result<(), String> {
    let counts = repetition.trim_matches(['{', '}']);
    let (from, to) = counts.split_once(',').unwrap_or((counts, counts));
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    let is_open = to.is_empty();
    if number(from) > 1000 || (!is_open && (number(to) > 1000 || number(to) < number(from))) {
        return Err(format!("invalid repeat count: `{repetition}`"));
    }
    Ok(())
}

/// Groups pass, but for the mode with comments, which Go has not.
fn group<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, String> {
    out.push('(');
    let Some(flags) = rest.strip_prefix('?') else { return Ok(rest) };
    if let Some(name) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
        let invalid = |what: &str| Err(format!("invalid named capture: `({what}`"));
        let Some(end) = name.find('>') else { return invalid(rest) };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if end == 0 || !name[..end].bytes().all(is_word) {
            return invalid(&rest[..=rest.len() - name.len() + end]);
        }
        let after = &name[end + 1..];
        out.push_str(&rest[..rest.len() - after.len()]);
        return Ok(after);
    }
    let foreign = flags.find(|letter: char| !"imsU-:)".contains(letter));
    let end = match (foreign, flags.find([':', ')'])) {
        (None, Some(end)) => end,
        (Some(foreign), Some(end)) if end < foreign => end,
        (foreign, _) => {
            let length = foreign.map_or(flags.len(), |at| at + flags[at..].chars().next().map_or(0, char::len_utf8));
            return Err(format!("invalid or unsupported Perl syntax: `(?{}`", &flags[..length]));
        }
    };
    if flags[..end].is_empty() && flags.starts_with(':') {
        out.push_str("?:");
        return Ok(&flags[1..]);
    }
    out.push('?');
    out.push_str(&flags[..=end]);
    Ok(&flags[end + 1..])
}

/// What follows a backslash.
fn escape<'a>(rest: &'a str, out: &mut String, in_class: bool) -> Result<&'a str, String> {
    let letter = rest.chars().next().ok_or("trailing backslash at end of expression: ``")?;
    let after = &rest[letter.len_utf8()..];
    let (open, close) = if in_class { ("", "") } else { ("[", "]") };
    match letter {
        'd' => out.push_str(&format!("{open}0-9{close}")),
        'w' => out.push_str(&format!("{open}0-9A-Za-z_{close}")),
        's' => out.push_str(&format!("{open}\\t\\n\\x0c\\r\\x20{close}")),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'S' => out.push_str("[^\\t\\n\\x0c\\r\\x20]"),
        'b' | 'B' if !in_class => out.push_str(&format!("(?-u:\\{letter})")),
        'A' | 'z' if !in_class => {
            out.push('\\');
            out.push(letter);
        }
        'Q' if !in_class => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(literal));
            return Ok(after);
        }
        'E' if !in_class => {}
        'x' | 'p' | 'P' if after.starts_with('{') => {
            let end = after.find('}').map_or(after.len(), |end| end + 1);
            if letter == 'x'
                && u32::from_str_radix(after[1..end].trim_end_matches('}'), 16).map_or(true, |code| code > 0x10_ffff)
            {
                return Err(format!("invalid escape sequence: `\\{letter}{}`", after[..end].trim_end_matches('}')));
            }
            let _ = write!(out, "\\{letter}{}", &after[..end]);
            return Ok(&after[end..]);
        }
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P' => {
            out.push('\\');
            out.push(letter);
        }
        '0'..='7' => {
            let digits = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            if digits == 1 && letter != '0' {
                return Err(format!("invalid escape sequence: `\\{letter}`"));
            }
            let value = u32::from_str_radix(&rest[..digits], 8).unwrap_or(0);
            let _ = write!(out, "\\x{{{value:x}}}");
            return Ok(&rest[digits..]);
        }
        letter if letter.is_ascii_alphanumeric() => return Err(format!("invalid escape sequence: `\\{letter}`")),
        letter if letter.is_ascii() && letter != '_' => {
            let _ = write!(out, "\\x{:02x}", letter as u32);
        }
        letter => out.push(letter),
    }
    Ok(after)
}

/// Classes of letters with names.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// What is between brackets: there Go knows no sets in sets.
fn class<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, String> {
    let missing = || format!("missing closing ]: `[{rest}`");
    out.push('[');
    let mut left = rest;
    if let Some(after) = left.strip_prefix('^') {
        out.push('^');
        left = after;
    }
    // The first bracket stands for itself.
    if let Some(after) = left.strip_prefix(']') {
        out.push_str("\\]");
        left = after;
    }
    loop {
        let letter = left.chars().next().ok_or_else(missing)?;
        let after = &left[letter.len_utf8()..];
        left = match letter {
            ']' => {
                out.push(']');
                return Ok(after);
            }
            '\\' => escape(after, out, true)?,
            '[' if after.starts_with(':') => match after.find(":]") {
                Some(end) => {
                    let name = &left[..end + 3];
                    if !CLASSES.contains(&name[2..name.len() - 2].trim_start_matches('^')) {
                        return Err(format!("invalid character class range: `{name}`"));
                    }
                    out.push_str(name);
                    &left[end + 3..]
                }
                None => return Err(missing()),
            },
            '[' | '&' | '~' | '#' | ' ' => {
                out.push('\\');
                out.push(letter);
                after
            }
            letter => {
                let mut range = after.chars();
                if range.next() == Some('-')
                    && let Some(to) = range.next().filter(|to| !"]\\[".contains(*to) && *to < letter)
                {
                    return Err(format!("invalid character class range: `{letter}-{to}`"));
                }
                out.push(letter);
                after
            }
        };
    }
}

/// The expression, which has to match the whole text.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    compiled(pattern, &format!("^{}$", translate(pattern)?))
}

/// The expression, which may match anywhere in a text, and whose dot takes no line ends.
pub(crate) fn anywhere(pattern: &str) -> Result<Regex, String> {
    compiled(pattern, &translate(pattern)?.replacen("(?s:", "(?:", 1))
}

fn compiled(pattern: &str, translated: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(translated).size_limit(PROGRAM_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned();
        match reason.as_str() {
            "unclosed group" => format!("missing closing ): `{pattern}`"),
            "unopened group" => format!("unexpected ): `{pattern}`"),
            _ => format!("{reason}: `{pattern}`"),
        }
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
            (r"\Qa.b\E", "axb", false),
            ("a{,2}", "a{,2}", true),
            ("a{", "a{", true),
            ("a{2}", "aa", true),
            (r"[[]", "[", true),
            (r"[a&&b]", "&", true),
            (r"\d+", "٣", false),
            (r"[\w.]+", "a_1.b", true),
            (r"[^\d]", "x", true),
            (r"(?i:abc)", "ABC", true),
            (r"a b#c", "a b#c", true),
            (r"\_\<", "_<", true),
            (r"\101", "A", true),
            (r"[[:alpha:]]+", "abc", true),
            (r"\p{Greek}\x{3b2}", "αβ", true),
            (r"[\p{L}]", "β", true),
            (r"(?P<one>a)(?<two>b)*c?", "abb", true),
            (r"(?P<n>a)(?:b)", "ab", true),
            ("a|b", "b", true),
            ("", "", true),
        ] {
            assert_eq!(whole(pattern).expect(pattern).is_match(text), matches, "{pattern} {text}");
        }
        for (pattern, error) in [
            ("(.*", "missing closing ): `(.*`"),
            ("b)", "unexpected ): `b)`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("*b", "missing argument to repetition operator: `*`"),
            ("a|+", "missing argument to repetition operator: `+`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
            ("(?P<b)", "invalid named capture: `(?P<b)`"),
            ("(?P<b c>d)", "invalid named capture: `(?P<b c>`"),
            (r"\y", r"invalid escape sequence: `\y`"),
            ("[a", "missing closing ]: `[a`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            ("b{1001}", "invalid repeat count: `{1001}`"),
            ("b{2,1}", "invalid repeat count: `{2,1}`"),
            (r"\1", r"invalid escape sequence: `\1`"),
        ] {
            assert_eq!(whole(pattern).expect_err(pattern), error, "{pattern}");
        }
    }
}
