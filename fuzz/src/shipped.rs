//! Bytes from shippers of logs: what is transcoded is scanned, and answered piece by piece.

use weir_proto::{
    elasticsearch::{self, BulkOptions, transcode_bulk},
    otlp::{Checks, Limits, logs::scan},
    splunk_hec::{self, Metadata, transcode_events, transcode_raw},
    syslog::{Framing, Messages, Options, Origin, Protocol, Step},
};

const LIMITS: Limits = Limits { depth_max: 64, attributes_max: 64, span_bytes_max: 4096 };
/// Of what comes out.
const BYTES_MAX: usize = 1 << 20;

fn lines_of(payload: &[u8]) -> usize {
    let mut lines = 0;
    scan(payload, Checks::Admission(LIMITS), |_| lines += 1).expect("what comes out is canonical");
    lines
}

/// Each action of a bulk request is a record, or has a fault.
pub fn elasticsearch_bulk(body: &[u8]) {
    for index in [None, Some("logs")] {
        let options = BulkOptions { index, documents_max: 1000, bytes_max: BYTES_MAX, fields_max: 64 };
        let Ok(bulk) = transcode_bulk(body, options) else { continue };
        let kept = bulk.items.iter().filter(|item| item.fault.is_none()).count();
        assert_eq!(lines_of(&bulk.payload), kept);
        assert!(bulk.items.iter().all(|item| (item.index as usize) < bulk.indices.len()));
        let bytes_max = elasticsearch::EXPANSION_MAX * body.len() + 4096;
        assert!(bulk.payload.len() <= bytes_max + body.len() * 4 + 4096, "longer than is accounted for");
    }
}

/// What is taken of Splunk's events is scanned.
pub fn splunk_hec(body: &[u8]) {
    let defaults = Metadata { texts: ["h".into(), String::new(), "st".into(), String::new()], time_ns: 1 };
    for transcode in [transcode_events, transcode_raw] {
        if let Ok(payload) = transcode(body, &defaults, BYTES_MAX) {
            assert!(lines_of(&payload) > 0);
            assert!(payload.len() <= splunk_hec::EXPANSION_MAX * body.len() + 8192, "longer than is accounted for");
        }
    }
}

/// Messages are the same however their stream is cut, and each is a record.
pub fn syslog(stream: &[u8]) {
    let whole = messages(stream, usize::MAX);
    for piece in [1, 7] {
        assert!(messages(stream, piece) == whole, "other messages when they come in pieces of {piece}");
    }
    for protocol in [Protocol::Rfc5424, Protocol::Rfc3164] {
        let mut records = Messages::new(Options { protocol, offset_s: 3600 }, stream.len());
        for message in &whole {
            records.push(message, Origin { now_ns: 1_700_000_000_000_000_000, ..Origin::default() });
        }
        assert_eq!(lines_of(&records.finish()), whole.len());
    }
}

fn messages(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    const MESSAGE_BYTES_MAX: usize = 100;

    let mut framing = Framing::new(MESSAGE_BYTES_MAX);
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    let mut pieces = stream.chunks(piece.min(stream.len().max(1)));
    let mut is_end = false;
    loop {
        match framing.step(&buffer, is_end) {
            Step::More if is_end => return found,
            Step::More => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => is_end = true,
            },
            Step::Skip(bytes) => drop(buffer.drain(..bytes)),
            Step::Message { from, to, consumed, .. } => {
                found.push(buffer[from..to].to_vec());
                buffer.drain(..consumed);
            }
        }
    }
}
