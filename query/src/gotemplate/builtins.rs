//! The functions that every template of Go's has, as strict as they are there. `and` and `or` are the run's own.

use super::{Parameter, Signature, Value, printf::printf};

/// A function: its name, what it takes, itself.
type Builtin = (&'static str, Signature, fn(&[Value]) -> Result<Value, String>);

const fn any(least: usize) -> Signature {
    let parameters: &'static [Parameter] = match least {
        0 => &[],
        1 => &[Parameter::Any],
        _ => &[Parameter::Any, Parameter::Any],
    };
    Signature { parameters, rest: None, optional: 0 }
}

const fn many(least: usize) -> Signature {
    Signature { rest: Some(Parameter::Any), ..any(least) }
}

const TEXT_AND_MORE: Signature = Signature { parameters: &[Parameter::Text], rest: Some(Parameter::Any), optional: 0 };

const TABLE: &[Builtin] = &[
    ("and", many(1), |_| Err("it is not called".into())),
    ("or", many(1), |_| Err("it is not called".into())),
    ("not", any(1), |arguments| Ok(Value::Bool(!arguments[0].is_true()))),
    ("eq", many(1), eq),
    ("ne", any(2), |arguments| Ok(Value::Bool(!is_equal(&arguments[0], &arguments[1])?))),
    ("lt", any(2), |arguments| Ok(Value::Bool(is_less(arguments)?))),
    ("le", any(2), |arguments| Ok(Value::Bool(is_at_most(arguments)?))),
    // As the negation, so that NaN is above all.
    ("gt", any(2), |arguments| Ok(Value::Bool(!is_at_most(arguments)?))),
    ("ge", any(2), |arguments| Ok(Value::Bool(!is_less(arguments)?))),
    ("len", any(1), len),
    ("index", many(1), index),
    ("slice", many(1), slice),
    ("printf", TEXT_AND_MORE, |arguments| Ok(Value::Text(printf(&arguments[0].text(), &arguments[1..])?))),
    ("print", many(0), |arguments| Ok(Value::Text(sprint(arguments)))),
    ("println", many(0), |arguments| {
        let texts: Vec<String> = arguments.iter().map(shown).collect();
        Ok(Value::Text(format!("{}\n", texts.join(" "))))
    }),
    ("html", many(0), |arguments| Ok(Value::Text(html(&sprint(arguments))))),
    ("js", many(0), |arguments| Ok(Value::Text(js(&sprint(arguments))))),
    ("urlquery", many(0), |arguments| Ok(Value::Text(url_query(&sprint(arguments))))),
];

/// What a builtin takes.
pub(crate) fn signature(name: &str) -> Option<Signature> {
    TABLE.iter().find(|(known, ..)| *known == name).map(|(_, signature, _)| *signature)
}

/// Calls a builtin.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    TABLE.iter().find(|(known, ..)| *known == name).map(|(.., function)| function(arguments))
}

fn shown(value: &Value) -> String {
    if matches!(value, Value::Nil) { "<nil>".into() } else { value.text() }
}

/// Blanks between what is no text.
pub(crate) fn sprint(arguments: &[Value]) -> String {
    let mut out = String::new();
    let is_text = |value: &Value| matches!(value, Value::Text(_));
    for (number, value) in arguments.iter().enumerate() {
        if number > 0 && !is_text(value) && !is_text(&arguments[number - 1]) {
            out.push(' ');
        }
        out.push_str(&shown(value));
    }
    out
}

fn incompatible(left: &Value, right: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", left.kind(), right.kind())
}

const INVALID: &str = "invalid type for comparison";

fn eq(arguments: &[Value]) -> Result<Value, String> {
    if arguments.len() < 2 {
        return Err("missing argument for comparison".into());
    }
    for other in &arguments[1..] {
        if is_equal(&arguments[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn is_equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Int(left) | Value::Duration(left), Value::Int(right) | Value::Duration(right)) => Ok(left == right),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Time(left, _), Value::Time(right, _)) => Ok(left == right),
        (Value::Nil, _) | (_, Value::Nil) => Ok(left == right),
        (left, right) if is_basic(left) != is_basic(right) => Err(incompatible(left, right)),
        (Value::List(_) | Value::Map(_) | Value::Labels(_), _) => {
            Err(format!("non-comparable type {}: {}", left.text(), left.kind()))
        }
        (_, Value::List(_) | Value::Map(_) | Value::Labels(_)) => {
            Err(format!("non-comparable type {}: {}", right.text(), right.kind()))
        }
        (left, right) => Err(incompatible(left, right)),
    }
}

