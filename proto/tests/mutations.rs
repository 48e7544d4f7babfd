//! JSON damaged at random, by bytes and by tokens: refused, or protobuf that the scan takes; never a panic.

use std::path::Path;

use weir_proto::{
    otlp::{
        json::{TranscodeLimits, transcode_traces},
        traces::{Checks, Limits, scan},
    },
    zipkin::{TranscodeOptions, transcode_spans},
};

const OTLP: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],
"droppedAttributesCount":1,"entityRefs":[{"type":"service","idKeys":["service.name"]}]},"scopeSpans":[{"scope":{"name":"lib",
"version":"1.0"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"",
"traceState":"a=b","flags":257,"name":"GET \u00e9\ud83d\ude00","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1544712660000000000",
"endTimeUnixNano":1.544712661e18,"attributes":[{"key":"i","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":"NaN"}},
{"key":"b","value":{"bytesValue":"-_8="}},{"key":"a","value":{"arrayValue":{"values":[{"boolValue":true},null,{}]}}},
{"key":"m","value":{"kvlistValue":{"values":[{"key":"n","value":{"doubleValue":1.5e-3}}]}}}],"events":[{"timeUnixNano":7,
"name":"e"}],"links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","flags":1}],
"status":{"code":2,"message":"no"},"unknown":{"x":[1,{"y":null}]}}],"schemaUrl":"s"}]}]}"#;

const ZIPKIN: &str = r#"[{"traceId":"5af7183fb1d4cf5f","parentId":"6b221d5bc9e6496c","id":"352bff9a74ca9ad2","kind":"CLIENT",
"name":"get /api","timestamp":1556604172355737,"duration":1431,"localEndpoint":{"serviceName":"backend","ipv4":"192.168.99.1",
"port":3306},"remoteEndpoint":{"ipv6":"2001:db8::c001","port":58648},"annotations":[{"timestamp":1556604172355800,"value":"x"}],
"tags":{"http.method":"GET","error":"no","otel.status_code":"ERROR","n":5,"b":true},"shared":true,"debug":false},
{"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"1"}]"#;

/// Pieces that are put in, or in place of a byte.
const TOKENS: [&str; 30] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "0",
    "-",
    "1e999",
    "9999999999999999999999",
    ".5",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\u{7f}",
    "\n",
    "{}",
    "[]",
    "\"\"",
    "NaN",
    "\"traceId\":",
    "\"value\":{\"arrayValue\":{\"values\":[",
    "\"tags\":{",
    "[[[[[[[[",
    "{\"a\":{\"a\":",
    "\"intValue\":",
];

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = seed.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(text.len());
        match random.below(6) {
            0 if !text.is_empty() => text[at] = random.below(256) as u8,
            1 if !text.is_empty() => drop(text.remove(at)),
            2 => text.truncate(at),
            3 => {
                let to = (at + random.below(40)).min(text.len());
                let piece = text[at..to].to_vec();
                let into = random.below(text.len());
                text.splice(into..into, piece);
            }
            4 => {
                let to = (at + random.below(20)).min(text.len());
                drop(text.drain(at..to));
            }
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].bytes();
                text.splice(at..at, token);
            }
        }
    }
    text
}

/// Whether it was taken.
fn transcode_both(text: &[u8]) -> bool {
    let bytes_max = 1 << 20;
    let limits = Limits { depth_max: 64, attributes_max: 1024, span_bytes_max: 1 << 20 };
    let otlp = transcode_traces(text, TranscodeLimits { depth_max: 64, bytes_max });
    let zipkin = transcode_spans(text, TranscodeOptions { parse_string_tags: true, received_at_ns: 5, bytes_max });
    let mut taken = false;
    for payload in [otlp, zipkin].into_iter().flatten() {
        assert!(payload.len() <= bytes_max);
        scan(&payload, Checks::Admission(limits), |_| ()).expect("what comes out is canonical");
        taken = true;
    }
    taken
}

/// Real files, where they lie beside the project.
fn corpora() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for folder in ["otlp", "zipkin"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora").join(folder);
        let Ok(entries) = std::fs::read_dir(&path) else {
            println!("not run with real data: there is no {}", path.display());
            continue;
        };
        println!("with {}", path.display());
        for entry in entries {
            texts.push(std::fs::read(entry.expect("a readable folder").path()).expect("a readable file"));
        }
    }
    texts
}

#[test]
fn damaged_json_never_hurts() {
    let mut random = Random(3);
    for seed in [OTLP, ZIPKIN] {
        assert!(transcode_both(seed.as_bytes()), "the seed is valid");
        let taken = (0..20_000).filter(|_| transcode_both(&mutated(seed.as_bytes(), &mut random))).count();
        assert!((500..19_500).contains(&taken), "{taken} of 20,000 mutations were taken");
    }
    for seed in corpora() {
        for _ in 0..(2_000_000 / seed.len()).min(500) {
            transcode_both(&mutated(&seed, &mut random));
        }
    }
    for len in 0..OTLP.len() {
        transcode_both(&OTLP.as_bytes()[..len]);
        transcode_both(&ZIPKIN.as_bytes()[..len.min(ZIPKIN.len())]);
    }
}
