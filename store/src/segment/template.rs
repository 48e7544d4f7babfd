//! Templates: JSON lines without their values, from which a line comes back byte for byte.
//!
//! A template is the line's text in which a mark stands for each value that lies in a column. Marks are control characters, which JSON
//! text cannot hold. What has no column (nulls) stands in the template as it is.
//!
//! An object may stand behind a head of words, as in a line of syslog. Such a template has marks for the words, too; its fields are none of the
//! body, which is no object, and so have names that no one asks for.

use std::ops::Range;

use weir_proto::json::{FieldLimits, FieldValue, fields_at, members, number_len, plain_len, value_len};

/// Stands for what is between the quotes of a string, escaped no more than it must be.
const TEXT: u8 = 1;
/// Stands for a value whose text is the column's: a number, a boolean, a list.
const RAW: u8 = 2;
/// As [`TEXT`], with `\u` escapes for all that is not ASCII.
const ASCII_TEXT: u8 = 3;
/// As [`TEXT`], with `\u` escapes for what HTML would read as its own, and for two ends of lines.
const HTML_TEXT: u8 = 4;

/// Stands for a word of the head.
const WORD: u8 = 5;
/// Stands between the head and the object.
const END_OF_HEAD: u8 = 6;

/// Before the number of a word, in the name of its column.
const WORD_PREFIX: u8 = 0x1f;
/// Before the name of a field of an object behind a head, in the name of its column.
const BEHIND_HEAD_PREFIX: u8 = 0x1e;

/// Most words of a head.
const HEAD_WORDS_MAX: usize = 12;

/// Longest template.
pub(super) const TEMPLATE_BYTES_MAX: usize = 16 << 10;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// A string, escaped in this manner.
    Text(Escaping),
    /// Anything else.
    Raw,
    /// A word of a head.
    Word,
}

/// Which characters of a string are escaped, beside those that must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Escaping {
    /// None.
    Least,
    /// All that are not ASCII, as Python does.
    Ascii,
    /// `<`, `>`, `&`, U+2028 and U+2029, as Go does.
    Html,
}

impl Escaping {
    const ALL: [Self; 3] = [Self::Least, Self::Ascii, Self::Html];

    fn mark(self) -> u8 {
        match self {
            Self::Least => TEXT,
            Self::Ascii => ASCII_TEXT,
            Self::Html => HTML_TEXT,
        }
    }

    /// The one that makes of `text` what stands between the quotes.
    pub(super) fn of(text: &[u8], written: &[u8]) -> Option<Self> {
        let mut again = Vec::with_capacity(written.len());
        Self::ALL.into_iter().find(|escaping| {
            again.clear();
            escaping.write(text, &mut again);
            again == written
        })
    }

    /// Appends a string's text, escaped; without quotes.
    #[inline]
    pub(super) fn write(self, text: &[u8], out: &mut Vec<u8>) {
        if self == Self::Least && plain_len(text) == text.len() {
            out.extend_from_slice(text);
        } else {
            self.write_escaped(text, out);
        }
    }

    #[cold]
    fn write_escaped(self, text: &[u8], out: &mut Vec<u8>) {
        for part in text.utf8_chunks() {
            for character in part.valid().chars() {
                self.write_character(character, out);
            }
            out.extend_from_slice(part.invalid());
        }
    }

