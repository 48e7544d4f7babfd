//! Reads whatever somebody pastes: ids in any spelling, headers, links to Jaeger, Grafana or Weir, a log line with an id in it.

use weir_proto::{SpanId, TraceId};

/// Bytes that are looked at.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Traces that a text may name.
const TRACES_MAX: usize = 20;

/// As what a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReadAs {
    TraceId,
    SpanId,
    Traceparent,
    JaegerLink,
    GrafanaLink,
    WeirLink,
    LogLine,
    Text,
}

/// What a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pasted {
    pub(crate) read_as: ReadAs,
    /// Likeliest first, with the span that was named beside it.
    pub(crate) traces: Vec<(TraceId, Option<SpanId>)>,
    /// Ids that may be a span's.
    pub(crate) spans: Vec<SpanId>,
    /// Without what people paste around it.
    pub(crate) text: String,
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Pasted {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let bare = text.trim().trim_matches(['"', '\'', '`', '<', '>', '(', ')', '[', ']', ',', ';']).trim();
    let mut pasted = Pasted { read_as: ReadAs::Text, traces: Vec::new(), spans: Vec::new(), text: bare.to_owned() };
    if let Some(found) = traceparent(bare) {
        pasted.read_as = ReadAs::Traceparent;
        pasted.traces.push(found);
        // With more around it, it was in a line.
        if bare.len() > 120 {
            pasted.read_as = ReadAs::LogLine;
        }
        return pasted;
    }
    if bare.contains("://") && !bare.contains(char::is_whitespace) {
        return link(bare, pasted);
    }
    if let Some(read_as) = id(bare, &mut pasted) {
        pasted.read_as = read_as;
        return pasted;
    }
    ids_within(bare, &mut pasted);
    if !pasted.traces.is_empty() || !pasted.spans.is_empty() {
        pasted.read_as = ReadAs::LogLine;
    }
    pasted
}

