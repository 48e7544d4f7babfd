//! Cuts a condition into words, numbers, strings and signs.

/// A piece of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Int(i64),
    Float(f64),
    Text(String),
    /// `0x0a`.
    Bytes(Vec<u8>),
    /// Brackets, `.`, `,`, `=`, and what reckons and compares.
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 17] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ".", ",", "+", "-", "*", "/", "="];

/// All pieces, in order, each with its position in characters from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = text[..text.len() - rest.len()].chars().count() + 1;
        let (token, length) = token(rest, first).map_err(|error| format!("{error}, at character {at}"))?;
        tokens.push((token, at));
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// The piece that `rest` begins with, and its length as written.
fn token(rest: &str, first: char) -> Result<(Token<'_>, usize), String> {
    match first {
        'a'..='z' | 'A'..='Z' | '_' => {
            let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            Ok((Token::Word(&rest[..length]), length))
        }
        '0' if rest[1..].starts_with(['x', 'X']) => {
            let digits = &rest[2..2 + length_of(&rest[2..], |c| c.is_ascii_hexdigit())];
            let pairs = digits.as_bytes().chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(pair, 16).ok()
            });
            let bytes: Option<Vec<u8>> = pairs.collect();
            let bytes = bytes.filter(|bytes| !bytes.is_empty());
            let length = digits.len() + 2;
            bytes.map(|bytes| (Token::Bytes(bytes), length)).ok_or_else(|| "bytes have two hex digits each".to_owned())
        }
        '0'..='9' => {
            let length = number_length(rest);
            Ok((number(&rest[..length])?, length))
        }
        '"' => string(rest).map(|(text, length)| (Token::Text(text), length)),
        _ => {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| elsewhere(first))?;
            Ok((Token::Sign(sign), sign.len()))
        }
    }
}

/// What to write for a sign of other languages.
fn elsewhere(sign: char) -> String {
    let instead = match sign {
        '&' => "; write `and`",
        '|' => "; write `or`",
        '!' => "; write `not`",
        '~' => "; write IsMatch(name, \"pattern\")",
        '\'' => "; a text stands in double quotes",
        '{' => "; a map cannot be written, its keys can be asked one by one",
        _ => "",
    };
    format!("`{sign}` means nothing here{instead}")
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
