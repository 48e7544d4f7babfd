//! What bodies hold, told without reading them: a bloom filter for each row group over their words and over samples of their long runs.
//!
//! A filter answers for substrings, in which only what is whole counts: a word that has an end on both sides within the needle, and each sample of
//! a run, which depends on the run's bytes alone. Nothing is lower-cased, cut or left out. A run that is an id, as most long ones are, is one
//! token as a whole: of a needle that may be a part of an id nothing is asked. Bodies that are kept as texts are in the filter, too, as readers of
//! Parquet expect it.
//!
//! Bodies that have templates are told by their parts: the literal text of templates, and each value. Between them is always a character that
//! ends a run.

use parquet::bloom_filter::Sbbf;

use super::{
    field_column::write_word,
    template::{Escaping, Slot, Template},
};
use crate::columns::{BLOOM_VALUES_MIN, ChunkView, ColumnSpec, Kind, Packing, ValuesView};

/// Shorter words are in nearly every row group: they are not looked for either.
const WORD_BYTES_MIN: usize = 3;

/// Bytes of a sample of a run.
const SAMPLE_BYTES: usize = 8;

/// Of so many neighbouring samples the one with the least hash is kept (minimizers: Schleimer, Wilkerson and Aiken, "Winnowing", 2003).
const WINDOW: usize = 8;

/// A run of at least so many bytes has a sample, wherever the needle begins and ends.
const RUN_BYTES_MIN: usize = SAMPLE_BYTES + WINDOW - 1;

/// Longest id: a UUID.
const ID_BYTES_MAX: usize = 36;

/// Hashes that were seen a moment ago, as a power of two: most words of a line are in the one before.
const RECENT: usize = 1 << 13;

/// Largest filter.
const FILTER_BYTES_MAX: usize = 8 << 20;

/// Which tokens a filter has; a number of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    /// 0: words and samples.
    OfRuns,
    /// 1: words and samples; of ids themselves alone.
    WithIds,
}

impl Tokens {
    /// Of a manifest's number.
    pub(super) fn of(number: u32) -> Self {
        if number == 0 { Self::OfRuns } else { Self::WithIds }
    }
}

/// Gathers what a filter over the bodies of a row group holds.
#[derive(Debug, Default)]
pub(super) struct BodyFilter {
    recent: Vec<u64>,
    hashes: Vec<u64>,
    /// How templates have strings escaped.
    escapings: Vec<Escaping>,
    /// Bodies and templates.
    rows: usize,
    text: Vec<u8>,
}

impl BodyFilter {
    /// For a row group with these templates.
    pub(super) fn new(templates: Option<ChunkView<'_>>) -> Self {
        let mut filter = Self { recent: vec![0; RECENT], ..Self::default() };
        let Some(view) = templates else { return filter };
        filter.rows += view_len(&view);
        for_each_text(view, |text| {
            let Some(template) = Template::parse(text) else { return };
            for (number, slot) in template.slots.iter().enumerate() {
                filter.add(template.literal(number));
                if let Slot::Text(escaping) = slot
                    && !filter.escapings.contains(escaping)
                {
                    filter.escapings.push(*escaping);
                }
            }
            filter.add(template.literal(template.slots.len()));
        });
        filter
    }

    /// Adds the values of a field, or of ids that are one.
    pub(super) fn add_field(&mut self, spec: &ColumnSpec, packing: Packing, view: ChunkView<'_>) {
        match view.values {
            ValuesView::Bytes { .. } if spec.kind == Kind::Id16 => {
                for_each_text(view, |id| self.add_hex(id));
            }
            ValuesView::Bytes { .. } if matches!(packing, Packing::Hex8 | Packing::Hex16 | Packing::Uuid) => {
                for_each_text(view, |text| self.add_hash(id_hash(text)));
            }
            ValuesView::Bytes { .. } => for_each_text(view, |text| self.add_value(text)),
            ValuesView::Words(words) if spec.kind == Kind::Id8 => {
                words.iter().for_each(|word| self.add_hex(&word.to_le_bytes()));
            }
            ValuesView::Words(_) if spec.kind == Kind::Bool => {
                self.add(b"true");
                self.add(b"false");
            }
            ValuesView::Words(words) => {
                let mut last = None;
                for &word in words {
                    if last.replace(word) != Some(word) {
                        let mut text = std::mem::take(&mut self.text);
                        text.clear();
                        write_word(spec.kind, word, &mut text);
                        self.add(&text);
                        self.text = text;
                    }
                }
            }
        }
    }

