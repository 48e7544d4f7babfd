//! `uri_parser`: the parts of a URI (RFC 3986).

use std::borrow::Cow;

use super::{Entry, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing};

struct UriParser(Parsing);

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(UriParser(Parsing::new(config)?)))
}

impl Operator for UriParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        self.0.apply(entry, parts)?;
        Ok(Next::On)
    }
}

/// An absolute URI, an absolute path, or a query that begins with its question mark.
fn parts(text: &str) -> Result<Fields<'_>, String> {
    let mut fields = Fields::default();
    let (rest, _fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let mut path = rest;
    if let Some((scheme, after)) = scheme(rest) {
        fields.push("scheme", Value::text(scheme.to_ascii_lowercase()));
        path = match after.strip_prefix("//") {
            Some(after) => {
                let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
                place(authority, &mut fields)?;
                path
            }
            None if after.starts_with('/') => after,
            // urn:isbn:123 has no parts.
            None => "",
        };
    } else if !rest.is_empty() && rest != "*" && !rest.starts_with('/') {
        return Err("not a URI: it has neither a scheme nor a path".into());
    }
    if rest.is_empty() && query.is_none() {
        return Err("not a URI: it is empty".into());
    }
    if !path.is_empty() {
        fields.push("path", Value::Text(written(path)?));
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        if query.contains(';') {
            return Err("not a URI: a semicolon parts nothing in a query".into());
        }
        check_escapes(query)?;
        let mut named: Fields<'_> = Fields::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded_query(name), Value::Text(decoded_query(value)));
            match named.get_mut(&name) {
                Some(Value::List(values)) => values.push(value),
                _ => named.push(name, Value::List(vec![value])),
            }
        }
        fields.push("query", Value::Map(named));
    }
    Ok(fields)
}

/// `https` of `https://…`, and what follows its colon.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, after) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_scheme.then_some((scheme, after))
}

/// `user:password@host:port`.
fn place<'t>(authority: &'t str, fields: &mut Fields<'t>) -> Result<(), String> {
    let (user, host_port) = match authority.rsplit_once('@') {
        Some((user, host_port)) => (Some(user), host_port),
        None => (None, authority),
    };
    let port_at = host_port.rfind(':').filter(|at| !host_port[*at..].contains(']'));
    let (host, port) = port_at.map_or((host_port, ""), |at| (&host_port[..at], &host_port[at + 1..]));
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a URI: its port is no number".into());
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`')) {
        return Err("not a URI: its host has a sign that none has".into());
    }
    if let Some(user) = user {
        fields.push("user", Value::Text(decoded(user.split(':').next().unwrap_or_default())));
    }
    if !host.is_empty() {
        check_escapes(host)?;
        fields.push("host", Value::Text(decoded(host.trim_start_matches('[').trim_end_matches(']'))));
    }
    if !port.is_empty() {
        fields.push("port", Value::text(port));
    }
    Ok(())
}

/// Every percent sign is followed by two digits.
fn check_escapes(text: &str) -> Result<(), String> {
    let is_escape = |rest: &[u8]| rest.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let mut after = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    if after.all(is_escape) { Ok(()) } else { Err("not a URI: there are no two digits behind a %".into()) }
}

/// A path as it is sent: what stands in it as `%2F` stays, what has to be written so is.
fn written(path: &str) -> Result<Cow<'_, str>, String> {
    check_escapes(path)?;
    let is_plain = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    if path.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(path));
    }
    let mut written = String::with_capacity(path.len() + 16);
    for byte in path.bytes() {
        if is_plain(byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(Cow::Owned(written))
}

fn decoded_query(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(decoded(&text.replace('+', " ")).into_owned()) } else { decoded(text) }
}

/// `%20` as what it stands for; what stands for nothing stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let mut shown = String::new();
        crate::operators::json::print(&Value::Map(parts(text)?), &mut shown);
        Ok(shown)
    }

    #[test]
    fn parts_of_uris() {
        let whole = r#"{"scheme":"https","user":"ann","host":"weir.io","port":"8080","path":"/a%20b","query":{"x":["1","2"],"y":["a b"]}}"#;
        assert_eq!(shown("https://ann:pw@weir.io:8080/a%20b?x=1&x=2&y=a+b#f").expect("a URI"), whole);
        assert_eq!(shown("/app?user=admin").expect("a path"), r#"{"path":"/app","query":{"user":["admin"]}}"#);
        assert_eq!(shown("?sku=7").expect("a query"), r#"{"query":{"sku":["7"]}}"#);
        assert_eq!(shown("http://[::1]:80/").expect("v6"), r#"{"scheme":"http","host":"::1","port":"80","path":"/"}"#);
        for (text, parts) in [
            ("HTTP://H/a%2Fb%20c", r#"{"scheme":"http","host":"H","path":"/a%2Fb%20c"}"#),
            ("http://h/caf\u{e9} x", r#"{"scheme":"http","host":"h","path":"/caf%C3%A9%20x"}"#),
            ("/proxy/http://example.com/x", r#"{"path":"/proxy/http://example.com/x"}"#),
            ("urn:isbn:123", r#"{"scheme":"urn"}"#),
            ("data:text/plain,x", r#"{"scheme":"data"}"#),
            ("http://[fe80::1%25eth0]/", r#"{"scheme":"http","host":"fe80::1%eth0","path":"/"}"#),
        ] {
            assert_eq!(shown(text).expect(text), parts, "{text}");
        }
        for text in [
            "",
            "no uri",
            "ht tp://x",
            "http://x:port/",
            "http://ex ample.com/",
            "http://example.com/%zz",
            "?a=1;b=2",
            "?%zz=1",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
