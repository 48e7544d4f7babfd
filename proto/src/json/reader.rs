//! Pulls keys and values out of JSON text in the order in which they stand there (RFC 8259).

use std::borrow::Cow;

use super::{
    JsonError,
    number::{number_len, whole},
    string::{plain_len, unescape},
};

/// A position in JSON text. Each function reads what must come next, and blanks before it.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// An object that is being read.
#[derive(Debug)]
pub(crate) struct Members {
    first: bool,
}

/// A list that is being read.
#[derive(Debug)]
pub(crate) struct Items {
    first: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Where the next value begins.
    pub(crate) fn position(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// How far it was read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` on, as far as it was read.
    pub(crate) fn read_since(&self, start: usize) -> &'a [u8] {
        &self.text[start..self.at]
    }

    #[cold]
    pub(super) fn syntax(&mut self, what: &'static str) -> JsonError {
        let what = if self.peek().is_none() { "it ends too early" } else { what };
        JsonError::Syntax { at: self.at, what }
    }

    /// The next byte that is not blank.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads `byte` if it comes next.
    #[inline(always)]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    #[inline]
    pub(super) fn literal(&mut self, word: &[u8]) -> bool {
        self.peek();
        let next = self.text[self.at..].starts_with(word);
        self.at += if next { word.len() } else { 0 };
        next
    }

