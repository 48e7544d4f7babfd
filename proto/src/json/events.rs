//! Reads any JSON text as events, in order and without recursion: for whoever builds values of their own.

use std::borrow::Cow;

use super::{JsonError, Reader, fields::text_of};

/// What comes next in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// An object begins; keys and values follow in turn.
    Object,
    /// A list begins.
    List,
    /// The innermost object or list ends.
    End,
    /// A key of the innermost object; half a surrogate pair is U+FFFD.
    Key(Cow<'a, [u8]>),
    /// A string, in the same way.
    Text(Cow<'a, [u8]>),
    /// A number as it is written.
    Number(&'a [u8]),
    /// true or false.
    Bool(bool),
    /// null.
    Null,
}

/// Calls `visit` for all that is in `text`, one JSON value. After an error, what it got is void. `depth_max` is how many objects and lists
/// may be in each other.
///
/// `text` is UTF-8, and so are keys and strings then.
pub fn events<'a>(text: &'a [u8], depth_max: usize, mut visit: impl FnMut(Event<'a>)) -> Result<(), JsonError> {
    let mut reader = Reader::new(text);
    // Whether each that is open is an object.
    let mut open: Vec<bool> = Vec::with_capacity(8);
    loop {
        // A value begins here.
        let at = reader.position();
        let is_object = match reader.peek() {
            Some(b'{') => Some(true),
            Some(b'[') => Some(false),
            _ => None,
        };
        match is_object {
            Some(is_object) => {
                if open.len() == depth_max {
                    return Err(JsonError::Syntax { at, what: "nested too deep" });
                }
                reader.take(if is_object { b'{' } else { b'[' });
                visit(if is_object { Event::Object } else { Event::List });
                if reader.take(if is_object { b'}' } else { b']' }) {
                    visit(Event::End);
                } else {
                    open.push(is_object);
                    if is_object {
                        visit(Event::Key(text_of(reader.any_key()?)));
                    }
                    continue;
                }
            }
            None => visit(scalar(&mut reader)?),
        }
        // A value has ended, and perhaps what it is in.
        while let Some(&is_object) = open.last() {
            if reader.take(b',') {
                if is_object {
                    visit(Event::Key(text_of(reader.any_key()?)));
                }
                break;
            }
            if !reader.take(if is_object { b'}' } else { b']' }) {
                return Err(reader.syntax("a comma or the end of a list or object is missing"));
            }
            visit(Event::End);
            open.pop();
        }
        if open.is_empty() {
            return reader.end();
        }
    }
}

#[inline]
fn scalar<'a>(reader: &mut Reader<'a>) -> Result<Event<'a>, JsonError> {
    Ok(match reader.peek() {
        Some(b'"') => Event::Text(text_of(reader.string()?)),
        Some(b'-' | b'0'..=b'9') => Event::Number(reader.number()?),
        _ if reader.null() => Event::Null,
        _ if reader.literal(b"true") => Event::Bool(true),
        _ if reader.literal(b"false") => Event::Bool(false),
        _ => return Err(reader.syntax("a value is missing")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, JsonError> {
        let mut shown = String::new();
        events(text.as_bytes(), 4, |event| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            shown.push_str(&match event {
                Event::Object => "{ ".into(),
                Event::List => "[ ".into(),
                Event::End => "; ".into(),
                Event::Key(key) => format!("{}: ", text(&key)),
                Event::Text(value) => format!("{:?} ", text(&value)),
                Event::Number(number) => format!("{} ", text(number)),
                Event::Bool(value) => format!("{value} "),
                Event::Null => "null ".into(),
            });
        })?;
        Ok(shown)
    }

    #[test]
    fn all_of_a_text_in_order() {
        let text = r#" {"a": [1, {"b": null}, []], "c\n": "d\u0041", "e": {}, "f": true} "#;
        assert_eq!(shown(text).expect("JSON"), "{ a: [ 1 { b: null ; [ ; ; c\n: \"dA\" e: { ; f: true ; ");
        assert_eq!(shown("-1.5e3").expect("JSON"), "-1.5e3 ");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "1 2", "[}", "nul", "{1:2}", "[[[[[1]]]]]", "\"a"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
