//! Which trace and span a line belongs to: its own ids, else those in its fields under their usual names.

use std::{ops::Range, sync::LazyLock};

use memchr::memmem::Finder;

use super::{
    Attributes, Expander, Implied, LineView, ValueView,
    names::{Form, NAMES, read},
};
use crate::{
    SpanId, TraceId,
    json::{FieldLimits, FieldValue, Shape, Shapes, fields, may_have_fields, unescaped},
    otlp::key_values,
};

/// Objects in each other within a structured body that are looked into.
const DEPTH_MAX: u32 = 4;

/// Names beside the usual ones, in any case; their values are hex, or decimal numbers of 64 bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdNames {
    trace: Vec<String>,
    span: Vec<String>,
}

/// What a line belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineIds {
    /// Its trace. An id of 64 bits is the low half of one.
    pub trace: Option<TraceId>,
    /// Its span.
    pub span: Option<SpanId>,
}

impl IdNames {
    /// The usual names only.
    pub const USUAL: Self = Self { trace: Vec::new(), span: Vec::new() };

    /// The usual names and these.
    pub fn with(trace: &[String], span: &[String]) -> Self {
        Self { trace: trace.to_vec(), span: span.to_vec() }
    }

    /// The form of a name's values, and how much it goes before others.
    #[inline]
    /// Whether ids are looked for under a name.
    pub fn has(&self, name: &str) -> bool {
        self.form(name.as_bytes()).is_some()
    }

    fn form(&self, name: &[u8]) -> Option<(usize, Form)> {
        // Lengths of the usual names.
        const LENGTHS: u64 = lengths();
        let same = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        if name.len() < 64 && LENGTHS & 1 << name.len() != 0 {
            let usual = NAMES.iter().position(|(known, _)| same(known));
            if let Some(rank) = usual {
                return Some((rank, NAMES[rank].1));
            }
        }
        if let Some(rank) = self.trace.iter().position(|known| same(known)) {
            return Some((NAMES.len() + rank, Form::DecimalTrace));
        }
        let rank = self.span.iter().position(|known| same(known))?;
        Some((NAMES.len() + rank, Form::DecimalSpan))
    }

    /// Where values of a shape may tell ids.
    pub fn places(&self, shape: &Shape) -> IdPlaces {
        let mut places = IdPlaces::default();
        for (number, value) in shape.values().iter().enumerate() {
            if let Some((rank, form)) = self.form(&value.name) {
                if value.is_own {
                    places.own.push((number, rank, form));
                }
                // As a field of the body it counts again.
                places.all.push((number, rank, form));
            }
        }
        places
    }

    fn is_usual(&self) -> bool {
        self.trace.is_empty() && self.span.is_empty()
    }
}

const fn lengths() -> u64 {
    let (mut set, mut at) = (0, 0);
    while at < NAMES.len() {
        set |= 1 << NAMES[at].0.len();
        at += 1;
    }
    set
}

impl LineView<'_> {
    /// What the line belongs to: its own ids go before those of its attributes, these before those of its body.
    pub fn ids(&self, names: &IdNames) -> LineIds {
        let own = LineIds { trace: self.trace(), span: self.span() };
        match self.implied {
            Implied::None => {}
            Implied::WithIds => return own.of_a_trace(),
            Implied::WithoutIds => {
                let mut expander = Expander::default();
                let whole = expander.whole(self);
                return LineView { implied: Implied::None, ..whole }.ids(names);
            }
        }
        if own.trace.is_some() && own.span.is_some() {
            return own;
        }
        let mut found = Found::default();
        found.look_at(self.attributes, names);
        let mut ids = own.or(found.ids());
        if ids.trace.is_none() || ids.span.is_none() {
            ids = ids.or(ids_of_body(&self.body, ids.trace, names));
        }
        ids.of_a_trace()
    }
}

/// Where the fields of lines that are written alike may tell what a line belongs to.
#[derive(Debug, Clone, Default)]
pub struct IdPlaces {
    /// Number of the field, rank of its name, how it writes ids.
    own: Vec<(usize, usize, Form)>,
    /// The same of all fields, also those within others.
    all: Vec<(usize, usize, Form)>,
}

