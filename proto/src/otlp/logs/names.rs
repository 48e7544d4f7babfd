//! The usual names of trace and span ids in fields of lines, and how each writes them.

use crate::{SpanId, TraceId};

/// How a field writes an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Hex digits: 32, or 16 for the low half.
    Trace,
    /// The same, or a decimal number of 64 bits.
    DecimalTrace,
    /// 16 hex digits.
    Span,
    /// The same, or a decimal number of 64 bits.
    DecimalSpan,
    /// Behind the last slash: Google's `projects/P/traces/HEX`.
    PathTrace,
    /// W3C `traceparent`: version, trace, span, flags.
    Traceparent,
    /// Jaeger's `uber-trace-id`: trace, span, parent, flags, without leading zeros.
    Jaeger,
    /// Zipkin's single header: trace, span, sampled, parent.
    B3,
    /// Amazon's `Root=1-8-24;Parent=16`.
    Amazon,
}

/// Names in lower case, those that tell all of an id first.
pub(super) const NAMES: [(&str, Form); 22] = [
    ("trace_id", Form::Trace),
    ("traceid", Form::Trace),
    ("trace.id", Form::Trace),
    ("oteltraceid", Form::Trace),
    ("traceparent", Form::Traceparent),
    ("logging.googleapis.com/trace", Form::PathTrace),
    ("operation_id", Form::Trace),
    ("x-amzn-trace-id", Form::Amazon),
    ("uber-trace-id", Form::Jaeger),
    ("x-b3-traceid", Form::Trace),
    ("b3", Form::B3),
    ("dd.trace_id", Form::DecimalTrace),
    ("dd_trace_id", Form::DecimalTrace),
    ("span_id", Form::Span),
    ("spanid", Form::Span),
    ("span.id", Form::Span),
    ("otelspanid", Form::Span),
    ("logging.googleapis.com/spanid", Form::Span),
    ("operation_parentid", Form::Span),
    ("x-b3-spanid", Form::Span),
    ("dd.span_id", Form::DecimalSpan),
    ("dd_span_id", Form::DecimalSpan),
];

/// The ids that a field's text writes.
pub(super) fn read(form: Form, text: &[u8]) -> (Option<TraceId>, Option<SpanId>) {
    let text = text.trim_ascii();
    match form {
        Form::Trace => (trace(text), None),
        Form::DecimalTrace => (decimal(text).map(low_half).or_else(|| trace(text)), None),
        Form::Span => (None, span(text)),
        Form::DecimalSpan => (None, decimal(text).map(|number| SpanId(number.to_be_bytes())).or_else(|| span(text))),
        Form::PathTrace => (text.rsplit(|byte| *byte == b'/').next().and_then(trace), None),
        Form::Traceparent => {
            let mut parts = text.split(|byte| *byte == b'-').skip(1);
            (parts.next().and_then(trace), parts.next().and_then(span))
        }
        Form::B3 => {
            let mut parts = text.split(|byte| *byte == b'-');
            (parts.next().and_then(trace), parts.next().and_then(span))
        }
        Form::Jaeger => {
            // Colons are escaped where the field was a header.
            let text = String::from_utf8_lossy(text).replace("%3A", ":").replace("%3a", ":");
            let mut parts = text.split(':');
            let trace = parts.next().filter(|_| text.contains(':')).and_then(|part| part.parse::<TraceId>().ok());
            let span = parts.next().and_then(|part| part.parse::<SpanId>().ok());
            (trace.filter(|id| id.0 != [0; 16]), span.filter(|id| id.0 != [0; 8]))
        }
        Form::Amazon => amazon(text),
    }
}

/// 32 hex digits, or 16 for the low half; not zero.
fn trace(text: &[u8]) -> Option<TraceId> {
    let id = match text.len() {
        32 => TraceId(hex(text)?),
        16 => low_half(u64::from_be_bytes(hex(text)?)),
        _ => return None,
    };
    (id.0 != [0; 16]).then_some(id)
}

