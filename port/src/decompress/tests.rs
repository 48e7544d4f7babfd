//! Every encoding, whole, damaged, and as a bomb.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

use super::*;
use crate::budget::Budget;

const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate];

fn compress(encoding: Encoding, content: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => content.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(content).expect("memory");
            encoder.finish().expect("memory")
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(content).expect("memory");
            encoder.finish().expect("memory")
        }
        Encoding::Zstd => zstd::bulk::compress(content, 1).expect("memory"),
    }
}

/// zstd without the content's size in the frame's header, as streaming encoders write it.
fn zstd_stream(content: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("a level");
    encoder.window_log(window_log).expect("a window");
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// The result, and the most that was reserved.
fn run(encoding: Encoding, body: &[u8], bytes_max: usize) -> (Result<Vec<u8>, Refusal>, usize) {
    let mut reservation = Budget::new(1 << 30).open();
    let result = decompress(encoding, body, bytes_max, &mut reservation);
    (result, reservation.bytes())
}

fn varied(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59) as u8).collect()
}

#[test]
fn content_comes_back_in_every_encoding() {
    for encoding in ENCODINGS.into_iter().chain([Encoding::Identity]) {
        for len in [0, 1, 1000, 65_536, 300_000] {
            let content = varied(len);
            let (result, _) = run(encoding, &compress(encoding, &content), len);
            assert_eq!(result.as_ref(), Ok(&content), "{encoding:?} {len}");
        }
    }
    let content = varied(300_000);
    assert_eq!(run(Encoding::Zstd, &zstd_stream(&content, 17), 300_000).0.as_ref(), Ok(&content));
}

#[test]
fn members_and_frames_are_joined() {
    // Same lengths, so that the last member's trailer fits the first one too.
    let (a, b) = (varied(5000), vec![7; 5000]);
    for (first, second) in [(&a, &b), (&a, &a)] {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let body = [compress(encoding, first), compress(encoding, second)].concat();
            let (result, _) = run(encoding, &body, 10_000);
            assert_eq!(result, Ok([first.as_slice(), second].concat()), "{encoding:?}");
        }
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    const LIMIT: usize = 1 << 20;
    let content = vec![0; 1000 * LIMIT / 8];
    let bombs = [
        (Encoding::Gzip, compress(Encoding::Gzip, &content)),
        (Encoding::Deflate, compress(Encoding::Deflate, &content)),
        (Encoding::Zstd, compress(Encoding::Zstd, &content)),
        (Encoding::Zstd, zstd_stream(&content, 20)),
    ];
    for (encoding, bomb) in bombs {
        assert!(bomb.len() < content.len() / 900, "{encoding:?} {}", bomb.len());
        let (result, reserved) = run(encoding, &bomb, LIMIT);
        assert_eq!(result, Err(Refusal::TooLarge { what: "the decompressed request", bytes_max: LIMIT }));
        assert!(reserved <= LIMIT, "{encoding:?} {reserved}");
        let mut small = Budget::new(LIMIT / 2).open();
        let result = decompress(encoding, &bomb, content.len(), &mut small);
        assert_eq!(result, Err(Refusal::TooLarge { what: "the request in memory", bytes_max: LIMIT / 2 }));
    }
}

#[test]
fn a_trailer_that_lies_is_not_believed() {
    let content = vec![9; 100_000];
    let honest = compress(Encoding::Gzip, &content);
    for claimed in [0, 99_999, 100_001, 400_000_000u32, u32::MAX] {
        let mut body = honest.clone();
        let at = body.len() - 4;
        body[at..].copy_from_slice(&claimed.to_le_bytes());
        let (result, reserved) = run(Encoding::Gzip, &body, 1 << 20);
        assert!(result.is_err(), "{claimed}");
        assert!(reserved <= 1 << 20, "{claimed} {reserved}");
    }
}

#[test]
fn damage_is_malformed_whatever_it_hits() {
    let content = varied(2000);
    for encoding in ENCODINGS {
        let body = compress(encoding, &content);
        for cut in 0..body.len() {
            let (result, _) = run(encoding, &body[..cut], 10_000);
            assert!(matches!(result, Err(Refusal::Malformed(_))), "{encoding:?} cut at {cut}: {result:?}");
        }
        for at in 0..body.len() {
            let mut damaged = body.clone();
            damaged[at] ^= 0x55;
            // zstd's frames from bulk::compress carry no checksum: damage may pass as other content, never as a panic.
            let (result, _) = run(encoding, &damaged, 10_000);
            let allowed = matches!(result, Err(Refusal::Malformed(_) | Refusal::TooLarge { .. }));
            let harmless = result.as_ref() == Ok(&content) || encoding == Encoding::Zstd;
            assert!(allowed || harmless, "{encoding:?} flipped at {at}");
        }
        let (after, _) = run(encoding, &body, 10_000);
        assert_eq!(after.as_ref(), Ok(&content), "a reused context forgets what failed before");
    }
    for encoding in ENCODINGS {
        assert!(matches!(run(encoding, b"no such format, and long enough", 100).0, Err(Refusal::Malformed(_))));
    }
}

#[test]
fn a_large_window_is_neither_kept_nor_unbounded() {
    let content = varied(3 << 20);
    let (result, _) = run(Encoding::Zstd, &zstd_stream(&content, 25), 4 << 20);
    assert_eq!(result, Ok(content.clone()));
    let (result, _) = run(Encoding::Zstd, &zstd_stream(&content, 27), 4 << 20);
    assert!(matches!(result, Err(Refusal::Malformed(_))), "a window of 128 MiB");
}

#[test]
fn names_are_read_as_clients_write_them() {
    assert_eq!(Encoding::parse(b""), Ok(Encoding::Identity));
    assert_eq!(Encoding::parse(b" GZIP "), Ok(Encoding::Gzip));
    assert_eq!(Encoding::parse(b"br"), Err(Refusal::UnknownEncoding("br".into())));
    assert!(Encoding::parse(b"\xff").is_err());
}
