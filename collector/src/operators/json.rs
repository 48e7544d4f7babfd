//! JSON text as a value.

use std::borrow::Cow;

use weir_proto::{
    json::{Event, events},
    otlp::{ValueView, logs::json_number},
};

use super::{Fields, Value};

/// Objects and lists in each other: as many as a line may have of values in each other ([`crate::receivers`]' bound is 256).
const DEPTH_MAX: usize = 200;

/// What is open while a text is read.
enum Open<'a> {
    List(Vec<Value<'a>>),
    Map(Fields<'a>, Option<Cow<'a, str>>, Names),
}

/// Reads one JSON value. Numbers without a fraction are whole ones.
pub(super) fn parse(text: &str) -> Result<Value<'_>, String> {
    let mut open: Vec<Open<'_>> = Vec::with_capacity(4);
    let mut whole = None;
    let read = events(text.as_bytes(), DEPTH_MAX, |event| {
        let value = match event {
            Event::Object => return open.push(Open::Map(Fields::with_capacity(16), None, Names::default())),
            Event::List => return open.push(Open::List(Vec::new())),
            Event::Key(key) => {
                if let Some(Open::Map(_, name, names)) = open.last_mut() {
                    let key = of_bytes(key);
                    names.add(&key);
                    *name = Some(key);
                }
                return;
            }
            Event::End => match open.pop() {
                Some(Open::List(items)) => Value::List(items),
                Some(Open::Map(mut fields, _, names)) => {
                    if names.is_repeated {
                        fields.dedupe();
                    }
                    Value::Map(fields)
                }
                None => return,
            },
            Event::Text(text) => Value::Text(of_bytes(text)),
            Event::Number(digits) => number(digits),
            Event::Bool(value) => Value::Bool(value),
            Event::Null => Value::Null,
        };
        match open.last_mut() {
            None => whole = Some(value),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(fields, name, _)) => fields.push(name.take().unwrap_or_default(), value),
        }
    });
    read.map_err(|error| error.to_string())?;
    Ok(whole.unwrap_or_default())
}

fn begins_so(text: &str) -> bool {
    text.trim_ascii_start().starts_with('{')
}

/// Reads a JSON object.
pub(super) fn parse_object(text: &str) -> Result<Fields<'_>, String> {
    if !begins_so(text) {
        return Err("not a JSON object".into());
    }
    match parse(text)? {
        Value::Map(fields) => Ok(fields),
        other => Err(format!("{}, not a JSON object", other.kind())),
    }
}

/// What was UTF-8 is so still: the check is quick, and only looks so where it is not.
#[inline]
fn of_bytes(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}

/// Tells whether a name may be among those before it: most objects have each once, and need no closer look.
#[derive(Default)]
struct Names {
    seen: [u64; 8],
    is_repeated: bool,
}

impl Names {
    #[inline]
    fn add(&mut self, name: &str) {
        self.add_bytes(name.as_bytes());
    }

    #[inline]
    fn add_bytes(&mut self, bytes: &[u8]) {
        let at = |at: usize| bytes.get(at).map_or(0, |byte| u32::from(*byte));
        let mixed = (bytes.len() as u32)
            .wrapping_mul(0x9e37_79b1)
            .wrapping_add(at(0) << 16)
            .wrapping_add(at(bytes.len() / 2) << 8)
            .wrapping_add(at(bytes.len().wrapping_sub(1)))
            .wrapping_mul(0x85eb_ca6b);
        let bit = (mixed >> 23) as usize;
        let (word, mask) = (bit / 64, 1 << (bit % 64));
        self.is_repeated |= self.seen[word] & mask != 0;
        self.seen[word] |= mask;
    }
}

fn number<'a>(digits: &[u8]) -> Value<'a> {
    match json_number(digits) {
        ValueView::Int(whole) => Value::Int(whole),
        ValueView::Double(number) => Value::Float(number),
        _ => Value::text(String::from_utf8_lossy(digits).into_owned()),
    }
}

/// Appends a value as JSON text.
pub(super) fn print(value: &Value<'_>, out: &mut String) {
    use std::fmt::Write;
    let quoted = |text: &str, out: &mut String| out.push_str(&serde_json::Value::from(text).to_string());
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => drop(write!(out, "{number}")),
        Value::Float(number) if number.is_finite() => drop(write!(out, "{number}")),
        Value::Float(_) => out.push_str("null"),
        Value::Text(text) => quoted(text, out),
        Value::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes), out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                print(item, out);
            }
            out.push(']');
        }
        Value::Map(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quoted(name, out);
                out.push(':');
                print(value, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_types() {
        let text = r#"{"a": 1, "b": 1.5, "c": "x\ny", "d": [true, null], "e": {"f": 9007199254740993}, "a": 2}"#;
        let mut shown = String::new();
        print(&parse(text).expect("JSON"), &mut shown);
        assert_eq!(shown, r#"{"a":2,"b":1.5,"c":"x\ny","d":[true,null],"e":{"f":9007199254740993}}"#);
        assert_eq!(parse("1"), Ok(Value::Int(1)));
        assert_eq!(parse("1.0"), Ok(Value::Float(1.0)));
        assert_eq!(parse("\"\\ud800\""), Ok(Value::text("\u{fffd}")));
        assert!(parse_object("[1]").is_err() && parse_object("{\"a\":}").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