impl IdPlaces {
    /// What a line with these ids of its own belongs to, whose body has its values here, as [`LineView::ids`] finds it where the fields are
    /// its attributes, too.
    pub fn ids(&self, own: LineIds, body: &[u8], values: &[Range<usize>]) -> LineIds {
        if own.trace.is_some() && own.span.is_some() {
            return own;
        }
        let ids = own.or(found_in(&self.own, body, values));
        ids.or(found_in(&self.all, body, values).unless_of_another(ids.trace)).of_a_trace()
    }
}

fn found_in(places: &[(usize, usize, Form)], body: &[u8], values: &[Range<usize>]) -> LineIds {
    let mut found = Found::default();
    for &(number, rank, form) in places {
        let at = &values[number];
        let is_list = body[at.clone()].first() == Some(&b'[') && body[at.start - 1] != b'"';
        if !is_list {
            found.offer_read(rank, read(form, &unescaped(&body[at.clone()])));
        }
    }
    found.ids()
}

/// Finds what lines belong to, and remembers how they are written.
#[derive(Debug)]
pub struct IdFinder<'n> {
    names: &'n IdNames,
    shapes: Shapes<IdPlaces>,
    /// Bodies that were looked at.
    seen: u32,
}

impl<'n> IdFinder<'n> {
    /// Looks under these names.
    pub fn new(names: &'n IdNames) -> Self {
        Self { names, shapes: Shapes::default(), seen: 0 }
    }

    /// As [`LineView::ids`].
    pub fn ids(&mut self, line: &LineView<'_>) -> LineIds {
        // Of a few lines it is not worth it to know how they are written.
        const FEW: u32 = 4;

        let own = LineIds { trace: line.trace(), span: line.span() };
        let is_known = own.trace.is_some() && own.span.is_some();
        match line.body {
            ValueView::Str(body) if !is_known && line.implied == Implied::None && may_have_fields(body) => {
                self.seen += 1;
                if self.seen <= FEW {
                    return line.ids(self.names);
                }
                let names = self.names;
                let Some((_, places, values)) = self.shapes.find(body, |shape| Some(names.places(shape))) else {
                    return line.ids(names);
                };
                let mut of_attributes = Found::default();
                of_attributes.look_at(line.attributes, names);
                let ids = own.or(of_attributes.ids());
                let of_body = found_in(&places.all, body, values);
                ids.or(of_body.unless_of_another(ids.trace)).of_a_trace()
            }
            _ => line.ids(self.names),
        }
    }
}

impl LineIds {
    /// None of them without a trace: a span alone says nothing.
    fn of_a_trace(self) -> Self {
        if self.trace.is_none() { Self::default() } else { self }
    }

    /// None of them where the trace is another one than this, or another one's half.
    fn unless_of_another(self, trace: Option<TraceId>) -> Self {
        let is_another = |one: TraceId, other: TraceId| one.0[8..] != other.0[8..];
        match (self.trace, trace) {
            (Some(one), Some(other)) if is_another(one, other) => Self::default(),
            _ => self,
        }
    }

    fn or(self, other: Self) -> Self {
        Self { trace: self.trace.or(other.trace), span: self.span.or(other.span) }
    }
}

/// The ids in a body of a line whose trace may be known: then only those of the same one.
fn ids_of_body(body: &ValueView<'_>, known: Option<TraceId>, names: &IdNames) -> LineIds {
    let mut found = Found::default();
    match body {
        ValueView::Str(text) if may_have_fields(text) && may_name_ids(text, known.is_some(), names) => {
            let read = fields(text, FieldLimits::default(), |name, value| match &value {
                FieldValue::Text(text) => found.offer(name, text, names),
                FieldValue::Number(digits) => found.offer(name, digits, names),
                _ => {}
            });
            if read.is_err() {
                return LineIds::default();
            }
        }
        ValueView::KvList(list) => found.look_into(list, &mut Vec::new(), DEPTH_MAX, names),
        _ => {}
    }
    found.ids().unless_of_another(known)
}

/// Whether a text may have a field of such a name: most lines are told apart by this, which reads ten times as fast as fields are read.
/// A span's alone only matters where the trace is known.
fn may_name_ids(text: &[u8], knows_trace: bool, names: &IdNames) -> bool {
    static OF_TRACES: LazyLock<[Finder<'static>; 4]> =
        LazyLock::new(|| ["race", "RACE", "peration_", "\"b3\""].map(Finder::new));
    /// A name may be written in escapes.
    static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));
    static OF_SPANS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["pan", "PAN"].map(Finder::new));
    let is_in = |part: &Finder<'_>| part.find(text).is_some();
    !names.is_usual() || OF_TRACES.iter().any(is_in) || is_in(&ESCAPE) || knows_trace && OF_SPANS.iter().any(is_in)
}