    /// Reads `null` if it comes next.
    #[inline]
    pub(crate) fn null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.literal(b"null")
    }

    /// Only blanks may follow.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(JsonError::Syntax { at: self.at, what: "something follows the value" }),
        }
    }

    /// What is there instead of a value of the right kind: a value error where it is JSON.
    #[cold]
    fn unexpected(&mut self, what: &'static str) -> JsonError {
        let at = self.position();
        match self.skip() {
            Ok(()) => JsonError::value(at, what),
            Err(error) => error,
        }
    }

    /// Begins an object.
    pub(crate) fn object(&mut self) -> Result<Members, JsonError> {
        if self.take(b'{') { Ok(Members { first: true }) } else { Err(self.unexpected("must be an object")) }
    }

    /// The next key, or `None` at the object's end. Members whose value is null are passed over: as good as absent.
    #[inline]
    pub(crate) fn key(&mut self, members: &mut Members) -> Result<Option<Cow<'a, [u8]>>, JsonError> {
        loop {
            if self.take(b'}') {
                return Ok(None);
            }
            if !members.first && !self.take(b',') {
                return Err(self.syntax("a comma or the object's end is missing"));
            }
            members.first = false;
            let key = self.any_key()?;
            if !self.null() {
                return Ok(Some(key));
            }
        }
    }

    /// A key and its colon.
    #[inline]
    pub(super) fn any_key(&mut self) -> Result<Cow<'a, [u8]>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key is missing"));
        }
        let key = self.string()?;
        if !self.take(b':') {
            return Err(self.syntax("a colon is missing"));
        }
        Ok(key)
    }

    /// Begins a list.
    pub(crate) fn list(&mut self) -> Result<Items, JsonError> {
        if self.take(b'[') { Ok(Items { first: true }) } else { Err(self.unexpected("must be a list")) }
    }

    /// Whether another item follows.
    #[inline]
    pub(crate) fn item(&mut self, items: &mut Items) -> Result<bool, JsonError> {
        if items.first {
            items.first = false;
            return Ok(!self.take(b']'));
        }
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(b']') { Ok(false) } else { Err(self.syntax("a comma or the list's end is missing")) }
    }

    /// A string's bytes, which were not checked as UTF-8.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, JsonError> {
        if !self.take(b'"') {
            return Err(self.unexpected("must be a string"));
        }
        let start = self.at;
        let end = start + plain_len(&self.text[start..]);
        if self.text.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        let (content, after) = unescape(self.text, start)?;
        self.at = after;
        Ok(Cow::Owned(content))
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, JsonError> {
        if self.literal(b"true") {
            return Ok(true);
        }
        if self.literal(b"false") { Ok(false) } else { Err(self.unexpected("must be true or false")) }
    }

    /// A number's text.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'a [u8], JsonError> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.unexpected("must be a number"));
        }
        let rest = &self.text[self.at..];
        let Some(len) = number_len(rest) else { return Err(self.syntax("not a number")) };
        self.at += len;
        Ok(&rest[..len])
    }

    /// A number's text, which may stand in quotes (proto3 JSON mapping).
    #[inline]
    fn number_or_string(&mut self) -> Result<Cow<'a, [u8]>, JsonError> {
        if self.peek() != Some(b'"') {
            return self.number().map(Cow::Borrowed);
        }
        let at = self.at;
        let text = self.string()?;
        if number_len(&text) != Some(text.len()) {
            return Err(JsonError::value(at, "must be a number"));
        }
        Ok(text)
    }

    /// A whole number between the bounds, both included; in quotes or not, and also written as `1.0` or `1e3`.
    #[inline]
    pub(crate) fn integer(&mut self, min: i128, max: i128) -> Result<i128, JsonError> {
        let at = self.position();
        let text = self.number_or_string()?;
        match whole(&text) {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(JsonError::value(at, "must be a whole number that its type can hold")),
        }
    }

    /// A floating point number, in quotes or not; `"NaN"`, `"Infinity"` and `"-Infinity"` only in quotes.
    pub(crate) fn double(&mut self) -> Result<f64, JsonError> {
        let at = self.position();
        for (word, value) in
            [(&b"\"NaN\""[..], f64::NAN), (b"\"Infinity\"", f64::INFINITY), (b"\"-Infinity\"", f64::NEG_INFINITY)]
        {
            if self.literal(word) {
                return Ok(value);
            }
        }
        let text = self.number_or_string()?;
        let text = std::str::from_utf8(&text).expect("a number is ASCII");
        let value: f64 = text.parse().expect("JSON's numbers are Rust's too");
        if value.is_infinite() {
            return Err(JsonError::value(at, "is beyond what a double can hold"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_json_takes_is_passed_over_and_nothing_else() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let texts = [
            "{}",
            "[]",
            " [ 1 , 2.5e3, -0, \"a\\n\", true,false , null ] ",
            r#"{"a":{"b":[{}, []]},"c":[[1],[2]]}"#,
            "",
            " ",
            "{",
            "[",
            "]",
            "}",
            "[1,]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            "[1 2]",
            "01",
            "1.",
            "nul",
            "truex",
            "NaN",
            "Infinity",
            "'a'",
            "\"a",
            "\"\\x\"",
            "[}",
            "{]",
            "[1}",
            r#"{"a":1]"#,
            "1 2",
            "\"\t\"",
            "[[]",
            "{\"a\":[}",
            "-",
            "/*c*/1",
            "\u{feff}1",
        ];
        for text in texts.iter().map(|text| (*text).to_owned()).chain([deep(100)]) {
            let mut reader = Reader::new(text.as_bytes());
            let mine = reader.skip().and_then(|()| reader.end());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            assert_eq!(mine.is_ok(), theirs.is_ok(), "{text}: {mine:?} {theirs:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        for (levels, fine) in [(1024, true), (1025, false), (1_000_000, false)] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let text = format!("{}1{}", open.repeat(levels), close.repeat(levels));
                assert_eq!(Reader::new(text.as_bytes()).skip().is_ok(), fine, "{levels} {open}");
            }
        }
    }

    #[test]
    fn values_of_a_wrong_kind_say_where() {
        fn value<T>(at: usize, what: &'static str) -> Result<T, JsonError> {
            Err(JsonError::value(at, what))
        }
        assert_eq!(Reader::new(b" 5").string(), value(1, "must be a string"));
        assert_eq!(Reader::new(b"\"5\"").boolean(), value(0, "must be true or false"));
        assert_eq!(Reader::new(b" \"a\"").double(), value(1, "must be a number"));
        assert_eq!(Reader::new(b"1e400").double(), value(0, "is beyond what a double can hold"));
        assert_eq!(Reader::new(b"[]").integer(0, 9), value(0, "must be a number"));
        assert_eq!(Reader::new(b"\" 1\"").integer(0, 9), value(0, "must be a number"));
        assert_eq!(Reader::new(b"10").integer(0, 9), value(0, "must be a whole number that its type can hold"));
        assert_eq!(Reader::new(b"[}").string(), Err(JsonError::Syntax { at: 1, what: "a value is missing" }));
        assert_eq!(Reader::new(b"nan").double(), Err(JsonError::Syntax { at: 0, what: "a value is missing" }));
        assert!(Reader::new(b"\"NaN\"").double().is_ok_and(f64::is_nan));
        assert_eq!(Reader::new(b"\"-1.5e1\"").double(), Ok(-15.0));
        assert_eq!(Reader::new(b"\"1.0e1\"").integer(0, 10), Ok(10));
    }
}
