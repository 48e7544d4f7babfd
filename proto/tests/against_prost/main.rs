//! The scan and prost read the same bytes: what one sees or refuses, so does the other. So do they of transcoded JSON.

mod expected;
mod generated;
mod json;
mod logs;
mod scrambled;
mod viewed;

use expected::{Row, expected_rows};
use generated::requests;
use proptest::prelude::*;
use prost::Message;
use scrambled::{Random, scrambled};
use viewed::{chosen_rows, viewed_rows};
use weir_proto::otlp::{
    messages::collector::trace::v1::ExportTraceServiceRequest,
    traces::{Checks, ItemFault, KeySet, Limits, ScanError, canonical, scan},
};

/// Bounds that no generated request reaches.
const GENEROUS: Limits = Limits { depth_max: 1000, attributes_max: u32::MAX, span_bytes_max: u32::MAX };

fn assert_same(payload: &[u8], request: ExportTraceServiceRequest, checks: Checks) {
    let viewed = viewed_rows(payload, checks).expect("a canonical payload");
    let expected = expected_rows(request);
    assert_eq!(viewed.len(), expected.len());
    for (viewed, expected) in viewed.iter().zip(&expected) {
        // bit by bit, as NaN is not equal to itself
        assert!(viewed.encoded() == expected.encoded(), "\nviewed   {viewed:?}\nexpected {expected:?}");
    }
    scan(payload, checks, |span| {
        for attribute in span.span.attributes.iter() {
            assert!(span.span.keys.may_share(KeySet::of(attribute.key)), "{attribute:?} is not claimed");
        }
    })
    .expect("a canonical payload");
}

/// Prost and the scan agree on any bytes.
fn assert_agreement(payload: &[u8]) {
    let mut utf8_faults = 0;
    let mut faults = 0;
    let scanned = scan(payload, Checks::Admission(GENEROUS), |span| {
        faults += usize::from(span.fault.is_some());
        utf8_faults += usize::from(span.fault == Some(ItemFault::InvalidUtf8));
    });
    match (ExportTraceServiceRequest::decode(payload), scanned) {
        (Ok(request), Ok(())) => {
            assert_eq!(faults, 0);
            assert_same(payload, request.clone(), Checks::Admission(GENEROUS));
            assert_same(payload, request, Checks::Journalled);
        }
        (Ok(request), Err(ScanError::NotCanonical)) => {
            let canonical = canonical(payload).expect("what prost decodes");
            assert_same(&canonical, request.clone(), Checks::Admission(GENEROUS));
            assert_same(&canonical, request, Checks::Journalled);
        }
        (Err(_), Err(ScanError::NotCanonical)) => {
            canonical(payload).expect_err("what prost refuses");
        }
        (Err(_), Err(ScanError::Wire(_))) => {}
        (Err(error), Ok(())) => {
            assert!(error.to_string().contains("UTF-8"), "the scan accepts what prost refuses: {error}");
            assert_eq!(faults, utf8_faults);
        }
        (Ok(_), Err(error)) => panic!("the scan refuses what prost accepts: {error}"),
    }
}