/// The best ids so far, with the ranks of their names.
#[derive(Debug, Default)]
struct Found {
    trace: Option<(usize, TraceId)>,
    span: Option<(usize, SpanId)>,
}

impl Found {
    #[inline]
    fn offer(&mut self, name: &[u8], text: &[u8], names: &IdNames) {
        let Some((rank, form)) = names.form(name) else { return };
        self.offer_read(rank, read(form, text));
    }

    #[inline]
    fn offer_read(&mut self, rank: usize, (trace, span): (Option<TraceId>, Option<SpanId>)) {
        if let Some(trace) = trace
            && self.trace.is_none_or(|(best, _)| rank < best)
        {
            self.trace = Some((rank, trace));
        }
        if let Some(span) = span
            && self.span.is_none_or(|(best, _)| rank < best)
        {
            self.span = Some((rank, span));
        }
    }

    fn look_at(&mut self, attributes: Attributes<'_>, names: &IdNames) {
        for raw in attributes.raw() {
            if names.form(raw.key).is_some()
                && let Some(attribute) = raw.view()
            {
                self.offer_value(raw.key, &attribute.value, names);
            }
        }
    }

    fn offer_value(&mut self, name: &[u8], value: &ValueView<'_>, names: &IdNames) {
        match value {
            ValueView::Str(text) => self.offer(name, text, names),
            ValueView::Int(number) => self.offer(name, (*number as u64).to_string().as_bytes(), names),
            _ => {}
        }
    }

    fn look_into(&mut self, list: &[u8], path: &mut Vec<u8>, depth_left: u32, names: &IdNames) {
        for pair in key_values(list) {
            let len = path.len();
            if len > 0 {
                path.push(b'.');
            }
            path.extend_from_slice(pair.key);
            match pair.value {
                ValueView::KvList(inner) if depth_left > 1 => self.look_into(inner, path, depth_left - 1, names),
                value => self.offer_value(path, &value, names),
            }
            path.truncate(len);
        }
    }

