//! Cuts a line into words and what is between them.

/// A word, or a mark between words; blanks are marks.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let len = if is_mark(first) {
            // Blanks stay together.
            if first == ' ' { rest.len() - rest.trim_start_matches(' ').len() } else { first.len_utf8() }
        } else {
            rest.find(is_mark).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(len);
        rest = after;
        Some(token)
    })
}

fn is_mark(c: char) -> bool {
    c.is_ascii_whitespace()
        || matches!(
            c,
            '=' | ',' | ':' | ';' | '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '|' | '&' | '?'
        )
}

/// Whether a token is a mark.
pub(super) fn is_mark_token(token: &str) -> bool {
    token.chars().next().is_some_and(is_mark)
}

/// Whether a word is likely to be another one in the next line: numbers, ids, addresses.
pub(super) fn is_likely_to_vary(token: &str) -> bool {
    token.bytes().any(|byte| byte.is_ascii_digit())
}
