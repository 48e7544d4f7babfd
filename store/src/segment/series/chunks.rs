//! Chunks as segments keep them: as the head had them, or, once merged, as columns of numbers.
//!
//! A chunk ends with the checksum of its bytes. docs/formats.md, Segments of metrics.

use pco::{ChunkConfig, standalone};

use crate::{
    journal::{Fields, put_varint},
    samples::{
        SeriesSamples, TimedHistogram,
        bytes::{count, put_bytes, put_signed, signed, sized},
        chunk::{Chunk, ChunkBytes, Samples},
        histogram::{histogram, put_histogram},
    },
    segment::SegmentError,
};

/// Samples of a merged chunk.
pub(crate) const MERGED_SAMPLES: usize = 480;

/// Histograms of a chunk.
const HISTOGRAMS: usize = 120;

/// How hard pco looks for what numbers have in common.
const PCO_LEVEL: usize = 8;

/// Kinds of chunks.
const HEAD: u8 = 0;
const COLUMNS: u8 = 1;
const HISTOGRAM: u8 = 2;
const HISTOGRAM_STARTS: u8 = 3;

/// How columns keep times: one step, or numbers.
const TIMES_STEP: u8 = 0;
const TIMES_PCO: u8 = 1;
/// How columns keep values: one, floats, or a decimal scale behind which integers are.
const VALUES_ONE: u8 = 0;
const VALUES_PCO: u8 = 1;
const VALUES_BITS: u8 = 2;
const VALUES_HEAD: u8 = 3;

/// A chunk, to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodedChunk {
    pub(crate) samples: u32,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// With the checksum.
    pub(crate) bytes: Vec<u8>,
}

/// A chunk that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub(crate) start: u64,
    pub(crate) len: u32,
    pub(crate) samples: u32,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
}

impl ChunkRef {
    /// Whether it may have samples of a time.
    pub(crate) fn overlaps(&self, (from_ms, to_ms): (i64, i64)) -> bool {
        self.first_ms <= to_ms && self.last_ms >= from_ms
    }
}

impl EncodedChunk {
    fn new(samples: usize, (first_ms, last_ms): (i64, i64), mut bytes: Vec<u8>) -> Self {
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        Self { samples: samples as u32, first_ms, last_ms, bytes }
    }

    /// A chunk as the head has it.
    pub(crate) fn of_head(chunk: ChunkBytes<'_>) -> Self {
        // Count, starts and checksum beside it.
        let mut bytes = Vec::with_capacity(chunk.bytes.len() + 12 + chunk.starts.len() * 12);
        bytes.push(HEAD);
        put_varint(&mut bytes, u64::from(chunk.samples));
        put_starts(&mut bytes, chunk.starts);
        bytes.extend_from_slice(chunk.bytes);
        Self::new(chunk.samples as usize, (chunk.first_ms, chunk.last_ms), bytes)
    }

    /// Chunks of the head's kind, of samples in time order.
    pub(crate) fn quick(samples: &SeriesSamples) -> Vec<Self> {
        let mut chunks = Vec::new();
        if !samples.times_ms.is_empty() {
            let mut chunk = Chunk::default();
            for (&time_ms, &value) in samples.times_ms.iter().zip(&samples.values) {
                chunk.push(time_ms, value);
            }
            chunks.push(Self::of_head(chunk.with_starts(&starts_of(&samples.start_ms))));
        }
        chunks.extend(samples.histograms.chunks(HISTOGRAMS).map(of_histograms));
        chunks
    }

    /// Merged chunks, of samples in time order.
    pub(crate) fn merged(samples: &SeriesSamples) -> Result<Vec<Self>, SegmentError> {
        let mut chunks = Vec::new();
        for from in (0..samples.times_ms.len()).step_by(MERGED_SAMPLES) {
            let to = (from + MERGED_SAMPLES).min(samples.times_ms.len());
            let starts = samples.start_ms.get(from..to).unwrap_or_default();
            chunks.push(of_columns(&samples.times_ms[from..to], &samples.values[from..to], starts)?);
        }
        chunks.extend(samples.histograms.chunks(HISTOGRAMS).map(of_histograms));
        Ok(chunks)
    }
}

