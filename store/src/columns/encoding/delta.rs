//! DELTA_BINARY_PACKED: differences of neighbours, in as few bits as each 32 of them need.

use super::{
    BadEncoding, bits,
    hybrid::{take_varint, varint},
};

const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Appends `values` (the bits of INT64).
pub(crate) fn encode(values: &[u64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint(MINIBLOCKS as u64, out);
    varint(values.len() as u64, out);
    let Some((&first, rest)) = values.split_first() else {
        varint(0, out);
        return;
    };
    varint(zigzag(first as i64), out);
    let mut last = first;
    let mut deltas = [0u64; BLOCK];
    for block in rest.chunks(BLOCK) {
        let mut smallest = i64::MAX;
        for (delta, &value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(last);
            smallest = smallest.min(*delta as i64);
            last = value;
        }
        for delta in &mut deltas[..block.len()] {
            *delta = delta.wrapping_sub(smallest as u64);
        }
        deltas[block.len()..].fill(0);
        varint(zigzag(smallest), out);
        let widths_at = out.len();
        out.extend_from_slice(&[0; MINIBLOCKS]);
        for (index, miniblock) in deltas.chunks(MINIBLOCK).enumerate() {
            if index * MINIBLOCK >= block.len() {
                break;
            }
            let width = bits::width_of(miniblock.iter().fold(0, |all, &delta| all | delta));
            out[widths_at + index] = width as u8;
            bits::pack64(miniblock, width, out);
        }
    }
}

/// Appends the `count` values in `bytes` to `values`; returns how many bytes they took.
pub(crate) fn decode(bytes: &[u8], count: usize, values: &mut Vec<u64>) -> Result<usize, BadEncoding> {
    let len = bytes.len();
    let mut bytes = bytes;
    let block = take_varint(&mut bytes)?;
    let miniblocks = take_varint(&mut bytes)?;
    let total = take_varint(&mut bytes)?;
    if block != BLOCK as u64 || miniblocks != MINIBLOCKS as u64 || total != count as u64 {
        return Err(BadEncoding("delta header"));
    }
    let mut last = unzigzag(take_varint(&mut bytes)?) as u64;
    if count == 0 {
        return Ok(len - bytes.len());
    }
    values.reserve(count);
    values.push(last);
    let mut left = count - 1;
    while left > 0 {
        let smallest = unzigzag(take_varint(&mut bytes)?) as u64;
        let (widths, rest) = bytes.split_at_checked(MINIBLOCKS).ok_or(BadEncoding("delta block"))?;
        bytes = rest;
        for &width in widths {
            if left == 0 {
                break;
            }
            if width > 64 {
                return Err(BadEncoding("delta width"));
            }
            let (packed, rest) =
                bytes.split_at_checked(MINIBLOCK * width as usize / 8).ok_or(BadEncoding("delta block"))?;
            bytes = rest;
            let here = left.min(MINIBLOCK);
            let mut deltas = [0; MINIBLOCK];
            bits::unpack(packed, u32::from(width), &mut deltas);
            values.extend(deltas[..here].iter().map(|delta| {
                last = last.wrapping_add(smallest).wrapping_add(*delta);
                last
            }));
            left -= here;
        }
    }
    Ok(len - bytes.len())
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_numbers_go_in_and_out() {
        for len in [0usize, 1, 2, 32, 33, 128, 129, 130, 1000] {
            for shift in [0, 10, 40, 63] {
                let values: Vec<u64> =
                    (0..len as u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1) >> shift).collect();
                let mut bytes = Vec::new();
                encode(&values, &mut bytes);
                let mut back = Vec::new();
                decode(&bytes, len, &mut back).expect("own bytes");
                assert_eq!(back, values);
            }
        }
        let extremes = [i64::MIN as u64, i64::MAX as u64, 0, u64::MAX];
        let mut bytes = Vec::new();
        encode(&extremes, &mut bytes);
        let mut back = Vec::new();
        decode(&bytes, 4, &mut back).expect("own bytes");
        assert_eq!(back, extremes);
    }
}
