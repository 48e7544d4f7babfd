//! Base64 of either alphabet, padded or not (RFC 4648, sections 4 and 5): the proto3 JSON mapping takes all of them.

/// No digit.
const NONE: u8 = 0xff;

static DIGITS: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        digits[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    digits[b'-' as usize] = 62;
    digits[b'_' as usize] = 63;
    digits
};

/// The digits alone. Padding is right or absent, or else it stays and is no digit.
pub(super) fn without_padding(text: &[u8]) -> &[u8] {
    match text {
        [digits @ .., b'=', b'='] if digits.len() % 4 == 2 => digits,
        [digits @ .., b'='] if digits.len() % 4 == 3 => digits,
        _ => text,
    }
}

/// Bytes that so many digits stand for.
pub(super) fn decoded_len(digits: usize) -> usize {
    digits / 4 * 3 + digits % 4 * 3 / 4
}

/// Appends [`decoded_len`] bytes; `None` when a character is no digit, or one digit is left over.
pub(super) fn decode(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bits = 0_u32;
    let mut bits_len = 0;
    for digit in digits {
        let value = DIGITS[usize::from(*digit)];
        if value == NONE {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        bits_len += 6;
        if bits_len >= 8 {
            bits_len -= 8;
            out.push((bits >> bits_len) as u8);
        }
    }
    (digits.len() % 4 != 1).then_some(())
}

/// With padding, in the standard alphabet.
pub fn encoded(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let is_there = index <= group.len();
            let digit = (word >> (18 - 6 * index) & 63) as usize;
            out.push(if is_there { ALPHABET[digit] as char } else { '=' });
        }
    }
    out
}

/// Text that stands for exactly so many bytes.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = without_padding(text.as_bytes());
    if decoded_len(digits.len()) != N {
        return None;
    }
    let mut bytes = Vec::with_capacity(N);
    decode(digits, &mut bytes)?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_it() {
        let decoded = |text: &str| {
            let (digits, mut out) = (without_padding(text.as_bytes()), Vec::new());
            decode(digits, &mut out)?;
            assert_eq!(out.len(), decoded_len(digits.len()));
            Some(out)
        };
        let rows: [(&str, &[u8]); 9] = [
            ("", b""),
            ("Zg==", b"f"),
            ("Zg", b"f"),
            ("Zm8=", b"fo"),
            ("Zm8", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
        ];
        for (text, expected) in rows {
            assert_eq!(decoded(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["Z", "Zg=", "Zg===", "Zm9v=", "=", "====", "Zm 9", "Zm9v\n", "Zm9é", "Z===", "Zg==Zg=="] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
