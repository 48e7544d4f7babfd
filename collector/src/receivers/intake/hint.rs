//! What a body that cannot be read seems to be, in words for its sender.

use weir_port::Encoding;

use super::{format::Format, loki::LokiFormat};

/// How much of a body's beginning is looked at.
pub(crate) const BEGIN_BYTES: usize = 16;

/// The beginning of a body, kept while the body is worked on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begin {
    bytes: [u8; BEGIN_BYTES],
    len: usize,
}

impl Begin {
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut begin = Self { bytes: [0; BEGIN_BYTES], len: body.len().min(BEGIN_BYTES) };
        begin.bytes[..begin.len].copy_from_slice(&body[..begin.len]);
        begin
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Why a body with this beginning is not what `encoding` says.
    pub(crate) fn of_compressed(&self, encoding: Encoding) -> Option<String> {
        let found = compression(self.bytes());
        if found == Some(encoding) {
            return None;
        }
        let seems = match found {
            Some(found) => format!("seems to be compressed with {}", found.name()),
            None => "seems not to be compressed".to_owned(),
        };
        Some(format!("Content-Encoding says {}, the body {seems}", encoding.name()))
    }

    /// Why a decompressed body with this beginning cannot be read as `format`.
    pub(crate) fn of_content(&self, format: &Format) -> Option<String> {
        let bytes = self.bytes();
        if let Some(found) = compression(bytes) {
            let name = found.name();
            return Some(format!("it seems to be compressed with {name}, which Content-Encoding does not say"));
        }
        let first = bytes.trim_ascii_start().first();
        let words = match (format, first) {
            (Format::OtlpProtobuf | Format::Loki(LokiFormat { is_json: false, .. }), Some(b'{' | b'[')) => {
                "it seems to be JSON, whose Content-Type is application/json"
            }
            (Format::OtlpProtobuf | Format::Loki(LokiFormat { is_json: false, .. }), _) => return None,
            _ if bytes.starts_with(&[0xef, 0xbb, 0xbf]) => {
                "it begins with a byte order mark (EF BB BF), which JSON must not have (RFC 8259)"
            }
            _ if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => UTF_16,
            _ if matches!(bytes, [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..]) => UTF_16,
            _ if is_protobuf(bytes) => "it seems to be protobuf, whose Content-Type is application/x-protobuf",
            (Format::OtlpJson, Some(b'[')) => {
                "OTLP/JSON is one object that begins with resourceSpans or resourceLogs; a list of spans is Zipkin's, for a zipkin \
                 receiver, usually on 9411"
            }
            (Format::Zipkin { .. }, Some(b'{')) => {
                "Zipkin's JSON is a list of spans; OTLP/JSON goes to an otlp receiver, usually on 4318"
            }
            (_, Some(b'<')) => "it seems to be XML or HTML",
            _ => return None,
        };
        Some(words.to_owned())
    }
}

const UTF_16: &str = "it seems to be UTF-16; JSON is sent in UTF-8 (RFC 8259)";

fn compression(bytes: &[u8]) -> Option<Encoding> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Encoding::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Encoding::Zstd),
        // RFC 1950: deflate with a window of 32 KiB, and a multiple of 31. `x` begins no JSON, and no OTLP.
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31) => Some(Encoding::Deflate),
        _ => None,
    }
}

/// The first field of an ExportTraceServiceRequest, whose key JSON takes for a line break, is not followed by JSON.
fn is_protobuf(bytes: &[u8]) -> bool {
    match bytes {
        [b'\n', rest @ ..] => rest.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace() || *byte > 0x7e),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_by_their_beginning() {
        let json = &Format::OtlpJson;
        let zipkin = &Format::Zipkin { parse_string_tags: false };
        let rows: [(&Format, &[u8], &str); 12] = [
            (json, b"\xef\xbb\xbf{}", "byte order mark"),
            (json, b"\xff\xfe{\0", "UTF-16"),
            (json, b"{\0\"\0", "UTF-16"),
            (json, b"\0{\0\"", "UTF-16"),
            (json, b"\x1f\x8b\x08", "compressed with gzip"),
            (json, b"\x28\xb5\x2f\xfd", "compressed with zstd"),
            (json, b"\x78\x9c", "compressed with deflate"),
            (json, b"\n\x8e\x01\n\x20", "protobuf"),
            (json, b" [{}]", "one object"),
            (zipkin, b"{}", "a list of spans"),
            (&Format::OtlpProtobuf, b" \n{\"resourceSpans\"", "JSON"),
            (&Format::OtlpProtobuf, b"\x1f\x8b\x08", "gzip"),
        ];
        for (format, body, expected) in rows {
            let words = Begin::of(body).of_content(format).unwrap_or_default();
            assert!(words.contains(expected), "{body:?}: {words}");
        }
        for (format, body) in [(json, &b"{\"resourceSpans\": "[..]), (json, b"\n \n{"), (json, b""), (zipkin, b"[")] {
            assert_eq!(Begin::of(body).of_content(format), None, "{body:?}");
        }
        assert_eq!(Begin::of(b"\x1f\x8b").of_compressed(Encoding::Gzip), None);
        let words = Begin::of(b"{}").of_compressed(Encoding::Gzip);
        assert_eq!(words.as_deref(), Some("Content-Encoding says gzip, the body seems not to be compressed"));
    }
}