    fn ids(self) -> LineIds {
        LineIds { trace: self.trace.map(|(_, id)| id), span: self.span.map(|(_, id)| id) }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::otlp::{
        Checks,
        logs::scan,
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            common::v1::{AnyValue, KeyValue, KeyValueList, any_value::Value},
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        },
    };

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        pair(key, Value::StringValue(value.into()))
    }

    /// The trace and span of a line.
    fn ids(line: LogRecord, names: &IdNames) -> (String, String) {
        let scope_logs = vec![ScopeLogs { log_records: vec![line], ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        let payload = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let mut found = LineIds::default();
        scan(&payload, Checks::Journalled, |scanned| {
            found = scanned.line.ids(names);
            // Also by who knows how such lines are written.
            let mut finder = IdFinder::new(names);
            (0..7).for_each(|_| assert_eq!(finder.ids(&scanned.line), found));
        })
        .expect("well formed");
        let LineIds { trace, span } = found;
        (trace.map(|id| id.to_string()).unwrap_or_default(), span.map(|id| id.to_string()).unwrap_or_default())
    }

    fn with_body(body: &str) -> LogRecord {
        LogRecord { body: Some(AnyValue { value: Some(Value::StringValue(body.into())) }), ..LogRecord::default() }
    }

    fn usual(line: LogRecord) -> (String, String) {
        ids(line, &IdNames::default())
    }

    #[test]
    fn ids_are_found_wherever_they_are_usual() {
        let both = (TRACE.to_owned(), SPAN.to_owned());
        let attributes = vec![text("app", "cart"), text("TraceID", TRACE), text("SpanId", SPAN)];
        assert_eq!(usual(LogRecord { attributes, ..LogRecord::default() }), both);
        for body in [
            format!(r#"{{"msg":"x","trace_id":"{TRACE}","span_id":"{SPAN}"}}"#),
            format!(r#"{{"trace":{{"id":"{TRACE}"}},"span":{{"id":"{SPAN}"}}}}"#),
            format!(r#"{{"trace.id":"{TRACE}","span.id":"{SPAN}"}}"#),
            format!(r#"{{"headers":5,"traceparent":"00-{TRACE}-{SPAN}-01"}}"#),
            format!(r#"{{"operation_Id":"{TRACE}","operation_ParentId":"{SPAN}"}}"#),
            format!(r#"{{"b3":"{TRACE}-{SPAN}-1"}}"#),
            format!(r#"{{"tr\u0061ce_id":"{TRACE}","s\u0070an_id":"{SPAN}"}}"#),
        ] {
            assert_eq!(usual(with_body(&body)), both, "{body}");
        }
        let low = "0000000000000000a3ce929d0e0e4736".to_owned();
        for body in
            [r#"{"dd":{"trace_id":11803532876627986230}}"#, r#"{"dd.trace_id":"11803532876627986230","span_id":"x"}"#]
        {
            assert_eq!(usual(with_body(body)), (low.clone(), String::new()), "{body}");
        }
        for body in
            [format!(r#"{{"trace_id":"{TRACE}""#), format!("trace_id={TRACE}"), format!(r#"{{"span_id":"{SPAN}"}}"#)]
        {
            assert_eq!(usual(with_body(&body)), (String::new(), String::new()), "{body}");
        }
        let inner = Value::KvlistValue(KeyValueList { values: vec![text("id", TRACE)] });
        let body = Value::KvlistValue(KeyValueList { values: vec![pair("trace", inner), text("span_id", SPAN)] });
        let line = LogRecord { body: Some(AnyValue { value: Some(body) }), ..LogRecord::default() };
        assert_eq!(usual(line), both);
    }

    #[test]
    fn what_is_nearer_goes_first() {
        let mut line = with_body(&format!(r#"{{"trace_id":"{}"}}"#, "2".repeat(32)));
        assert_eq!(usual(line.clone()).0, "2".repeat(32));
        line.attributes = vec![text("dd.trace_id", "7"), text("trace_id", &"3".repeat(32))];
        assert_eq!(usual(line.clone()).0, "3".repeat(32), "the whole id, not its half");
        line.trace_id = vec![0x44; 16];
        assert_eq!(usual(line.clone()).0, "4".repeat(32));
        line.attributes.push(text("span_id", SPAN));
        assert_eq!(usual(line), ("4".repeat(32), SPAN.to_owned()));
    }

    #[test]
    fn a_span_in_the_body_is_of_the_trace_beside_it() {
        let own = |body: &str| LogRecord { trace_id: vec![0x44; 16], ..with_body(body) };
        let (trace, none) = ("4".repeat(32), String::new());
        assert_eq!(usual(own(&format!(r#"{{"span_id":"{SPAN}"}}"#))), (trace.clone(), SPAN.to_owned()));
        let body = format!(r#"{{"trace_id":"{trace}","SpanID":"{SPAN}"}}"#);
        assert_eq!(usual(own(&body)), (trace.clone(), SPAN.to_owned()));
        let of_another = format!(r#"{{"trace_id":"{TRACE}","span_id":"{SPAN}"}}"#);
        assert_eq!(usual(own(&of_another)), (trace, none));
    }

    #[test]
    fn what_is_no_id_stands_in_no_ones_way() {
        let zeros = "0".repeat(32);
        for empty in ["", zeros.as_str(), "0000000000000000", "null", "-"] {
            let body = format!(r#"{{"trace_id":"{empty}","span_id":"","traceparent":"00-{TRACE}-{SPAN}-01"}}"#);
            assert_eq!(usual(with_body(&body)), (TRACE.to_owned(), SPAN.to_owned()), "{body}");
            let mut line = with_body(&format!(r#"{{"dd.trace_id":"{TRACE}","dd.span_id":"{SPAN}"}}"#));
            line.attributes = vec![text("trace_id", empty), text("span_id", empty)];
            assert_eq!(usual(line.clone()), (TRACE.to_owned(), SPAN.to_owned()), "{empty}");
            (line.trace_id, line.span_id) = (vec![0; 16], vec![0; 8]);
            assert_eq!(usual(line), (TRACE.to_owned(), SPAN.to_owned()), "own zeros");
        }
    }

    #[test]
    fn names_can_be_added() {
        let names = IdNames::with(&["cid".to_owned()], &["sid".to_owned()]);
        let body = format!(r#"{{"CID":"{TRACE}","sid":"{SPAN}"}}"#);
        assert_eq!(ids(with_body(&body), &names), (TRACE.to_owned(), SPAN.to_owned()));
        assert_eq!(usual(with_body(&body)), (String::new(), String::new()));
    }
}
