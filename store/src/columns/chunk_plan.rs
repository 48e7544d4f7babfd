//! Decides how the values of a column chunk are encoded.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{
    chunk_writer::{write_plain_bytes, write_plain_words},
    column::{ChunkView, ValuesView},
    dictionary::Dictionary,
    encoding::{bits, page},
    packing::Packing,
    spec::{ColumnSpec, Kind, Nature},
};

/// Largest dictionary page, ids aside: looking up one trace decodes it.
const DICTIONARY_BYTES_MAX: usize = 512 << 10;
/// Numbers that look for a dictionary give up at this many distinct ones.
const DISTINCT_WORDS_MAX: usize = 1 << 16;
/// After this many numbers, a column of mostly distinct ones gives up early.
const TRIAL_WORDS: usize = 2048;

const NONE: u32 = u32::MAX;

/// How a chunk's values are encoded.
#[derive(Debug)]
pub(crate) enum Plan {
    /// RLE_DICTIONARY.
    Dictionary {
        /// Codes local to the chunk.
        codes: Vec<u32>,
        /// Bits of a code.
        width: u32,
        /// The dictionary page's content.
        page: Vec<u8>,
        /// Entries in it.
        count: u32,
        /// For byte strings: the code in the column's dictionary behind each local code.
        global: Vec<u32>,
    },
    /// PLAIN.
    Plain,
    /// DELTA_BINARY_PACKED.
    Delta,
    /// DELTA_LENGTH_BYTE_ARRAY.
    DeltaLength,
    /// BYTE_STREAM_SPLIT.
    Split,
}

impl Plan {
    /// Parquet's number for the data pages' encoding.
    pub(crate) fn encoding(&self) -> i32 {
        match self {
            Self::Dictionary { .. } => page::DICTIONARY,
            Self::Plain => page::PLAIN,
            Self::Delta => page::DELTA,
            Self::DeltaLength => page::DELTA_LENGTH,
            Self::Split => page::SPLIT,
        }
    }
}

/// Makes plans; keeps its tables from one chunk to the next.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    /// From a code of the column's dictionary to the chunk's; all [`NONE`] between calls.
    local: Vec<u32>,
    /// Of each of the chunk's codes, the bytes that its value takes in PLAIN encoding.
    plain_bytes: Vec<u32>,
    words: HashTable<(u64, u32)>,
    codes: Vec<u32>,
}

impl Planner {
    /// Decides.
    pub(crate) fn plan(&mut self, spec: &ColumnSpec, view: ChunkView<'_>) -> Plan {
        match view.values {
            ValuesView::Bytes { codes, dictionary } => self.plan_bytes(spec, codes, dictionary),
            ValuesView::Words(words) => self.plan_words(spec, words),
        }
    }

    /// Takes back a plan's buffers.
    pub(crate) fn recycle(&mut self, plan: Plan) {
        if let Plan::Dictionary { codes, .. } = plan {
            self.codes = codes;
        }
    }

