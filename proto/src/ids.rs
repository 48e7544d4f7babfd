//! Trace and span ids: 16 and 8 bytes, written as lower-case hex.

use std::{fmt, str::FromStr};

use crate::otlp::json::base64;

/// A trace's id (W3C Trace Context: 16 bytes, not all zero).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span's id within its trace (W3C Trace Context: 8 bytes, not all zero).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// Text that is not an id: wrong length or not hex.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id of {expected} hex digits: {text:?}")]
pub struct ParseIdError {
    expected: usize,
    text: String,
}

impl TraceId {
    /// Takes a wire value; `None` when it is not 16 bytes or all zero.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 16] = bytes.try_into().ok()?;
        (id != [0; 16]).then_some(Self(id))
    }

    /// The id with nothing but its low half, as systems of 64 bits know it; `None` where that is zero.
    pub fn low_half(self) -> Option<Self> {
        let mut id = self.0;
        id[..8].fill(0);
        (id != [0; 16]).then_some(Self(id))
    }

    /// A well-mixed hash, part of the segment format (docs/formats.md): ids made by counting or padded
    /// from 64 bits still spread evenly. The finaliser is MurmurHash3's fmix64 over both halves.
    pub fn hash64(self) -> u64 {
        let (high, low) = self.0.split_at(8);
        let high = u64::from_le_bytes(high.try_into().expect("half of sixteen"));
        let low = u64::from_le_bytes(low.try_into().expect("half of sixteen"));
        fmix64(fmix64(high ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(low))
    }
}

impl SpanId {
    /// Takes a wire value; `None` when it is not 8 bytes or all zero.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 8] = bytes.try_into().ok()?;
        (id != [0; 8]).then_some(Self(id))
    }
}

fn fmix64(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    /// Reads hex of either case, up to 32 digits, shorter ones padded with zeros on the left as Jaeger does. What is no hex may be
    /// base64, as protobuf's own JSON writes ids: either alphabet, padded or not.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text).or_else(|error| base64::bytes(text).ok_or(error)).map(Self)
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text).map(Self)
    }
}

/// Bytes of any length as lower-case hex: ids on the wire need not have their length.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let error = || ParseIdError { expected: 2 * N, text: text.chars().take(64).collect() };
    if text.is_empty() || text.len() > 2 * N {
        return Err(error());
    }
    let mut bytes = [0; N];
    for (position, digit) in text.bytes().rev().enumerate() {
        let value = (digit as char).to_digit(16).ok_or_else(error)? as u8;
        bytes[N - 1 - position / 2] |= value << (4 * (position % 2));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_in_and_out() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(text.parse::<TraceId>().expect("valid").to_string(), text);
        assert_eq!("00F067AA0BA902B7".parse::<SpanId>().expect("valid").to_string(), "00f067aa0ba902b7");
        assert_eq!("7b".parse::<TraceId>().expect("short").to_string(), format!("{:0>32}", "7b"));
        for bad in ["", "xyz", &"0".repeat(33), "é"] {
            assert!(bad.parse::<TraceId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn base64_is_read_where_it_is_no_hex() {
        let id = TraceId([0xfb, 0xef, 0xbe, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        for text in ["++++/wECAwQFBgcICQoLDA==", "----_wECAwQFBgcICQoLDA==", "++++/wECAwQFBgcICQoLDA"] {
            assert_eq!(text.parse::<TraceId>(), Ok(id), "{text}");
        }
        let hex_first = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(
            hex_first.parse::<TraceId>().expect("hex").to_string(),
            format!("{:0>32}", hex_first.to_lowercase())
        );
        for bad in
            ["++++/wECAwQFBgcICQoLDA=", "++++/wECAwQFBgcICQoL", "++++/wECAwQFBgcICQoLDA12", "++++/wECAwQFBgcICQ oLDA"]
        {
            assert!(bad.parse::<TraceId>().is_err(), "{bad:?}");
        }
        assert!("----_wECAwQ=".parse::<SpanId>().is_err());
    }

    #[test]
    fn zero_and_odd_lengths_are_no_ids() {
        assert!(TraceId::from_wire(&[0; 16]).is_none());
        assert!(TraceId::from_wire(&[1; 15]).is_none());
        assert!(SpanId::from_wire(&[0; 8]).is_none());
        assert!(SpanId::from_wire(&[1; 9]).is_none());
    }

    #[test]
    fn counted_ids_hash_evenly() {
        let mut buckets = [0u32; 64];
        for n in 0..64_000u128 {
            buckets[(TraceId(n.to_be_bytes()).hash64() >> 58) as usize] += 1;
        }
        assert!(buckets.iter().all(|&n| (850..1150).contains(&n)), "{buckets:?}");
    }
}
