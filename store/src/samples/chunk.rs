//! A chunk of a series: times and floats in few bytes, bit for bit, added at the end and read from the front.
//!
//! A token a sample: one byte says how time and value follow. Most times go on by the same step and take nothing; values that are
//! whole numbers or short decimals are kept as differences of integers, others as the bytes in which they differ from the one before
//! (after Facebook's Gorilla, VLDB 2015, and ALP, SIGMOD 2023). Samples that only repeat step and value share a byte by 32.
//! docs/formats.md, Chunk, has the bytes.

use super::{
    decimal::{self, SCALE_MAX},
    waypoint::Waypoint,
};

/// The step is the one before.
const TIME_SAME: u8 = 0;
/// The step changed by a zigzag number of 1, 2, 4 or 8 bytes.
const TIME_BYTES: [usize; 5] = [0, 1, 2, 4, 8];
/// Of a run: the upper bits are the number of repeated samples, less one.
const TIME_RUN: u8 = 7;
/// Samples of one run token.
const RUN_MAX: u8 = 32;

/// Values 1 to 8: the integer changed by a zigzag number of so many bytes.
const VALUE_XOR: u8 = 9;
/// Values 10 to 15: the low 3 to 8 bytes of the exclusive or.
const VALUE_XOR_LOW: u8 = 10;
const XOR_LOW_BYTES_MIN: u8 = 3;
/// Behind [`VALUE_XOR`]: in place of shift and length, a new scale and the integer itself.
const NEW_SCALE: u8 = 0x80;

/// No integers until the chunk ends: its values are no short decimals.
const NO_SCALE: u8 = u8::MAX;

/// What the next sample of a chunk depends on when it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Last {
    pub(super) time_ms: i64,
    pub(super) step_ms: i64,
    pub(super) value: f64,
    /// The value at `scale`, when there is one.
    pub(super) integer: i64,
    pub(super) scale: u8,
}

impl Last {
    const NONE: Self = Self { time_ms: 0, step_ms: 0, value: 0.0, integer: 0, scale: 0 };
}

/// Makes bytes of samples, wherever they are kept. Times need not ascend, but cost more where they do not.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Encoder {
    time_ms: i64,
    step_ms: i64,
    value: f64,
    /// The value at `scale`, when there is one.
    integer: i64,
    count: u32,
    scale: u8,
    in_run: bool,
}

/// Bytes of one sample; none where the byte before says it too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    bytes: [u8; TOKEN_ROOM],
    length: usize,
}

/// Token, time, control, and eight bytes of a value; as many more as [`Token::put`] writes beyond.
const TOKEN_ROOM: usize = 32;

impl Token {
    const NONE: Self = Self { bytes: [0; TOKEN_ROOM], length: 0 };

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put_byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// The low bytes of a number. Eight are always written: what is too much is overwritten, or cut off.
    fn put(&mut self, number: u64, bytes: usize) {
        self.bytes[self.length..self.length + 8].copy_from_slice(&number.to_le_bytes());
        self.length += bytes;
    }
}

impl Encoder {
    /// Samples.
    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    /// The time of the last; 0 without any.
    pub(crate) fn last_ms(&self) -> i64 {
        self.time_ms
    }

    /// The value of the last; 0 without any.
    pub(crate) fn last_value(&self) -> f64 {
        self.value
    }

    /// The bytes of a further sample. `last` is the last byte of those before, which may come to stand for it too.
    pub(crate) fn push(&mut self, time_ms: i64, value: f64, last: Option<&mut u8>) -> Token {
        let step_ms = time_ms.wrapping_sub(self.time_ms);
        let changed = zigzag(step_ms.wrapping_sub(self.step_ms));
        let mut token = Token::NONE;
        if changed == 0 && value.to_bits() == self.value.to_bits() && self.count > 0 {
            match last {
                Some(run) if self.in_run && *run >> 3 < RUN_MAX - 1 => *run += 1 << 3,
                _ => token.put_byte(TIME_RUN),
            }
            self.in_run = true;
        } else {
            self.in_run = false;
            self.put(changed, value, &mut token);
        }
        self.time_ms = time_ms;
        // The way from zero to the first is no step that another one could be like.
        self.step_ms = if self.count == 0 { 0 } else { step_ms };
        self.value = value;
        self.count += 1;
        token
    }