/// Reads bytes as a chunk whose checksum fits, and what is in it once more from chunks that are made of it; whether both are the same.
/// Nothing where the bytes are no chunk. What the fuzzer calls. Not for others.
#[doc(hidden)]
pub fn chunk_is_kept(bytes: &[u8]) -> Option<bool> {
    let always = (i64::MIN, i64::MAX);
    let mut read = SeriesSamples::default();
    let whole = [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat();
    read_chunk(&whole, always, &mut read).ok()?;
    read.settle(0, 0);
    let mut is_kept = true;
    for chunks in [EncodedChunk::quick(&read), EncodedChunk::merged(&read).ok()?] {
        let mut again = SeriesSamples::default();
        chunks.iter().try_for_each(|chunk| read_chunk(&chunk.bytes, always, &mut again)).ok()?;
        let bits = |samples: &SeriesSamples| samples.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        is_kept &= again.times_ms == read.times_ms && bits(&again) == bits(&read);
        is_kept &= again.histograms.len() == read.histograms.len();
    }
    Some(is_kept)
}

/// Appends the samples of a chunk's bytes from one time to another, both included.
pub(crate) fn read_chunk(bytes: &[u8], range: (i64, i64), into: &mut SeriesSamples) -> Result<(), SegmentError> {
    let damaged = || SegmentError::damaged("a chunk's bytes make no sense");
    let (content, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
        return Err(SegmentError::damaged("a chunk's checksum"));
    }
    let mut fields = Fields(content);
    let read = match fields.u8().ok_or_else(damaged)? {
        HEAD => read_head(&mut fields, range, into),
        COLUMNS => read_columns(&mut fields, range, into),
        HISTOGRAM => read_histograms(&mut fields, &[], range, into),
        HISTOGRAM_STARTS => {
            read_starts(&mut fields).and_then(|starts| read_histograms(&mut fields, &starts, range, into))
        }
        _ => None,
    };
    read.ok_or_else(damaged)
}

fn read_head(fields: &mut Fields<'_>, range: (i64, i64), into: &mut SeriesSamples) -> Option<()> {
    let samples = fields.varint_u32()?;
    let starts = read_starts(fields)?;
    into.append_chunk((0, Samples::new(fields.0, samples)), &starts, range);
    Some(())
}

fn of_columns(times_ms: &[i64], values: &[f64], starts: &[i64]) -> Result<EncodedChunk, SegmentError> {
    let mut bytes = vec![COLUMNS];
    put_varint(&mut bytes, times_ms.len() as u64);
    put_starts(&mut bytes, &starts_of(starts));
    let config = ChunkConfig::default().with_compression_level(PCO_LEVEL);
    let encode = |error: pco::errors::PcoError| SegmentError::Encode(error.to_string());
    let (first_ms, last_ms) = (times_ms[0], times_ms[times_ms.len() - 1]);
    let step_ms = times_ms.get(1).map_or(0, |second| second.wrapping_sub(first_ms));
    let is_regular = times_ms.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step_ms);
    put_signed(&mut bytes, first_ms);
    if is_regular {
        bytes.push(TIMES_STEP);
        put_signed(&mut bytes, step_ms);
    } else {
        bytes.push(TIMES_PCO);
        let since: Vec<i64> = times_ms.iter().map(|time_ms| time_ms.wrapping_sub(first_ms)).collect();
        put_bytes(&mut bytes, &standalone::simple_compress(&since, &config).map_err(encode)?);
    }
    if values.iter().all(|value| value.to_bits() == values[0].to_bits()) {
        bytes.push(VALUES_ONE);
        bytes.extend_from_slice(&values[0].to_bits().to_le_bytes());
        return Ok(EncodedChunk::new(times_ms.len(), (first_ms, last_ms), bytes));
    }
    let (kind, packed) = pack_values(values, &config).map_err(encode)?;
    bytes.push(kind);
    bytes.extend_from_slice(&packed);
    Ok(EncodedChunk::new(times_ms.len(), (first_ms, last_ms), bytes))
}

/// The smaller of what pco and the head's chunks make of values.
fn pack_values(values: &[f64], config: &ChunkConfig) -> Result<(u8, Vec<u8>), pco::errors::PcoError> {
    let mut chunk = Chunk::default();
    values.iter().for_each(|&value| chunk.push(0, value));
    let packed = if values.iter().any(|value| value.is_nan()) {
        // A marker's bits are all that it is.
        let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        (VALUES_BITS, standalone::simple_compress(&bits, config)?)
    } else {
        (VALUES_PCO, standalone::simple_compress(values, config)?)
    };
    if chunk.bytes().len() <= packed.1.len() {
        return Ok((VALUES_HEAD, chunk.bytes().to_vec()));
    }
    Ok(packed)
}

