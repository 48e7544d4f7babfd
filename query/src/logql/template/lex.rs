//! Cuts an action, what is between `{{` and `}}`, into words.

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name: a function or keyword.
    Name(String),
    /// `.a.b`, without the first dot; empty for `.`.
    Field(Vec<String>),
    /// `$x.a.b`, with the names behind it.
    Variable(String, Vec<String>),
    Text(String),
    Int(i64),
    Float(f64),
    Char(i64),
    Pipe,
    Open,
    /// With the fields behind it.
    Close(Vec<String>),
    Declare,
    Assign,
    Comma,
}

/// The words of an action.
pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, len) = match first {
            '|' => (Word::Pipe, 1),
            '(' => (Word::Open, 1),
            ')' => {
                let (fields, len) = fields(&rest[1..])?;
                (Word::Close(fields), len + 1)
            }
            ',' => (Word::Comma, 1),
            ':' if rest.starts_with(":=") => (Word::Declare, 2),
            '=' => (Word::Assign, 1),
            '"' | '`' => text_word(rest)?,
            '\'' => {
                let end = rest[1..].find('\'').filter(|end| *end > 0).ok_or("unterminated character constant")?;
                let c = rest[1..].chars().next().unwrap_or_default();
                (Word::Char(i64::from(u32::from(c))), end + 2)
            }
            '$' => {
                let len = name_len(&rest[1..]);
                let (fields, more) = fields(&rest[1 + len..])?;
                (Word::Variable(rest[1..1 + len].to_owned(), fields), 1 + len + more)
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (fields, len) = fields(rest)?;
                if fields.is_empty() { (Word::Field(fields), 1) } else { (Word::Field(fields), len) }
            }
            c if c.is_ascii_digit() || matches!(c, '.' | '+' | '-') => number(rest)?,
            c if c.is_alphabetic() || c == '_' => {
                let len = name_len(rest);
                (Word::Name(rest[..len].to_owned()), len)
            }
            other => return Err(format!("unexpected {other:?} in command")),
        };
        words.push(word);
        rest = rest[len..].trim_start();
    }
    Ok(words)
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// `.a.b` at the beginning of a text.
fn fields(text: &str) -> Result<(Vec<String>, usize), String> {
    let mut fields = Vec::new();
    let mut at = 0;
    while text[at..].starts_with('.') {
        let len = name_len(&text[at + 1..]);
        if len == 0 {
            if at == 0 {
                return Ok((fields, 0));
            }
            return Err("unexpected . after a field".into());
        }
        fields.push(text[at + 1..at + 1 + len].to_owned());
        at += 1 + len;
    }
    Ok((fields, at))
}

fn number(text: &str) -> Result<(Word, usize), String> {
    let mut len = 1;
    for (at, c) in text.char_indices().skip(1) {
        let is_exponent_sign = matches!(c, '+' | '-') && text[..at].ends_with(['e', 'E']);
        if !(c.is_alphanumeric() || matches!(c, '.' | '_') || is_exponent_sign) {
            break;
        }
        len = at + c.len_utf8();
    }
    let digits = text[..len].replace('_', "");
    let bad = || format!("bad number syntax: {:?}", &text[..len]);
    let unsigned = digits.trim_start_matches(['+', '-']);
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(hex) = unsigned.to_lowercase().strip_prefix(prefix) {
            let value = i64::from_str_radix(hex, radix).map_err(|_| bad())?;
            return Ok((Word::Int(if digits.starts_with('-') { -value } else { value }), len));
        }
    }
    if let Ok(value) = digits.parse::<i64>() {
        return Ok((Word::Int(value), len));
    }
    digits.parse::<f64>().map(|value| (Word::Float(value), len)).map_err(|_| bad())
}

fn text_word(text: &str) -> Result<(Word, usize), String> {
    if let Some(raw) = text.strip_prefix('`') {
        let end = raw.find('`').ok_or("unterminated raw quoted string")?;
        return Ok((Word::Text(raw[..end].to_owned()), end + 2));
    }
    let unterminated = "unterminated quoted string";
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Word::Text(out), at + 1)),
            '\\' => {
                let (_, escape) = chars.next().ok_or(unterminated)?;
                let mut code = |digits: usize| -> Result<char, String> {
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    code.ok_or_else(|| "invalid escape in a text".to_owned())
                };
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    'x' => code(2)?,
                    'u' => code(4)?,
                    'U' => code(8)?,
                    other @ ('\\' | '"' | '\'') => other,
                    _ => return Err("invalid escape in a text".into()),
                });
            }
            c => out.push(c),
        }
    }
    Err(unterminated.into())
}
