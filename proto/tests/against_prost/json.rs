//! What serde makes of prost's messages is transcoded back to them, however it is written.

use proptest::prelude::*;
use prost::Message;
use serde_json::Value as Json;
use weir_proto::otlp::{
    json::{TranscodeLimits, transcode_traces},
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
    },
    traces::{Checks, scan},
};

use crate::{GENEROUS, generated::requests, scrambled::Random};

pub(crate) const LIMITS: TranscodeLimits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 30 };

/// serde writes null for NaN and infinities, where the proto3 JSON mapping has words.
pub(crate) fn any_value(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::DoubleValue(double)) if !double.is_finite() => *double = 0.5,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(any_value),
        Some(Value::KvlistValue(list)) => attributes(&mut list.values),
        _ => {}
    }
}

/// The same in attributes.
pub(crate) fn attributes(attributes: &mut [KeyValue]) {
    attributes.iter_mut().filter_map(|attribute| attribute.value.as_mut()).for_each(any_value);
}

fn without_non_finite(request: &mut ExportTraceServiceRequest) {
    for resource_spans in &mut request.resource_spans {
        resource_spans.resource.iter_mut().for_each(|resource| attributes(&mut resource.attributes));
        for scope_spans in &mut resource_spans.scope_spans {
            scope_spans.scope.iter_mut().for_each(|scope| attributes(&mut scope.attributes));
            for span in &mut scope_spans.spans {
                attributes(&mut span.attributes);
                span.events.iter_mut().for_each(|event| attributes(&mut event.attributes));
                span.links.iter_mut().for_each(|link| attributes(&mut link.attributes));
            }
        }
    }
}

fn assert_transcoded(json: &str, request: &ExportTraceServiceRequest) {
    let payload = transcode_traces(json.as_bytes(), LIMITS).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(payload.len() <= json.len(), "protobuf is the shorter one");
    assert_eq!(&ExportTraceServiceRequest::decode(&*payload).expect("protobuf"), request, "{json}");
    scan(&payload, Checks::Admission(GENEROUS), |span| assert_eq!(span.fault, None)).expect("canonical");
}

/// Writes the same JSON in other words.
pub(crate) fn rewrite(value: &Json, key: &str, random: &mut Random, out: &mut String) {
    let blank = [" ", "", "", "\n\t"][random.below(4)];
    out.push_str(blank);
    match value {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            for extra in 0..random.below(3) {
                let unknown = serde_json::json!({"a": [1, {"b": "]}\\\""}, null], "traceId": 5});
                members.push((format!("unknown.{extra}"), unknown));
            }
            for index in (1..members.len()).rev() {
                members.swap(index, random.below(index + 1));
            }
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                let written = if random.below(3) == 0 { snake_case(name) } else { name.clone() };
                rewrite(&Json::String(written), "", random, out);
                out.push_str(blank);
                out.push(':');
                if name.starts_with("unknown.") {
                    out.push_str(&value.to_string());
                } else {
                    rewrite(value, name, random, out);
                }
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                rewrite(item, key, random, out);
            }
            out.push(']');
        }
        Json::String(text) if (key.ends_with("UnixNano") || key == "intValue") && random.below(2) == 0 => {
            out.push_str(text);
            out.push_str(["", ".0", "e0", ".00E+0"][random.below(4)]);
        }
        Json::String(text) => {
            out.push('"');
            for character in text.chars() {
                let must = character < ' ' || matches!(character, '"' | '\\');
                if must || random.below(8) == 0 {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                } else {
                    out.push(character);
                }
            }
            out.push('"');
        }
        Json::Number(number) => {
            let number = number.to_string();
            let kinds = ["SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"];
            let named = number.parse().ok().and_then(|number: usize| kinds.get(number)).filter(|_| key == "kind");
            match named {
                Some(name) => out.push_str(&format!("\"{name}\"")),
                // Quoted, it would be a name.
                None if ["kind", "code", "severityNumber"].contains(&key) || random.below(2) == 0 => {
                    out.push_str(&number)
                }
                None => out.push_str(&format!("\"{number}\"")),
            }
        }
        Json::Null | Json::Bool(_) => out.push_str(&value.to_string()),
    }
    out.push_str(blank);
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_serde_writes_comes_back(mut request in requests()) {
        without_non_finite(&mut request);
        assert_transcoded(&serde_json::to_string(&request).expect("serializable"), &request);
        assert_transcoded(&serde_json::to_string_pretty(&request).expect("serializable"), &request);
    }

    #[test]
    fn other_words_mean_the_same(mut request in requests(), seed: u64) {
        without_non_finite(&mut request);
        let json = serde_json::to_value(&request).expect("serializable");
        let mut rewritten = String::new();
        rewrite(&json, "", &mut Random(seed), &mut rewritten);
        assert_transcoded(&rewritten, &request);
    }

    #[test]
    fn damaged_json_is_refused_or_well_formed_protobuf(mut request in requests(), seed: u64) {
        without_non_finite(&mut request);
        let mut random = Random(seed);
        let json = serde_json::to_vec(&request).expect("serializable");
        for _ in 0..50 {
            let mut damaged = json.clone();
            let at = random.below(damaged.len());
            match random.below(4) {
                0 => damaged[at] = random.next() as u8,
                1 => damaged[at] = b"\"\\{}[]:,0n-e."[random.below(13)],
                2 => damaged.truncate(at),
                _ => drop(damaged.remove(at)),
            }
            let Ok(payload) = transcode_traces(&damaged, LIMITS) else { continue };
            scan(&payload, Checks::Admission(GENEROUS), |_| ()).expect("canonical protobuf");
        }
    }
}