fn read_columns(fields: &mut Fields<'_>, (from_ms, to_ms): (i64, i64), into: &mut SeriesSamples) -> Option<()> {
    let samples = fields.varint_u32()? as usize;
    if samples > MERGED_SAMPLES {
        return None;
    }
    let starts = read_starts(fields)?;
    let first_ms = signed(fields)?;
    let times: Vec<i64> = match fields.u8()? {
        TIMES_STEP => {
            let step_ms = signed(fields)?;
            (0..samples as i64).map(|n| first_ms.wrapping_add(step_ms.wrapping_mul(n))).collect()
        }
        TIMES_PCO => {
            let since = unpack::<i64>(sized(fields)?, samples)?;
            since.into_iter().map(|since| first_ms.wrapping_add(since)).collect()
        }
        _ => return None,
    };
    // Of the samples that are wanted: they are in time order.
    let from = times.partition_point(|&time_ms| time_ms < from_ms);
    let to = times.partition_point(|&time_ms| time_ms <= to_ms);
    if from >= to {
        return Some(());
    }
    let before = into.times_ms.len();
    match fields.u8()? {
        VALUES_ONE => {
            let value = f64::from_bits(fields.u64()?);
            into.values.extend(std::iter::repeat_n(value, to - from));
        }
        VALUES_PCO => into.values.extend_from_slice(&unpack::<f64>(fields.0, samples)?[from..to]),
        VALUES_BITS => {
            let bits = unpack::<u64>(fields.0, samples)?;
            into.values.extend(bits[from..to].iter().map(|&bits| f64::from_bits(bits)));
        }
        VALUES_HEAD => {
            let values = Samples::new(fields.0, samples as u32).map(|(_, value)| value);
            into.values.extend(values.skip(from).take(to - from));
            if into.values.len() != before + to - from {
                into.values.truncate(before);
                return None;
            }
        }
        _ => return None,
    }
    into.times_ms.extend_from_slice(&times[from..to]);
    if !starts.is_empty() || !into.start_ms.is_empty() {
        into.start_ms.resize(before, 0);
        let start_of = |index: usize| {
            let known = starts.partition_point(|&(from, _)| from as usize <= index);
            known.checked_sub(1).map_or(0, |known| starts[known].1)
        };
        into.start_ms.extend((from..to).map(start_of));
    }
    Some(())
}

fn unpack<N: pco::data_types::Number>(bytes: &[u8], samples: usize) -> Option<Vec<N>> {
    // No memory is taken for more than was promised.
    let mut numbers = vec![N::default(); samples];
    let progress = standalone::simple_decompress_into(bytes, &mut numbers).ok()?;
    (progress.n_processed == samples && progress.finished).then_some(numbers)
}

fn of_histograms(histograms: &[TimedHistogram]) -> EncodedChunk {
    let mut bytes = vec![HISTOGRAM];
    if histograms.iter().any(|one| one.start_ms != 0) {
        bytes[0] = HISTOGRAM_STARTS;
        let start_ms: Vec<i64> = histograms.iter().map(|one| one.start_ms).collect();
        put_starts(&mut bytes, &starts_of(&start_ms));
    }
    put_varint(&mut bytes, histograms.len() as u64);
    let mut before = 0_i64;
    for TimedHistogram { time_ms, histogram, .. } in histograms {
        put_signed(&mut bytes, time_ms.wrapping_sub(before));
        before = *time_ms;
        put_histogram(&mut bytes, histogram);
    }
    let range = (histograms[0].time_ms, histograms[histograms.len() - 1].time_ms);
    EncodedChunk::new(histograms.len(), range, bytes)
}

fn read_histograms(
    fields: &mut Fields<'_>,
    starts: &[(u32, i64)],
    (from_ms, to_ms): (i64, i64),
    into: &mut SeriesSamples,
) -> Option<()> {
    let (mut time_ms, mut start_ms) = (0_i64, 0);
    let mut starts = starts.iter().peekable();
    for index in 0..count(fields, 20)? {
        while let Some(&(_, next_ms)) = starts.next_if(|&&(from, _)| from as usize <= index) {
            start_ms = next_ms;
        }
        time_ms = time_ms.wrapping_add(signed(fields)?);
        let histogram = Box::new(histogram(fields)?);
        if (from_ms..=to_ms).contains(&time_ms) {
            into.histograms.push(TimedHistogram { time_ms, start_ms, histogram });
        }
    }
    Some(())
}

/// Where starts change.
fn starts_of(start_ms: &[i64]) -> Vec<(u32, i64)> {
    let mut starts: Vec<(u32, i64)> = Vec::new();
    for (index, &start_ms) in (0..).zip(start_ms) {
        if starts.last().map_or(0, |&(_, known)| known) != start_ms {
            starts.push((index, start_ms));
        }
    }
    starts
}

fn put_starts(into: &mut Vec<u8>, starts: &[(u32, i64)]) {
    put_varint(into, starts.len() as u64);
    let mut before = 0;
    for &(index, start_ms) in starts {
        put_varint(into, u64::from(index));
        put_signed(into, start_ms.wrapping_sub(before));
        before = start_ms;
    }
}

