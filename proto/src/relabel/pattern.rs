//! A regular expression in Go's dialect that has to match a whole value.

use std::fmt;

use regex::Regex;

/// As it was written, and ready to match. Two are equal when they were written alike.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads one; what is wrong with it otherwise.
    pub fn new(text: &str) -> Result<Self, String> {
        let translated = translated(text);
        // As Prometheus 3 anchors it: a point takes line breaks too.
        match Regex::new(&format!("^(?s:{translated})$")) {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(error) => {
                let words = error.to_string();
                let last = words.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(format!("`{text}` is not a regular expression: {last}"))
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// What Go takes and the regex crate reads otherwise: `\Q…\E`, and braces and brackets that repeat or open nothing.
fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            if let Some(literal) = rest.strip_prefix("\\Q") {
                let end = literal.find("\\E").unwrap_or(literal.len());
                out.push_str(&regex::escape(&literal[..end]));
                rest = literal[end..].strip_prefix("\\E").unwrap_or("");
                continue;
            }
            let mut length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            // `\\p{Greek}`, `\\x{10FFFF}`
            if matches!(&rest[1..length], "p" | "P" | "x") && rest[length..].starts_with('{') {
                length += rest[length..].find('}').map_or(1, |end| end + 1);
            }
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match c {
            '[' if in_class && !rest.starts_with("[:") => out.push_str("\\["),
            '[' => {
                if !in_class {
                    in_class = true;
                    out.push('[');
                    rest = &rest[1..];
                    // A bracket right after the first is a literal one.
                    for literal in ["^]", "]"] {
                        if let Some(after) = rest.strip_prefix(literal) {
                            out.push_str(&literal.replace(']', "\\]"));
                            rest = after;
                            break;
                        }
                    }
                    continue;
                }
                let end = rest.find(":]").map_or(1, |end| end + 2);
                out.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            // Set operations of the regex crate.
            '&' | '~' | '-' if in_class && rest[1..].starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(rest) => out.push_str("\\{"),
            '}' if !in_class && !ends_repetition(&out) => out.push_str("\\}"),
            _ => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// `{2}`, `{2,}`, `{2,3}`
fn is_repetition(text: &str) -> bool {
    let Some(end) = text.find('}') else { return false };
    let (low, high) = text[1..end].split_once(',').unwrap_or((&text[1..end], ""));
    !low.is_empty() && low.bytes().chain(high.bytes()).all(|byte| byte.is_ascii_digit())
}

/// Whether an open brace that was left as it is waits for its end.
fn ends_repetition(out: &str) -> bool {
    let Some(open) = out.rfind('{') else { return false };
    let is_escaped = out[..open].ends_with('\\');
    !is_escaped && out[open + 1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
}
