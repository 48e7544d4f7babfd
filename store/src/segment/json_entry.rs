//! Finds one entry of an attributes object in canonical JSON text without building the others.

use super::json::{BadJson, Reader};

/// The text of the first value whose key, as it is written (quotes and escapes included), is `quoted_key`.
pub(super) fn find<'a>(text: &'a [u8], quoted_key: &[u8]) -> Result<Option<&'a [u8]>, BadJson> {
    let mut found = None;
    for_each(text, |key, value| {
        if found.is_none() && key == quoted_key {
            found = Some(value);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Calls `visit(key, value)` with the texts of each entry, until it answers false.
pub(super) fn for_each<'a>(text: &'a [u8], mut visit: impl FnMut(&'a [u8], &'a [u8]) -> bool) -> Result<(), BadJson> {
    let mut reader = Reader::new(text);
    reader.expect(b'{')?;
    if reader.take(b'}') {
        return reader.end();
    }
    loop {
        let start = reader.position();
        reader.skip_string()?;
        let key = &text[start..reader.position()];
        reader.expect(b':')?;
        let start = reader.position();
        reader.skip_value()?;
        if !visit(key, &text[start..reader.position()]) {
            return Ok(());
        }
        if reader.take(b'}') {
            return reader.end();
        }
        reader.expect(b',')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_values_at_the_top_only() {
        let text = br#"{"a\"":{"k":1},"list":["]",{"k":"}"}],"k":"v\\","k":2,"end":-1.5e3}"#;
        let find = |key: &str| find(text, key.as_bytes()).expect("sound").map(|value| String::from_utf8_lossy(value));
        assert_eq!(find(r#""k""#).as_deref(), Some(r#""v\\""#));
        assert_eq!(find(r#""a\"""#).as_deref(), Some(r#"{"k":1}"#));
        assert_eq!(find(r#""list""#).as_deref(), Some(r#"["]",{"k":"}"}]"#));
        assert_eq!(find(r#""end""#).as_deref(), Some("-1.5e3"));
        assert_eq!(find(r#""v""#), None);
        assert_eq!(super::find(b"{}", b"\"k\""), Ok(None));
    }

    #[test]
    fn cut_text_is_bad() {
        let text = br#"{"a":[1,{"b":"c"}],"d":true}"#;
        for end in 0..text.len() {
            assert!(find(&text[..end], b"\"none\"").is_err(), "{end}");
        }
    }
}
