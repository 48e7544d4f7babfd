//! Requests written by hand, field by field, and what is read of them.

use super::{WireError, WriteVersion, walk};
use crate::otlp::wire::Writer;

fn sample(value: f64, time_ms: i64, start_ms: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.fixed64(1, value.to_bits());
    writer.varint(2, time_ms as u64);
    if start_ms != 0 {
        writer.varint(3, start_ms as u64);
    }
    writer.into_bytes()
}

fn label(name: &str, value: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, name.as_bytes());
    writer.bytes(2, value.as_bytes());
    writer.into_bytes()
}

fn packed(numbers: &[u64]) -> Vec<u8> {
    let mut writer = Writer::default();
    numbers.iter().for_each(|number| writer.raw_varint(*number));
    writer.into_bytes()
}

fn message(field: u32, parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut inner = Writer::default();
    parts.iter().for_each(|(field, part)| inner.bytes(*field, part));
    let mut writer = Writer::default();
    writer.bytes(field, inner.written());
    writer.into_bytes()
}

/// Each series in a line, then the metadata.
fn shown(version: WriteVersion, payload: &[u8]) -> Result<String, WireError> {
    let mut out = Vec::new();
    let mut said = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    walk(
        version,
        payload,
        |series| {
            let labels = |labels: &[(&[u8], &[u8])]| {
                labels
                    .iter()
                    .map(|(name, value)| format!("{}={}", text(name), text(value)))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            let mut line = format!("{} {:?}", labels(&series.labels), series.floats);
            for (time_ms, start_ms, histogram) in &series.histograms {
                let histogram = match histogram {
                    Ok(histogram) => format!("{} {:?}", histogram.count, histogram.positive_counts),
                    Err(fault) => fault.to_string(),
                };
                line += &format!(" [{time_ms} {start_ms} {histogram}]");
            }
            for exemplar in &series.exemplars {
                line += &format!(" # {} {} {}", labels(&exemplar.labels), exemplar.value, exemplar.time_ms);
            }
            if let Some(metadata) = series.metadata {
                line += &format!(" {:?} {} {}", metadata.metric_type, text(metadata.help), text(metadata.unit));
            }
            line += series.fault.as_deref().unwrap_or_default();
            out.push(line);
        },
        |metadata| said.push(format!("{} {:?}", text(metadata.family), metadata.metric_type)),
    )?;
    out.extend(said);
    Ok(out.join("\n"))
}

/// Schema 0, two buckets of 1 and 3, and `count` in all.
fn histogram(count: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.varint(1, count);
    writer.fixed64(3, 5.0_f64.to_bits());
    writer.bytes(11, &{
        let mut span = Writer::default();
        span.varint(2, 2);
        span.into_bytes()
    });
    // 1, then 2 more: zigzag.
    writer.bytes(12, &packed(&[2, 4]));
    writer.varint(15, 9);
    writer.into_bytes()
}

#[test]
fn version_1() {
    let mut metadata = Writer::default();
    metadata.varint(1, 1);
    metadata.bytes(2, b"up");
    let mut exemplar = Writer::default();
    exemplar.bytes(1, &label("trace_id", "t"));
    exemplar.fixed64(2, 0.5_f64.to_bits());
    exemplar.varint(3, 8);
    let parts = [
        (1, label("__name__", "up")),
        (2, sample(1.0, 7, 0)),
        (2, sample(2.0, 8, 0)),
        (3, exemplar.into_bytes()),
        (4, histogram(4)),
        (4, histogram(5)),
    ];
    let payload = [message(1, &parts), message(3, &[])].concat();
    let payload = [payload, {
        let mut writer = Writer::default();
        writer.bytes(3, metadata.written());
        writer.into_bytes()
    }]
    .concat();
    assert_eq!(
        shown(WriteVersion::V1, &payload).expect("well formed"),
        "__name__=up [(7, 0, 1.0), (8, 0, 2.0)] [9 0 4 [1.0, 3.0]] [9 0 4 observations found in buckets, but the Count field is 5: \
         histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)] # trace_id=t 0.5 8\n \
         Unknown\nup Counter"
    );
    for end in 0..payload.len() {
        let _ = shown(WriteVersion::V1, &payload[..end]);
        let _ = shown(WriteVersion::V2, &payload[..end]);
        let mut flipped = payload.clone();
        flipped[end] ^= 0xff;
        let _ = shown(WriteVersion::V1, &flipped);
        let _ = shown(WriteVersion::V2, &flipped);
    }
}

#[test]
fn version_2() {
    let mut metadata = Writer::default();
    metadata.varint(1, 2);
    metadata.varint(3, 3);
    let series =
        message(5, &[(1, packed(&[1, 2])), (2, sample(1.0, 7, 5)), (5, metadata.into_bytes()), (3, histogram(4))]);
    let odd = message(5, &[(1, packed(&[1]))]);
    let beyond = message(5, &[(1, packed(&[1, 99]))]);
    let mut symbols = Writer::default();
    for symbol in ["", "__name__", "up", "a sentence"] {
        symbols.bytes(4, symbol.as_bytes());
    }
    // Symbols may stand behind what refers to them.
    let mut lost = Writer::default();
    lost.varint(4, 9);
    let lost = message(5, &[(1, packed(&[1, 2])), (2, sample(1.0, 7, 5)), (5, lost.into_bytes())]);
    let payload = [series, odd, beyond, lost, symbols.into_bytes()].concat();
    assert_eq!(
        shown(WriteVersion::V2, &payload).expect("well formed"),
        "__name__=up [(7, 5, 1.0)] [9 0 4 [1.0, 3.0]] Gauge a sentence \n \
         []parsing labels for series [1]: invalid labelRefs length 1\n \
         []parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) outside of symbols table (size 4)\n\
         __name__=up [(7, 5, 1.0)] Unknown  parsing metadata for series [1 2]: metadata unit_ref 9 outside of symbols \
         table (size 4)"
    );
    assert!(shown(WriteVersion::V2, &message(1, &[])).is_err(), "version 1's message");
}
