//! Reads a JSON object as fields: nested names dotted, lists as their text, each number with its own text.

use std::{borrow::Cow, ops::Range};

use super::Reader;

/// Bounds on what is read as fields; what is beyond is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldLimits {
    /// Fields of one text.
    pub fields_max: u32,
    /// Objects in each other.
    pub depth_max: u32,
}

impl Default for FieldLimits {
    fn default() -> Self {
        Self { fields_max: 512, depth_max: 32 }
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// A string, unescaped; half a surrogate pair is U+FFFD.
    Text(Cow<'a, [u8]>),
    /// A number as it is written.
    Number(&'a [u8]),
    /// true or false.
    Bool(bool),
    /// null.
    Null,
    /// A list, or an empty object, as it is written.
    Json(&'a [u8]),
}

/// Why a text has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFields {
    /// It does not begin as an object does.
    NoObject,
    /// It does, and is no JSON.
    Broken,
    /// It is JSON beyond the limits.
    Beyond,
}

/// Whether a text begins as an object does: only then fields are looked for.
#[inline]
pub fn may_have_fields(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

/// Calls `visit` for each field of the object that `text` is, in order. A field that is there twice is visited twice: the last one counts,
/// as it does for whoever reads JSON into a map. After an error, what `visit` got is void.
///
/// `text` is UTF-8, and so are names and values then.
pub fn fields<'a>(
    text: &'a [u8],
    limits: FieldLimits,
    mut visit: impl FnMut(&[u8], FieldValue<'a>),
) -> Result<(), NoFields> {
    fields_at(text, limits, |name, value, _| visit(name, value))
}

/// As [`fields`], with where in `text` each value stands: of a string, its quotes too.
pub fn fields_at<'a>(
    text: &'a [u8],
    limits: FieldLimits,
    mut visit: impl FnMut(&[u8], FieldValue<'a>, Range<usize>),
) -> Result<(), NoFields> {
    if !may_have_fields(text) {
        return Err(NoFields::NoObject);
    }
    let mut reader = Reader::new(text);
    let mut path = Path::default();
    let mut left = limits.fields_max;
    reader.take(b'{');
    let mut is_first = true;
    loop {
        if reader.take(b'}') {
            let Some(outer_len) = path.objects.pop() else { break };
            path.name.truncate(outer_len);
            is_first = false;
            continue;
        }
        if !is_first && !reader.take(b',') {
            return Err(NoFields::Broken);
        }
        is_first = false;
        let key = text_of(reader.any_key().map_err(|_| NoFields::Broken)?);
        left = left.checked_sub(1).ok_or(NoFields::Beyond)?;
        if reader.peek() == Some(b'{') {
            let at = reader.position();
            reader.take(b'{');
            if reader.peek() != Some(b'}') {
                if path.objects.len() + 1 >= limits.depth_max as usize {
                    return Err(NoFields::Beyond);
                }
                path.enter(&key);
                is_first = true;
                continue;
            }
            reader.take(b'}');
            path.with(&key, |name| visit(name, FieldValue::Json(&text[at..reader.at()]), at..reader.at()));
            continue;
        }
        let at = reader.position();
        let value = value(&mut reader)?;
        path.with(&key, |name| visit(name, value, at..reader.at()));
    }
    reader.end().map_err(|_| NoFields::Broken)
}

/// The value of the field of this name; the last one of several. `None` also where the text has no fields at all.
pub fn field<'a>(text: &'a [u8], name: &[u8], limits: FieldLimits) -> Option<FieldValue<'a>> {
    let mut found = None;
    let read = fields(text, limits, |field, value| {
        if field == name {
            found = Some(value);
        }
    });
    found.filter(|_| read.is_ok())
}

#[inline]
fn value<'a>(reader: &mut Reader<'a>) -> Result<FieldValue<'a>, NoFields> {
    let broken = |_| NoFields::Broken;
    Ok(match reader.peek() {
        Some(b'"') => FieldValue::Text(text_of(reader.string().map_err(broken)?)),
        Some(b'-' | b'0'..=b'9') => FieldValue::Number(reader.number().map_err(broken)?),
        Some(b'[') => {
            let at = reader.position();
            // Lists nested beyond what is passed over are broken, too: nobody writes them.
            reader.skip().map_err(broken)?;
            FieldValue::Json(reader.read_since(at))
        }
        Some(b'n') if reader.null() => FieldValue::Null,
        Some(b't' | b'f') => FieldValue::Bool(reader.boolean().map_err(broken)?),
        _ => return Err(NoFields::Broken),
    })
}

/// A string whose halves of surrogate pairs are replaced: they have the length of the character that stands for them.
#[inline(always)]
pub(super) fn text_of(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(without_halves(bytes)),
    }
}

