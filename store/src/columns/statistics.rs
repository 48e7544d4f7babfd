//! Smallest and largest values of column chunks and pages.

use std::ops::Range;

use parquet::file::statistics::Statistics;

use super::{
    chunk_plan::Plan,
    chunk_writer::byte_statistics,
    column::{ChunkView, ValuesView},
    packing::Packing,
    spec::{ColumnSpec, Kind, Nature},
};

/// Longest byte string that is worth being a bound.
const BOUND_BYTES_MAX: usize = 128;

/// Smallest and largest value, PLAIN encoded (byte strings without their length).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Smallest.
    pub(crate) min: Vec<u8>,
    /// Largest.
    pub(crate) max: Vec<u8>,
}

/// The bounds of a chunk and its pages.
pub(crate) struct ChunkBounds {
    kind: Kind,
    packing: Packing,
    nulls: u64,
    whole: Option<Bounds>,
    /// Of each page, `None` for one without values; `None` when the column keeps none.
    pub(crate) pages: Option<Vec<Option<Bounds>>>,
}

/// Bounds of the numbers, of `service` and of `name`.
pub(crate) fn of(
    spec: &ColumnSpec,
    view: ChunkView<'_>,
    plan: &Plan,
    pages: impl Iterator<Item = Range<usize>>,
) -> ChunkBounds {
    let values = match view.values {
        ValuesView::Bytes { codes, .. } => codes.len(),
        ValuesView::Words(words) => words.len(),
    };
    let mut bounds = ChunkBounds {
        kind: spec.kind,
        packing: spec.packing,
        nulls: u64::from(view.count) - values as u64,
        whole: None,
        pages: None,
    };
    match (spec.kind, view.values) {
        (Kind::Int32 | Kind::Uint32 | Kind::Int64 | Kind::Time, ValuesView::Words(words)) => {
            let encode = |(min, max): (i64, i64)| Bounds { min: bytes(spec.kind, min), max: bytes(spec.kind, max) };
            let ranges: Vec<Option<(i64, i64)>> = pages.map(|page| int_range(&words[page])).collect();
            let whole = ranges.iter().flatten().copied().reduce(|all, page| (all.0.min(page.0), all.1.max(page.1)));
            bounds.whole = whole.map(encode);
            bounds.pages = Some(ranges.into_iter().map(|range| range.map(encode)).collect());
        }
        // NaN has no place in an order: such a column keeps no bounds.
        (Kind::Double, ValuesView::Words(words)) if words.iter().all(|&word| !f64::from_bits(word).is_nan()) => {
            bounds.whole = double_range(words);
            bounds.pages = Some(pages.map(|page| double_range(&words[page])).collect());
        }
        (Kind::Text, ValuesView::Bytes { dictionary, .. }) if spec.nature == Nature::Bounding => {
            if let Plan::Dictionary { codes, global, .. } = plan {
                let text = |code: &u32| dictionary.get(global[*code as usize]);
                if global.iter().all(|&code| dictionary.value_len(code) <= BOUND_BYTES_MAX) {
                    let mut order: Vec<u32> = (0..global.len() as u32).collect();
                    order.sort_unstable_by_key(text);
                    let mut rank = vec![0u32; order.len()];
                    for (position, &code) in order.iter().enumerate() {
                        rank[code as usize] = position as u32;
                    }
                    let range = |codes: &[u32]| {
                        let ranks = codes.iter().map(|&code| rank[code as usize]);
                        let (min, max) = ranks.fold((u32::MAX, 0), |(min, max), rank| (min.min(rank), max.max(rank)));
                        (min <= max).then(|| Bounds {
                            min: text(&order[min as usize]).to_vec(),
                            max: text(&order[max as usize]).to_vec(),
                        })
                    };
                    bounds.whole = range(codes);
                    bounds.pages = Some(pages.map(|page| range(&codes[page])).collect());
                }
            }
        }
        _ => {}
    }
    bounds
}

impl ChunkBounds {
    /// For the footer.
    pub(crate) fn statistics(&self) -> Option<Statistics> {
        let nulls = Some(self.nulls);
        let (min, max) = match &self.whole {
            Some(Bounds { min, max }) => (Some(min.as_slice()), Some(max.as_slice())),
            None => (None, None),
        };
        Some(match self.kind {
            _ if matches!(self.packing, Packing::Time(_)) => Statistics::int64(None, None, None, nulls, false),
            _ if self.packing == Packing::IdAsHex => Statistics::byte_array(None, None, None, nulls, false),
            _ if self.packing != Packing::None => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
            Kind::Int32 | Kind::Uint32 => {
                Statistics::int32(min.map(|b| int(b) as i32), max.map(|b| int(b) as i32), None, nulls, false)
            }
            Kind::Int64 | Kind::Time => Statistics::int64(min.map(int), max.map(int), None, nulls, false),
            Kind::Double => {
                let double = |bytes: &[u8]| f64::from_bits(int(bytes) as u64);
                Statistics::double(min.map(double), max.map(double), None, nulls, false)
            }
            Kind::Bool => Statistics::boolean(None, None, None, nulls, false),
            Kind::Text | Kind::Json => match (min, max) {
                (Some(min), Some(max)) => byte_statistics(min, max, self.nulls),
                _ => Statistics::byte_array(None, None, None, nulls, false),
            },
            Kind::Id8 | Kind::Id16 => Statistics::fixed_len_byte_array(None, None, None, nulls, false),
        })
    }
}

fn int_range(words: &[u64]) -> Option<(i64, i64)> {
    let (min, max) =
        words.iter().fold((i64::MAX, i64::MIN), |(min, max), &word| (min.min(word as i64), max.max(word as i64)));
    (!words.is_empty()).then_some((min, max))
}

fn double_range(words: &[u64]) -> Option<Bounds> {
    let doubles = words.iter().map(|&word| f64::from_bits(word));
    let (mut min, mut max) =
        doubles.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(value), max.max(value)));
    // Zeros of both signs are one value in order (parquet.thrift, ColumnOrder).
    if min == 0.0 {
        min = -0.0;
    }
    if max == 0.0 {
        max = 0.0;
    }
    (!words.is_empty()).then(|| Bounds { min: min.to_le_bytes().to_vec(), max: max.to_le_bytes().to_vec() })
}

fn bytes(kind: Kind, value: i64) -> Vec<u8> {
    value.to_le_bytes()[..kind.width().expect("numbers have one")].to_vec()
}

fn int(bytes: &[u8]) -> i64 {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(eight)
}