fn span(text: &[u8]) -> Option<SpanId> {
    SpanId::from_wire(&hex::<8>(text)?)
}

fn low_half(number: u64) -> TraceId {
    TraceId(u128::from(number).to_be_bytes())
}

/// A number of 64 bits that is not zero. 32 digits are none: they are hex.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|number| *number > 0)
}

/// Exactly N bytes of hex, in either case.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    let mut all = 0;
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(digits[0])], DIGITS[usize::from(digits[1])]);
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16).then_some(bytes)
}

/// What each hex digit stands for, in either case; more than 15 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xf0; 256];
    let mut at = 0;
    while at < 256 {
        digits[at] = match at as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            digit @ b'A'..=b'F' => digit - b'A' + 10,
            _ => 0xf0,
        };
        at += 1;
    }
    digits
};

fn amazon(text: &[u8]) -> (Option<TraceId>, Option<SpanId>) {
    let (mut trace, mut parent) = (None, None);
    for part in text.split(|byte| *byte == b';') {
        let part = part.trim_ascii();
        if let Some(root) = part.strip_prefix(b"Root=1-").or_else(|| part.strip_prefix(b"1-")) {
            // Eight digits of time, a hyphen, 24 more.
            if root.len() == 33 && root[8] == b'-' {
                trace = self::trace(&[&root[..8], &root[9..]].concat());
            }
        } else if let Some(id) = part.strip_prefix(b"Parent=") {
            parent = span(id);
        }
    }
    (trace, parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_read() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const LOW: &str = "0000000000000000a3ce929d0e0e4736";
        const SPAN: &str = "00f067aa0ba902b7";
        let rows = [
            ("trace_id", TRACE.to_owned(), TRACE, ""),
            ("trace_id", TRACE.to_uppercase(), TRACE, ""),
            ("trace.id", format!(" {TRACE}"), TRACE, ""),
            ("x-b3-traceid", "a3ce929d0e0e4736".into(), LOW, ""),
            ("dd.trace_id", "11803532876627986230".into(), LOW, ""),
            ("dd.trace_id", TRACE.into(), TRACE, ""),
            ("dd.span_id", "67667974448284343".into(), "", SPAN),
            ("dd.span_id", SPAN.into(), "", SPAN),
            ("logging.googleapis.com/trace", format!("projects/p/traces/{TRACE}"), TRACE, ""),
            ("traceparent", format!("00-{TRACE}-{SPAN}-01"), TRACE, SPAN),
            ("uber-trace-id", format!("{TRACE}:f067aa0ba902b7:0:1"), TRACE, SPAN),
            ("uber-trace-id", "a3ce929d0e0e4736%3A1%3A0%3A1".into(), LOW, "0000000000000001"),
            ("b3", format!("{TRACE}-{SPAN}-1"), TRACE, SPAN),
            (
                "x-amzn-trace-id",
                format!("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent={SPAN};Sampled=1"),
                TRACE,
                SPAN,
            ),
            ("operation_id", TRACE.into(), TRACE, ""),
            ("span_id", SPAN.into(), "", SPAN),
            ("trace_id", "0".repeat(32), "", ""),
            ("trace_id", "7".into(), "", ""),
            ("trace_id", "x".repeat(32), "", ""),
            ("uber-trace-id", TRACE.into(), "", ""),
            ("dd.trace_id", "0".into(), "", ""),
        ];
        for (name, text, trace_id, span_id) in rows {
            let (_, form) = NAMES.iter().find(|(known, _)| *known == name).expect("a usual name");
            let (trace, span) = read(*form, text.as_bytes());
            let trace = trace.map(|id| id.to_string()).unwrap_or_default();
            let span = span.map(|id| id.to_string()).unwrap_or_default();
            assert_eq!((trace.as_str(), span.as_str()), (trace_id, span_id), "{name}: {text}");
        }
    }
}