/// W3C's header (<https://www.w3.org/TR/trace-context/#traceparent-header>), wherever it stands.
fn traceparent(text: &str) -> Option<(TraceId, Option<SpanId>)> {
    for word in text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-')) {
        let mut parts = word.split('-');
        let (Some(version), Some(trace), Some(span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if version.len() == 2 && flags.len() == 2 && (trace.len(), span.len()) == (32, 16) {
            return Some((trace.parse().ok()?, span.parse().ok()));
        }
    }
    None
}

/// The whole text as an id.
fn id(text: &str, pasted: &mut Pasted) -> Option<ReadAs> {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    // `trace:span:parent:flags`, and `trace-span-sampled` with ids of 64 or 128 bits: Jaeger's header, and B3's.
    for separator in [':', '-'] {
        let parts: Vec<&str> = word.split(separator).collect();
        let is_header = parts.len() >= 3 && parts.iter().all(|part| hex(part)) && matches!(parts[1].len(), 1..=16);
        if is_header && (separator == ':' || matches!((parts[0].len(), parts[1].len()), (16 | 32, 16))) {
            pasted.traces.push((parts[0].parse().ok()?, parts[1].parse().ok()));
            return Some(ReadAs::Traceparent);
        }
    }
    // AWS' form: `1-5759e988-bd862e3fe1be46a994272793`, be it behind `Root=`.
    let root = word.strip_prefix("Root=").unwrap_or(word).split(';').next().unwrap_or_default();
    let parts: Vec<&str> = root.split('-').collect();
    if parts.len() == 3
        && parts[0] == "1"
        && (parts[1].len(), parts[2].len()) == (8, 24)
        && hex(parts[1])
        && hex(parts[2])
    {
        pasted.traces.push((format!("{}{}", parts[1], parts[2]).parse().ok()?, None));
        return Some(ReadAs::TraceId);
    }
    // As UUIDs are written, or in groups.
    let joined: String = word.chars().filter(|c| !matches!(c, '-' | ' ' | ':')).collect();
    if joined.len() == 32 && hex(&joined) {
        pasted.traces.push((joined.parse().ok()?, None));
        return Some(ReadAs::TraceId);
    }
    if hex(word) && word.len() <= 16 && word.len() >= 8 {
        // Short trace ids are written without their zeros; decimal ones are of 64 bits.
        pasted.spans.push(word.parse().ok()?);
        pasted.traces.push((word.parse().ok()?, None));
        return Some(ReadAs::SpanId);
    }
    if hex(word) && (17..32).contains(&word.len()) {
        pasted.traces.push((word.parse().ok()?, None));
        decimal(word, pasted);
        return Some(ReadAs::TraceId);
    }
    if word.len() == 24 && word.ends_with("==") {
        pasted.traces.push((word.parse().ok()?, None));
        return Some(ReadAs::TraceId);
    }
    None
}

/// Ids of 64 bits in decimal, as Datadog writes them.
fn decimal(word: &str, pasted: &mut Pasted) {
    if let Ok(number) = word.parse::<u64>() {
        pasted.traces.push((TraceId(u128::from(number).to_be_bytes()), None));
        pasted.spans.push(SpanId(number.to_be_bytes()));
    }
}

fn link(text: &str, mut pasted: Pasted) -> Pasted {
    let decoded = percent_decoded(text);
    let (path, query) = decoded.split_once('?').unwrap_or((&decoded, ""));
    let parameter = |names: &[&str]| {
        let pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value)
    };
    let span: Option<SpanId> = parameter(&["uiFind", "span", "spanId", "spanID"]).and_then(|id| id.parse().ok());
    let after_trace = ["/trace/", "/traces/"].into_iter().find_map(|mark| path.split_once(mark)).map(|(_, rest)| rest);
    let in_path = after_trace.and_then(|rest| rest.split(['/', '.', '#']).next()?.parse::<TraceId>().ok());
    let is_grafana = path.contains("/explore") || decoded.contains("grafana") || path.contains("/a/");
    pasted.read_as = if is_grafana {
        ReadAs::GrafanaLink
    } else if path.contains(":16686") || path.contains("/jaeger") || path.contains("/ui/trace/") {
        ReadAs::JaegerLink
    } else if path.contains(":4320") {
        ReadAs::WeirLink
    } else if after_trace.is_some() {
        ReadAs::JaegerLink
    } else {
        ReadAs::Text
    };
    if let Some(id) = in_path.or_else(|| parameter(&["traceId", "traceID", "trace"]).and_then(|id| id.parse().ok())) {
        pasted.traces.push((id, span));
    } else {
        ids_within(&decoded, &mut pasted);
        if let (Some(span), Some(first)) = (span, pasted.traces.first_mut()) {
            first.1 = Some(span);
        }
    }
    pasted
}

/// Ids in a line: words of 32 hex digits, and of 16 behind a name that says what they are.
fn ids_within(text: &str, pasted: &mut Pasted) {
    let mut named_span = None;
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if !word.bytes().all(|byte| byte.is_ascii_hexdigit()) || !matches!(word.len(), 16 | 32) {
            continue;
        }
        let begin = word.as_ptr() as usize - text.as_ptr() as usize;
        let name_begin = text.floor_char_boundary(begin.saturating_sub(24));
        let before = text[name_begin..begin].to_ascii_lowercase();
        if word.len() == 32 && pasted.traces.len() < TRACES_MAX {
            let known = word.parse().is_ok_and(|id| pasted.traces.iter().any(|(trace, _)| *trace == id));
            if let (Ok(id), false) = (word.parse(), known) {
                // What is called a trace goes before what only looks like one.
                let place = if before.contains("trace") { 0 } else { pasted.traces.len() };
                pasted.traces.insert(place, (id, None));
            }
        } else if word.len() == 16 && before.contains("span") && !before.contains("parent") {
            named_span = named_span.or(word.parse::<SpanId>().ok());
        } else if word.len() == 16 && before.contains("trace") && pasted.traces.is_empty() {
            pasted.traces.extend(word.parse().ok().map(|id| (id, None)));
        }
    }
    match (pasted.traces.first_mut(), named_span) {
        (Some(first), Some(span)) => first.1 = Some(span),
        (None, Some(span)) => pasted.spans.push(span),
        _ => {}
    }
}