    fn add_hex(&mut self, id: &[u8]) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        Packing::Hex16.unpack(id, &mut text);
        self.add_hash(id_hash(&text));
        self.text = text;
    }

    /// A value as it stands in the body: as it is, or escaped in one of the manners of the templates.
    fn add_value(&mut self, value: &[u8]) {
        self.add(value);
        let is_plain =
            |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'#'..=b'%' | b'\''..=b';' | b'_');
        if value.iter().all(is_plain) {
            return;
        }
        let mut text = std::mem::take(&mut self.text);
        for at in 0..self.escapings.len() {
            text.clear();
            self.escapings[at].write(value, &mut text);
            if text != value {
                self.add(&text);
            }
        }
        self.text = text;
    }

    fn add(&mut self, text: &[u8]) {
        let Self { recent, hashes, .. } = self;
        for_each_hash(text, Ends::Bound, Tokens::WithIds, &mut |hash| note(recent, hashes, hash));
    }

    fn add_hash(&mut self, hash: u64) {
        note(&mut self.recent, &mut self.hashes, hash);
    }

    /// The filter, where there are enough bodies to be worth one; `bodies` are those that are kept as texts.
    pub(super) fn finish(mut self, bodies: ChunkView<'_>) -> Option<Sbbf> {
        let ValuesView::Bytes { codes, dictionary } = bodies.values else { return None };
        if codes.len() + self.rows < BLOOM_VALUES_MIN {
            return None;
        }
        for_each_text(bodies, |text| self.add(text));
        let Self { mut hashes, .. } = self;
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
}

#[inline]
fn note(recent: &mut [u64], hashes: &mut Vec<u64>, hash: u64) {
    let recent = &mut recent[hash as usize % RECENT];
    if *recent != hash {
        *recent = hash;
        hashes.push(hash);
    }
}

fn view_len(view: &ChunkView<'_>) -> usize {
    match view.values {
        ValuesView::Bytes { codes, .. } => codes.len(),
        ValuesView::Words(words) => words.len(),
    }
}

/// Each text of a view, and hardly any twice.
fn for_each_text(view: ChunkView<'_>, mut visit: impl FnMut(&[u8])) {
    let ValuesView::Bytes { codes, dictionary } = view.values else { return };
    let mut is_seen = vec![false; if dictionary.is_distinct() { dictionary.len() } else { 0 }];
    let mut last = None;
    for &code in codes {
        if last.replace(code) == Some(code) {
            continue;
        }
        if let Some(is_seen) = is_seen.get_mut(code as usize)
            && std::mem::replace(is_seen, true)
        {
            continue;
        }
        visit(dictionary.get(code));
    }
}

/// What of a needle a filter may be asked for: of each part one of its alternatives is in the filter when the needle is in a body.
#[derive(Debug)]
pub(super) struct NeedleHashes(Vec<Vec<Vec<u64>>>);

impl NeedleHashes {
    /// Of a needle, asked of a filter with these tokens.
    pub(super) fn of(needle: &[u8], tokens: Tokens) -> Self {
        Self::with_ends(needle, Ends::Open, tokens)
    }

    /// Of the whole value of a field.
    pub(super) fn of_value(value: &[u8], tokens: Tokens) -> Self {
        Self::with_ends(value, Ends::Bound, tokens)
    }

    fn with_ends(text: &[u8], ends: Ends, tokens: Tokens) -> Self {
        let mut parts = Vec::new();
        for_each_run(text, |run, at| {
            let is_bound = ends == Ends::Bound || (at > 0 && at + run.len() < text.len());
            let mut hashes = Vec::new();
            let run_ends = if is_bound { Ends::Bound } else { Ends::Open };
            hashes_of_run(text, run, at, ends, &mut |hash| hashes.push(hash));
            let may_be_id = tokens == Tokens::WithIds && may_be_in_id(run);
            match (may_be_id, is_id(run), run_ends) {
                (false, ..) => parts.extend(hashes.into_iter().map(|hash| vec![vec![hash]])),
                // What it is is known: an id, or something else with the letters of one.
                (true, true, Ends::Bound) => parts.push(vec![vec![id_hash(run)]]),
                (true, false, Ends::Bound) => parts.extend(hashes.into_iter().map(|hash| vec![vec![hash]])),
                // An id, or a part of something that is longer than any.
                (true, true, Ends::Open) if run.len() > ID_BYTES_MAX / 2 => {
                    parts.push(vec![vec![id_hash(run)], hashes])
                }
                _ => {}
            }
        });
        Self(parts)
    }

