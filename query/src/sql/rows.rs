//! Arrow values as JSON: numbers as numbers, times as RFC 3339, what JSON has no number for as text.

use std::io::Write;

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray, MapArray, StructArray},
    compute::cast,
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
    },
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};

use super::error::SqlError;
use crate::trace::non_finite;

const SECOND_NS: i128 = 1_000_000_000;

/// What `columns` calls a type.
pub(super) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "int64",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => "uint64",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float64",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "decimal"
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, value) => type_name(value.data_type()),
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        DataType::Struct(_) => "struct",
        DataType::Map(..) => "map",
        other if other.is_nested() => "list",
        _ => "binary",
    }
}

/// A column whose values can be written one by one.
pub(super) enum Cells {
    Null,
    Boolean(ArrayRef),
    Int(ArrayRef),
    UInt(ArrayRef),
    Float(ArrayRef),
    Decimal(ArrayRef),
    Text(ArrayRef),
    Binary(ArrayRef),
    /// And how many ns its unit has.
    Timestamp(ArrayRef, i128),
    Date(ArrayRef),
    /// Each list's values.
    List(ArrayRef),
    Struct(StructArray),
    Map(MapArray),
    /// As Arrow displays it.
    Other(ArrayRef),
}

impl Cells {
    /// Prepares a column.
    pub(super) fn of(array: &dyn Array) -> Result<Self, SqlError> {
        let as_type = |data_type: &DataType| -> Result<ArrayRef, ArrowError> { cast(array, data_type) };
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.slice(0, array.len())),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Self::Int(as_type(&DataType::Int64)?)
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Self::UInt(as_type(&DataType::UInt64)?)
            }
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float(as_type(&DataType::Float64)?),
            DataType::Decimal128(..) | DataType::Decimal256(..) => Self::Decimal(array.slice(0, array.len())),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text(as_type(&DataType::Utf8View)?),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Binary(as_type(&DataType::LargeBinary)?)
            }
            DataType::Dictionary(_, value) => Self::of(as_type(value)?.as_ref())?,
            DataType::RunEndEncoded(_, value) => Self::of(as_type(value.data_type())?.as_ref())?,
            DataType::Timestamp(unit, _) => Self::Timestamp(array.slice(0, array.len()), unit_ns(*unit)),
            DataType::Date32 => Self::Date(array.slice(0, array.len())),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                Self::List(array.slice(0, array.len()))
            }
            DataType::Struct(_) => Self::Struct(array.as_struct().clone()),
            DataType::Map(..) => Self::Map(array.as_map().clone()),
            _ => Self::Other(array.slice(0, array.len())),
        })
    }

    /// Writes one value.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), SqlError> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Null => {}
            Self::Boolean(array) => write_as(array.as_boolean().value(row), out),
            Self::Int(array) => write_as(array.as_primitive::<Int64Type>().value(row), out),
            Self::UInt(array) => write_as(array.as_primitive::<UInt64Type>().value(row), out),
            Self::Float(array) => write_float(array.as_primitive::<Float64Type>().value(row), out),
            Self::Decimal(array) => {
                let text = match array.data_type() {
                    DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(row),
                    _ => array.as_primitive::<Decimal128Type>().value_as_string(row),
                };
                out.extend_from_slice(text.as_bytes());
            }
            Self::Text(array) => write_text(array.as_string_view().value(row), out),
            Self::Binary(array) => write_hex(array.as_binary::<i64>().value(row), out),
            Self::Timestamp(array, unit_ns) => write_timestamp(array, row, *unit_ns, out)?,
            Self::Date(array) => write_date(i64::from(array.as_primitive::<Date32Type>().value(row)), array, row, out)?,
            Self::List(array) => write_list(&values_of(array, row), out)?,
            Self::Struct(array) => write_struct(array, row, out)?,
            Self::Map(array) => write_map(array, row, out)?,
            Self::Other(array) => write_displayed(array, row, out)?,
        }
        Ok(())
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(array)
            | Self::Int(array)
            | Self::UInt(array)
            | Self::Float(array)
            | Self::Decimal(array)
            | Self::Text(array)
            | Self::Binary(array)
            | Self::Timestamp(array, _)
            | Self::Date(array)
            | Self::List(array)
            | Self::Other(array) => array.is_null(row),
            Self::Struct(array) => array.is_null(row),
            Self::Map(array) => array.is_null(row),
        }
    }
}