/// Twice, since Grafana's links hold encoded JSON.
fn percent_decoded(text: &str) -> String {
    let once = |text: &str| {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let code = after.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
            match code.filter(|_| byte == b'%') {
                Some(code) => {
                    bytes.push(code);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(byte);
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    once(&once(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// As what it was read, the trace, and the span beside it or alone.
    fn shown(text: &str) -> String {
        let Pasted { read_as, traces, spans, .. } = read(text);
        let first = traces.first().map_or_else(String::new, |(trace, span)| {
            format!(" {}", span.map_or_else(|| trace.to_string(), |span| format!("{trace}/{span}")))
        });
        let span = spans.first().map_or_else(String::new, |span| format!(" span {span}"));
        format!("{read_as:?}{first}{span}")
    }

    #[test]
    fn ids_in_any_spelling() {
        let trace = format!("TraceId {ID}");
        for text in [
            ID.to_owned(),
            format!("  \"{ID}\" "),
            ID.to_uppercase(),
            format!("0x{ID}"),
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736".into(),
            "4bf92f35 77b34da6 a3ce929d 0e0e4736".into(),
            "1-4bf92f35-77b34da6a3ce929d0e0e4736".into(),
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1".into(),
            "S/kvNXezTaajzpKdDg5HNg==".into(),
        ] {
            assert_eq!(shown(&text), trace, "{text}");
        }
        assert_eq!(shown("f067aa0ba902b7"), format!("SpanId {:0>32} span {SPAN}", "f067aa0ba902b7"));
        assert_eq!(shown(&ID[15..]), format!("TraceId {:0>32}", &ID[15..]));
        assert_eq!(
            shown("12345678901234567890"),
            format!("TraceId {:0>32} span ab54a98ceb1f0ad2", "12345678901234567890")
        );
    }

    #[test]
    fn headers_and_links() {
        let both = format!("{ID}/{SPAN}");
        for (text, expected) in [
            (format!("00-{ID}-{SPAN}-01"), format!("Traceparent {both}")),
            (format!("traceparent: 00-{ID}-{SPAN}-01"), format!("Traceparent {both}")),
            (format!("{ID}:{SPAN}:0:1"), format!("Traceparent {both}")),
            (format!("{ID}-{SPAN}-1"), format!("Traceparent {both}")),
            (format!("http://jaeger:16686/trace/{ID}?uiFind={SPAN}"), format!("JaegerLink {both}")),
            (format!("https://x.example/jaeger/ui/trace/{ID}"), format!("JaegerLink {ID}")),
            (format!("http://localhost:4320/trace/{ID}?span={SPAN}"), format!("WeirLink {both}")),
            (
                format!("http://grafana/explore?left=%7B%22queries%22:%5B%7B%22query%22:%22{ID}%22%7D%5D%7D"),
                format!("GrafanaLink {ID}"),
            ),
            (
                format!("https://g.example/explore?panes=%257B%2522query%2522%253A%2522{ID}%2522%257D"),
                format!("GrafanaLink {ID}"),
            ),
            ("https://example.org/cart".into(), "Text".into()),
        ] {
            assert_eq!(shown(&text), expected, "{text}");
        }
    }

    #[test]
    fn lines_with_an_id() {
        let other = "0123456789abcdef0123456789abcdef";
        for (text, expected) in [
            (format!("{{\"msg\":\"x\",\"trace_id\":\"{ID}\",\"span_id\":\"{SPAN}\"}}"), format!("LogLine {ID}/{SPAN}")),
            (format!("2024-01-01 ERROR request={other} traceId={ID} it broke"), format!("LogLine {ID}")),
            (format!("ERROR [{ID}] it broke · é"), format!("LogLine {ID}")),
            (format!("parent_span_id={SPAN} é span_id=00000000000000aa"), "LogLine span 00000000000000aa".into()),
            ("dd.trace_id=00f067aa0ba902b7 x".into(), format!("LogLine {SPAN:0>32}")),
            ("no id in here".into(), "Text".into()),
            ("checkout".into(), "Text".into()),
            ("".into(), "Text".into()),
        ] {
            assert_eq!(shown(&text), expected, "{text}");
        }
    }
}
