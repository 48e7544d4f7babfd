//! Backslashes in texts.

use std::borrow::Cow;

/// A label's name or value, or OpenMetrics' help: `\\`, `\"` and `\n`. Any other backslash stays.
pub(super) fn label(text: &str) -> Cow<'_, str> {
    replaced(text, true)
}

/// Help of the older format, in which quotes are nothing special.
pub(super) fn help(text: &str) -> Cow<'_, str> {
    replaced(text, false)
}

fn replaced(text: &str, with_quotes: bool) -> Cow<'_, str> {
    if !text.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (plain, length) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ("\\", 2),
            Some(b'n') => ("\n", 2),
            Some(b'"') if with_quotes => ("\"", 2),
            _ => ("\\", 1),
        };
        out.push_str(plain);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