    fn write_character(self, character: char, out: &mut Vec<u8>) {
        let short = match character {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            _ => {
                let is_escaped = character < ' '
                    || match self {
                        Self::Least => false,
                        Self::Ascii => !character.is_ascii(),
                        Self::Html => matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
                    };
                if is_escaped {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.extend_from_slice(b"\\u");
                        super::json::write_hex(&unit.to_be_bytes(), out);
                    }
                } else {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                return;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// A value of a line, and where it stands there.
#[derive(Debug)]
pub(super) struct Found<'l> {
    /// The column that holds it.
    pub(super) column: u32,
    /// The value.
    pub(super) value: FieldValue<'l>,
    /// Where; of a string, its quotes too.
    pub(super) at: Range<usize>,
}

/// The template of a line with these values; `None` when the line would not come back from it.
pub(super) fn template_of(line: &[u8], found: &[Found<'_>]) -> Option<Vec<u8>> {
    let mut template = Vec::with_capacity(line.len());
    let mut from = 0;
    for Found { value, at, .. } in found {
        let (mark, at) = match value {
            FieldValue::Null => continue,
            FieldValue::Text(text) => {
                let inner = at.start + 1..at.end - 1;
                (Escaping::of(text, &line[inner.clone()])?.mark(), inner)
            }
            _ => (RAW, at.clone()),
        };
        template.extend_from_slice(&line[from..at.start]);
        template.push(mark);
        from = at.end;
    }
    template.extend_from_slice(&line[from..]);
    Some(template)
}

/// The words of a head that have columns, and where they stand; `None` for a head that is not kept so.
pub(super) fn head_words(head: &[u8]) -> Option<Vec<Range<usize>>> {
    // Else marks could not be told from it.
    if head.last() != Some(&b' ') || head.iter().any(|byte| *byte < b' ') {
        return None;
    }
    let mut words = Vec::with_capacity(HEAD_WORDS_MAX);
    let mut from = 0;
    for at in memchr::memchr_iter(b' ', head) {
        if !matches!(&head[from..at], b"" | b"-") {
            words.push(from..at);
        }
        from = at + 1;
    }
    (words.len() <= HEAD_WORDS_MAX).then_some(words)
}

/// The name of a word's column.
pub(super) fn word_name(number: usize) -> Vec<u8> {
    [&[WORD_PREFIX][..], number.to_string().as_bytes()].concat()
}

/// The name of the column of an object's field behind a head.
pub(super) fn behind_head(name: &[u8]) -> Vec<u8> {
    [&[BEHIND_HEAD_PREFIX][..], name].concat()
}

/// The template of an object's template behind a head with these words.
pub(super) fn headed(head: &[u8], words: &[Range<usize>], object: &[u8]) -> Vec<u8> {
    let mut template = Vec::with_capacity(head.len() + object.len());
    let mut from = 0;
    for word in words {
        template.extend_from_slice(&head[from..word.start]);
        template.push(WORD);
        from = word.end;
    }
    template.extend_from_slice(&head[from..]);
    template.push(END_OF_HEAD);
    template.extend_from_slice(object);
    template
}

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// All that is between the slots, one after the other.
    literals: Vec<u8>,
    /// Where in `literals` the text before each slot ends.
    ends: Vec<u32>,
    /// What is between.
    pub(super) slots: Vec<Slot>,
    /// The field of each slot.
    pub(super) names: Vec<Box<[u8]>>,
    /// Whether the object stands behind a head.
    pub(super) has_head: bool,
    /// The members of the object itself that are no slots; none of one behind a head.
    pub(super) inner: Vec<Inner>,
    /// For each slot, whether it is a member of the object itself.
    pub(super) is_own: Vec<bool>,
}

/// A member of a template's object that is no value by itself: an object, with or without slots in it, or null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) key: Box<[u8]>,
    /// Where it begins and ends: behind so many slots, and so many bytes behind the last of these.
    from: (usize, usize),
    to: (usize, usize),
    /// Whether it stands there as attributes that are JSON are written, where its values do.
    pub(super) is_compact: bool,
}

impl Inner {
    /// Where it stands in a line with these values, and which of them are in it.
    #[inline]
    pub(super) fn place(&self, values: &[Range<usize>]) -> (Range<usize>, Range<usize>) {
        let at = |(slots, offset): (usize, usize)| offset + if slots == 0 { 0 } else { values[slots - 1].end };
        (at(self.from)..at(self.to), self.from.0..self.to.0)
    }
}

impl Template {
    /// Takes a template's text apart; `None` when it is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut template = Self {
            literals: Vec::with_capacity(text.len()),
            ends: Vec::new(),
            slots: Vec::new(),
            names: Vec::new(),
            has_head: false,
            inner: Vec::new(),
            is_own: Vec::new(),
        };
        let text = match memchr::memchr(END_OF_HEAD, text) {
            Some(end) => {
                template.has_head = true;
                for &byte in &text[..end] {
                    match byte {
                        WORD => template.add_slot(Slot::Word),
                        byte => template.literals.push(byte),
                    }
                }
                template.names.extend((0..template.slots.len()).map(|word| word_name(word).into()));
                &text[end + 1..]
            }
            None => text,
        };
        // As JSON it has something of the same length instead of each mark.
        let mut json = text.to_vec();
        let mut places = Vec::new();
        for (at, byte) in json.iter_mut().enumerate() {
            let slot = match *byte {
                TEXT => Slot::Text(Escaping::Least),
                ASCII_TEXT => Slot::Text(Escaping::Ascii),
                HTML_TEXT => Slot::Text(Escaping::Html),
                RAW => Slot::Raw,
                byte => {
                    template.literals.push(byte);
                    continue;
                }
            };
            *byte = b'0';
            places.push(at);
            template.add_slot(slot);
        }
        let has_head = template.has_head;
        let mut next = places.iter().peekable();
        let read = fields_at(&json, FieldLimits::default(), |name, _, at| {
            if next.next_if(|place| at.contains(*place)).is_some() {
                template.names.push(if has_head { behind_head(name).into() } else { name.into() });
            }
        });
        if !has_head && read.is_ok() {
            template.add_members(&json, &places);
        }
        (read.is_ok() && template.names.len() == template.slots.len()).then_some(template)
    }