#[cold]
fn without_halves(mut bytes: Vec<u8>) -> Vec<u8> {
    if std::str::from_utf8(&bytes).is_err() {
        for at in 0..bytes.len().saturating_sub(2) {
            if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
                bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    bytes
}

/// The name of the object that is being read.
#[derive(Debug, Default)]
struct Path {
    name: Vec<u8>,
    /// How long the name was before each open object.
    objects: Vec<usize>,
}

impl Path {
    fn enter(&mut self, key: &[u8]) {
        self.objects.push(self.name.len());
        if self.objects.len() > 1 {
            self.name.push(b'.');
        }
        self.name.extend_from_slice(key);
    }

    #[inline]
    fn with(&mut self, key: &[u8], visit: impl FnOnce(&[u8])) {
        if self.objects.is_empty() {
            return visit(key);
        }
        let len = self.name.len();
        self.name.push(b'.');
        self.name.extend_from_slice(key);
        visit(&self.name);
        self.name.truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, NoFields> {
        let mut shown = Vec::new();
        fields(text.as_bytes(), FieldLimits { fields_max: 8, depth_max: 4 }, |name, value| {
            let name = String::from_utf8_lossy(name);
            let value = match value {
                FieldValue::Text(text) => format!("{:?}", std::str::from_utf8(&text).expect("UTF-8")),
                FieldValue::Number(text) | FieldValue::Json(text) => String::from_utf8_lossy(text).into_owned(),
                FieldValue::Bool(value) => value.to_string(),
                FieldValue::Null => "null".into(),
            };
            shown.push(format!("{name}={value}"));
        })?;
        Ok(shown)
    }

    #[test]
    fn nested_names_are_dotted_and_values_keep_their_text() {
        let text = r#" {"a":{"b":{"c":1.50},"d":"x"},"e":[1, {"f":2}],"g":{},"h":null,"i":-0,"a.b":true,"j":1e400} "#;
        let expected = ["a.b.c=1.50", "a.d=\"x\"", "e=[1, {\"f\":2}]", "g={}", "h=null", "i=-0"];
        assert_eq!(shown(text), Err(NoFields::Beyond), "nine fields, of which eight are allowed");
        let fewer = text.replace(r#","a.b":true,"j":1e400"#, "");
        assert_eq!(shown(&fewer).expect("an object"), expected);
        let twice = r#"{"k":1,"k":2,"\u006b":"\ud800z","é":"\n"}"#;
        assert_eq!(shown(twice).expect("an object"), ["k=1", "k=2", "k=\"\u{fffd}z\"", "é=\"\\n\""]);
        assert_eq!(shown("{}"), Ok(vec![]));
    }

    #[test]
    fn values_are_told_where_they_stand() {
        let text = r#" {"a" : "x\n" ,"b":{"c":[1 , 2], "d":{} },"e": -1.5e3}"#;
        let mut found = Vec::new();
        let read = fields_at(text.as_bytes(), FieldLimits::default(), |name, _, at| {
            found.push((String::from_utf8_lossy(name).into_owned(), &text[at]));
        });
        let expected = [("a", r#""x\n""#), ("b.c", "[1 , 2]"), ("b.d", "{}"), ("e", "-1.5e3")];
        assert_eq!((read, found), (Ok(()), expected.map(|(name, value)| (name.to_owned(), value)).to_vec()));
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for text in ["", "x", "[1]", "5", "\"{\""] {
            assert_eq!(shown(text), Err(NoFields::NoObject), "{text}");
        }
        for text in [
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":1,}",
            "{,\"a\":1}",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":}",
            "{\"a\":nul}",
            "{\"a\":01}",
            "{\"a\":{\"b\":1}",
            "{\"a\":1}}",
            "{\"a\":[}",
            "{\"a\":{\"b\":1,}}",
            "{\"a\":\"\t\"}",
        ] {
            assert_eq!(shown(text), Err(NoFields::Broken), "{text}");
        }
        for deep in [4, 100, 1_000_000] {
            let text = format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep));
            assert_eq!(shown(&text), if deep == 4 { Ok(vec!["a.a.a.a=1".into()]) } else { Err(NoFields::Beyond) });
            let list = format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep));
            assert_eq!(shown(&list).is_ok(), deep < 1000);
        }
    }

    #[test]
    fn what_serde_json_takes_as_an_object_has_fields_and_nothing_else() {
        let texts = [
            r#"{"a":[1,2,{"b":[]}]}"#,
            r#"{"a":"\u00e9\/"}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"":""}"#,
            r#"{"a":tru}"#,
            r#"{"a":true}"#,
            r#"{"a" : { "b" : null } }"#,
            r#"{"a":'b'}"#,
            "{\"a\":1}\u{feff}",
        ];
        for text in texts {
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
            assert_eq!(shown(text).is_ok(), theirs.is_ok(), "{text}");
        }
    }

    #[test]
    fn of_a_name_that_is_there_twice_the_last_one_counts() {
        let limits = FieldLimits::default();
        let value = field(br#"{"a":1,"b":{"c":2},"a":"x"}"#, b"a", limits);
        assert_eq!(value, Some(FieldValue::Text(Cow::Borrowed(b"x"))));
        assert_eq!(field(br#"{"b":{"c":2}}"#, b"b.c", limits), Some(FieldValue::Number(b"2")));
        assert_eq!(field(br#"{"b":{"c":2}}"#, b"b", limits), None);
        assert_eq!(field(br#"{"a":1"#, b"a", limits), None);
    }
}
