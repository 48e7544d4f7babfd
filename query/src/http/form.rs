//! Parameters in a request's body, as HTML forms and Grafana send them (`application/x-www-form-urlencoded`).

use super::answer::Failure;
use crate::promql::syntax::quote::quoted;

/// The pairs of a form, decoded, in order. What is no valid escape stands for itself, what is no UTF-8 is replaced.
pub(super) fn pairs(body: &[u8]) -> Vec<(String, String)> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.trim_ascii().is_empty());
    pairs
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
        })
        .collect()
}

/// The same without the pairs that have broken escapes or semicolons, as Go's `net/url` leaves them out.
pub(super) fn sound_pairs(body: &[u8]) -> Vec<(String, String)> {
    let sound = body.split(|byte| *byte == b'&').filter(|pair| problem(pair).is_none());
    sound.flat_map(pairs).collect()
}

/// The same, but broken escapes are refused in the words that Prometheus has from Go's `net/url`.
pub(super) fn checked_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let refused = |problem: String| Failure::BadRequest(format!("error parsing form values: {problem}"));
    match body.split(|byte| *byte == b'&').find_map(problem) {
        Some(problem) => Err(refused(problem)),
        None => Ok(pairs(body)),
    }
}

/// What is wrong with a pair.
fn problem(pair: &[u8]) -> Option<String> {
    if pair.contains(&b';') {
        return Some("invalid semicolon separator in query".into());
    }
    let escape = pair.splitn(2, |byte| *byte == b'=').find_map(broken_escape)?;
    Some(format!("invalid URL escape {}", quoted(&escape)))
}

/// The first `%` that two digits do not follow, with what follows.
fn broken_escape(text: &[u8]) -> Option<String> {
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'%' {
            at += 1;
            continue;
        }
        let escape = &text[at..text.len().min(at + 3)];
        if escape.len() < 3 || !escape[1..].iter().all(u8::is_ascii_hexdigit) {
            return Some(String::from_utf8_lossy(escape).into_owned());
        }
        at += 3;
    }
    None
}

fn decoded(text: &[u8]) -> String {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let escaped = match (text[at], text.get(at + 1).and_then(digit), text.get(at + 2).and_then(digit)) {
            (b'%', Some(high), Some(low)) => Some((high * 16 + low) as u8),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(if text[at] == b'+' { b' ' } else { text[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let found = pairs(b"query=%7Bapp%3D%22a+b%22%7D+%7C%3D+%22x%25%22&start=1&empty=&bare&match%5B%5D=%c3%a9%zz");
        let expected = [
            pair("query", "{app=\"a b\"} |= \"x%\""),
            pair("start", "1"),
            pair("empty", ""),
            pair("bare", ""),
            pair("match[]", "é%zz"),
        ];
        assert_eq!(found, expected);
        assert_eq!(pairs(b" "), []);
    }

    #[test]
    fn broken_pairs_are_left_out() {
        let found = sound_pairs(b"query=%zz&query=up&a=1;b=2&time=3&%=1");
        let expected = [("query", "up"), ("time", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn broken_escapes_are_named() {
        for (body, problem) in [
            ("query=up&match[]=%zz", Some("invalid URL escape \"%zz\"")),
            ("query=%u", Some("invalid URL escape \"%u\"")),
            ("%=1", Some("invalid URL escape \"%\"")),
            ("a=1;b=2", Some("invalid semicolon separator in query")),
            ("query=%7Bapp%3D%22a+b%22%7D", None),
            ("", None),
        ] {
            let found = checked_pairs(body.as_bytes()).err().map(|failure| failure.to_string());
            assert_eq!(found, problem.map(|problem| format!("error parsing form values: {problem}")), "{body}");
        }
    }
}
