//! Parameters in a request's body, as HTML forms and Grafana send them (`application/x-www-form-urlencoded`).

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
}