fn read_starts(fields: &mut Fields<'_>) -> Option<Vec<(u32, i64)>> {
    let mut before = 0_i64;
    (0..count(fields, 2)?)
        .map(|_| {
            let index = fields.varint_u32()?;
            before = before.wrapping_add(signed(fields)?);
            Some((index, before))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_proto::metrics::{Histogram, STALE_NAN};

    use super::*;

    fn samples(times_and_values: &[(i64, f64)]) -> SeriesSamples {
        let mut samples = SeriesSamples::default();
        for &(time_ms, value) in times_and_values {
            samples.times_ms.push(time_ms);
            samples.values.push(value);
        }
        samples
    }

    fn same(one: &SeriesSamples, other: &SeriesSamples) -> bool {
        let bits = |samples: &SeriesSamples| samples.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        one.times_ms == other.times_ms
            && bits(one) == bits(other)
            && one.start_ms == other.start_ms
            && format!("{:?}", one.histograms) == format!("{:?}", other.histograms)
    }

    fn read(chunks: &[EncodedChunk], range: (i64, i64)) -> SeriesSamples {
        let mut read = SeriesSamples::default();
        for chunk in chunks {
            read_chunk(&chunk.bytes, range, &mut read).expect("own bytes");
        }
        read
    }

    fn check(samples: &SeriesSamples) -> usize {
        let merged = EncodedChunk::merged(samples).expect("encoded");
        let always = (i64::MIN, i64::MAX);
        for chunks in [&merged, &EncodedChunk::quick(samples)] {
            assert!(same(&read(chunks, always), samples), "{samples:?}");
            let in_all: u32 = chunks.iter().map(|chunk| chunk.samples).sum();
            assert_eq!(in_all as usize, samples.len());
        }
        if let (Some(&first), Some(&last)) = (samples.times_ms.first(), samples.times_ms.last()) {
            let middle = (first / 2 + last / 2, last.saturating_sub(1));
            assert!(same(&read(&merged, middle), &read(&EncodedChunk::quick(samples), middle)));
        }
        merged.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    fn timed(time_ms: i64, start_ms: i64) -> TimedHistogram {
        let histogram = Histogram { count: 3.0, ..Histogram::default() };
        TimedHistogram { time_ms, start_ms, histogram: Box::new(histogram) }
    }

    fn every_15s(values: impl Iterator<Item = f64>) -> SeriesSamples {
        samples(
            &values.enumerate().map(|(n, value)| (1_700_000_000_000 + n as i64 * 15_000, value)).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn chunks_come_back() {
        check(&SeriesSamples::default());
        check(&every_15s([1.0].into_iter()));
        check(&every_15s([1.0, f64::NAN, STALE_NAN, -0.0, 0.0, f64::INFINITY, 1e-300].into_iter()));
        assert!(check(&every_15s((0..480).map(|_| 5.0))) < 40);
        assert!(check(&every_15s((0..5000).map(|n| f64::from(n) * 0.25))) < 5000);
        let mut with_more = every_15s((0..1000).map(|n| f64::from(n * n % 1777) / 10.0));
        with_more.start_ms = (0..1000).map(|n| if n < 600 { 5 } else { 0 }).collect();
        with_more.histograms = (0..200).map(|n| timed(n * 7, 0)).collect();
        check(&with_more);
        with_more.histograms = (0..200).map(|n| timed(n * 7, if n < 150 { 0 } else { 1000 })).collect();
        check(&with_more);
        check(&samples(&[(5, 1.0), (6, 2.0), (1000, 3.0), (i64::MAX, 4.0)]));
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let chunk = EncodedChunk::merged(&every_15s((0..100).map(|n| f64::from(n) * 1.1))).expect("encoded").remove(0);
        for bit in 0..chunk.bytes.len() * 8 {
            let mut bytes = chunk.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read_chunk(&bytes, (i64::MIN, i64::MAX), &mut SeriesSamples::default()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_samples_come_back(
            steps in prop::collection::vec((1..100_000_i64, prop_oneof![any::<u64>().prop_map(f64::from_bits), Just(1.0), Just(2.5)]), 0..600),
        ) {
            let mut time_ms = -1000;
            let all: Vec<_> = steps.into_iter().map(|(step, value)| { time_ms += step; (time_ms, value) }).collect();
            check(&samples(&all));
        }

        #[test]
        fn any_bytes_are_read_without_harm(kind in 0..4_u8, mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            bytes.insert(0, kind);
            let crc = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&crc.to_le_bytes());
            let _ = read_chunk(&bytes, (i64::MIN, i64::MAX), &mut SeriesSamples::default());
        }
    }
}
