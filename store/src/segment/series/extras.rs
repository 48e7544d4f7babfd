//! What a segment has beside series: exemplars and families, as bytes.

use weir_proto::metrics::{Exemplar, Labels, Metadata, MetricType};

use crate::{
    journal::{Fields, put_varint},
    note::Note,
    samples::{
        bytes::{count, float, put_bytes, put_float, put_signed, signed, sized, text},
        payload::read_notes,
    },
};

/// Exemplars by series; `None` without any.
pub(super) fn put_exemplars(exemplars: &[(Labels, Vec<Exemplar>)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, exemplars.len() as u64);
    for (labels, of_series) in exemplars {
        put_bytes(&mut bytes, labels.as_bytes());
        put_varint(&mut bytes, of_series.len() as u64);
        for exemplar in of_series {
            put_signed(&mut bytes, exemplar.time_ms);
            put_float(&mut bytes, exemplar.value);
            put_bytes(&mut bytes, exemplar.labels.as_bytes());
        }
    }
    (!exemplars.is_empty()).then_some(bytes)
}

/// What [`put_exemplars`] wrote.
pub(super) fn read_exemplars(bytes: &[u8]) -> Option<Vec<(Labels, Vec<Exemplar>)>> {
    let mut fields = Fields(bytes);
    (0..count(&mut fields, 2)?)
        .map(|_| {
            let series = Labels::from_bytes(sized(&mut fields)?).ok()?;
            let exemplars: Option<Vec<_>> = (0..count(&mut fields, 10)?)
                .map(|_| {
                    let (time_ms, value) = (signed(&mut fields)?, float(&mut fields)?);
                    Some(Exemplar { labels: Labels::from_bytes(sized(&mut fields)?).ok()?, value, time_ms })
                })
                .collect();
            Some((series, exemplars?))
        })
        .collect()
}

/// Families, and the notes behind them; `None` without any.
pub(super) fn put_families(families: &[Metadata], notes: &[Note]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    put_varint(&mut bytes, families.len() as u64);
    for family in families {
        put_family(&mut bytes, family);
    }
    if !notes.is_empty() {
        put_varint(&mut bytes, notes.len() as u64);
        for note in notes {
            put_bytes(&mut bytes, note.name.as_bytes());
            put_bytes(&mut bytes, &note.bytes);
        }
    }
    (!families.is_empty() || !notes.is_empty()).then_some(bytes)
}

/// What [`put_families`] wrote. Segments from before there were notes end with the families.
pub(super) fn read_families(bytes: &[u8]) -> Option<(Vec<Metadata>, Vec<Note>)> {
    let mut fields = Fields(bytes);
    let families: Option<Vec<_>> = (0..count(&mut fields, 4)?).map(|_| family(&mut fields)).collect();
    let notes = if fields.0.is_empty() { Vec::new() } else { read_notes(&mut fields)? };
    Some((families?, notes))
}

fn put_family(into: &mut Vec<u8>, family: &Metadata) {
    let number = MetricType::ALL.iter().position(|&known| known == family.metric_type).unwrap_or_default();
    into.push(number as u8);
    for text in [&family.family, &family.unit, &family.help] {
        put_bytes(into, text.as_bytes());
    }
}

fn family(fields: &mut Fields<'_>) -> Option<Metadata> {
    // A type that a later version knows is none that is known here.
    let metric_type = MetricType::ALL.get(usize::from(fields.u8()?)).copied().unwrap_or_default();
    let mut next = || text(fields).map(str::to_owned);
    Some(Metadata { metric_type, family: next()?, unit: next()?, help: next()? })
}
