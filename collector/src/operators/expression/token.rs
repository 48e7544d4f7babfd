//! Cuts an expression into words, numbers, texts and signs.

/// What is wrong, and where: a byte of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) what: String,
}

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    Sign(&'static str),
}

/// The signs, longer ones first.
const SIGNS: [&str; 34] = [
    "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "**", "..", "<", ">", "!", "+", "-", "*", "/", "%", "^", "(", ")",
    "[", "]", "{", "}", ".", ",", "?", ":", ";", "|", "=", "#", "$",
];

/// All tokens with where each begins.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").ok_or_else(|| wrong(at, "a comment is not closed"))? + 2;
        } else if let Some((radix, len)) = radix_of(rest) {
            let digits = rest[2..len].replace('_', "");
            let whole = i64::from_str_radix(&digits, radix).map_err(|_| wrong(at, "this is no number"))?;
            tokens.push((Token::Int(whole), at));
            at += len;
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let len = number_len(rest);
            let digits = rest[..len].replace('_', "");
            let token = match digits.parse::<i64>() {
                Ok(whole) => Token::Int(whole),
                Err(_) => Token::Float(digits.parse().map_err(|_| wrong(at, "this is no number"))?),
            };
            tokens.push((token, at));
            at += len;
        } else if first.is_alphabetic() || first == '_' {
            let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push((Token::Name(rest[..len].to_owned()), at));
            at += len;
        } else if matches!(first, '"' | '\'' | '`') {
            let (content, len) = text_of(rest, first).map_err(|what| wrong(at, what))?;
            tokens.push((Token::Text(content), at));
            at += len;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push((Token::Sign(sign), at));
            at += sign.len();
        } else {
            return Err(wrong(at, &format!("`{first}` means nothing here")));
        }
    }
    Ok(tokens)
}

fn wrong(at: usize, what: &str) -> Wrong {
    Wrong { at, what: what.to_owned() }
}

/// Of `0x1f`, `0o17` and `0b11` the base, and how long it is.
fn radix_of(text: &str) -> Option<(u32, usize)> {
    let radix = match text.get(..2)? {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => return None,
    };
    let len = text.bytes().skip(2).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    Some((radix, 2 + len))
}

fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut len = 0;
    while let Some(byte) = bytes.get(len) {
        let goes_on = match byte {
            b'0'..=b'9' | b'_' => true,
            b'.' => bytes.get(len + 1).is_some_and(u8::is_ascii_digit),
            b'e' | b'E' => bytes.get(len + 1).is_some_and(|next| next.is_ascii_digit() || matches!(next, b'+' | b'-')),
            b'+' | b'-' => matches!(bytes[len - 1], b'e' | b'E'),
            _ => false,
        };
        if !goes_on {
            break;
        }
        len += 1;
    }
    len
}

/// A text in quotes, and how long it is with them. Backquotes keep everything as it is.
fn text_of(text: &str, quote: char) -> Result<(String, usize), &'static str> {
    let mut content = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        if char == quote {
            return Ok((content, at + 1));
        }
        if char != '\\' || quote == '`' {
            content.push(char);
            continue;
        }
        match chars.next().map(|(_, char)| char) {
            Some('n') => content.push('\n'),
            Some('t') => content.push('\t'),
            Some('r') => content.push('\r'),
            Some('0') => content.push('\0'),
            Some('a') => content.push('\x07'),
            Some('v') => content.push('\x0b'),
            Some('f') => content.push('\x0c'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).map(|(_, char)| char).collect();
                let code = u8::from_str_radix(&digits, 16).map_err(|_| "\\x needs two hex digits")?;
                content.push(char::from(code));
            }
            Some('u') => {
                let digits: String = chars.by_ref().take(4).map(|(_, char)| char).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                content.push(code.ok_or("\\u needs four hex digits of a character")?);
            }
            Some(escaped @ ('\\' | '"' | '\'' | '`' | '/')) => content.push(escaped),
            // A pattern's `\d` in double quotes: whoever wrote it meant it.
            Some(other) => content.extend(['\\', other]),
            None => break,
        }
    }
    Err("a quote is not closed")
}
