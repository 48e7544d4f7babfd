//! The RLE / bit-packing hybrid: definition levels and dictionary codes.

use super::{BadEncoding, bits};

/// A run shorter than this is bit-packed.
const RUN_MIN: usize = 16;

/// Appends `codes`, each below 2^`width`.
pub(crate) fn encode(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut packed_from = 0;
    let mut at = 0;
    while at < codes.len() {
        let first = codes[at];
        let end = at + run_len(&codes[at..]);
        if end - at >= RUN_MIN || (at == 0 && end == codes.len()) {
            pack(&codes[packed_from..at], width, out);
            run(end - at, first, width, out);
            packed_from = end;
            at = end;
        } else {
            // A bit-packed run holds whole groups of eight: look again for a long run at the next group.
            at += (end - at).div_ceil(8) * 8;
        }
    }
    pack(&codes[packed_from..], width, out);
}

/// How many codes are the same as the first.
#[inline]
fn run_len(codes: &[u32]) -> usize {
    const STEP: usize = 16;
    let first = codes[0];
    let mut len = 1;
    if codes.get(1) == Some(&first) {
        // Without an early end, so that it becomes vector instructions.
        while let Some(step) = codes.get(len..len + STEP)
            && step.iter().fold(0, |difference, code| difference | (code ^ first)) == 0
        {
            len += STEP;
        }
        len += codes[len..].iter().take_while(|&&code| code == first).count();
    }
    len
}

/// How many neighbours are not `step` apart. Beyond `max` it stops counting.
pub(crate) fn changes(values: &[u32], step: u32, max: usize) -> usize {
    const STRETCH: usize = 1024;
    let mut count = 0;
    let mut at = 0;
    while at + 1 < values.len() && count <= max {
        let stretch = &values[at..values.len().min(at + STRETCH + 1)];
        let pairs = stretch.iter().zip(&stretch[1..]);
        count += pairs.map(|(one, next)| u32::from(next.wrapping_sub(*one) != step)).sum::<u32>() as usize;
        at += STRETCH;
    }
    count
}

/// Appends `count` times the same code.
pub(crate) fn run(count: usize, code: u32, width: u32, out: &mut Vec<u8>) {
    varint((count as u64) << 1, out);
    out.extend_from_slice(&code.to_le_bytes()[..width.div_ceil(8) as usize]);
}

fn pack(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    let groups = codes.len().div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    bits::pack32(codes, width, out);
    out.resize(end, 0);
}

/// Appends bits as a hybrid of width 1; `words` holds them lowest bit first.
pub(crate) fn encode_bitmap(bitmap: &[u8], count: usize, out: &mut Vec<u8>) {
    let groups = count.div_ceil(8);
    varint((groups as u64) << 1 | 1, out);
    out.extend_from_slice(&bitmap[..groups]);
}

/// A stretch of decoded codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stretch<'a> {
    /// The same code over and over.
    Run {
        /// How often.
        count: usize,
        /// The code.
        code: u32,
    },
    /// Bit-packed codes.
    Packed {
        /// How many are meant (the last group may hold more).
        count: usize,
        /// Their bits.
        bytes: &'a [u8],
    },
}

/// Walks the stretches of a hybrid that holds `count` codes of `width` bits.
pub(crate) struct Stretches<'a> {
    bytes: &'a [u8],
    left: usize,
    width: u32,
}

impl<'a> Stretches<'a> {
    /// Over `bytes`.
    pub(crate) fn new(bytes: &'a [u8], count: usize, width: u32) -> Result<Self, BadEncoding> {
        if width > 32 {
            return Err(BadEncoding("bit width"));
        }
        Ok(Self { bytes, left: count, width })
    }

