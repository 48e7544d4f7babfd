//! Walks JSON text without building anything: its fields by their flattened names, or the value at a path.

mod wanted;

pub(crate) use wanted::{Wanted, wanted_fields};

use super::{labels::push_name, path::Step};

/// The text is no JSON, up to where somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Byte where it is not.
    pub(crate) at: usize,
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// With escapes, without quotes.
    Text(&'a str),
    /// As it is written.
    Number(&'a str),
    /// As it is written.
    Bool(&'a str),
    /// Nothing.
    Null,
    /// As it is written.
    Object(&'a str),
    /// As it is written.
    Array(&'a str),
}

/// Calls `found` with the name and the text of each field of an object: nested names are joined by `_`, arrays and nulls are passed over.
pub(crate) fn fields(text: &str, found: &mut dyn FnMut(&str, &str)) -> Result<(), Malformed> {
    fields_below(text, "", found)
}

/// The same, of an object that lies below a name.
fn fields_below(text: &str, below: &str, found: &mut dyn FnMut(&str, &str)) -> Result<(), Malformed> {
    let mut walk = Walk { text, bytes: text.as_bytes(), at: 0 };
    walk.blanks();
    walk.expect(b'{')?;
    let mut name = below.to_owned();
    // Where each object's prefix ends.
    let mut prefixes: Vec<usize> = vec![name.len()];
    let mut key = String::new();
    let mut unescaped = String::new();
    let mut is_first = true;
    while let Some(&prefix) = prefixes.last() {
        walk.blanks();
        if walk.takes(b'}') {
            prefixes.pop();
            is_first = false;
            continue;
        }
        if !is_first {
            walk.expect(b',')?;
            walk.blanks();
        }
        is_first = false;
        let raw = walk.string()?;
        key.clear();
        let plain = plain(raw, &mut key);
        walk.blanks();
        walk.expect(b':')?;
        walk.blanks();
        name.truncate(prefix);
        let is_named = !plain.trim().is_empty();
        if prefix > 0 && is_named {
            name.push('_');
        }
        if is_named {
            push_name(plain, &mut name);
        }
        if walk.peek() == Some(b'{') {
            walk.at += 1;
            prefixes.push(name.len());
            is_first = true;
            continue;
        }
        match walk.value()? {
            Value::Text(raw) if is_named => {
                unescaped.clear();
                found(&name, unescape(raw, &mut unescaped));
            }
            Value::Number(text) | Value::Bool(text) if is_named => found(&name, text),
            _ => {}
        }
    }
    Ok(())
}

/// Calls `found` with each member of an object that is a text: what `| unpack` reads.
pub(crate) fn texts(text: &str, found: &mut dyn FnMut(&str, &str)) -> Result<(), Malformed> {
    let mut walk = Walk { text, bytes: text.as_bytes(), at: 0 };
    walk.blanks();
    walk.expect(b'{')?;
    let (mut key, mut unescaped) = (String::new(), String::new());
    let mut is_first = true;
    loop {
        walk.blanks();
        if walk.takes(b'}') {
            return Ok(());
        }
        if !is_first {
            walk.expect(b',')?;
            walk.blanks();
        }
        is_first = false;
        let raw = walk.string()?;
        key.clear();
        let key = plain(raw, &mut key);
        walk.blanks();
        walk.expect(b':')?;
        walk.blanks();
        if let Value::Text(raw) = walk.value()? {
            unescaped.clear();
            found(key, unescape(raw, &mut unescaped));
        }
    }
}

/// The value at a path; `None` where there is none.
pub(crate) fn at_path<'a>(text: &'a str, path: &[Step]) -> Result<Option<Value<'a>>, Malformed> {
    let mut walk = Walk { text, bytes: text.as_bytes(), at: 0 };
    walk.blanks();
    let mut key = String::new();
    for step in path {
        let found = match step {
            Step::Key(wanted) => {
                if walk.peek() != Some(b'{') {
                    walk.value()?;
                    return Ok(None);
                }
                walk.at += 1;
                walk.member(wanted, &mut key)?
            }
            Step::Index(wanted) => {
                if walk.peek() != Some(b'[') {
                    walk.value()?;
                    return Ok(None);
                }
                walk.at += 1;
                walk.element(*wanted)?
            }
        };
        if !found {
            return Ok(None);
        }
    }
    walk.value().map(Some)
}

/// The value's text: of a text without escapes, of anything else as it is written; nothing of null.
pub(crate) fn value_text<'a>(value: Value<'a>, unescaped: &'a mut String) -> &'a str {
    match value {
        Value::Text(raw) => {
            unescaped.clear();
            unescape(raw, unescaped)
        }
        Value::Number(text) | Value::Bool(text) | Value::Object(text) | Value::Array(text) => text,
        Value::Null => "",
    }
}

/// A key without escapes.
fn plain<'a>(raw: &'a str, buffer: &'a mut String) -> &'a str {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() { raw } else { unescape(raw, buffer) }
}

/// A text without escapes; the buffer is used where there are some, and has to be empty. Lone surrogates become U+FFFD.
pub(crate) fn unescape<'a>(raw: &'a str, buffer: &'a mut String) -> &'a str {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return raw;
    };
    buffer.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while !rest.is_empty() {
        let Some(escape) = rest.strip_prefix('\\') else {
            let end = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
            buffer.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        };
        let Some(kind) = escape.chars().next() else {
            break;
        };
        rest = &escape[kind.len_utf8()..];
        match kind {
            'n' => buffer.push('\n'),
            't' => buffer.push('\t'),
            'r' => buffer.push('\r'),
            'b' => buffer.push('\u{8}'),
            'f' => buffer.push('\u{c}'),
            'u' => {
                let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                let Some(high) = unit(rest) else {
                    buffer.push(char::REPLACEMENT_CHARACTER);
                    continue;
                };
                rest = &rest[4..];
                let low = rest.strip_prefix("\\u").and_then(unit).filter(|low| (0xDC00..0xE000).contains(low));
                let code = match low {
                    Some(low) if (0xD800..0xDC00).contains(&high) => {
                        rest = &rest[6..];
                        0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
                    }
                    _ => high,
                };
                buffer.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => buffer.push(other),
        }
    }
    buffer
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.takes(byte) { Ok(()) } else { Err(Malformed { at: self.at }) }
    }

    /// What is between the quotes.
    fn string(&mut self) -> Result<&'a str, Malformed> {
        self.expect(b'"')?;
        let begin = self.at;
        loop {
            let Some(len) = quote_or_escape(self.bytes.get(self.at..).unwrap_or_default()) else {
                return Err(Malformed { at: self.bytes.len() });
            };
            self.at += len;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(&self.text[begin..self.at - 1]);
            }
            self.at += 2;
            if self.at > self.bytes.len() {
                return Err(Malformed { at: self.bytes.len() });
            }
        }
    }

    /// Passes over any value, which is looked at no closer than that takes.
    fn pass(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => self.pass_nested(),
            Some(byte) if byte == b'-' || byte.is_ascii_alphanumeric() => {
                let rest = &self.bytes[self.at..];
                let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
                self.at += rest.iter().position(|byte| !is_inner(byte)).unwrap_or(rest.len());
                Ok(())
            }
            _ => Err(Malformed { at: self.at }),
        }
    }

    /// Any value; objects and arrays are passed over whole.
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        let begin = self.at;
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => {
                self.pass_nested()?;
                Ok(Value::Object(&self.text[begin..self.at]))
            }
            Some(b'[') => {
                self.pass_nested()?;
                Ok(Value::Array(&self.text[begin..self.at]))
            }
            Some(_) => {
                let rest = &self.bytes[begin..];
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let len = rest.iter().position(is_end).unwrap_or(rest.len());
                let text = self.text.get(begin..begin + len).ok_or(Malformed { at: begin })?;
                self.at += len;
                match text {
                    "true" | "false" => Ok(Value::Bool(text)),
                    "null" => Ok(Value::Null),
                    text if is_number(text.as_bytes()) => Ok(Value::Number(text)),
                    _ => Err(Malformed { at: begin }),
                }
            }
            None => Err(Malformed { at: begin }),
        }
    }

    /// Passes over an object or array, however deep: brackets have to fit each other.
    fn pass_nested(&mut self) -> Result<(), Malformed> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            let malformed = Malformed { at: self.at };
            match self.peek().ok_or(malformed)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                close @ (b'}' | b']') => {
                    if open.pop() != Some(close) {
                        return Err(malformed);
                    }
                    if open.is_empty() {
                        self.at += 1;
                        return Ok(());
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => {
                    self.value()?;
                    continue;
                }
            }
            self.at += 1;
        }
    }

    /// Goes to the value of a key within the object that is open.
    fn member(&mut self, wanted: &str, key: &mut String) -> Result<bool, Malformed> {
        let mut is_first = true;
        loop {
            self.blanks();
            if self.takes(b'}') {
                return Ok(false);
            }
            if !is_first {
                self.expect(b',')?;
                self.blanks();
            }
            is_first = false;
            let raw = self.string()?;
            key.clear();
            let fits = plain(raw, key) == wanted;
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            if fits {
                return Ok(true);
            }
            self.value()?;
        }
    }

    /// Goes to an element of the array that is open.
    fn element(&mut self, wanted: usize) -> Result<bool, Malformed> {
        for number in 0.. {
            self.blanks();
            if self.takes(b']') {
                return Ok(false);
            }
            if number > 0 {
                self.expect(b',')?;
                self.blanks();
            }
            if number == wanted {
                return Ok(true);
            }
            self.value()?;
        }
        Ok(false)
    }
}

