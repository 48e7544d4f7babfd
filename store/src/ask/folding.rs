//! Texts without the difference of cases, as expressions that begin with `(?i)` compare letters of ASCII.

/// Writes a text with each letter of ASCII, and the two others that count as one (ſ, and the sign of kelvins), in lower case.
pub(crate) fn fold(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if text.is_ascii() {
        out.extend_from_slice(text);
        out.make_ascii_lowercase();
        return;
    }
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match rest {
            [0xc5, 0xbf, behind @ ..] => {
                out.push(b's');
                behind
            }
            [0xe2, 0x84, 0xaa, behind @ ..] => {
                out.push(b'k');
                behind
            }
            _ => {
                out.push(byte.to_ascii_lowercase());
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_fold() {
        let mut out = Vec::new();
        for (text, folded) in [
            ("", ""),
            ("Time OUT \u{0}", "time out \u{0}"),
            ("\u{17f}tra\u{df}e in \u{212a}", "stra\u{df}e in k"),
            ("\u{c9}T\u{c9}", "\u{c9}t\u{c9}"),
        ] {
            fold(text.as_bytes(), &mut out);
            assert_eq!(out, folded.as_bytes());
        }
    }
}