    /// Finds the members of the object itself in a text that has something at `places` where the slots are.
    fn add_members(&mut self, json: &[u8], places: &[usize]) {
        self.is_own = vec![false; places.len()];
        let behind = |at: usize| {
            let slots = places.partition_point(|&place| place < at);
            (slots, at - if slots == 0 { 0 } else { places[slots - 1] + 1 })
        };
        let read = members(json, |key, at| {
            let (first, is_quoted) = (at.start, json[at.start] == b'"');
            let alone = if is_quoted { first + 1 } else { first };
            if let Ok(slot) = places.binary_search(&alone)
                && at.len() == if is_quoted { 3 } else { 1 }
            {
                self.is_own[slot] = true;
                return;
            }
            // More than blanks would have to be looked at in keys; most have none of these.
            let is_compact = !json[at.clone()].iter().any(|byte| b" \t\r\n\\$".contains(byte));
            self.inner.push(Inner { key: key.into(), from: behind(at.start), to: behind(at.end), is_compact });
        });
        debug_assert!(read.is_ok(), "it was read before");
    }

    fn add_slot(&mut self, slot: Slot) {
        self.slots.push(slot);
        self.ends.push(self.literals.len() as u32);
    }

    /// The text before slot `slot`, or behind the last one.
    #[inline]
    pub(super) fn literal(&self, slot: usize) -> &[u8] {
        let from = if slot == 0 { 0 } else { self.ends[slot - 1] as usize };
        let to = self.ends.get(slot).map_or(self.literals.len(), |&end| end as usize);
        &self.literals[from..to]
    }