#[test]
fn the_edges_of_the_wire_format_meet_the_same_answer() {
    let accepted: [&[u8]; 9] = [
        b"",
        b"\x10\x01",                                     // an unknown varint
        b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // the largest
        b"\x90\x80\x80\x80\x00\x01",                     // a key longer than it need be
        b"\xf8\xff\xff\xff\x0f\x01",                     // the largest field number
        b"\x13\x14",                                     // an empty group
        b"\x13\x1b\x0a\x00\x1c\x14",                     // a group in a group
        b"\x0a\x04\x0a\x02\x1a\x00",                     // an empty entity ref
        b"\x0a\x06\x12\x04\x12\x02\x2a\x00",             // a span with an empty name
    ];
    let refused: [&[u8]; 16] = [
        b"\x10",
        b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", // beyond 64 bits
        b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // beyond 10 bytes
        b"\x90\x80\x80\x80\x10\x01",                     // a key beyond 32 bits
        b"\x00\x01",                                     // field 0
        b"\x04",                                         // the end of group 0
        b"\x16\x00",                                     // wire type 6
        b"\x17\x00",                                     // wire type 7
        b"\x14",                                         // an end without a start
        b"\x13",                                         // a start without an end
        b"\x13\x1b\x14\x1c",                             // groups crossing
        b"\x13\x1c",                                     // another group's end
        b"\x08\x01",                                     // a wrong wire type
        b"\x0a\x04\x0a\x02\x1a\x01\x00",                 // an entity ref past the end of its resource
        b"\x0a\x06\x0a\x04\x1a\x02\x08\x01",             // a wrong wire type in an entity ref
        b"\x0a\x05\x12\x03\x12\x02\x2a\x00",             // a span past the end of its scope
    ];
    for payload in accepted {
        assert_eq!(scan(payload, Checks::Admission(GENEROUS), |_| {}), Ok(()), "{payload:x?}");
        assert_agreement(payload);
    }
    for payload in refused {
        assert!(scan(payload, Checks::Admission(GENEROUS), |_| {}).is_err(), "{payload:x?}");
        assert_agreement(payload);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoded_requests_look_the_same(request in requests()) {
        let payload = request.encode_to_vec();
        assert_same(&payload, request.clone(), Checks::Admission(GENEROUS));
        assert_same(&payload, request, Checks::Journalled);
    }

    #[test]
    fn scrambled_requests_look_the_same(request in requests(), seed: u64) {
        let payload = scrambled(&request.encode_to_vec(), &mut Random(seed));
        ExportTraceServiceRequest::decode(&payload[..]).expect("scrambling keeps it protobuf");
        assert_agreement(&payload);
    }

    #[test]
    fn damaged_requests_meet_the_same_answer(request in requests(), seed: u64, damages in 1_usize..4) {
        let mut random = Random(seed);
        let mut payload = request.encode_to_vec();
        if seed % 2 == 0 {
            payload = scrambled(&payload, &mut random);
        }
        for _ in 0..damages {
            if !payload.is_empty() {
                let at = random.below(payload.len());
                match random.below(3) {
                    0 => payload[at] = random.next() as u8,
                    1 => payload[at] ^= 1 << random.below(8),
                    _ => drop(payload.remove(at)),
                }
            }
        }
        assert_agreement(&payload);
    }

    #[test]
    fn chosen_spans_look_as_in_the_whole_scan(request in requests(), seed: u64, one_in in 1_usize..8) {
        let mut random = Random(seed);
        let mut payload = request.encode_to_vec();
        let scrambled = scrambled(&payload, &mut random);
        if viewed_rows(&scrambled, Checks::Journalled).is_ok() {
            payload = scrambled;
        }
        let mut wanted = viewed_rows(&payload, Checks::Journalled).expect("canonical");
        wanted.retain(|_| random.below(one_in) == 0);
        let mut ordinals: Vec<u32> = wanted.iter().map(|row| row.ordinal).collect();
        // One that is not there does no harm.
        ordinals.push(u32::MAX);
        let chosen = chosen_rows(&payload, &ordinals).expect("canonical");
        assert_eq!(chosen.len(), wanted.len());
        for (chosen, wanted) in chosen.iter().zip(&wanted) {
            assert!(chosen.encoded() == wanted.encoded(), "\nchosen {chosen:?}\nwanted {wanted:?}");
        }
    }

    #[test]
    fn random_bytes_meet_the_same_answer(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        assert_agreement(&payload);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn truncated_requests_meet_the_same_answer(request in requests(), seed: u64) {
        let payload = scrambled(&request.encode_to_vec(), &mut Random(seed));
        for end in 0..payload.len().min(4096) {
            assert_agreement(&payload[..end]);
        }
    }

    /// Bytes that never passed admission must not hurt either: a damaged journal whose checksum happens to fit.
    #[test]
    fn views_of_unchecked_bytes_do_not_panic(request in requests(), seed: u64) {
        let mut random = Random(seed);
        let payload = request.encode_to_vec();
        for _ in 0..200 {
            let mut damaged = payload.clone();
            if !damaged.is_empty() {
                let at = random.below(damaged.len());
                damaged[at] = random.next() as u8;
            }
            let _ = viewed_rows(&damaged, Checks::Journalled).map(|rows: Vec<Row>| rows.len());
            let _ = chosen_rows(&damaged, &[0, 2, 5]).map(|rows: Vec<Row>| rows.len());
        }
    }
}