    fn plan_bytes(&mut self, spec: &ColumnSpec, codes: &[u32], dictionary: &Dictionary) -> Plan {
        let plain = match (spec.kind, spec.packing) {
            (_, Packing::Time(_)) => Plan::Delta,
            (_, Packing::IdAsHex) => Plan::DeltaLength,
            (Kind::Id16, _) | (_, Packing::Hex8 | Packing::Hex16 | Packing::Uuid) => Plan::Plain,
            _ => Plan::DeltaLength,
        };
        if !dictionary.is_distinct() {
            return plain;
        }
        if self.local.len() < dictionary.len() {
            self.local.resize(dictionary.len(), NONE);
        }
        let mut global = Vec::new();
        let mut local_codes = std::mem::take(&mut self.codes);
        local_codes.clear();
        self.plain_bytes.clear();
        let mut plain_bytes = 0;
        let mut dictionary_bytes = 0;
        // Many values are their neighbour's.
        let mut last = (NONE, NONE, 0);
        local_codes.extend(codes.iter().map(|&code| {
            if code != last.0 {
                let local = &mut self.local[code as usize];
                if *local == NONE {
                    *local = global.len() as u32;
                    global.push(code);
                    let value_bytes = spec.stored_bytes(dictionary.value_len(code));
                    dictionary_bytes += value_bytes;
                    self.plain_bytes.push(value_bytes as u32);
                }
                last = (code, *local, self.plain_bytes[*local as usize] as usize);
            }
            plain_bytes += last.2;
            last.1
        }));
        for &code in &global {
            self.local[code as usize] = NONE;
        }
        let width = bits::width_of(global.len().saturating_sub(1) as u64);
        let coded_bytes = dictionary_bytes + codes.len() * width as usize / 8;
        let fits = dictionary_bytes <= DICTIONARY_BYTES_MAX || spec.kind == Kind::Id16;
        if !fits || coded_bytes * 5 > plain_bytes * 4 + 64 {
            self.codes = local_codes;
            return plain;
        }
        let mut page = Vec::with_capacity(dictionary_bytes);
        for &code in &global {
            write_plain_bytes(spec, dictionary.get(code), &mut page);
        }
        Plan::Dictionary { codes: local_codes, width, page, count: global.len() as u32, global }
    }

    fn plan_words(&mut self, spec: &ColumnSpec, words: &[u64]) -> Plan {
        let otherwise = match spec.kind {
            Kind::Bool => return Plan::Plain,
            Kind::Time => return Plan::Delta,
            Kind::Id8 if spec.required => return spec.plain_ids(),
            Kind::Id8 => spec.plain_ids(),
            Kind::Double => Plan::Split,
            _ if spec.nature == Nature::Scattered => return Plan::Split,
            Kind::Int64 => Plan::Delta,
            _ => Plan::Plain,
        };
        match self.word_codes(spec.kind, words) {
            Some((codes, distinct)) => {
                let width = bits::width_of(distinct.len().saturating_sub(1) as u64);
                let mut page = Vec::with_capacity(distinct.len() * 8);
                write_plain_words(spec, &distinct, &mut page);
                let count = distinct.len() as u32;
                Plan::Dictionary { codes, width, page, count, global: Vec::new() }
            }
            None => otherwise,
        }
    }

    /// Codes for the numbers, when they repeat enough to be worth a dictionary.
    fn word_codes(&mut self, kind: Kind, words: &[u64]) -> Option<(Vec<u32>, Vec<u64>)> {
        let hasher = RandomState::default();
        self.words.clear();
        let mut codes = std::mem::take(&mut self.codes);
        codes.clear();
        codes.reserve(words.len());
        let mut distinct: Vec<u64> = Vec::new();
        let mut last = (0, NONE);
        for (index, &word) in words.iter().enumerate() {
            if word == last.0 && last.1 != NONE {
                codes.push(last.1);
                continue;
            }
            let hash = hasher.hash_one(word);
            let code = match self.words.find(hash, |entry| entry.0 == word) {
                Some(&(_, code)) => code,
                None => {
                    let code = distinct.len() as u32;
                    distinct.push(word);
                    self.words.insert_unique(hash, (word, code), |entry| hasher.hash_one(entry.0));
                    code
                }
            };
            codes.push(code);
            last = (word, code);
            let early = index == TRIAL_WORDS && distinct.len() * 4 > TRIAL_WORDS * 3 && kind != Kind::Id8;
            if early || (distinct.len() > DISTINCT_WORDS_MAX && kind != Kind::Id8) {
                self.codes = codes;
                return None;
            }
        }
        let value_bytes = kind.width().expect("only fixed widths get here");
        let width = bits::width_of(distinct.len().saturating_sub(1) as u64) as usize;
        let coded_bytes = distinct.len() * value_bytes + codes.len() * width / 8;
        // Numbers without a dictionary shrink too, about by half.
        let plain_bytes = words.len() * value_bytes * if kind == Kind::Id8 { 8 } else { 4 } / 8;
        if coded_bytes > plain_bytes + 64 {
            self.codes = codes;
            return None;
        }
        Some((codes, distinct))
    }
}
