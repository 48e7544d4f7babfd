//! A journal payload of metrics: definitions of the series that its file has not had, then samples in columns.
//!
//! The columns are made when samples arrive, the definitions when it is known which file they go to. docs/formats.md, Samples.

use bytes::Bytes;
use weir_proto::metrics::{Exemplar, Histogram, Labels, Metadata, MetricType};

use super::{
    bytes::{count, float, put_bytes, put_float, put_signed, signed, sized, text},
    histogram::{histogram, put_histogram},
};
use crate::{
    journal::{Fields, put_varint},
    note::Note,
};

/// Version of a payload without notes.
const VERSION: u8 = 1;

/// Version of one that ends with notes.
const VERSION_NOTES: u8 = 2;

/// Bytes of [`put_definitions`] without any.
pub(crate) const DEFINITIONS_NONE_BYTES: usize = 3;

/// One time for all.
const TIMES_SAME: u8 = 0;
/// Each as what it differs from the one before.
const TIMES_EACH: u8 = 1;
/// Nobody said when counting began.
const STARTS_NONE: u8 = 0;
/// Each as what it differs from the one before.
const STARTS_EACH: u8 = 1;

/// [`put_signed`] of 1.
const PUT_ONE: u8 = 2;

/// A sample's place in time, of a numbered series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<V> {
    /// The series' number.
    pub(crate) series: u64,
    /// Unix ms.
    pub(crate) time_ms: i64,
    /// Unix ms, or 0.
    pub(crate) start_ms: i64,
    /// The value.
    pub(crate) value: V,
}

/// Appends the columns. What goes before them is [`put_definitions`]'.
pub(crate) fn put_columns<'a>(
    into: &mut Vec<u8>,
    floats: impl Iterator<Item = Row<f64>> + Clone,
    histograms: impl Iterator<Item = Row<&'a Histogram>> + Clone,
    exemplars: impl ExactSizeIterator<Item = (u64, &'a Exemplar)>,
) {
    put_times(into, floats.clone());
    for row in floats {
        put_float(into, row.value);
    }
    put_times(into, histograms.clone());
    for row in histograms {
        put_histogram(into, row.value);
    }
    put_varint(into, exemplars.len() as u64);
    for (series, exemplar) in exemplars {
        put_varint(into, series);
        put_signed(into, exemplar.time_ms);
        put_float(into, exemplar.value);
        put_bytes(into, exemplar.labels.as_bytes());
    }
}

/// Appends notes behind the columns, if there are any; the version at the payload's beginning says so.
pub(crate) fn put_notes(payload: &mut Vec<u8>, notes: &[Note]) {
    if notes.is_empty() {
        return;
    }
    payload[0] = VERSION_NOTES;
    put_varint(payload, notes.len() as u64);
    for note in notes {
        put_bytes(payload, note.name.as_bytes());
        put_bytes(payload, &note.bytes);
    }
}

/// What [`put_notes`] wrote, without the version.
pub(crate) fn read_notes(fields: &mut Fields<'_>) -> Option<Vec<Note>> {
    (0..count(fields, 2)?)
        .map(|_| Some(Note { name: text(fields)?.to_owned(), bytes: Bytes::copy_from_slice(sized(fields)?) }))
        .collect()
}

/// Numbers, times and starts, as columns.
fn put_times<V>(into: &mut Vec<u8>, rows: impl Iterator<Item = Row<V>> + Clone) {
    put_varint(into, rows.clone().count() as u64);
    let mut before = 0_u64;
    for row in rows.clone() {
        put_signed(into, row.series.wrapping_sub(before) as i64);
        before = row.series;
    }
    let Some(first) = rows.clone().next() else { return };
    if rows.clone().all(|row| row.time_ms == first.time_ms) {
        into.push(TIMES_SAME);
        put_signed(into, first.time_ms);
    } else {
        into.push(TIMES_EACH);
        put_differences(into, rows.clone().map(|row| row.time_ms));
    }
    if rows.clone().all(|row| row.start_ms == 0) {
        into.push(STARTS_NONE);
    } else {
        into.push(STARTS_EACH);
        put_differences(into, rows.map(|row| row.start_ms));
    }
}

fn put_differences(into: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let mut before = 0_i64;
    for number in numbers {
        put_signed(into, number.wrapping_sub(before));
        before = number;
    }
}

/// Appends what goes before the columns: series by number, and what is known of families.
pub(crate) fn put_definitions<'a>(
    into: &mut Vec<u8>,
    series: impl ExactSizeIterator<Item = (u64, &'a Labels)>,
    metadata: impl ExactSizeIterator<Item = &'a Metadata>,
) {
    into.push(VERSION);
    put_varint(into, series.len() as u64);
    let mut before = 0_u64;
    for (number, labels) in series {
        put_signed(into, number.wrapping_sub(before) as i64);
        before = number;
        put_bytes(into, labels.as_bytes());
    }
    put_varint(into, metadata.len() as u64);
    for family in metadata {
        let number = MetricType::ALL.iter().position(|&known| known == family.metric_type).unwrap_or_default();
        into.push(number as u8);
        for text in [&family.family, &family.unit, &family.help] {
            put_bytes(into, text.as_bytes());
        }
    }
}

