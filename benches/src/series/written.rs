//! Remote write requests of the targets' samples, in both versions.

use std::collections::HashMap;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::{fill::labels, node::Node};

/// Samples of a request, as Prometheus sends them.
const SAMPLES: usize = 2000;

/// Which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 1.0.
    First,
    /// 2.0.
    Second,
}

/// A request for each 2,000 samples of a round at a time in Unix ms, with their number.
pub fn requests(form: Form, targets: u64, (round, time_ms): (u64, i64)) -> Vec<(Request<Full<Bytes>>, u64)> {
    let all = bodies(form, targets, (round, time_ms)).into_iter();
    all.map(|(body, count)| (request(form, body), count)).collect()
}

/// Their bodies.
pub fn bodies(form: Form, targets: u64, time: (u64, i64)) -> Vec<(Vec<u8>, u64)> {
    let node = Node::default();
    let all: Vec<(u64, usize)> =
        (0..targets).flat_map(|target| (0..node.series()).map(move |line| (target, line))).collect();
    all.chunks(SAMPLES).map(|some| (body(form, &node, some, &[time]), some.len() as u64)).collect()
}

/// Bodies of version 1.0 with several rounds' samples of each series, as a sender has them that was not heard for a while.
pub fn caught_up(targets: u64, times: Vec<(u64, i64)>) -> impl Iterator<Item = Vec<u8>> {
    let node = Node::default();
    let all: Vec<(u64, usize)> =
        (0..targets).flat_map(|target| (0..node.series()).map(move |line| (target, line))).collect();
    (0..all.len().div_ceil(SAMPLES)).map(move |part| {
        let some = &all[part * SAMPLES..all.len().min((part + 1) * SAMPLES)];
        body(Form::First, &node, some, &times)
    })
}

/// A request of version 1.0 with samples (value, time in Unix ms) of one series, whose labels are in order.
pub fn one_series(labels: &[(&str, &str)], samples: &[(f64, i64)]) -> Request<Full<Bytes>> {
    let mut one = Vec::new();
    for (name, label) in labels {
        put(&mut one, 1, &pair(name, label));
    }
    samples.iter().for_each(|&(value, time_ms)| put(&mut one, 2, &sample(value, time_ms)));
    let mut whole = Vec::new();
    put(&mut whole, 1, &one);
    request(Form::First, snap::raw::Encoder::new().compress_vec(&whole).expect("it is not too large"))
}

fn body(form: Form, node: &Node, series: &[(u64, usize)], times: &[(u64, i64)]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut symbols = Symbols::default();
    for &(target, line) in series {
        let samples = || times.iter().map(|&(round, time_ms)| sample(node.value(target, line, round), time_ms));
        let labels = labels(node, target, line);
        let mut one = Vec::new();
        match form {
            Form::First => {
                for (name, label) in labels.iter() {
                    put(&mut one, 1, &pair(name, label));
                }
                samples().for_each(|sample| put(&mut one, 2, &sample));
                put(&mut message, 1, &one);
            }
            Form::Second => {
                let mut refs = Vec::new();
                for (name, label) in labels.iter() {
                    encode_varint(symbols.of(name), &mut refs);
                    encode_varint(symbols.of(label), &mut refs);
                }
                put(&mut one, 1, &refs);
                samples().for_each(|sample| put(&mut one, 2, &sample));
                put(&mut message, 5, &one);
            }
        }
    }
    let mut whole = Vec::new();
    symbols.all.iter().for_each(|symbol| put(&mut whole, 4, symbol.as_bytes()));
    whole.append(&mut message);
    snap::raw::Encoder::new().compress_vec(&whole).expect("it is not too large")
}

/// A request with a body.
pub fn request(form: Form, body: Vec<u8>) -> Request<Full<Bytes>> {
    let content_type = match form {
        Form::First => "application/x-protobuf",
        Form::Second => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    };
    let request = Request::post("/prometheus/api/v1/write")
        .header("content-type", content_type)
        .header("content-encoding", "snappy")
        .body(Full::new(Bytes::from(body)));
    request.expect("a request")
}

/// Texts of version 2, each once. The first is empty.
#[derive(Default)]
struct Symbols {
    all: Vec<String>,
    places: HashMap<String, u64>,
}

impl Symbols {
    fn of(&mut self, text: &str) -> u64 {
        if self.all.is_empty() {
            self.all.push(String::new());
        }
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = self.all.len() as u64;
        self.all.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

fn pair(name: &str, label: &str) -> Vec<u8> {
    let mut pair = Vec::new();
    put(&mut pair, 1, name.as_bytes());
    put(&mut pair, 2, label.as_bytes());
    pair
}

fn sample(value: f64, time_ms: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(1, WireType::SixtyFourBit, &mut bytes);
    bytes.extend_from_slice(&value.to_le_bytes());
    encode_key(2, WireType::Varint, &mut bytes);
    encode_varint(time_ms as u64, &mut bytes);
    bytes
}

fn put(into: &mut Vec<u8>, field: u32, content: &[u8]) {
    encode_key(field, WireType::LengthDelimited, into);
    encode_varint(content.len() as u64, into);
    into.extend_from_slice(content);
}
