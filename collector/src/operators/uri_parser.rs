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
    if let Some((scheme, after)) = rest.split_once("://") {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme {
            return Err("not a URI: its scheme is none".into());
        }
        let (authority, after_authority) = after.split_at(after.find('/').unwrap_or(after.len()));
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host_port)) => (Some(user), host_port),
            None => (None, authority),
        };
        let port_at = host_port.rfind(':').filter(|at| !host_port[*at..].contains(']'));
        let (host, port) = port_at.map_or((host_port, ""), |at| (&host_port[..at], &host_port[at + 1..]));
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("not a URI: its port is no number".into());
        }
        fields.push("scheme", Value::text(scheme));
        if let Some(user) = user {
            fields.push("user", Value::Text(decoded(user.split(':').next().unwrap_or_default())));
        }
        if !host.is_empty() {
            fields.push("host", Value::text(host.trim_start_matches('[').trim_end_matches(']')));
        }
        if !port.is_empty() {
            fields.push("port", Value::text(port));
        }
        path = after_authority;
    } else if !rest.is_empty() && !rest.starts_with('/') {
        return Err("not a URI: it has neither a scheme nor a path".into());
    }
    if rest.is_empty() && query.is_none() {
        return Err("not a URI: it is empty".into());
    }
    if !path.is_empty() {
        fields.push("path", Value::Text(decoded(path)));
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
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
        let whole = r#"{"scheme":"https","user":"ann","host":"weir.io","port":"8080","path":"/a b","query":{"x":["1","2"],"y":["a b"]}}"#;
        assert_eq!(shown("https://ann:pw@weir.io:8080/a%20b?x=1&x=2&y=a+b#f").expect("a URI"), whole);
        assert_eq!(shown("/app?user=admin").expect("a path"), r#"{"path":"/app","query":{"user":["admin"]}}"#);
        assert_eq!(shown("?sku=7").expect("a query"), r#"{"query":{"sku":["7"]}}"#);
        assert_eq!(shown("http://[::1]:80/").expect("v6"), r#"{"scheme":"http","host":"::1","port":"80","path":"/"}"#);
        for text in ["", "no uri", "ht tp://x", "http://x:port/"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
