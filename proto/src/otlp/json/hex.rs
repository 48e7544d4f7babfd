//! Hex digits of either case as bytes.

/// No digit.
const NONE: u8 = 0xff;

static DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Appends half as many bytes as `text` has digits; `None` when it is not hex, or half a byte is left over.
#[inline]
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    for [high, low] in pairs {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        if high | low == NONE {
            return None;
        }
        out.push(high << 4 | low);
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_case_and_nothing_else() {
        let decoded = |text: &str| {
            let mut out = Vec::new();
            decode(text.as_bytes(), &mut out).map(|()| out)
        };
        assert_eq!(decoded("00fFAb19"), Some(vec![0, 0xff, 0xab, 0x19]));
        assert_eq!(decoded(""), Some(vec![]));
        for bad in ["0", "0g", "g0", "0x11", "abc", "é", "f/", "/f", "AAECAwQFBgc="] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
