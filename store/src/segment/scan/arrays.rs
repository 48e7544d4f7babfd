//! Turns columns into Arrow arrays, without a copy where the rows are whole.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampNanosecondArray, UInt32Array, types::UInt32Type,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;

use crate::columns::{Column, Dictionary, Values};
use crate::segment::SegmentError;

/// The array of a column over `count` rows.
pub(super) fn array(column: Column, count: u32, wanted: &DataType) -> Result<ArrayRef, SegmentError> {
    let nulls = column.rows.as_ref().filter(|rows| rows.len() < count as usize).map(|rows| nulls(rows, count));
    // Rows beside `nulls`: where every row has a value they are all there, in order.
    let rows = column.rows.filter(|_| nulls.is_some());
    match column.values {
        Values::Bytes { codes, dictionary } => {
            let codes = spread(codes, rows.as_deref(), count);
            match wanted {
                DataType::FixedSizeBinary(width) => ids(&codes, &dictionary, *width, nulls),
                _ => texts(codes, dictionary, nulls),
            }
        }
        Values::Words(words) => {
            let words = spread(words, rows.as_deref(), count);
            Ok(numbers(words, nulls, wanted))
        }
    }
}

fn nulls(rows: &[u32], count: u32) -> NullBuffer {
    let mut builder = BooleanBufferBuilder::new(count as usize);
    builder.append_n(count as usize, false);
    for &row in rows {
        builder.set_bit(row as usize, true);
    }
    NullBuffer::new(builder.finish())
}

/// Values at their rows, zeros between.
fn spread<T: Copy + Default>(values: Vec<T>, rows: Option<&[u32]>, count: u32) -> Vec<T> {
    let Some(rows) = rows else { return values };
    let mut out = vec![T::default(); count as usize];
    for (&row, value) in rows.iter().zip(values) {
        out[row as usize] = value;
    }
    out
}

fn numbers(words: Vec<u64>, nulls: Option<NullBuffer>, wanted: &DataType) -> ArrayRef {
    match wanted {
        DataType::Int32 => {
            let values: Vec<i32> = words.into_iter().map(|word| word as i32).collect();
            Arc::new(Int32Array::new(values.into(), nulls))
        }
        DataType::UInt32 => {
            let values: Vec<u32> = words.into_iter().map(|word| word as u32).collect();
            Arc::new(UInt32Array::new(values.into(), nulls))
        }
        DataType::Float64 => {
            let values: Vec<f64> = words.into_iter().map(f64::from_bits).collect();
            Arc::new(Float64Array::new(values.into(), nulls))
        }
        DataType::Boolean => Arc::new(BooleanArray::new(words.iter().map(|&word| word != 0).collect(), nulls)),
        DataType::FixedSizeBinary(_) => {
            let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
            Arc::new(FixedSizeBinaryArray::new(8, Buffer::from_vec(bytes), nulls))
        }
        DataType::Timestamp(_, zone) => {
            let array = TimestampNanosecondArray::new(signed(words), nulls);
            Arc::new(array.with_timezone_opt(zone.clone()))
        }
        _ => Arc::new(Int64Array::new(signed(words), nulls)),
    }
}

/// As signed numbers, in place. What is beyond the largest (times from the year 2262 on, spans of centuries) is shown as the largest:
/// so order stays, and nothing is negative.
fn signed(words: Vec<u64>) -> ScalarBuffer<i64> {
    words.into_iter().map(|word| word.min(i64::MAX as u64) as i64).collect::<Vec<i64>>().into()
}

fn ids(
    codes: &[u32],
    dictionary: &Dictionary,
    width: i32,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, SegmentError> {
    let mut bytes = MutableBuffer::with_capacity(codes.len() * width as usize);
    // Codes of rows without a value are 0: there may be no such value.
    if dictionary.len() == 0 {
        bytes.resize(codes.len() * width as usize, 0);
    } else {
        codes.iter().for_each(|&code| bytes.extend_from_slice(dictionary.get(code)));
    }
    let ids = FixedSizeBinaryArray::try_new(width, bytes.into(), nulls);
    ids.map(|ids| Arc::new(ids) as ArrayRef).map_err(|error| SegmentError::damaged(format!("ids: {error}")))
}

fn texts(codes: Vec<u32>, dictionary: Dictionary, nulls: Option<NullBuffer>) -> Result<ArrayRef, SegmentError> {
    let damaged = |error| SegmentError::damaged(format!("text: {error}"));
    let (arena, offsets) = dictionary.into_parts();
    if i32::try_from(arena.len()).is_err() {
        return Err(SegmentError::damaged("text beyond 2 GiB in one row group"));
    }
    // Codes of rows without a value are 0: there has to be such a value.
    let offsets = if offsets.len() == 1 && !codes.is_empty() { vec![0, 0] } else { offsets };
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let values = StringArray::try_new(offsets, Buffer::from_vec(arena), None).map_err(damaged)?;
    let keys = UInt32Array::new(codes.into(), nulls);
    let array = DictionaryArray::<UInt32Type>::try_new(keys, Arc::new(values)).map_err(damaged)?;
    Ok(Arc::new(array))
}