    /// Whether a line has this template; if so `values` are its values, as they stand in the line: of strings without quotes. Strings with
    /// escapes are not looked into: such a line is no match.
    #[inline]
    pub(super) fn matches(&self, line: &[u8], values: &mut Vec<Range<usize>>) -> bool {
        values.clear();
        let mut at = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let literal = self.literal(number);
            if !line[at..].starts_with(literal) {
                return false;
            }
            at += literal.len();
            let rest = &line[at..];
            let len = match (slot, rest.first()) {
                (Slot::Text(Escaping::Least), _) => plain_len(rest),
                (Slot::Word, _) => memchr::memchr(b' ', rest).unwrap_or(0),
                (Slot::Raw, Some(b'-' | b'0'..=b'9')) => number_len(rest).unwrap_or(0),
                (Slot::Raw, Some(b'[')) => value_len(rest).unwrap_or(0),
                (Slot::Raw, Some(b't')) if rest.starts_with(b"true") => 4,
                (Slot::Raw, Some(b'f')) if rest.starts_with(b"false") => 5,
                _ => return false,
            };
            // Nothing between is an empty string, or no value at all.
            if len == 0 && matches!(slot, Slot::Raw | Slot::Word) {
                return false;
            }
            values.push(at..at + len);
            at += len;
        }
        line[at..] == *self.literal(self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(line: &str) -> Option<String> {
        let mut found = Vec::new();
        fields_at(line.as_bytes(), FieldLimits::default(), |_, value, at| found.push(Found { column: 0, value, at }))
            .expect("an object");
        template_of(line.as_bytes(), &found).map(|template| String::from_utf8(template).expect("UTF-8"))
    }

    #[test]
    fn values_become_marks() {
        let line = r#" {"a": "x\"y" ,"b":{"c":-1.50,"d":[1, {}],"e":null},"f":"","g":true} "#;
        let text = template(line).expect("comes back");
        assert_eq!(
            text,
            " {\"a\": \"\u{1}\" ,\"b\":{\"c\":\u{2},\"d\":\u{2},\"e\":null},\"f\":\"\u{1}\",\"g\":\u{2}} "
        );
        let parsed = Template::parse(text.as_bytes()).expect("a template");
        let names: Vec<_> = parsed.names.iter().map(|name| String::from_utf8_lossy(name)).collect();
        assert_eq!(names, ["a", "b.c", "b.d", "f", "g"]);
        assert_eq!((parsed.literal(0), parsed.literal(5)), (&b" {\"a\": \""[..], &b"} "[..]));
    }

    #[test]
    fn strings_are_escaped_as_they_were_or_stay_texts() {
        assert_eq!(template(r#"{"a":"caf\u00e9 \ud83d\ude00"}"#).as_deref(), Some("{\"a\":\"\u{3}\"}"));
        assert_eq!(template(r#"{"a":"\u003ca\u003e é"}"#).as_deref(), Some("{\"a\":\"\u{4}\"}"));
        assert_eq!(template(r#"{"a":"\b\f\n\u0001\\"}"#).as_deref(), Some("{\"a\":\"\u{1}\"}"));
        for line in [r#"{"a":"\/"}"#, r#"{"a":"\u00E9"}"#, r#"{"a":"\ud800"}"#, r#"{"a":"\u0041"}"#] {
            assert_eq!(template(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_matches_its_template_only() {
        let parsed = Template::parse(b"{\"a\":\"\x01\",\"b\":\x02}").expect("a template");
        let mut values = Vec::new();
        assert!(parsed.matches(br#"{"a":"xy","b":-5}"#, &mut values));
        assert_eq!(values, [6..8, 14..16]);
        assert!(parsed.matches(br#"{"a":"","b":true}"#, &mut values));
        assert!(parsed.matches(br#"{"a":"","b":[1, {"c":"]"}]}"#, &mut values));
        for line in [
            r#"{"a":"x","b":"5"}"#,
            r#"{"a":"x\n","b":5}"#,
            r#"{"a":"x","b":05}"#,
            r#"{"a":"x","b":}"#,
            r#"{"a":"x","b":[1}"#,
            r#"{"a":"x","b":{}}"#,
            r#"{"a":"x","b":5} "#,
            r#"{"a":"x","b":5"#,
            r#"{"a":"x"}"#,
            r#"{"a":"x","b":truex}"#,
            "",
        ] {
            assert!(!parsed.matches(line.as_bytes(), &mut values), "{line}");
        }
    }

    #[test]
    fn what_is_no_template_is_none() {
        for text in ["", "{", "{\"a\":\"\u{1}", "{\"\u{1}\":1}", "{\"a\":\u{5}}", "[\u{2}]", "\u{2}"] {
            assert_eq!(Template::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