    /// Where reading can go on behind the last sample, of whose bytes the last `rest` are to follow. Before it where it repeats the one
    /// before: its byte may come to stand for more.
    pub(crate) fn waypoint(&self, rest: usize) -> Waypoint {
        let Self { time_ms, step_ms, value, integer, count, scale, in_run } = *self;
        let mut last = Last { time_ms, step_ms, value, integer, scale };
        if in_run {
            last.time_ms = time_ms.wrapping_sub(step_ms);
            return Waypoint { last, samples: count - 1, rest: 0 };
        }
        Waypoint { last, samples: count, rest: rest as u8 }
    }

    fn put(&mut self, changed: u64, value: f64, token: &mut Token) {
        let time_code = match changed {
            0 => TIME_SAME,
            1..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 3,
            _ => 4,
        };
        token.put_byte(time_code);
        token.put(changed, TIME_BYTES[usize::from(time_code)]);
        let value_code = self.put_value(value, token);
        token.bytes[0] |= value_code << 3;
    }

    /// Appends what is needed of a value, and answers its code.
    fn put_value(&mut self, value: f64, token: &mut Token) -> u8 {
        let difference = value.to_bits() ^ self.value.to_bits();
        if difference == 0 {
            return 0;
        }
        if self.scale != NO_SCALE {
            if let Some(integer) = decimal::at_scale(value, self.scale) {
                let moved = zigzag(integer.wrapping_sub(self.integer));
                let bytes = significant_bytes(moved).max(1);
                token.put(moved, bytes);
                self.integer = integer;
                return bytes as u8;
            }
            if !value.is_finite() {
                // A stale marker among counters: it says nothing of the others.
                return put_xor(difference, token);
            }
            let finer = (self.scale + 1..=SCALE_MAX).find_map(|scale| Some((scale, decimal::at_scale(value, scale)?)));
            if let Some((scale, integer)) = finer {
                let number = zigzag(integer);
                let bytes = significant_bytes(number).max(1);
                token.put_byte(NEW_SCALE | (scale << 3) | (bytes as u8 - 1));
                token.put(number, bytes);
                (self.scale, self.integer) = (scale, integer);
                return VALUE_XOR;
            }
            // Not written: whoever reads needs no scale any more.
            self.scale = NO_SCALE;
        }
        put_xor(difference, token)
    }
}

fn put_xor(difference: u64, token: &mut Token) -> u8 {
    let low_bytes = significant_bytes(difference);
    let shift = difference.trailing_zeros() as usize / 8;
    let middle_bytes = low_bytes - shift;
    if low_bytes >= usize::from(XOR_LOW_BYTES_MIN) && middle_bytes + 1 >= low_bytes {
        token.put(difference, low_bytes);
        return VALUE_XOR_LOW + low_bytes as u8 - XOR_LOW_BYTES_MIN;
    }
    token.put_byte(((shift as u8) << 3) | (middle_bytes as u8 - 1));
    token.put(difference >> (shift * 8), middle_bytes);
    VALUE_XOR
}

/// Samples in the order in which they were added, by themselves.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    encoder: Encoder,
    first_ms: i64,
}

/// A chunk's bytes and what has to be known to read them, wherever they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkBytes<'c> {
    /// What [`Samples::new`] reads.
    pub(crate) bytes: &'c [u8],
    /// Samples.
    pub(crate) samples: u32,
    /// The first one's time.
    pub(crate) first_ms: i64,
    /// The last one's.
    pub(crate) last_ms: i64,
    /// From which sample on counting began when; empty where nobody says.
    pub(crate) starts: &'c [(u32, i64)],
}

impl Chunk {
    /// What [`Samples::new`] reads.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// It, with when counting began.
    pub(crate) fn with_starts<'c>(&'c self, starts: &'c [(u32, i64)]) -> ChunkBytes<'c> {
        let (samples, last_ms) = (self.encoder.len(), self.encoder.last_ms());
        ChunkBytes { bytes: &self.bytes, samples, first_ms: self.first_ms, last_ms, starts }
    }

