//! How files are written, and their lines as text.

use std::borrow::Cow;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use serde::{Deserialize, Deserializer, de};

use crate::operators::Value;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes, which are nothing else.
    Nop,
    /// One of the IANA's, by WHATWG's names.
    Text(&'static encoding_rs::Encoding),
}

impl Default for Encoding {
    fn default() -> Self {
        Self::Text(UTF_8)
    }
}

impl Encoding {
    fn find(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let name = match name.as_str() {
            "nop" => return Some(Self::Nop),
            "" | "utf8" | "utf-8-raw" | "utf8-raw" => "utf-8",
            "utf16le" => "utf-16le",
            "utf16be" => "utf-16be",
            "utf16" | "utf-16" => "utf-16le",
            "ascii" | "us-ascii" => return Some(Self::Text(UTF_8)),
            name => name,
        };
        encoding_rs::Encoding::for_label(name.as_bytes()).map(Self::Text)
    }

    /// What ends a line, and at which step it may stand.
    pub(super) fn newline(self) -> (&'static [u8], usize) {
        match self {
            Self::Text(encoding) if encoding == UTF_16LE => (b"\n\0", 2),
            Self::Text(encoding) if encoding == UTF_16BE => (b"\0\n", 2),
            _ => (b"\n", 1),
        }
    }

    /// Whether zeros mean anything in it.
    pub(super) fn has_zeros(self) -> bool {
        self == Self::Nop || self.newline().1 > 1
    }

    /// A line's text, and whether something of it had to be replaced.
    pub(super) fn decode(self, line: &[u8]) -> (Cow<'_, str>, bool) {
        let Self::Text(encoding) = self else { return (String::from_utf8_lossy(line), false) };
        if encoding == UTF_8 {
            return match std::str::from_utf8(line) {
                Ok(text) => (Cow::Borrowed(text), false),
                Err(_) => (String::from_utf8_lossy(line), true),
            };
        }
        encoding.decode_without_bom_handling(line)
    }

    /// A line's body, and the same.
    pub(super) fn body(self, line: &[u8]) -> (Value<'_>, bool) {
        if self == Self::Nop {
            return (Value::Bytes(Cow::Borrowed(line)), false);
        }
        let (text, is_replaced) = self.decode(line);
        (Value::Text(text), is_replaced)
    }

    /// Where a line that is too long may be cut, at `most` or just before it: not within a character.
    pub(super) fn cut(self, line: &[u8], most: usize) -> usize {
        if self == Self::Text(UTF_8) {
            let before =
                (most.saturating_sub(3)..=most).rev().find(|at| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80));
            return before.filter(|at| *at > 0).unwrap_or(most);
        }
        let step = self.newline().1;
        (most / step * step).max(step)
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let words =
            || format!("`{name}` is no encoding that is known: write it like utf-8, utf-16le, latin1, gbk, big5, nop");
        Self::find(&name).ok_or_else(|| de::Error::custom(words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_encoding() {
        for (name, bytes, text) in [
            ("utf-8", &b"gr\xc3\xbcn"[..], "grün"),
            ("latin1", b"gr\xfcn", "grün"),
            ("utf-16le", b"g\0\xfc\0", "gü"),
            ("UTF-16BE", b"\0g\0\xfc", "gü"),
            ("gbk", b"\xc4\xe3\xba\xc3", "你好"),
            ("big5", b"\xa7\x41\xa6n", "你好"),
            ("shift_jis", b"\x83e", "テ"),
            ("ascii", b"abc", "abc"),
        ] {
            let encoding = Encoding::find(name).expect(name);
            assert_eq!(encoding.decode(bytes), (Cow::Borrowed(text), false), "{name}");
        }
        assert_eq!(Encoding::default().decode(b"a\xff"), (Cow::Borrowed("a\u{fffd}"), true));
        assert_eq!(Encoding::find("klingon"), None);
    }

    #[test]
    fn no_cut_within_a_character() {
        let line = "aé€😀".as_bytes();
        let cuts: Vec<usize> = (1..=line.len()).map(|most| Encoding::default().cut(line, most)).collect();
        assert_eq!(cuts, [1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
        assert_eq!(Encoding::Text(UTF_16LE).cut(b"a\0b\0", 3), 2);
    }
}
