//! Packs numbers into a few bits each, lowest bit first, as Parquet does.

/// Bits that hold every number up to `max`.
pub(crate) fn width_of(max: u64) -> u32 {
    64 - max.leading_zeros()
}

/// Appends each value in `width` bits (0 to 32); the last byte is filled with zeros.
pub(crate) fn pack32(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut accumulated = 0u64;
    let mut filled = 0;
    out.reserve(values.len() * width as usize / 8 + 8);
    for &value in values {
        accumulated |= u64::from(value) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(accumulated as u32).to_le_bytes());
            accumulated >>= 32;
            filled -= 32;
        }
    }
    let bytes = filled.div_ceil(8) as usize;
    out.extend_from_slice(&accumulated.to_le_bytes()[..bytes]);
}

/// Appends each value in `width` bits (0 to 64); the last byte is filled with zeros.
pub(crate) fn pack64(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let mut accumulated = 0u128;
    let mut filled = 0;
    for &value in values {
        accumulated |= u128::from(value) << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&(accumulated as u64).to_le_bytes());
            accumulated >>= 64;
            filled -= 64;
        }
    }
    let bytes = filled.div_ceil(8) as usize;
    out.extend_from_slice(&accumulated.to_le_bytes()[..bytes]);
}

/// The value at `index` of numbers packed in `width` bits (0 to 57). Bits beyond the end are zeros.
#[inline]
pub(crate) fn get(bytes: &[u8], index: usize, width: u32) -> u64 {
    let bit = index * width as usize;
    let start = bit / 8;
    let word = match bytes.get(start..start + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
        None => {
            let mut eight = [0; 8];
            let tail = bytes.get(start..).unwrap_or_default();
            let tail = &tail[..tail.len().min(8)];
            eight[..tail.len()].copy_from_slice(tail);
            u64::from_le_bytes(eight)
        }
    };
    (word >> (bit % 8)) & ((1u64 << width) - 1)
}

/// The value at `index` of numbers packed in `width` bits (0 to 64).
#[inline]
pub(crate) fn get_wide(bytes: &[u8], index: usize, width: u32) -> u64 {
    if width <= 57 {
        return get(bytes, index, width);
    }
    let bit = index * width as usize;
    let mut sixteen = [0; 16];
    let tail = bytes.get(bit / 8..).unwrap_or_default();
    let tail = &tail[..tail.len().min(16)];
    sixteen[..tail.len()].copy_from_slice(tail);
    ((u128::from_le_bytes(sixteen) >> (bit % 8)) & ((1u128 << width) - 1)) as u64
}

/// Appends the first `count` values of numbers packed in `width` bits (0 to 32). Bits beyond the end are zeros.
pub(crate) fn unpack_codes(bytes: &[u8], count: usize, width: u32, codes: &mut Vec<u32>) {
    match width {
        0 => codes.resize(codes.len() + count, 0),
        8 if bytes.len() >= count => codes.extend(bytes[..count].iter().map(|&byte| u32::from(byte))),
        // Eight of them are so many bytes.
        1..=7 if bytes.len() >= count.div_ceil(8) * width as usize => {
            let mask = (1u64 << width) - 1;
            let from = codes.len();
            codes.reserve(count + 8);
            for eight in bytes.chunks_exact(width as usize).take(count.div_ceil(8)) {
                let packed = eight.iter().rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
                codes.extend((0..8).map(|at| ((packed >> (at * width)) & mask) as u32));
            }
            codes.truncate(from + count);
        }
        _ => codes.extend((0..count).map(|index| get(bytes, index, width) as u32)),
    }
}

/// The first values of numbers packed in `width` bits (0 to 64).
pub(crate) fn unpack<const COUNT: usize>(packed: &[u8], width: u32, values: &mut [u64; COUNT]) {
    const SPARE: usize = 8;

    // So that eight bytes can be read from each place without a look at the end.
    let is_usual = (1..=56).contains(&width) && packed.len() + SPARE <= BUFFER;
    if !is_usual {
        (0..COUNT).zip(values).for_each(|(index, value)| *value = get_wide(packed, index, width));
        return;
    }
    let mut buffer = [0; BUFFER];
    buffer[..packed.len()].copy_from_slice(packed);
    let mask = (1u64 << width) - 1;
    for (index, value) in values.iter_mut().enumerate() {
        let bit = index * width as usize;
        let eight = buffer[bit / 8..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        *value = (eight >> (bit % 8)) & mask;
    }
}

/// Bytes of 32 numbers of 56 bits, and some more.
const BUFFER: usize = 32 * 56 / 8 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_goes_in_and_out() {
        for width in 0..=64u32 {
            let mask = if width == 64 { u64::MAX } else { (1u64 << width) - 1 };
            let values: Vec<u64> = (0..77u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask).collect();
            let mut packed = Vec::new();
            pack64(&values, width, &mut packed);
            assert_eq!(packed.len(), (77 * width as usize).div_ceil(8));
            let mut all = [0; 32];
            unpack(&packed[..4 * width as usize], width, &mut all);
            assert_eq!(all, values[..32]);
            for (index, &value) in values.iter().enumerate() {
                assert_eq!(get_wide(&packed, index, width), value, "width {width} index {index}");
            }
            if width <= 32 {
                for count in [0, 1, 8, 9, 76, 77] {
                    let mut codes = vec![7];
                    unpack_codes(&packed, count, width, &mut codes);
                    let expected = values[..count].iter().map(|&value| value as u32);
                    assert!(codes[1..].iter().copied().eq(expected), "width {width} count {count}");
                }
                let narrow: Vec<u32> = values.iter().map(|&value| value as u32).collect();
                let mut packed_narrow = Vec::new();
                pack32(&narrow, width, &mut packed_narrow);
                assert_eq!(packed, packed_narrow);
            }
        }
    }
}
