//! `unquote` and `sanitize_utf8`: texts without quotes and escapes, and without what is no text.

use std::borrow::Cow;

use super::{Entry, Field, Next, Operator, OperatorConfig, Value};

struct Unquote(Field);

pub(super) fn unquote(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let field = config.settings.field.clone().ok_or("the key `field` is missing")?;
    Ok(Box::new(Unquote(field)))
}

struct SanitizeUtf8(Field);

pub(super) fn sanitize_utf8(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(SanitizeUtf8(config.settings.field.clone().unwrap_or(Field::BODY))))
}

impl Operator for SanitizeUtf8 {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let field = &self.0;
        let text = match field.get(entry) {
            // Texts are, whoever made them.
            Some(Value::Text(_)) => return Ok(Next::On),
            Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(other) => return Err(format!("{field} is {}, not a text", other.kind())),
            None => return Err(format!("there is no {field}")),
        };
        field.set(entry, Value::Text(Cow::Owned(text)))?;
        Ok(Next::On)
    }
}

impl Operator for Unquote {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let field = &self.0;
        // What is not there has no quotes.
        let Some(value) = field.get(entry) else { return Ok(Next::On) };
        let text = value.as_text().ok_or_else(|| format!("{field} is no text"))?;
        let unquoted = unquoted(text).ok_or_else(|| format!("{field} is no text in quotes"))?;
        field.set(entry, Value::Text(Cow::Owned(unquoted)))?;
        Ok(Next::On)
    }
}

/// What a literal of Go's stands for: in backquotes, in double quotes with escapes, or one character in single ones.
fn unquoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
    let inner = text[1..].strip_suffix(quote)?;
    if quote == '`' {
        return (!inner.contains('`')).then(|| inner.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    let mut characters = 0;
    while let Some(first) = rest.chars().next() {
        characters += 1;
        rest = &rest[first.len_utf8()..];
        match first {
            '\n' => return None,
            first if first == quote => return None,
            '\\' => rest = escaped(rest, quote, &mut bytes)?,
            first => bytes.extend(first.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    (quote == '"' || characters == 1).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds what stands behind a backslash; answers what follows.
fn escaped<'t>(rest: &'t str, quote: char, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let letter = rest.chars().next()?;
    let after = &rest[letter.len_utf8()..];
    let digits = |text: &'t str, count: usize, radix: u32| {
        let digits = text.get(..count).filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))?;
        Some((u32::from_str_radix(digits, radix).ok()?, &text[count..]))
    };
    let byte = match letter {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' | '\'' if letter == quote => letter as u8,
        'x' | '0'..='7' => {
            let (code, after) = if letter == 'x' { digits(after, 2, 16)? } else { digits(rest, 3, 8)? };
            bytes.push(u8::try_from(code).ok()?);
            return Some(after);
        }
        'u' | 'U' => {
            let (code, after) = digits(after, if letter == 'u' { 4 } else { 8 }, 16)?;
            bytes.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).bytes());
            return Some(after);
        }
        _ => return None,
    };
    bytes.push(byte);
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_go() {
        for (text, expected) in [
            (r#""a\"b\\c""#, Some(r#"a"b\c"#)),
            (r#""\x41\101\u0042\U0001F600\t\a""#, Some("AAB\u{1f600}\t\u{7}")),
            (r#""\xc3\xa9""#, Some("é")),
            ("`a\\n`", Some("a\\n")),
            ("'x'", Some("x")),
            (r"'\''", Some("'")),
            ("'xy'", None),
            ("\"a", None),
            ("a", None),
            (r#""\q""#, None),
            (r#""a"b""#, None),
            ("\"", None),
            ("", None),
        ] {
            assert_eq!(unquoted(text).as_deref(), expected, "{text}");
        }
    }
}
