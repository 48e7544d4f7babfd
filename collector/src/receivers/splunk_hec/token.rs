//! Who may send: whoever knows a token.

use http::{HeaderMap, header::AUTHORIZATION};

use super::code::Code;

/// Whether a request's token is one of these, or there is one where none are listed. `has_query_token`: the address has one, which counts
/// for nothing, since addresses are written down.
pub(super) fn check(headers: &HeaderMap, tokens: &[String], has_query_token: bool) -> Result<(), Code> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(if has_query_token { Code::QueryStringAuthorization } else { Code::TokenRequired });
    };
    let value = value.to_str().map_err(|_| Code::InvalidAuthorization)?.trim();
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("splunk") {
        rest.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        password(rest).ok_or(Code::InvalidAuthorization)?
    } else {
        return Err(Code::InvalidAuthorization);
    };
    if token.is_empty() {
        return Err(Code::TokenRequired);
    }
    // As many bytes are looked at whatever they are.
    let is_known =
        tokens.iter().fold(tokens.is_empty(), |found, known| found | is_same(known.as_bytes(), token.as_bytes()));
    if is_known { Ok(()) } else { Err(Code::InvalidToken) }
}

fn is_same(known: &[u8], token: &[u8]) -> bool {
    known.len() == token.len() && known.iter().zip(token).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The password of `user:password` in base64.
fn password(text: &str) -> Option<String> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_what_is_none() {
        let listed = ["0b8-token".to_owned()];
        let of = |value: &str, tokens: &[String]| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("a header"));
            check(&headers, tokens, false)
        };
        let rows = [
            ("Splunk 0b8-token", Ok(())),
            ("splunk  0b8-token ", Ok(())),
            ("Basic eDowYjgtdG9rZW4=", Ok(())),
            ("Basic eDpvdGhlcg==", Err(Code::InvalidToken)),
            ("Splunk other", Err(Code::InvalidToken)),
            ("Splunk 0b8-tokeN", Err(Code::InvalidToken)),
            ("Splunk", Err(Code::TokenRequired)),
            ("Bearer 0b8-token", Err(Code::InvalidAuthorization)),
            ("Basic !", Err(Code::InvalidAuthorization)),
        ];
        for (value, expected) in rows {
            assert_eq!(of(value, &listed), expected, "{value}");
        }
        assert_eq!(of("Splunk anything", &[]), Ok(()));
        assert_eq!(check(&HeaderMap::new(), &[], false), Err(Code::TokenRequired));
        assert_eq!(check(&HeaderMap::new(), &[], true), Err(Code::QueryStringAuthorization));
    }
}
