//! What is between brackets: single characters, ranges, and sets with a name; no sets in sets.

use super::escape::{self, Escaped};

/// Sets with a name, in `[:…:]`.
const NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Writes the class that `whole` begins with, `rest` being behind its bracket; answers what follows.
pub(super) fn class<'p>(whole: &'p str, rest: &'p str, out: &mut String) -> Result<&'p str, String> {
    let missing = || format!("missing closing ]: `{whole}`");
    let mut left = rest;
    out.push('[');
    if let Some(after) = left.strip_prefix('^') {
        out.push('^');
        left = after;
    }
    let mut is_first = true;
    loop {
        // The first bracket stands for itself.
        if let Some(after) = left.strip_prefix(']').filter(|_| !is_first) {
            out.push(']');
            return Ok(after);
        }
        is_first = false;
        if let Some(after) = named(left, out)? {
            left = after;
            continue;
        }
        if let Some(escaped) = left.strip_prefix('\\')
            && let (Escaped::Set(set), after) = escape::set_or_one(escaped)?
        {
            out.push_str(&set);
            left = after;
            continue;
        }
        let (from, after) = one(left).ok_or_else(missing)??;
        escape::push(from, out);
        // Before the last bracket a hyphen stands for itself.
        let end = after.strip_prefix('-').filter(|end| !end.is_empty() && !end.starts_with(']'));
        let Some(end) = end else {
            left = after;
            continue;
        };
        let (to, after) = one(end).ok_or_else(missing)??;
        if to < from {
            let range = &left[..left.len() - after.len()];
            return Err(format!("invalid character class range: `{range}`"));
        }
        out.push('-');
        escape::push(to, out);
        left = after;
    }
}

/// `[:alpha:]`, `[:^alpha:]`; `None` when it is no such name that stands there.
fn named<'p>(left: &'p str, out: &mut String) -> Result<Option<&'p str>, String> {
    let Some(end) = left.strip_prefix("[:").and_then(|inner| inner.find(":]")) else { return Ok(None) };
    let name = &left[2..2 + end];
    let whole = &left[..end + 4];
    if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(format!("invalid character class range: `{whole}`"));
    }
    out.push_str(whole);
    Ok(Some(&left[whole.len()..]))
}

/// A character of a class; `None` at the end of the pattern.
fn one(left: &str) -> Option<Result<(char, &str), String>> {
    let letter = left.chars().next()?;
    let after = &left[letter.len_utf8()..];
    Some(if letter == '\\' { escape::one(after) } else { Ok((letter, after)) })
}
