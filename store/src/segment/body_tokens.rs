//! What bodies hold, told without reading them: a bloom filter for each row group over their words and over samples of their long runs.
//!
//! A filter answers for substrings, in which only what is whole counts: a word that has an end on both sides within the needle, and each sample of
//! a run, which depends on the run's bytes alone. Nothing is lower-cased, cut or left out. The bodies themselves are in the filter, too, as readers of
//! Parquet expect it.

use parquet::bloom_filter::Sbbf;

use super::{
    chunk_writer::BLOOM_VALUES_MIN,
    column::{ChunkView, ValuesView},
};

/// Shorter words are in nearly every row group: they are not looked for either.
const WORD_BYTES_MIN: usize = 3;

/// Bytes of a sample of a run.
const SAMPLE_BYTES: usize = 8;

/// Of so many neighbouring samples the one with the least hash is kept (minimizers: Schleimer, Wilkerson and Aiken, "Winnowing", 2003).
const WINDOW: usize = 8;

/// A run of at least so many bytes has a sample, wherever the needle begins and ends.
const RUN_BYTES_MIN: usize = SAMPLE_BYTES + WINDOW - 1;

/// Hashes that were seen a moment ago, as a power of two: most words of a line are in the one before.
const RECENT: usize = 1 << 13;

/// Largest filter.
const FILTER_BYTES_MAX: usize = 8 << 20;

/// The filter over the bodies of a row group, where there are enough to be worth one.
pub(super) fn filter(view: ChunkView<'_>) -> Option<Sbbf> {
    let ValuesView::Bytes { codes, dictionary } = view.values else { return None };
    if codes.len() < BLOOM_VALUES_MIN {
        return None;
    }
    let mut seen = Seen { recent: vec![0; RECENT], hashes: Vec::new() };
    let mut last = None;
    for &code in codes {
        if last.replace(code) != Some(code) {
            for_each_hash(dictionary.get(code), Ends::Bound, &mut |hash| seen.add(hash));
        }
    }
    let Seen { mut hashes, .. } = seen;
    hashes.sort_unstable();
    hashes.dedup();
    // A power of two (Arrow insists), between 7 and 14 bits for each.
    let bytes = ((hashes.len() + codes.len()) * 7 / 8).next_power_of_two().clamp(32, FILTER_BYTES_MAX);
    let mut filter = Sbbf::new_with_num_of_bytes(bytes);
    for hash in hashes {
        filter.insert(&hash.to_le_bytes()[..]);
    }
    for &code in codes {
        filter.insert(dictionary.get(code));
    }
    Some(filter)
}

/// What of a needle a filter may be asked for.
#[derive(Debug)]
pub(super) struct NeedleHashes(Vec<u64>);

impl NeedleHashes {
    /// Of a needle.
    pub(super) fn of(needle: &[u8]) -> Self {
        let mut hashes = Vec::new();
        for_each_hash(needle, Ends::Open, &mut |hash| hashes.push(hash));
        Self(hashes)
    }

    /// Whether nothing can be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// False when no body of the filter's row group has the needle in it.
    pub(super) fn may_be_in(&self, filter: &Sbbf) -> bool {
        self.0.iter().all(|hash| filter.check(&hash.to_le_bytes()[..]))
    }
}

struct Seen {
    recent: Vec<u64>,
    hashes: Vec<u64>,
}

impl Seen {
    #[inline]
    fn add(&mut self, hash: u64) {
        let recent = &mut self.recent[hash as usize % RECENT];
        if *recent != hash {
            *recent = hash;
            self.hashes.push(hash);
        }
    }
}

/// Whether a word that touches an end of the text ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A whole text.
    Bound,
    /// A part of one.
    Open,
}

/// What a byte is part of: nothing, runs, or words and runs.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is_word = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80..);
        classes[byte] = if is_word {
            2
        } else if byte as u8 == b'-' {
            1
        } else {
            0
        };
        byte += 1;
    }
    classes
};

