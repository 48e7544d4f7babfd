//! How an object is written, values left out: lines of one service are mostly written alike, and then need no parsing.

use std::ops::Range;

use super::{JsonError, Reader, fields::text_of, number_len, plain_len, value_len};

/// Longest object whose shape is taken.
const BYTES_MAX: usize = 16 << 10;
/// Most values of one.
const VALUES_MAX: usize = 256;
/// Objects in each other.
const DEPTH_MAX: usize = 32;

/// An object without its values. Values are strings, numbers, booleans and flat lists; nulls and empty objects belong to the shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What is between values, one after the other.
    literals: Vec<u8>,
    values: Vec<ShapeValue>,
    members: Vec<Box<[u8]>>,
}

/// A value's place in a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeValue {
    /// Its name, with those of the objects that it is in, dotted.
    pub name: Box<[u8]>,
    /// Whether it is a member of the object itself.
    pub is_own: bool,
    /// Whether it stands in quotes.
    pub is_text: bool,
    /// Where in the literals the text before it ends.
    literal_end: u32,
}

/// What is read of an object while its shape is taken.
struct Open {
    /// Of its name: bytes of those around it.
    name_len: usize,
    /// Its first key among all.
    number: u32,
}

impl Shape {
    /// The shape of `text`; `None` for what is no object, has a name twice in one object, lists that are not flat, or is too large.
    pub fn of(text: &[u8]) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut reader = Reader::new(text);
        if !reader.take(b'{') {
            return None;
        }
        let mut shape = Self { literals: Vec::with_capacity(text.len()), values: Vec::new(), members: Vec::new() };
        let (mut name, mut open, mut keys) = (Vec::new(), vec![Open { name_len: 0, number: 0 }], Vec::new());
        let (mut objects, mut is_first, mut literal_from) = (0, true, 0);
        while let Some(innermost) = open.last() {
            if reader.take(b'}') {
                name.truncate(innermost.name_len);
                open.pop();
                is_first = false;
                continue;
            }
            if !is_first && !reader.take(b',') {
                return None;
            }
            is_first = false;
            let key = text_of(reader.any_key().ok()?);
            let (number, outer_len, is_own) = (innermost.number, name.len(), open.len() == 1);
            keys.push((number, key.to_vec()));
            if is_own {
                shape.members.push(key.clone().into());
            } else {
                name.push(b'.');
            }
            name.extend_from_slice(&key);
            let at = reader.position();
            match reader.peek()? {
                b'{' => {
                    objects += 1;
                    reader.take(b'{');
                    open.push(Open { name_len: outer_len, number: objects });
                    is_first = true;
                    if open.len() > DEPTH_MAX {
                        return None;
                    }
                    continue;
                }
                b'n' if reader.null() => {}
                first => {
                    reader.skip().ok()?;
                    let is_text = first == b'"';
                    let value = if is_text { at + 1..reader.at() - 1 } else { at..reader.at() };
                    if first == b'[' && !is_flat(&text[value.clone()]) {
                        return None;
                    }
                    shape.literals.extend_from_slice(&text[literal_from..value.start]);
                    literal_from = value.end;
                    let literal_end = shape.literals.len() as u32;
                    shape.values.push(ShapeValue { name: name[..].into(), is_own, is_text, literal_end });
                }
            }
            name.truncate(outer_len);
        }
        reader.end().ok()?;
        shape.literals.extend_from_slice(&text[literal_from..]);
        keys.sort_unstable();
        let is_twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
        (!is_twice && shape.values.len() <= VALUES_MAX).then_some(shape)
    }

    /// Its values' places, in order.
    pub fn values(&self) -> &[ShapeValue] {
        &self.values
    }

    /// The names of the object's own members, in order.
    pub fn members(&self) -> impl Iterator<Item = &[u8]> {
        self.members.iter().map(|name| &**name)
    }

    /// Whether `text` has this shape; then `values` is where its values are, of strings between the quotes. It is JSON then.
    #[inline]
    pub fn matches(&self, text: &[u8], values: &mut Vec<Range<usize>>) -> bool {
        values.clear();
        let (mut at, mut literal_from) = (0, 0);
        for value in &self.values {
            let literal = &self.literals[literal_from..value.literal_end as usize];
            literal_from = value.literal_end as usize;
            if !text[at..].starts_with(literal) {
                return false;
            }
            at += literal.len();
            let rest = &text[at..];
            let len = match rest.first() {
                _ if value.is_text => string_len(text, at),
                Some(b'-' | b'0'..=b'9') => number_len(rest),
                Some(b'[') => value_len(rest).filter(|len| is_flat(&rest[..*len])),
                Some(b't') if rest.starts_with(b"true") => Some(4),
                Some(b'f') if rest.starts_with(b"false") => Some(5),
                _ => None,
            };
            let Some(len) = len else { return false };
            values.push(at..at + len);
            at += len;
        }
        text[at..] == self.literals[literal_from..]
    }
}