/// A payload, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Payload {
    /// Series that its file had not had.
    pub(crate) series: Vec<(u64, Labels)>,
    /// Families.
    pub(crate) metadata: Vec<Metadata>,
    /// Floats.
    pub(crate) floats: Vec<Row<f64>>,
    /// Histograms.
    pub(crate) histograms: Vec<Row<Box<Histogram>>>,
    /// Exemplars, by series.
    pub(crate) exemplars: Vec<(u64, Exemplar)>,
    /// Notes.
    pub(crate) notes: Vec<Note>,
}

impl Payload {
    /// Reads a payload; `None` when its bytes make no sense.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut columns = FloatColumns::default();
        let mut payload = Self::read_apart(bytes, &mut columns)?;
        payload.floats = columns.rows().collect();
        Some(payload)
    }

    /// The same, with the floats in columns, which keep their memory from one payload to the next. After `None` they mean nothing.
    pub(crate) fn read_apart(bytes: &[u8], floats: &mut FloatColumns) -> Option<Self> {
        let mut fields = Fields(bytes);
        let has_notes = bytes.first() == Some(&VERSION_NOTES);
        let (series, metadata) = definitions(&mut fields)?;
        floats.read(&mut fields)?;
        let histograms = times(&mut fields)?;
        let histograms: Option<Vec<_>> =
            histograms.into_iter().map(|row| Some(row.with(Box::new(histogram(&mut fields)?)))).collect();
        let exemplars = count(&mut fields, 11)?;
        let exemplars: Option<Vec<_>> = (0..exemplars).map(|_| exemplar(&mut fields)).collect();
        let exemplars = exemplars?;
        let notes = if has_notes { read_notes(&mut fields)? } else { Vec::new() };
        let floats = Vec::new();
        fields.0.is_empty().then_some(Self { series, metadata, floats, histograms: histograms?, exemplars, notes })
    }

    /// Only what goes before the columns.
    pub(crate) fn read_definitions(bytes: &[u8]) -> Option<Definitions> {
        definitions(&mut Fields(bytes))
    }

    /// The bytes again.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut into = Vec::new();
        put_definitions(&mut into, self.series.iter().map(|(number, labels)| (*number, labels)), self.metadata.iter());
        let histograms = self.histograms.iter().map(|row| row.with(&*row.value));
        let exemplars = self.exemplars.iter().map(|(number, exemplar)| (*number, exemplar));
        put_columns(&mut into, self.floats.iter().copied(), histograms, exemplars);
        put_notes(&mut into, &self.notes);
        into
    }

    /// The numbers that it uses.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        let floats = self.floats.iter().map(|row| row.series);
        let histograms = self.histograms.iter().map(|row| row.series);
        floats.chain(histograms).chain(self.exemplars.iter().map(|(number, _)| *number))
    }
}

/// A payload's floats, column by column.
#[derive(Debug, Default)]
pub(crate) struct FloatColumns {
    /// Whose.
    pub(crate) numbers: Vec<u64>,
    /// Unix ms.
    pub(crate) times_ms: Vec<i64>,
    /// Unix ms; empty where nobody said.
    pub(crate) starts_ms: Vec<i64>,
    /// The floats.
    pub(crate) values: Vec<f64>,
}

impl FloatColumns {
    fn read(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        // A number and a value at least.
        let rows = count(fields, 9)?;
        self.numbers.clear();
        self.times_ms.clear();
        self.starts_ms.clear();
        self.values.clear();
        let mut number = 0_u64;
        for _ in 0..rows {
            // Nearly always: the series behind the one before.
            if let Some((&PUT_ONE, rest)) = fields.0.split_first() {
                fields.0 = rest;
                number = number.wrapping_add(1);
            } else {
                number = number.wrapping_add(signed(fields)? as u64);
            }
            self.numbers.push(number);
        }
        if rows == 0 {
            return Some(());
        }
        match fields.u8()? {
            TIMES_SAME => self.times_ms.resize(rows, signed(fields)?),
            TIMES_EACH => differences(fields, rows, |time_ms| self.times_ms.push(time_ms))?,
            _ => return None,
        }
        match fields.u8()? {
            STARTS_NONE => {}
            STARTS_EACH => differences(fields, rows, |start_ms| self.starts_ms.push(start_ms))?,
            _ => return None,
        }
        let values = fields.bytes(rows.checked_mul(8)?)?;
        self.values.extend(values.as_chunks::<8>().0.iter().map(|&bits| f64::from_bits(u64::from_le_bytes(bits))));
        Some(())
    }

    /// As rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<f64>> {
        let samples = self.numbers.iter().zip(&self.times_ms).zip(&self.values).enumerate();
        samples.map(|(index, ((&series, &time_ms), &value))| Row {
            series,
            time_ms,
            start_ms: self.starts_ms.get(index).copied().unwrap_or(0),
            value,
        })
    }
}

impl<V> Row<V> {
    fn with<W>(&self, value: W) -> Row<W> {
        Row { series: self.series, time_ms: self.time_ms, start_ms: self.start_ms, value }
    }
}