    /// Adds a sample.
    pub(crate) fn push(&mut self, time_ms: i64, value: f64) {
        if self.encoder.len() == 0 {
            self.first_ms = time_ms;
        }
        let token = self.encoder.push(time_ms, value, self.bytes.last_mut());
        self.bytes.extend_from_slice(token.bytes());
    }
}

/// Reads a chunk's samples, oldest addition first. Ends early where bytes are missing or make no sense.
#[derive(Debug, Clone)]
pub(crate) struct Samples<'a> {
    bytes: &'a [u8],
    last: Last,
    /// Still to come.
    left: u32,
    run: u8,
    is_begun: bool,
}

impl<'a> Samples<'a> {
    /// The first `count` samples of a chunk's bytes.
    pub(crate) fn new(bytes: &'a [u8], count: u32) -> Self {
        Self { bytes, last: Last::NONE, left: count, run: 0, is_begun: false }
    }

    /// Those behind a waypoint, of the first `count` of a chunk; the bytes are those that followed when the waypoint was made.
    pub(crate) fn behind(waypoint: &Waypoint, bytes: &'a [u8], count: u32) -> Self {
        let bytes = bytes.get(usize::from(waypoint.rest)..).unwrap_or_default();
        Self { bytes, last: waypoint.last, left: count.saturating_sub(waypoint.samples), run: 0, is_begun: true }
    }

