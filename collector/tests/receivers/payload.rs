//! Requests to send.

use prost::Message;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

/// The clock of all tests, Unix ns.
pub(crate) const NOW_NS: u64 = 1_800_000_000_000_000_000;

pub(crate) fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".into(),
        start_time_unix_nano: NOW_NS - 1000,
        end_time_unix_nano: NOW_NS,
        ..Span::default()
    }
}

/// With `count` attributes, each a string of `len` bytes.
pub(crate) fn span_with(count: usize, len: usize) -> Span {
    let value = Some(AnyValue { value: Some(Value::StringValue("x".repeat(len))) });
    let attribute = |n| KeyValue { key: format!("key.{n}"), value: value.clone(), ..KeyValue::default() };
    Span { attributes: (0..count).map(attribute).collect(), ..span() }
}

pub(crate) fn request(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// One span of about `len` bytes.
pub(crate) fn request_of(len: usize) -> Vec<u8> {
    request(vec![span_with(1, len)])
}

/// A span whose attribute is `depth` arrays in each other. Built from the inside, backwards.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    fn prepend_field(reversed: &mut Vec<u8>, field: u8, from: usize) {
        let mut length = Vec::new();
        prost::encoding::encode_varint((reversed.len() - from) as u64, &mut length);
        reversed.extend(length.iter().rev());
        reversed.push(field << 3 | 2);
    }
    let mut value = vec![1, 2 << 3]; // AnyValue.bool_value = true
    for _ in 0..depth {
        prepend_field(&mut value, 1, 0); // ArrayValue.values
        prepend_field(&mut value, 5, 0); // AnyValue.array_value
    }
    prepend_field(&mut value, 2, 0); // KeyValue.value
    value.extend([b'k', 1, 1 << 3 | 2]); // KeyValue.key
    prepend_field(&mut value, 9, 0); // Span.attributes
    value.extend(span().encode_to_vec().iter().rev());
    prepend_field(&mut value, 2, 0); // ScopeSpans.spans
    prepend_field(&mut value, 2, 0); // ResourceSpans.scope_spans
    prepend_field(&mut value, 1, 0); // ExportTraceServiceRequest.resource_spans
    value.reverse();
    value
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut out = vec![0; compressor.gzip_compress_bound(content.len())];
    let len = compressor.gzip_compress(content, &mut out).expect("within the bound");
    out.truncate(len);
    out
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut out = vec![0; compressor.zlib_compress_bound(content.len())];
    let len = compressor.zlib_compress(content, &mut out).expect("within the bound");
    out.truncate(len);
    out
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(content, 1).expect("memory")
}

/// A gRPC message: flag, length, bytes.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![flag];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed
}