/// Numbers with the series that they stand for, and what is known of families.
pub(crate) type Definitions = (Vec<(u64, Labels)>, Vec<Metadata>);

fn definitions(fields: &mut Fields<'_>) -> Option<Definitions> {
    if !matches!(fields.u8()?, VERSION | VERSION_NOTES) {
        return None;
    }
    let mut number = 0_u64;
    let series = count(fields, 2)?;
    let series: Option<Vec<_>> = (0..series)
        .map(|_| {
            number = number.wrapping_add(signed(fields)? as u64);
            Some((number, Labels::from_bytes(sized(fields)?).ok()?))
        })
        .collect();
    let families = count(fields, 4)?;
    let metadata: Option<Vec<_>> = (0..families).map(|_| family(fields)).collect();
    Some((series?, metadata?))
}

fn family(fields: &mut Fields<'_>) -> Option<Metadata> {
    // A type that a later version knows is none that is known here.
    let metric_type = MetricType::ALL.get(usize::from(fields.u8()?)).copied().unwrap_or_default();
    let mut next = || text(fields).map(str::to_owned);
    Some(Metadata { metric_type, family: next()?, unit: next()?, help: next()? })
}

fn exemplar(fields: &mut Fields<'_>) -> Option<(u64, Exemplar)> {
    let series = fields.varint()?;
    let (time_ms, value) = (signed(fields)?, float(fields)?);
    let labels = Labels::from_bytes(sized(fields)?).ok()?;
    Some((series, Exemplar { labels, value, time_ms }))
}

fn times(fields: &mut Fields<'_>) -> Option<Vec<Row<()>>> {
    let rows = count(fields, 1)?;
    let mut series = 0_u64;
    let mut times = Vec::with_capacity(rows);
    for _ in 0..rows {
        series = series.wrapping_add(signed(fields)? as u64);
        times.push(Row { series, time_ms: 0, start_ms: 0, value: () });
    }
    if rows == 0 {
        return Some(times);
    }
    match fields.u8()? {
        TIMES_SAME => {
            let time_ms = signed(fields)?;
            times.iter_mut().for_each(|row| row.time_ms = time_ms);
        }
        TIMES_EACH => differences_into(fields, times.iter_mut().map(|row| &mut row.time_ms))?,
        _ => return None,
    }
    match fields.u8()? {
        STARTS_NONE => {}
        STARTS_EACH => differences_into(fields, times.iter_mut().map(|row| &mut row.start_ms))?,
        _ => return None,
    }
    Some(times)
}

fn differences_into<'a>(fields: &mut Fields<'_>, mut column: impl ExactSizeIterator<Item = &'a mut i64>) -> Option<()> {
    let rows = column.len();
    differences(fields, rows, |number| {
        if let Some(place) = column.next() {
            *place = number;
        }
    })
}

fn differences(fields: &mut Fields<'_>, rows: usize, mut each: impl FnMut(i64)) -> Option<()> {
    let mut before = 0_i64;
    for _ in 0..rows {
        before = before.wrapping_add(signed(fields)?);
        each(before);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().copied()).expect("a set")
    }

    fn round_trip(payload: &Payload) -> usize {
        let bytes = payload.to_bytes();
        assert_eq!(Payload::read(&bytes).as_ref(), Some(payload));
        for cut in 0..bytes.len() {
            assert_eq!(Payload::read(&bytes[..cut]), None, "cut at {cut}");
        }
        bytes.len()
    }

    fn scrape(samples: u64) -> Payload {
        let floats = (0..samples)
            .map(|series| Row { series: 7000 + series, time_ms: 1_700_000_000_000, start_ms: 0, value: 1.5 })
            .collect();
        Payload { floats, ..Payload::default() }
    }

    #[test]
    fn payloads_come_back() {
        let exemplar = Exemplar { labels: labels(&[("trace_id", "0af7")]), value: 0.25, time_ms: 17 };
        let metadata = Metadata {
            family: "requests".into(),
            metric_type: MetricType::Counter,
            unit: "seconds".into(),
            help: "How many.".into(),
        };
        let row = Row { series: 9, time_ms: -5, start_ms: 3, value: Box::new(Histogram::default()) };
        round_trip(&Payload {
            series: vec![(9, labels(&[("__name__", "up"), ("job", "node")])), (3, labels(&[]))],
            metadata: vec![metadata],
            floats: vec![
                Row { series: 3, time_ms: 5, start_ms: 0, value: 1.0 },
                Row { series: u64::MAX, time_ms: i64::MIN, start_ms: i64::MAX, value: -0.0 },
            ],
            histograms: vec![row],
            exemplars: vec![(9, exemplar)],
            notes: vec![Note { name: "state".into(), bytes: Bytes::from_static(b"\0\xff") }],
        });
        round_trip(&Payload::default());
    }

    #[test]
    fn a_sample_of_a_scrape_takes_nine_bytes() {
        assert_eq!(round_trip(&scrape(1000)), 1000 * 9 + 16);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Payload::read(&[&[VERSION][..], &bytes].concat());
        }
    }
}
