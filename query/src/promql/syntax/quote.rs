//! Strings as Go writes them: what stands between quotes, and back.

use std::fmt::Write as _;

/// The text between double quotes, as Go's `%q` writes it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        escape(letter, '"', &mut out);
    }
    out.push('"');
    out
}

/// Bytes between double quotes; what is no UTF-8 is written byte by byte.
pub(crate) fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| escape(letter, '"', &mut out));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// A letter between single quotes, as Go's `%q` writes it.
pub(super) fn quoted_letter(letter: char) -> String {
    let mut out = String::from("'");
    escape(letter, '\'', &mut out);
    out.push('\'');
    out
}

fn escape(letter: char, quote: char, out: &mut String) {
    match letter {
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        letter if letter == quote => {
            out.push('\\');
            out.push(quote);
        }
        letter if (letter as u32) < 0x20 || letter as u32 == 0x7f => {
            let _ = write!(out, "\\x{:02x}", letter as u32);
        }
        letter if letter.is_control() || matches!(letter as u32, 0xad | 0x2028 | 0x2029 | 0xfeff | 0xa0) => {
            let _ = write!(out, "\\u{:04x}", letter as u32);
        }
        letter => out.push(letter),
    }
}

/// Why a text between quotes is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadQuotes;

/// What a literal with its quotes (`"`, `'` or a back tick) means. Escapes of bytes (`\xff`) may make what is no
/// UTF-8: it comes back as it is.
pub(crate) fn unquoted(literal: &str) -> Result<Vec<u8>, BadQuotes> {
    let quote = literal.chars().next().ok_or(BadQuotes)?;
    let inner = literal[1..].strip_suffix(quote).ok_or(BadQuotes)?;
    match quote {
        '`' => return Ok(inner.bytes().filter(|&byte| byte != b'\r').collect()),
        '"' | '\'' => {}
        _ => return Err(BadQuotes),
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => unescape(&mut letters, quote, &mut out)?,
            '\n' => return Err(BadQuotes),
            letter if letter == quote => return Err(BadQuotes),
            letter => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(out)
}

fn unescape(letters: &mut std::str::Chars<'_>, quote: char, out: &mut Vec<u8>) -> Result<(), BadQuotes> {
    let letter = letters.next().ok_or(BadQuotes)?;
    let digits = |letters: &mut std::str::Chars<'_>, count: usize, base: u32, first: u32| {
        (0..count).try_fold(first, |value, _| {
            let digit = letters.next().and_then(|letter| letter.to_digit(base)).ok_or(BadQuotes)?;
            Ok(value * base + digit)
        })
    };
    let byte = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        'x' => digits(letters, 2, 16, 0)? as u8,
        '0'..='7' => {
            let value = digits(letters, 2, 8, letter as u32 - '0' as u32)?;
            u8::try_from(value).map_err(|_| BadQuotes)?
        }
        'u' | 'U' => {
            let value = digits(letters, if letter == 'u' { 4 } else { 8 }, 16, 0)?;
            let letter = char::from_u32(value).ok_or(BadQuotes)?;
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(());
        }
        letter if letter == quote => quote as u8,
        _ => return Err(BadQuotes),
    };
    out.push(byte);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_gos() {
        assert_eq!(quoted("a\"b\\\n\u{1}é"), r#""a\"b\\\n\x01é""#);
        assert_eq!(quoted_letter('\''), r"'\''");
        assert_eq!(unquoted(r#""a\x41\u00e9\101'""#), Ok("aA\u{e9}A'".as_bytes().to_vec()));
        assert_eq!(unquoted("`a\\n`"), Ok(b"a\\n".to_vec()));
        assert_eq!(unquoted(r#""\xff""#), Ok(vec![0xff]));
        assert_eq!(unquoted(r#""\'""#), Err(BadQuotes));
        assert_eq!(unquoted(r#"'\''"#), Ok(b"'".to_vec()));
    }
}
