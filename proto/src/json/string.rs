//! Strings: where one ends, and what its escapes stand for.

use super::JsonError;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Bytes before the first quote, backslash or control character.
#[inline]
pub fn plain_len(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = text[at..].first_chunk() {
        let found = special_bytes(u64::from_le_bytes(*eight));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// Sets the high bit of the lowest byte that is a quote, a backslash or below 0x20; bits above that one mean nothing
/// (the borrow of Mycroft's zero test, "Determine if a word has a zero byte").
#[inline(always)]
fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGH_BITS
}

/// Reads a string with escapes from `start`, behind its opening quote: what it stands for and where it ends, behind the
/// closing quote.
///
/// Half a surrogate pair becomes the three bytes that UTF-8 forbids: whoever checks the string as UTF-8 finds it.
#[cold]
pub(super) fn unescape(text: &[u8], start: usize) -> Result<(Vec<u8>, usize), JsonError> {
    let mut out = Vec::new();
    let mut at = start;
    loop {
        let plain = plain_len(&text[at..]);
        out.extend_from_slice(&text[at..at + plain]);
        at += plain;
        match text.get(at) {
            Some(b'"') => return Ok((out, at + 1)),
            Some(b'\\') => at = escape(text, at, &mut out)?,
            Some(_) => return Err(JsonError::Syntax { at, what: "a control character in a string" }),
            None => return Err(JsonError::Syntax { at, what: "a string without an end" }),
        }
    }
}

/// Reads one escape at `at`; where the next character is.
fn escape(text: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, JsonError> {
    let byte = match text.get(at + 1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unicode_escape(text, at, out),
        _ => return Err(JsonError::Syntax { at, what: "an escape that JSON does not have" }),
    };
    out.push(byte);
    Ok(at + 2)
}

fn unicode_escape(text: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, JsonError> {
    let Some(unit) = code_unit(text, at) else {
        return Err(JsonError::Syntax { at, what: "\\u without four hex digits" });
    };
    if (0xd800..0xdc00).contains(&unit)
        && let Some(low @ 0xdc00..0xe000) = code_unit(text, at + 6)
    {
        let code_point = 0x1_0000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
        let character = char::from_u32(code_point).expect("a pair of surrogates is a character");
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        return Ok(at + 12);
    }
    match char::from_u32(unit) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            let lone = [0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8];
            out.extend_from_slice(&lone);
        }
    }
    Ok(at + 6)
}

/// The number behind `\u` at `at`.
fn code_unit(text: &[u8], at: usize) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text.get(at..at + 6)? else { return None };
    let mut unit = 0;
    for digit in digits {
        unit = unit * 16 + char::from(*digit).to_digit(16)?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_found_at_any_place() {
        for len in 0..40 {
            for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
                let mut text = b"ab\xc3\xa9 \x7f!#[]\xff\x80".repeat(4)[..len].to_vec();
                assert_eq!(plain_len(&text), len);
                text.push(special);
                text.extend_from_slice(b"\"rest of it");
                assert_eq!(plain_len(&text), len, "{special} after {len}");
            }
        }
    }

    #[test]
    fn escapes_become_characters() {
        let rows: [(&str, &[u8]); 8] = [
            (r#"\"\\\/\b\f\n\r\t""#, b"\"\\/\x08\x0c\n\r\t"),
            (r#"a\u00e9z""#, "aéz".as_bytes()),
            (r#"\u0000""#, b"\0"),
            (r#"\ud83d\ude00""#, "😀".as_bytes()),
            (r#"\uD83D""#, b"\xed\xa0\xbd"),
            (r#"\ude00x""#, b"\xed\xb8\x80x"),
            (r#"\ud83d\ud83d\ude00""#, b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
            (r#"\ud83dA""#, b"\xed\xa0\xbdA"),
        ];
        for (text, expected) in rows {
            assert_eq!(unescape(text.as_bytes(), 0), Ok((expected.to_vec(), text.len())), "{text}");
        }
        for bad in [r#"\x""#, r#"\u12""#, r#"\u12g4""#, r"\", "\\n\n\"", r"\n", r#"\u+123""#] {
            assert!(unescape(bad.as_bytes(), 0).is_err(), "{bad}");
        }
    }
}