/// A JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text can be written to memory");
}

fn write_as(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("memory takes it");
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    match non_finite(value) {
        Some(name) => write_text(name, out),
        None => serde_json::to_writer(out, &value).expect("a number can be written to memory"),
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in bytes {
        write!(out, "{byte:02x}").expect("memory takes it");
    }
    out.push(b'"');
}

fn unit_ns(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => SECOND_NS,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// RFC 3339 in UTC with nanoseconds; outside the years 0 to 9999, for which it has no form, as Arrow displays it.
fn write_timestamp(array: &ArrayRef, row: usize, unit_ns: i128, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let value = match unit_ns {
        SECOND_NS => array.as_primitive::<TimestampSecondType>().value(row),
        1_000_000 => array.as_primitive::<TimestampMillisecondType>().value(row),
        1_000 => array.as_primitive::<TimestampMicrosecondType>().value(row),
        _ => array.as_primitive::<TimestampNanosecondType>().value(row),
    };
    let ns = i128::from(value) * unit_ns;
    let seconds = ns.div_euclid(SECOND_NS);
    let Some((year, month, day)) = i64::try_from(seconds.div_euclid(86_400)).ok().and_then(civil) else {
        return write_displayed(array, row, out);
    };
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = ns.rem_euclid(SECOND_NS);
    write!(out, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z\"")
        .expect("memory takes it");
    Ok(())
}

fn write_date(days: i64, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), SqlError> {
    match civil(days) {
        Some((year, month, day)) => write!(out, "\"{year:04}-{month:02}-{day:02}\"").expect("memory takes it"),
        None => write_displayed(array, row, out)?,
    }
    Ok(())
}

/// Year, month and day of the Gregorian calendar, for the years 0 to 9999. Counted in years that begin in March, so that the
/// leap day is a year's last.
fn civil(days_since_1970: i64) -> Option<(i64, i64, i64)> {
    const DAYS_FROM_MARCH_0000_TO_1970: i64 = 719_468;
    const CYCLE_DAYS: i64 = 146_097;
    let days = days_since_1970.checked_add(DAYS_FROM_MARCH_0000_TO_1970)?;
    let (cycle, day_of_cycle) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    (0..=9999).contains(&year).then_some((year, month, day))
}

fn values_of(array: &ArrayRef, row: usize) -> ArrayRef {
    match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        _ => AsArray::as_fixed_size_list(array).value(row),
    }
}

fn write_list(values: &ArrayRef, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let cells = Cells::of(values.as_ref())?;
    out.push(b'[');
    for row in 0..values.len() {
        if row > 0 {
            out.push(b',');
        }
        cells.write(row, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_struct(array: &StructArray, row: usize, out: &mut Vec<u8>) -> Result<(), SqlError> {
    out.push(b'{');
    for (position, (field, column)) in array.fields().iter().zip(array.columns()).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_text(field.name(), out);
        out.push(b':');
        // One row at a time: structs are rare, and small.
        Cells::of(column.slice(row, 1).as_ref())?.write(0, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Keys that are not text are written as they are displayed.
fn write_map(array: &MapArray, row: usize, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let entries = array.value(row);
    let keys = cast(entries.column(0), &DataType::Utf8View)?;
    let values = Cells::of(entries.column(1).as_ref())?;
    out.push(b'{');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(b',');
        }
        write_text(keys.as_string_view().value(entry), out);
        out.push(b':');
        values.write(entry, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_displayed(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    write_text(&formatter.value(row).try_to_string()?, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let cases = [
            (0, Some((1970, 1, 1))),
            (-1, Some((1969, 12, 31))),
            (11_016, Some((2000, 2, 29))),
            (11_017, Some((2000, 3, 1))),
            (19_782, Some((2024, 2, 29))),
            (47_540, Some((2100, 2, 28))),
            (47_541, Some((2100, 3, 1))),
            (2_932_896, Some((9999, 12, 31))),
            (2_932_897, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ];
        for (days, date) in cases {
            assert_eq!(civil(days), date, "{days}");
        }
    }
}