/// Calls `visit` with the hash of every word and of every kept sample.
fn for_each_hash(text: &[u8], ends: Ends, visit: &mut impl FnMut(u64)) {
    let class = |at: usize| text.get(at).map_or(0, |&byte| CLASSES[usize::from(byte)]);
    let mut at = 0;
    while at < text.len() {
        let run = at;
        while class(at) > 0 {
            let word = at;
            while class(at) == 2 {
                at += 1;
            }
            let is_whole = ends == Ends::Bound || (word > 0 && at < text.len());
            if at - word >= WORD_BYTES_MIN && is_whole {
                visit(hash_of(&text[word..at]));
            }
            at += usize::from(class(at) == 1);
        }
        if at - run >= RUN_BYTES_MIN {
            for_each_sample(&text[run..at], visit);
        }
        // What ended the run.
        at += 1;
    }
}

/// Calls `visit` with the least hash of each window of samples of a run, once where windows share it.
fn for_each_sample(run: &[u8], visit: &mut impl FnMut(u64)) {
    let mut window = [u64::MAX; WINDOW];
    let (mut least, mut least_at, mut visited) = (u64::MAX, 0, None);
    for (number, sample) in run.windows(SAMPLE_BYTES).enumerate() {
        let hash = mix(u64::from_le_bytes(sample.try_into().expect("eight bytes")) ^ SAMPLE_SEED);
        window[number % WINDOW] = hash;
        if hash <= least {
            (least, least_at) = (hash, number);
        } else if number - least_at >= WINDOW {
            // It left the window: the least of those that are in it, of equal ones the last.
            (least, least_at) = (number + 1 - WINDOW..=number)
                .map(|number| (window[number % WINDOW], number))
                .reduce(|least, one| if one.0 <= least.0 { one } else { least })
                .expect("a window is not empty");
        }
        if number + 1 >= WINDOW && visited != Some(least) {
            visited = Some(least);
            visit(least);
        }
    }
}

/// Tells samples from words.
const SAMPLE_SEED: u64 = 0x5851_f42d_4c95_7f2d;

/// A hash that is part of the format.
fn hash_of(word: &[u8]) -> u64 {
    let mut hash = word.len() as u64;
    let mut chunks = word.chunks_exact(8);
    for chunk in &mut chunks {
        hash = mix(hash ^ u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(hash ^ u64::from_le_bytes(rest))
}

/// MurmurHash3's finaliser.
#[inline]
fn mix(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::column::Column;

    fn filter_of(bodies: &[String]) -> Sbbf {
        let mut column = Column::sparse_bytes();
        for (row, body) in (0..).zip(bodies) {
            column.push_bytes(row, body.as_bytes());
        }
        filter(column.slice(0, bodies.len() as u32)).expect("enough bodies")
    }

    fn bodies() -> Vec<String> {
        let line = |n: u64| {
            let id = mix(n);
            format!(
                r#"{{"level":"info","trace_id":"{id:016x}{:016x}","msg":"order {n} für 東京都の顧客 placed-by-user_{id:08x}"}}"#,
                mix(id)
            )
        };
        (0..2000).map(line).chain(["".to_owned(), "x".repeat(100)]).collect()
    }

    #[test]
    fn every_substring_of_every_body_may_be_in() {
        let bodies = bodies();
        let filter = filter_of(&bodies);
        for body in bodies.iter().step_by(97) {
            assert!(filter.check(body.as_bytes()), "what Parquet's readers ask");
            for from in 0..body.len() {
                for to in (from..=body.len()).step_by(3) {
                    let needle = &body.as_bytes()[from..to];
                    assert!(NeedleHashes::of(needle).may_be_in(&filter), "{}", String::from_utf8_lossy(needle));
                }
            }
        }
    }

    #[test]
    fn what_is_nowhere_is_mostly_known_to_be() {
        let filter = filter_of(&bodies());
        let is_out = |needle: &str| !NeedleHashes::of(needle.as_bytes()).may_be_in(&filter);
        // Bounded words, and long runs that are bounded nowhere.
        for kind in [
            |n: u64| format!(" {:x} ", mix(n)),
            |n: u64| format!("{:016x}", mix(n)),
            |n: u64| format!("\"user-{:012x}\"", mix(n) >> 16),
        ] {
            let out = (1 << 40..(1 << 40) + 1000).filter(|&n| is_out(&kind(n))).count();
            assert!(out > 950, "{out} of 1000");
        }
        // Nothing is known of words that go on beyond the needle.
        for needle in ["rder", "zzz", "INFO", "都の", "", "-", "zzz-zzz"] {
            assert!(NeedleHashes::of(needle.as_bytes()).is_empty(), "{needle}");
        }
    }
}
