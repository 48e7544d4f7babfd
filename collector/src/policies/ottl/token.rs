//! Cuts a condition into words, numbers, strings and signs.

/// A piece of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Int(i64),
    Float(f64),
    Text(String),
    /// `(`, `)`, `[`, `]`, `.`, `,`, `+`, `-`, and comparisons.
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 14] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ".", ",", "+", "-"];

/// All pieces, in order.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                tokens.push(Token::Word(&rest[..length]));
                length
            }
            '0'..='9' => {
                let length = number_length(rest);
                tokens.push(number(&rest[..length])?);
                length
            }
            '"' => {
                let (text, length) = string(rest)?;
                tokens.push(Token::Text(text));
                length
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("`{first}` means nothing here"))?;
                tokens.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn length_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Digits, and a fraction when digits follow the point.
fn number_length(text: &str) -> usize {
    let whole = length_of(text, |c| c.is_ascii_digit());
    let Some(fraction) = text[whole..].strip_prefix('.') else { return whole };
    match length_of(fraction, |c| c.is_ascii_digit()) {
        0 => whole,
        length => whole + 1 + length,
    }
}

fn number(text: &str) -> Result<Token<'_>, String> {
    let parsed =
        if text.contains('.') { text.parse().ok().map(Token::Float) } else { text.parse().ok().map(Token::Int) };
    parsed.ok_or_else(|| format!("`{text}` is too large a number"))
}

/// A string in double quotes, with Go's usual escapes, and its length as written.
fn string(rest: &str) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                // `\.` and its like, which only regular expressions know.
                Some((_, other)) => text.extend(['\\', other]),
                None => break,
            },
            other => text.push(other),
        }
    }
    Err("a string is not closed".into())
}
