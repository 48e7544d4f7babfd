//! Cuts a query's text into tokens, each with its place.

use super::{error::LogqlError, units};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name or keyword, as it was written.
    Word(String),
    /// A text, without quotes and escapes.
    Text(String),
    /// A number.
    Number(f64, String),
    /// A duration, in ns.
    Duration(i64, String),
    /// A number of bytes.
    Bytes(f64, String),
    /// `[5m]`, in ns.
    Range(i64),
    /// `--strict`, without the dashes.
    Flag(String),
    /// Everything else.
    Sign(&'static str),
    /// Behind the last one.
    End,
}

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// What.
    pub(crate) token: Token,
    /// Byte where it begins.
    pub(crate) at: usize,
}

/// The longest come first.
const SIGNS: &[&str] = &[
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", ",", "|", "=", ">", "<", "+", "-",
    "*", "/", "%", "^", ".",
];

/// The tokens of a text, [`Token::End`] last.
pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>, LogqlError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &text[at..];
        let first = rest.chars().next().expect("not at the end");
        if first.is_whitespace() || first == '\u{feff}' {
            at += first.len_utf8();
            continue;
        }
        if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, len) = match first {
            '"' | '`' => string(text, at)?,
            '[' => range(text, at)?,
            c if c.is_ascii_digit() || (c == '.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)) => {
                number(text, at)?
            }
            c if c.is_alphabetic() || c == '_' => {
                let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
                (Token::Word(rest[..len].to_owned()), len)
            }
            '-' if rest.starts_with("--") && rest[2..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let len = rest[2..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                let len = len.map_or(rest.len(), |len| len + 2);
                (Token::Flag(rest[2..len].to_owned()), len)
            }
            other => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => {
                    return Err(error_at(text, at, format!("syntax error: unexpected character {other:?}")));
                }
            },
        };
        tokens.push(Placed { token, at });
        at += len;
    }
    tokens.push(Placed { token: Token::End, at: text.len() });
    Ok(tokens)
}

/// A mistake at a byte of the text.
pub(crate) fn error_at(text: &str, at: usize, words: impl Into<String>) -> LogqlError {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    LogqlError::Parse { line, column, words: words.into() }
}

fn string(text: &str, at: usize) -> Result<(Token, usize), LogqlError> {
    let rest = &text[at..];
    let unclosed = || error_at(text, at, "literal not terminated");
    if let Some(raw) = rest.strip_prefix('`') {
        let len = raw.find('`').ok_or_else(unclosed)?;
        return Ok((Token::Text(raw[..len].replace('\r', "")), len + 2));
    }
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    let bad = |index: usize| error_at(text, at + index, "invalid escape sequence in a text");
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(out), index + 1)),
            '\n' => return Err(unclosed()),
            '\\' => {
                let (_, escape) = chars.next().ok_or_else(unclosed)?;
                let mut digits = |count: usize, radix: u32, first: Option<char>| -> Option<u32> {
                    let mut value = match first {
                        Some(first) => first.to_digit(radix)?,
                        None => 0,
                    };
                    for _ in 0..count {
                        value = value.checked_mul(radix)?.checked_add(chars.next()?.1.to_digit(radix)?)?;
                    }
                    Some(value)
                };
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '\\' => '\\',
                    '"' => '"',
                    '\'' => '\'',
                    'x' => digits(2, 16, None).and_then(char::from_u32).ok_or_else(|| bad(index))?,
                    'u' => digits(4, 16, None).and_then(char::from_u32).ok_or_else(|| bad(index))?,
                    'U' => digits(8, 16, None).and_then(char::from_u32).ok_or_else(|| bad(index))?,
                    '0'..='7' => digits(2, 8, Some(escape)).and_then(char::from_u32).ok_or_else(|| bad(index))?,
                    _ => return Err(bad(index)),
                });
            }
            c => out.push(c),
        }
    }
    Err(unclosed())
}

fn range(text: &str, at: usize) -> Result<(Token, usize), LogqlError> {
    let rest = &text[at + 1..];
    let Some(len) = rest.find(']') else {
        return Err(error_at(text, at, "missing closing ']' in duration"));
    };
    let inner = rest[..len].trim();
    let ns = units::duration_ns(inner)
        .filter(|_| inner != "0")
        .ok_or_else(|| error_at(text, at, format!("not a valid duration: {inner:?}")))?;
    if ns <= 0 {
        return Err(error_at(text, at, format!("a range has to be longer than 0: {inner:?}")));
    }
    Ok((Token::Range(ns), len + 2))
}

/// A number, or a duration or size, which begin like one.
fn number(text: &str, at: usize) -> Result<(Token, usize), LogqlError> {
    let rest = &text[at..];
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let len = rest[2..].find(|c: char| !c.is_ascii_hexdigit()).map_or(rest.len(), |len| len + 2);
        let value = u64::from_str_radix(&rest[2..len], 16);
        let value = value.map_err(|_| error_at(text, at, format!("not a number: {:?}", &rest[..len])))?;
        return Ok((Token::Number(value as f64, rest[..len].to_owned()), len));
    }
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '.')).unwrap_or(rest.len());
    let mut written = &rest[..word];
    // 1e-5 and 1e+5 have a sign inside.
    let exponent = written.ends_with(['e', 'E']) && written[..written.len() - 1].parse::<f64>().is_ok();
    if exponent && rest[word..].starts_with(['+', '-']) {
        let digits = rest[word + 1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |len| word + 1 + len);
        if digits > word + 1 {
            written = &rest[..digits];
        }
    }
    let len = written.len();
    let written = written.to_owned();
    if let Ok(value) = written.parse::<f64>() {
        return Ok((Token::Number(value, written), len));
    }
    if let Some(ns) = units::duration_ns(&written) {
        return Ok((Token::Duration(ns, written), len));
    }
    if let Some(bytes) = units::bytes(&written) {
        return Ok((Token::Bytes(bytes, written), len));
    }
    Err(error_at(text, at, format!("neither a number, a duration nor a size: {written:?}")))
}

impl Token {
    /// As messages name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Word(word) if super::parser::is_keyword(word) => word.to_lowercase(),
            Self::Word(_) => "IDENTIFIER".into(),
            Self::Text(_) => "STRING".into(),
            Self::Number(..) => "NUMBER".into(),
            Self::Duration(..) => "DURATION".into(),
            Self::Bytes(..) => "BYTES".into(),
            Self::Range(_) => "RANGE".into(),
            Self::Flag(_) => "PARSER_FLAG".into(),
            Self::Sign(sign) => (*sign).to_owned(),
            Self::End => "$end".into(),
        }
    }
}