    /// Whether nothing can be asked.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// False when no body of a row group has the needle in it, whose filter `has` some hashes.
    pub(super) fn may_be_in(&self, has: &dyn Fn(u64) -> bool) -> bool {
        self.0.iter().all(|part| part.iter().any(|alternative| alternative.iter().all(|&hash| has(hash))))
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

/// Calls `visit` with each run and where it begins.
#[inline]
fn for_each_run<'t>(text: &'t [u8], mut visit: impl FnMut(&'t [u8], usize)) {
    let class = |at: usize| text.get(at).map_or(0, |&byte| CLASSES[usize::from(byte)]);
    let mut at = 0;
    while at < text.len() {
        let run = at;
        while class(at) > 0 {
            at += 1;
        }
        if at > run {
            visit(&text[run..at], run);
        }
        // What ended the run.
        at += 1;
    }
}

/// Calls `visit` with the hash of every word and of every kept sample, or of every id.
fn for_each_hash(text: &[u8], ends: Ends, tokens: Tokens, visit: &mut impl FnMut(u64)) {
    for_each_run(text, |run, at| {
        if tokens == Tokens::WithIds && is_id(run) {
            visit(id_hash(run));
        } else if run.len() >= WORD_BYTES_MIN {
            hashes_of_run(text, run, at, ends, visit);
        }
    });
}

/// Calls `visit` with the hash of every word and of every kept sample of the run that begins at `run_at`.
#[inline]
fn hashes_of_run(text: &[u8], run: &[u8], run_at: usize, ends: Ends, visit: &mut impl FnMut(u64)) {
    let mut at = 0;
    for word in run.split(|&byte| byte == b'-') {
        let from = run_at + at;
        at += word.len() + 1;
        let is_whole = ends == Ends::Bound || (from > 0 && from + word.len() < text.len());
        if word.len() >= WORD_BYTES_MIN && is_whole {
            visit(hash_of(word));
        }
    }
    if run.len() >= RUN_BYTES_MIN {
        for_each_sample(run, visit);
    }
}

/// Whether a run is an id: 16 or 32 lower-case hex digits, or a UUID in lower case.
#[inline]
fn is_id(run: &[u8]) -> bool {
    match run.len() {
        16 => Packing::Hex8.fits(run),
        32 => Packing::Hex16.fits(run),
        ID_BYTES_MAX => Packing::Uuid.fits(run),
        _ => false,
    }
}

/// Whether a run may be an id or a part of one.
fn may_be_in_id(run: &[u8]) -> bool {
    run.len() <= ID_BYTES_MAX && run.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
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

/// Tells ids from words.
const ID_SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// The hash of an id.
#[inline]
fn id_hash(id: &[u8]) -> u64 {
    mix(hash_of(id) ^ ID_SEED)
}

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
    use crate::columns::Column;

    fn filter_of(bodies: &[String]) -> Sbbf {
        let mut column = Column::sparse_bytes();
        for (row, body) in (0..).zip(bodies) {
            column.push_bytes(row, body.as_bytes());
        }
        BodyFilter::new(None).finish(column.slice(0, bodies.len() as u32)).expect("enough bodies")
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
                    assert!(
                        NeedleHashes::of(needle, Tokens::WithIds)
                            .may_be_in(&|hash| filter.check(&hash.to_le_bytes()[..])),
                        "{}",
                        String::from_utf8_lossy(needle)
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_nowhere_is_mostly_known_to_be() {
        let filter = filter_of(&bodies());
        let is_out = |needle: &str| {
            !NeedleHashes::of(needle.as_bytes(), Tokens::WithIds)
                .may_be_in(&|hash| filter.check(&hash.to_le_bytes()[..]))
        };
        // Bounded words, and long runs that are bounded nowhere.
        for kind in [
            |n: u64| format!(" {:x} ", mix(n)),
            |n: u64| format!("{:016x}{:016x}", mix(n), mix(n + 1)),
            |n: u64| format!("x{:016x}", mix(n)),
            |n: u64| format!("\"user-{:012x}\"", mix(n) >> 16),
        ] {
            let out = (1 << 40..(1 << 40) + 1000).filter(|&n| is_out(&kind(n))).count();
            assert!(out > 950, "{out} of 1000");
        }
        // Nothing is known of words that go on beyond the needle.
        for needle in ["rder", "zzz", "INFO", "都の", "", "-", "zzz-zzz", "0123456789abcdef", "0123abcd-0123-4bcd"] {
            assert!(NeedleHashes::of(needle.as_bytes(), Tokens::WithIds).is_empty(), "{needle}");
        }
    }
}
