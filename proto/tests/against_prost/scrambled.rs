//! Valid protobuf that no encoder writes: fields shuffled and repeated, messages in parts, unknown fields between them.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// A message whose fields are known.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Request,
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    Line,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    Array,
    List,
}

impl Kind {
    /// The message that a field of this one holds.
    fn child(self, field: u32) -> Option<Kind> {
        Some(match (self, field) {
            (Kind::Request, 1) => Kind::ResourceSpans,
            (Kind::ResourceSpans, 1) => Kind::Resource,
            (Kind::ResourceSpans, 2) => Kind::ScopeSpans,
            (Kind::ScopeSpans, 1) => Kind::Scope,
            (Kind::ScopeSpans, 2) => Kind::Span,
            (Kind::LogsRequest, 1) => Kind::ResourceLogs,
            (Kind::ResourceLogs, 1) => Kind::Resource,
            (Kind::ResourceLogs, 2) => Kind::ScopeLogs,
            (Kind::ScopeLogs, 1) => Kind::Scope,
            (Kind::ScopeLogs, 2) => Kind::Line,
            (Kind::Line, 5) => Kind::AnyValue,
            (Kind::Line, 6) => Kind::KeyValue,
            (Kind::Resource, 3) => Kind::EntityRef,
            (Kind::Resource, 1) | (Kind::Scope, 3) | (Kind::Span, 9) | (Kind::Event, 3) | (Kind::Link, 4) => {
                Kind::KeyValue
            }
            (Kind::Span, 11) => Kind::Event,
            (Kind::Span, 13) => Kind::Link,
            (Kind::Span, 15) => Kind::Status,
            (Kind::KeyValue, 2) | (Kind::Array, 1) => Kind::AnyValue,
            (Kind::AnyValue, 5) => Kind::Array,
            (Kind::AnyValue, 6) => Kind::List,
            (Kind::List, 1) => Kind::KeyValue,
            _ => return None,
        })
    }
}

struct Field {
    number: u32,
    wire_type: WireType,
    content: Vec<u8>,
}

impl Field {
    fn encode(&self, random: &mut Random, out: &mut Vec<u8>) {
        encode_key(self.number, self.wire_type, out);
        if self.wire_type == WireType::LengthDelimited {
            let start = out.len();
            encode_varint(self.content.len() as u64, out);
            // a varint may be longer than needed
            if random.one_in(12) && out.len() - start < 9 {
                *out.last_mut().expect("just written") |= 0x80;
                out.push(0);
            }
        }
        out.extend_from_slice(&self.content);
    }
}

/// Turns a request into other valid bytes. What they mean is for prost to say.
pub(crate) fn scrambled(request: &[u8], random: &mut Random) -> Vec<u8> {
    scrambled_as(request, Kind::Request, random)
}

/// The same with a request of this kind.
pub(crate) fn scrambled_as(request: &[u8], kind: Kind, random: &mut Random) -> Vec<u8> {
    // most scrambles keep singular messages whole, or every payload would have to be made canonical
    let disorderly = random.one_in(3);
    scramble(request, kind, disorderly, random)
}

fn scramble(message: &[u8], kind: Kind, disorderly: bool, random: &mut Random) -> Vec<u8> {
    let mut fields = fields(message);
    for field in &mut fields {
        if let Some(child) = kind.child(field.number) {
            field.content = scramble(&field.content, child, disorderly, random);
        }
    }
    if kind == Kind::AnyValue && random.one_in(4) {
        fields.push(other_value(disorderly, random));
    }
    let mut order: Vec<usize> = (0..fields.len()).collect();
    // scalars again; messages too when disorderly
    for (index, field) in fields.iter().enumerate() {
        if random.one_in(6) && (disorderly || kind.child(field.number).is_none()) {
            order.push(index);
        }
    }
    if random.one_in(2) {
        for index in (1..order.len()).rev() {
            order.swap(index, random.below(index + 1));
        }
    }
    let owns = matches!(kind, Kind::ResourceSpans | Kind::ScopeSpans | Kind::ResourceLogs | Kind::ScopeLogs);
    if owns && !disorderly {
        order.sort_by_key(|&index| fields[index].number != 1);
    }
    let mut out = Vec::new();
    for index in order {
        if random.one_in(8) {
            unknown(random, 3, &mut out);
        }
        fields[index].encode(random, &mut out);
    }
    if random.one_in(8) {
        unknown(random, 3, &mut out);
    }
    out
}

/// One more value for an AnyValue: the last one counts, but for two arrays or two lists, which become one.
fn other_value(disorderly: bool, random: &mut Random) -> Field {
    let (number, wire_type, content) = match random.below(if disorderly { 8 } else { 6 }) {
        0 => (1, WireType::LengthDelimited, vec![b'x']),
        1 => (2, WireType::Varint, vec![1]),
        2 => (3, WireType::Varint, vec![7]),
        3 => (4, WireType::SixtyFourBit, vec![1; 8]),
        4 => (7, WireType::LengthDelimited, vec![0xff]),
        5 => (8, WireType::Varint, vec![3]),
        6 => (5, WireType::LengthDelimited, vec![]),
        _ => (6, WireType::LengthDelimited, vec![]),
    };
    Field { number, wire_type, content }
}

fn fields(mut message: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).expect("encoded by prost");
        let length = match wire_type {
            WireType::Varint => {
                let mut rest = message;
                decode_varint(&mut rest).expect("encoded by prost");
                message.len() - rest.len()
            }
            WireType::LengthDelimited => decode_varint(&mut message).expect("encoded by prost") as usize,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::StartGroup | WireType::EndGroup => panic!("prost encodes no groups"),
        };
        let (content, rest) = message.split_at(length);
        fields.push(Field { number, wire_type, content: content.to_vec() });
        message = rest;
    }
    fields
}

/// A field that no OTLP message has.
fn unknown(random: &mut Random, depth: u32, out: &mut Vec<u8>) {
    let number = [17, 99, 1000, 100_000, (1 << 29) - 1][random.below(5)];
    match random.below(5) {
        0 => {
            encode_key(number, WireType::Varint, out);
            let shift = random.below(64);
            encode_varint(random.next() >> shift, out);
        }
        1 => {
            encode_key(number, WireType::SixtyFourBit, out);
            out.extend(random.next().to_le_bytes());
        }
        2 => {
            encode_key(number, WireType::ThirtyTwoBit, out);
            out.extend((random.next() as u32).to_le_bytes());
        }
        3 if depth > 0 => {
            encode_key(number, WireType::StartGroup, out);
            for _ in 0..random.below(3) {
                unknown(random, depth - 1, out);
            }
            encode_key(number, WireType::EndGroup, out);
        }
        _ => {
            encode_key(number, WireType::LengthDelimited, out);
            let length = random.below(200);
            encode_varint(length as u64, out);
            out.extend((0..length).map(|_| random.next() as u8));
        }
    }
}