    /// The next stretch; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Stretch<'a>>, BadEncoding> {
        if self.left == 0 {
            return Ok(None);
        }
        let head = take_varint(&mut self.bytes)?;
        if head & 1 == 1 {
            let groups = usize::try_from(head >> 1).map_err(|_| BadEncoding("bit-packed run"))?;
            let len = groups.checked_mul(self.width as usize).ok_or(BadEncoding("bit-packed run"))?;
            let (packed, rest) = self.bytes.split_at_checked(len).ok_or(BadEncoding("bit-packed run"))?;
            let count = groups.saturating_mul(8).min(self.left);
            if count == 0 {
                return Err(BadEncoding("empty run"));
            }
            self.bytes = rest;
            self.left -= count;
            return Ok(Some(Stretch::Packed { count, bytes: packed }));
        }
        let count = usize::try_from(head >> 1).map_err(|_| BadEncoding("run"))?;
        if count == 0 || count > self.left {
            return Err(BadEncoding("run"));
        }
        let (code, rest) = self.bytes.split_at_checked(self.width.div_ceil(8) as usize).ok_or(BadEncoding("run"))?;
        let mut four = [0; 4];
        four[..code.len()].copy_from_slice(code);
        self.bytes = rest;
        self.left -= count;
        Ok(Some(Stretch::Run { count, code: u32::from_le_bytes(four) }))
    }
}

/// Appends the `count` codes in `bytes` to `codes`; each must be below `limit`.
pub(crate) fn decode(
    bytes: &[u8],
    count: usize,
    width: u32,
    limit: u32,
    codes: &mut Vec<u32>,
) -> Result<(), BadEncoding> {
    let mut stretches = Stretches::new(bytes, count, width)?;
    codes.reserve(count);
    while let Some(stretch) = stretches.next()? {
        match stretch {
            Stretch::Run { count, code } => {
                if code >= limit {
                    return Err(BadEncoding("dictionary code"));
                }
                codes.resize(codes.len() + count, code);
            }
            Stretch::Packed { count, bytes } => {
                let from = codes.len();
                bits::unpack_codes(bytes, count, width, codes);
                if codes[from..].iter().fold(0, |largest, &code| code.max(largest)) >= limit {
                    return Err(BadEncoding("dictionary code"));
                }
            }
        }
    }
    Ok(())
}

/// Appends a little-endian base-128 number.
pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a little-endian base-128 number off the front.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<u64, BadEncoding> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32).unwrap_or(0);
        if byte < 0x80 {
            *bytes = &bytes[index + 1..];
            return Ok(value);
        }
    }
    Err(BadEncoding("varint"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(codes: &[u32]) -> usize {
        let max = codes.iter().copied().max().unwrap_or(0);
        let width = bits::width_of(u64::from(max));
        let mut bytes = Vec::new();
        encode(codes, width, &mut bytes);
        let mut back = Vec::new();
        decode(&bytes, codes.len(), width, max + 1, &mut back).expect("own bytes");
        assert_eq!(back, codes);
        bytes.len()
    }

    #[test]
    fn changes_are_counted_up_to_a_bound() {
        let values: Vec<u32> = (0..5000).map(|n| n / 10).collect();
        assert_eq!(changes(&values, 0, 10_000), 499);
        assert_eq!(changes(&values, 1, 10_000), 4999 - 499);
        assert!((100..499).contains(&changes(&values, 0, 100)));
        assert_eq!(changes(&[7; 2000], 0, 0), 0);
        assert_eq!((changes(&[], 0, 5), changes(&[1], 1, 5)), (0, 0));
        assert_eq!(changes(&[1, 2, 4], 1, 5), 1);
    }

    #[test]
    fn runs_and_mixtures_go_in_and_out() {
        assert_eq!(round_trip(&[7; 8192]), 4);
        assert_eq!(round_trip(&[0; 3]), 1);
        round_trip(&[]);
        let mut seed = 1u64;
        for len in [1usize, 7, 8, 9, 63, 64, 65, 1000] {
            for spread in [1, 2, 3, 100, 70_000] {
                let mut codes = Vec::new();
                while codes.len() < len {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let repeat = 1 + (seed >> 60) as usize * ((seed >> 50) & 3) as usize;
                    codes.resize(codes.len() + repeat, (seed >> 33) as u32 % spread);
                }
                codes.truncate(len);
                round_trip(&codes);
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let mut bytes = Vec::new();
        encode(&(0..100).collect::<Vec<_>>(), 7, &mut bytes);
        for len in 0..bytes.len() - 4 {
            assert!(decode(&bytes[..len], 100, 7, 100, &mut Vec::new()).is_err(), "{len}");
        }
        assert!(decode(&bytes, 100, 7, 99, &mut Vec::new()).is_err());
    }
}