/// Whether it is of a kind that has an order or is true or false.
fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::Float(_) | Value::Int(_) | Value::Duration(_) | Value::Bool(_))
}

fn is_less(arguments: &[Value]) -> Result<bool, String> {
    match (&arguments[0], &arguments[1]) {
        (Value::Text(left), Value::Text(right)) => Ok(left < right),
        (Value::Float(left), Value::Float(right)) => Ok(left < right),
        (Value::Int(left) | Value::Duration(left), Value::Int(right) | Value::Duration(right)) => Ok(left < right),
        (Value::Bool(_), Value::Bool(_)) => Err(INVALID.into()),
        (left, right) => {
            Err(if is_basic(left) && is_basic(right) { incompatible(left, right) } else { INVALID.into() })
        }
    }
}

fn is_at_most(arguments: &[Value]) -> Result<bool, String> {
    Ok(is_less(arguments)? || is_equal(&arguments[0], &arguments[1])?)
}

fn len(arguments: &[Value]) -> Result<Value, String> {
    let len = match &arguments[0] {
        Value::Text(text) => text.len(),
        Value::List(values) => values.len(),
        Value::Map(members) => members.len(),
        Value::Labels(labels) => labels.len(),
        Value::Nil => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {}", other.kind())),
    };
    Ok(Value::Int(len as i64))
}

/// A place in something that long.
fn place(at: &Value, len: usize, may_be_end: bool) -> Result<usize, String> {
    match at {
        Value::Int(at) => usize::try_from(*at)
            .ok()
            .filter(|found| *found < len || (may_be_end && *found == len))
            .ok_or_else(|| format!("index out of range: {at}")),
        Value::Nil => Err("cannot index slice/array with nil".into()),
        other => Err(format!("cannot index slice/array with type {}", other.kind())),
    }
}

fn index(arguments: &[Value]) -> Result<Value, String> {
    let mut value = arguments[0].clone();
    if matches!(value, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for at in &arguments[1..] {
        let key = || match at {
            Value::Text(key) => Ok(key),
            Value::Nil => Err("value is nil; should be of type string".to_owned()),
            other => Err(format!("value has type {}; should be string", other.kind())),
        };
        value = match &value {
            Value::List(values) => values[place(at, values.len(), false)?].clone(),
            Value::Text(text) => Value::Int(i64::from(text.as_bytes()[place(at, text.len(), false)?])),
            Value::Map(members) => members.get(key()?).cloned().unwrap_or(Value::Nil),
            Value::Labels(labels) => Value::Text(labels.get(key()?).cloned().unwrap_or_default()),
            Value::Nil => return Err("index of nil pointer".into()),
            other => return Err(format!("can't index item of type {}", other.kind())),
        };
    }
    Ok(value)
}

fn slice(arguments: &[Value]) -> Result<Value, String> {
    let len = match &arguments[0] {
        Value::Text(_) if arguments.len() > 3 => return Err("cannot 3-index slice a string".into()),
        Value::Text(text) => text.len(),
        Value::List(values) => values.len(),
        Value::Nil => return Err("slice of untyped nil".into()),
        other => return Err(format!("can't slice item of type {}", other.kind())),
    };
    if arguments.len() > 4 {
        return Err(format!("too many slice indexes: {}", arguments.len() - 1));
    }
    let bound = |number: usize, default| match arguments.get(number) {
        Some(at) => place(at, len, true),
        None => Ok(default),
    };
    let (begin, end) = (bound(1, 0)?, bound(2, len)?);
    if begin > end {
        return Err(format!("invalid slice index: {begin} > {end}"));
    }
    Ok(match &arguments[0] {
        Value::Text(text) => Value::Text(String::from_utf8_lossy(&text.as_bytes()[begin..end]).into_owned()),
        Value::List(values) => Value::List(values[begin..end].to_vec()),
        other => other.clone(),
    })
}

/// What means something to HTML, escaped.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// What means something to JavaScript, escaped.
pub(crate) fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' || c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// As a part of a URL's query.
pub(crate) fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