/// Bytes of the string whose text begins at `at`.
#[inline]
fn string_len(text: &[u8], at: usize) -> Option<usize> {
    let len = plain_len(&text[at..]);
    match text.get(at + len) {
        Some(b'"') => Some(len),
        Some(b'\\') => value_len(&text[at - 1..]).map(|len| len - 2),
        _ => None,
    }
}

fn is_flat(list: &[u8]) -> bool {
    memchr::memchr2(b'[', b'{', &list[1..]).is_none()
}

/// What a string's text, as it stands between quotes, stands for.
pub fn unescaped(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return text.into();
    }
    let quoted = [b"\"", text, b"\""].concat();
    let read = Reader::new(&quoted).string().map(|text| text_of(text).into_owned());
    read.map_or(text.into(), Into::into)
}

/// Calls `visit` for each member of an object: its key, and where its value stands, quotes included.
///
/// # Errors
///
/// For what is no object; what `visit` got before is void.
pub fn members<'a>(
    text: &'a [u8],
    mut visit: impl FnMut(std::borrow::Cow<'a, [u8]>, Range<usize>),
) -> Result<(), JsonError> {
    let mut reader = Reader::new(text);
    reader.object()?;
    let mut is_first = true;
    while !reader.take(b'}') {
        if !is_first && !reader.take(b',') {
            return Err(reader.syntax("a comma or the object's end is missing"));
        }
        is_first = false;
        let key = text_of(reader.any_key()?);
        let at = reader.position();
        reader.skip()?;
        visit(key, at..reader.at());
    }
    reader.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_shape_match() {
        let text = br#" {"a": "x", "o":{"b":1.5,"p":{"c":[1, 2]},"z":null},"d":true,"e":{}} "#;
        let shape = Shape::of(text).expect("an object");
        let names: Vec<_> = shape.values().iter().map(|v| (String::from_utf8_lossy(&v.name), v.is_own)).collect();
        assert_eq!(names, [("a", true), ("o.b", false), ("o.p.c", false), ("d", true)].map(|(n, o)| (n.into(), o)));
        assert_eq!(shape.members().collect::<Vec<_>>(), [&b"a"[..], b"o", b"d", b"e"]);
        let mut values = Vec::new();
        assert!(shape.matches(text, &mut values));
        let other = br#" {"a": "y\"z", "o":{"b":-2,"p":{"c":[]},"z":null},"d":false,"e":{}} "#;
        assert!(shape.matches(other, &mut values));
        assert_eq!(
            values.iter().map(|at| &other[at.clone()]).collect::<Vec<_>>(),
            [&br#"y\"z"#[..], b"-2", b"[]", b"false"]
        );
        assert_eq!(&*unescaped(&other[values[0].clone()]), b"y\"z");
        for text in [
            &br#" {"a": "x", "o":{"b":1.5,"p":{"c":[[]]},"z":null},"d":true,"e":{}} "#[..],
            br#" {"a": "\x", "o":{"b":1.5,"p":{"c":[1, 2]},"z":null},"d":true,"e":{}} "#,
            br#" {"a": "x", "o":{"b":01,"p":{"c":[1, 2]},"z":null},"d":true,"e":{}} "#,
            br#" {"a": "x", "o":{"b":1,"p":{"c":[1, 2]},"z":0},"d":true,"e":{}} "#,
            br#" {"a": "x", "o":{"b":1,"p":{"c":[1, 2]},"z":null},"d":true,"e":{}}"#,
            br#" {"a": "x"#,
            b"",
        ] {
            assert!(!shape.matches(text, &mut values), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn what_has_no_shape() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        for text in
            ["", "[]", "{", r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, r#"{"a":[[1]]}"#, r#"{"a":1}x"#, &deep]
        {
            assert!(Shape::of(text.as_bytes()).is_none(), "{text}");
        }
        // The same names, and not in one object.
        assert!(Shape::of(br#"{"a":{"b":1},"c":{"b":1},"a.b":{"a":{}}}"#).is_some());
        assert_eq!(Shape::of(b"{}").map(|shape| shape.matches(b"{}", &mut Vec::new())), Some(true));
    }

    #[test]
    fn members_of_the_object_itself() {
        let text = br#"{"a" : "x\n" ,"b":{"c":[1 , {}]},"\u0065": -1.5e3}"#;
        let mut found = Vec::new();
        let read = members(text, |key, at| found.push((key.into_owned(), &text[at])));
        assert!(read.is_ok());
        assert_eq!(
            found,
            [(b"a".to_vec(), &br#""x\n""#[..]), (b"b".to_vec(), br#"{"c":[1 , {}]}"#), (b"e".to_vec(), b"-1.5e3")]
        );
        for text in ["", "[1]", "{\"a\":1", "{\"a\":1}}", "{\"a\":1,}"] {
            assert!(members(text.as_bytes(), |_, _| {}).is_err(), "{text}");
        }
    }
}