/// Where the first quote or backslash is: texts are short, so eight bytes at a time without a call.
#[inline]
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest byte that is 0 is found for certain (Hacker's Delight, 6-1).
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|found| at + found)
}

fn is_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        let result = fields(text, &mut |name, value| out.push_str(&format!("{name}={value};")));
        match result {
            Ok(()) => out,
            Err(error) => format!("{out}!{}", error.at),
        }
    }

    #[test]
    fn fields_are_flattened() {
        for (text, expected) in [
            (r#"{"a":1,"b":{"c":"d","e-f":true},"g":[1,{"h":2}],"i":null}"#, "a=1;b_c=d;b_e_f=true;"),
            (r#" { "1x" : -0 , "y" : 1e400 } "#, "_1x=-0;y=1e400;"),
            (r#"{"a":"x\n\u00e9\ud83d\ude00\ud800"}"#, "a=x\né😀\u{fffd};"),
            (r#"{"a":1"#, "a=1;!6"),
            (r#"{"a":1,}"#, "a=1;!7"),
            ("[1]", "!0"),
            ("", "!0"),
            ("not json", "!0"),
            (r#"{"a":{"b":{}},"c":2}"#, "c=2;"),
            (r#"{"a":tru}"#, "!5"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(shown(&deep), "");
        let deep = "{\"a\":".repeat(100_000);
        assert!(shown(&deep).starts_with('!'));
    }

    #[test]
    fn quotes_are_found_wherever_they_are() {
        for len in 0..40 {
            for quote in 0..len {
                let mut bytes = vec![b'a'; len];
                bytes[quote] = if quote % 2 == 0 { b'"' } else { b'\\' };
                assert_eq!(quote_or_escape(&bytes), Some(quote));
                bytes[len - 1] = b'"';
                assert_eq!(quote_or_escape(&bytes), Some(quote));
            }
            assert_eq!(quote_or_escape(&vec![0x81; len]), None);
            assert_eq!(quote_or_escape(&vec![b'#'; len]), None);
        }
    }

    #[test]
    fn values_by_path() {
        let text = r#"{"servers":["a","b"],"r":{"h":{"User-Agent":"curl"},"n":null},"s":"x\ty"}"#;
        for (path, expected) in [
            ("servers[0]", Some("a")),
            ("servers[2]", None),
            ("servers", Some(r#"["a","b"]"#)),
            ("r.h[\"User-Agent\"]", Some("curl")),
            ("r.h", Some(r#"{"User-Agent":"curl"}"#)),
            ("r.n", Some("")),
            ("s", Some("x\ty")),
            ("s.t", None),
            ("none", None),
        ] {
            let steps = crate::logql::path::read(path).expect(path);
            let found = at_path(text, &steps).expect("well-formed");
            let mut buffer = String::new();
            let shown = found.map(|value| value_text(value, &mut buffer).to_owned());
            assert_eq!(shown.as_deref(), expected, "{path}");
        }
    }
}