    /// Samples that were promised and have not come.
    #[cfg(test)]
    pub(crate) fn missing(&self) -> u32 {
        self.left
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        // The usual case: eight bytes can be read, whatever the number's length.
        if let Some(eight) = self.bytes.first_chunk::<8>() {
            let number = u64::from_le_bytes(*eight);
            self.bytes = &self.bytes[bytes..];
            return Some(if bytes == 8 { number } else { number & ((1 << (bytes * 8)) - 1) });
        }
        let (head, rest) = self.bytes.split_at_checked(bytes)?;
        self.bytes = rest;
        Some(head.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    fn step(&mut self) -> Option<()> {
        let token = self.number(1)? as u8;
        let time_code = token & 7;
        if time_code == TIME_RUN {
            self.run = token >> 3;
            return Some(());
        }
        let changed = self.number(*TIME_BYTES.get(usize::from(time_code))?)?;
        self.last.step_ms = self.last.step_ms.wrapping_add(unzigzag(changed));
        match token >> 3 {
            0 => {}
            bytes @ 1..=8 => {
                let moved = self.number(usize::from(bytes))?;
                self.last.integer = self.last.integer.wrapping_add(unzigzag(moved));
                self.last.value = decimal::value(self.last.integer, self.last.scale);
            }
            VALUE_XOR => self.control()?,
            code @ VALUE_XOR_LOW..=15 => {
                let low = self.number(usize::from(code - VALUE_XOR_LOW + XOR_LOW_BYTES_MIN))?;
                self.last.value = f64::from_bits(self.last.value.to_bits() ^ low);
            }
            _ => return None,
        }
        Some(())
    }

    fn control(&mut self) -> Option<()> {
        let control = self.number(1)? as u8;
        let number = self.number(usize::from(control & 7) + 1)?;
        let upper = (control >> 3) & 15;
        if control & NEW_SCALE != 0 {
            self.last.scale = (upper <= SCALE_MAX).then_some(upper)?;
            self.last.integer = unzigzag(number);
            self.last.value = decimal::value(self.last.integer, upper);
        } else {
            let difference = number.checked_shl(u32::from(upper) * 8)?;
            self.last.value = f64::from_bits(self.last.value.to_bits() ^ difference);
        }
        Some(())
    }
}

impl Iterator for Samples<'_> {
    type Item = (i64, f64);

    #[inline]
    fn next(&mut self) -> Option<(i64, f64)> {
        self.left = self.left.checked_sub(1)?;
        if self.run > 0 {
            self.run -= 1;
        } else if self.step().is_none() {
            self.left += 1;
            self.bytes = &[];
            return None;
        }
        self.last.time_ms = self.last.time_ms.wrapping_add(self.last.step_ms);
        if !self.is_begun {
            self.is_begun = true;
            self.last.step_ms = 0;
        }
        Some((self.last.time_ms, self.last.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

/// Small numbers of either sign as small numbers.
pub(crate) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// The number again.
pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn significant_bytes(number: u64) -> usize {
    8 - number.leading_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_proto::metrics::STALE_NAN;

    use super::*;

    fn chunk(samples: &[(i64, f64)]) -> Chunk {
        let mut chunk = Chunk::default();
        for &(time_ms, value) in samples {
            chunk.push(time_ms, value);
        }
        chunk
    }

    fn bits(samples: impl IntoIterator<Item = (i64, f64)>) -> Vec<(i64, u64)> {
        samples.into_iter().map(|(time_ms, value)| (time_ms, value.to_bits())).collect()
    }

    fn check(samples: &[(i64, f64)]) -> usize {
        let chunk = chunk(samples);
        for count in 0..=samples.len() {
            let read = Samples::new(chunk.bytes(), count as u32);
            assert_eq!(bits(read), bits(samples[..count].iter().copied()));
        }
        chunk.bytes().len()
    }

    fn every_15s(values: impl Iterator<Item = f64>) -> Vec<(i64, f64)> {
        values.enumerate().map(|(n, value)| (1_700_000_000_123 + n as i64 * 15_000, value)).collect()
    }

    #[test]
    fn a_constant_costs_next_to_nothing() {
        assert_eq!(check(&every_15s((0..120).map(|_| 3.0))), 10 + 3 + 4);
        assert_eq!(check(&every_15s((0..120).map(|_| 0.0))), 9 + 3 + 4);
    }

    #[test]
    fn counters_and_decimals_are_differences() {
        assert!(check(&every_15s((0..120).map(|n| f64::from(n * 37)))) <= 120 * 2 + 20);
        assert!(check(&every_15s((0..120).map(|n| f64::from(1_234_567 + n * 1496) / 100.0))) <= 120 * 3 + 20);
        assert!(check(&every_15s((0..120).map(|n| 1e9 + f64::from(n) * 4e6))) <= 120 * 5 + 20);
    }

    #[test]
    fn odd_bits_come_back() {
        let odd = [
            f64::NAN,
            STALE_NAN,
            f64::from_bits(0xfff8_0000_0000_0001),
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            9_007_199_254_740_993.0,
            -1.0,
            0.1,
            0.1 + 0.2,
            1e300,
        ];
        check(&every_15s(odd.into_iter()));
        let twice: Vec<f64> = odd.iter().flat_map(|&one| odd.iter().flat_map(move |&two| [one, two])).collect();
        check(&every_15s(twice.into_iter()));
        check(&[(i64::MAX, 1.0), (i64::MIN, 1.0), (0, 1.0), (-1, 1.0), (i64::MAX, 1.0)]);
    }

    #[test]
    fn a_chunk_cut_anywhere_ends_early() {
        let samples = every_15s((0..50).map(|n| f64::from(n * n) / 7.0));
        let whole = chunk(&samples);
        for cut in 0..whole.bytes().len() {
            let mut read = Samples::new(&whole.bytes()[..cut], 50);
            let got = bits(read.by_ref());
            assert_eq!(got, bits(samples[..got.len()].iter().copied()));
            assert!(read.missing() as usize + got.len() == 50 && got.len() < 50);
        }
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-1000_i64..1000).prop_map(|n| n as f64),
            (any::<i32>(), 0..12_i32).prop_map(|(n, scale)| f64::from(n) / 10_f64.powi(scale)),
            Just(STALE_NAN),
        ]
    }

    proptest! {
        #[test]
        fn samples_come_back_bit_for_bit(
            samples in prop::collection::vec((prop_oneof![Just(15_000_i64), 0..20_000_i64, any::<i64>()], value()), 0..60),
        ) {
            let mut time_ms = 0_i64;
            let samples: Vec<_> = samples.into_iter().map(|(step, value)| {
                time_ms = time_ms.wrapping_add(step);
                (time_ms, value)
            }).collect();
            check(&samples);
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0_u32..500) {
            prop_assert!(Samples::new(&bytes, count).count() <= count as usize);
        }
    }
}
