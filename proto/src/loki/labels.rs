//! A stream's labels as text, `{app="cart", env="prod"}`: what protobuf pushes carry.

use std::borrow::Cow;

use super::stream::Labels;

/// Text that is no set of labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of {text:?}")]
pub struct BadLabels {
    what: &'static str,
    at: usize,
    text: String,
}

/// Reads labels. Names may be quoted, values stand in double quotes or backticks, with the escapes that Go has.
pub(super) fn parse(text: &[u8]) -> Result<Labels<'_>, BadLabels> {
    let mut parser = Parser { text, at: 0 };
    let mut labels = Labels::new();
    if parser.peek().is_none() {
        return Ok(labels);
    }
    parser.take(b'{', "an opening brace is missing")?;
    loop {
        if parser.peek() == Some(b'}') {
            parser.at += 1;
            break;
        }
        let name = parser.name()?;
        parser.take(b'=', "an equals sign is missing")?;
        let value = parser.quoted()?;
        labels.push((name, value));
        match parser.peek() {
            Some(b',') => parser.at += 1,
            Some(b'}') => {}
            _ => return Err(parser.bad("a comma or the closing brace is missing")),
        }
    }
    match parser.peek() {
        None => Ok(labels),
        Some(_) => Err(parser.bad("something follows the closing brace")),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    #[cold]
    fn bad(&self, what: &'static str) -> BadLabels {
        let text = String::from_utf8_lossy(self.text).chars().take(200).collect();
        BadLabels { what, at: self.at, text }
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, byte: u8, what: &'static str) -> Result<(), BadLabels> {
        if self.peek() != Some(byte) {
            return Err(self.bad(what));
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<Cow<'a, [u8]>, BadLabels> {
        if matches!(self.peek(), Some(b'"' | b'`')) {
            return self.quoted();
        }
        let rest = &self.text[self.at..];
        let is_end = |byte: &u8| matches!(byte, b'=' | b',' | b'{' | b'}' | b'"' | b'`') || byte.is_ascii_whitespace();
        let len = rest.iter().position(is_end).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.bad("a name is missing"));
        }
        self.at += len;
        Ok(Cow::Borrowed(&rest[..len]))
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, BadLabels> {
        let quote = self.peek();
        if !matches!(quote, Some(b'"' | b'`')) {
            return Err(self.bad("a value in quotes is missing"));
        }
        let is_raw = quote == Some(b'`');
        self.at += 1;
        let start = self.at;
        let text = self.text;
        let is_end = |byte: &u8| Some(*byte) == quote || (!is_raw && *byte == b'\\');
        let Some(len) = text[start..].iter().position(is_end) else {
            return Err(self.bad("a value without an end"));
        };
        self.at += len;
        if Some(text[self.at]) == quote {
            self.at += 1;
            return Ok(Cow::Borrowed(&text[start..start + len]));
        }
        self.escaped(text[start..start + len].to_vec()).map(Cow::Owned)
    }

    /// The rest of a value with escapes, of which `out` is the beginning.
    fn escaped(&mut self, mut out: Vec<u8>) -> Result<Vec<u8>, BadLabels> {
        loop {
            let Some(&byte) = self.text.get(self.at) else { return Err(self.bad("a value without an end")) };
            self.at += 1;
            match byte {
                b'"' => return Ok(out),
                b'\\' => self.escape(&mut out)?,
                byte => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), BadLabels> {
        let Some(&byte) = self.text.get(self.at) else { return Err(self.bad("a value without an end")) };
        self.at += 1;
        let plain = match byte {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'"' | b'\'' => byte,
            b'x' => self.number(2, 16)? as u8,
            b'0'..=b'7' => {
                self.at -= 1;
                self.number(3, 8)? as u8
            }
            b'u' | b'U' => {
                let code = self.number(if byte == b'u' { 4 } else { 8 }, 16)?;
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.bad("an escape that is not known")),
        };
        out.push(plain);
        Ok(())
    }

    fn number(&mut self, digits: usize, radix: u32) -> Result<u32, BadLabels> {
        let text = self.text.get(self.at..self.at + digits).and_then(|text| std::str::from_utf8(text).ok());
        let number = text.filter(|text| !text.starts_with('+')).and_then(|text| u32::from_str_radix(text, radix).ok());
        let Some(number) = number else { return Err(self.bad("an escape without its digits")) };
        self.at += digits;
        Ok(number)
    }
}
