//! Whether a span shows what a search asks for: told by its summary where it can be, else by its bytes, without decoding them.

use memchr::memmem::Finder;
use weir_proto::otlp::traces::{Attributes, ScannedSpan};

use crate::{
    ask::{
        span::SpanState,
        tag::{DroppedItems, Sought, SpanText, TagFilter},
    },
    segment::Wanted,
    verdict::kept::{KeptBy, POLICY_ATTRIBUTE},
};

/// A filter's tags, made ready for many payloads.
pub(crate) struct TagConditions<'f>(Vec<TagCondition<'f>>);

struct TagCondition<'f> {
    any_of: Vec<Way<'f>>,
    is_absent: bool,
}

/// One way of showing a tag.
struct Way<'f> {
    sought: &'f Sought,
    wanted: Wanted<'f>,
    /// Without one of each a payload has no such attribute, name or text.
    needles: Vec<Vec<Finder<'static>>>,
    /// Its number among all ways.
    number: usize,
}

/// What is known of a span without its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) kind: i32,
    pub(crate) status_code: i32,
    pub(crate) state: SpanState,
    pub(crate) kept_by: Option<KeptBy<'a>>,
}

/// Of each way whether a payload may have it, by the bytes in it.
pub(crate) struct Hopes(Vec<bool>);

impl<'f> TagConditions<'f> {
    pub(crate) fn new(tags: &'f [TagFilter]) -> Self {
        let mut number = 0;
        let mut way = |sought: &'f Sought| {
            let text = if let Sought::Attribute { text, .. } = sought { text.as_str() } else { "" };
            let wanted = Wanted::of(text);
            let needles = needles(sought, &wanted);
            number += 1;
            Way { sought, wanted, needles, number: number - 1 }
        };
        let mut condition = |tag: &'f TagFilter| TagCondition {
            any_of: tag.any_of.iter().map(&mut way).collect(),
            is_absent: tag.is_absent,
        };
        Self(tags.iter().map(&mut condition).collect())
    }

    /// What the bytes of a payload leave hope for.
    pub(crate) fn hopes(&self, payload: &[u8]) -> Hopes {
        let ways = self.0.iter().flat_map(|tag| &tag.any_of);
        let is_there = |any_of: &Vec<Finder<'_>>| any_of.iter().any(|needle| needle.find(payload).is_some());
        Hopes(ways.map(|way| way.needles.iter().all(is_there)).collect())
    }

    /// Whether a span fulfils all of them, as far as it is known.
    pub(crate) fn answer(&self, known: &Known<'_>, hopes: Option<&Hopes>) -> Option<bool> {
        let mut all = Some(true);
        for tag in &self.0 {
            match tag.answer(|way| way.known(known, hopes)) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    /// Whether a span fulfils all of them.
    pub(crate) fn fit(&self, scanned: &ScannedSpan<'_>, known: &Known<'_>, hopes: &Hopes) -> bool {
        let shows = |way: &Way<'_>| way.known(known, Some(hopes)).or_else(|| Some(way.is_shown(scanned, known)));
        self.0.iter().all(|tag| tag.answer(shows) == Some(true))
    }
}

/// What the bytes of a payload must hold: one of each.
fn needles(sought: &Sought, wanted: &Wanted<'_>) -> Vec<Vec<Finder<'static>>> {
    let of = |bytes: &[u8]| Finder::new(bytes).into_owned();
    match sought {
        // A key is written behind its length: `error` is not `error.type`. The last byte of a length that is longer than it need be is 0.
        // An empty key is not written at all.
        Sought::Attribute { key, .. } if (1..128).contains(&key.len()) => {
            let behind = |byte: u8| of(&[&[byte][..], key.as_bytes()].concat());
            let mut needles = vec![vec![behind(key.len() as u8), behind(0)]];
            needles.extend(wanted.only_string().map(|text| vec![of(text.as_bytes())]));
            needles
        }
        Sought::Attribute { key, .. } => vec![vec![of(key.as_bytes())]],
        Sought::EventName(name) => vec![vec![of(name.as_bytes())]],
        // A verdict writes into it.
        Sought::Text(SpanText::TraceState, _) => Vec::new(),
        Sought::Text(_, text) => vec![vec![of(text.as_bytes())]],
        _ => Vec::new(),
    }
}

impl TagCondition<'_> {
    fn answer(&self, shows: impl Fn(&Way<'_>) -> Option<bool>) -> Option<bool> {
        let mut any = Some(false);
        for way in &self.any_of {
            match shows(way) {
                Some(true) => return Some(!self.is_absent),
                Some(false) => {}
                None => any = None,
            }
        }
        any.map(|any| any != self.is_absent)
    }
}

impl Way<'_> {
    /// What the summary, the verdict and a payload's bytes tell.
    fn known(&self, known: &Known<'_>, hopes: Option<&Hopes>) -> Option<bool> {
        match self.sought {
            Sought::Kind(kind) => return Some(known.kind == *kind),
            Sought::StatusCode(code) => return Some(known.status_code == *code),
            Sought::State(state) => return Some(known.state == *state),
            Sought::Attribute { key, text } if key == POLICY_ATTRIBUTE => {
                // It may be in no payload at all.
                return known.kept_by.is_some_and(|kept_by| kept_by.policy == text).then_some(true);
            }
            _ => {}
        }
        hopes.and_then(|hopes| (!hopes.0[self.number]).then_some(false))
    }

    /// What only the payload tells.
    fn is_shown(&self, scanned: &ScannedSpan<'_>, known: &Known<'_>) -> bool {
        let span = &scanned.span;
        match self.sought {
            Sought::Attribute { key, .. } => {
                // A verdict's policy stands in place of what came.
                let replaced = known.kept_by.is_some() && key == POLICY_ATTRIBUTE;
                (!replaced && self.is_among(span.attributes, key))
                    || self.is_among(scanned.resource.attributes, key)
                    || self.is_among(scanned.scope.attributes, key)
                    || span.events.iter().any(|event| self.is_among(event.attributes, key))
                    || span.links.iter().any(|link| self.is_among(link.attributes, key))
            }
            Sought::EventName(name) => {
                !name.is_empty() && span.events.iter().any(|event| event.name == name.as_bytes())
            }
            Sought::Text(part, text) => !text.is_empty() && self.is_text(*part, text.as_bytes(), scanned, known),
            Sought::Dropped(_, 0) => false,
            Sought::Dropped(DroppedItems::Attributes, count) => {
                span.dropped_attributes_count == *count
                    || span.events.iter().any(|event| event.dropped_attributes_count == *count)
            }
            Sought::Dropped(DroppedItems::Events, count) => span.dropped_events_count == *count,
            Sought::Dropped(DroppedItems::Links, count) => span.dropped_links_count == *count,
            Sought::AdjustedCount(count) => {
                KeptBy::adjusted_count_of(known.kept_by.as_ref(), span.trace_state) == *count
            }
            Sought::Kind(_) | Sought::StatusCode(_) | Sought::State(_) => unreachable!("the summary tells"),
        }
    }

    fn is_text(&self, part: SpanText, text: &[u8], scanned: &ScannedSpan<'_>, known: &Known<'_>) -> bool {
        match part {
            SpanText::StatusMessage => scanned.span.status_message == text,
            SpanText::ScopeName => scanned.scope.name == text,
            SpanText::ScopeVersion => scanned.scope.version == text,
            SpanText::TraceState => {
                let mut rewritten = Vec::new();
                let came = scanned.span.trace_state;
                let is_rewritten = known.kept_by.is_some_and(|by| by.rewrite_trace_state(came, &mut rewritten));
                text == if is_rewritten { rewritten.as_slice() } else { came }
            }
        }
    }

    fn is_among(&self, attributes: Attributes<'_>, key: &str) -> bool {
        attributes.iter().any(|attribute| attribute.key == key.as_bytes() && self.wanted.matches_view(&attribute.value))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use weir_proto::otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, KeyValue, any_value::Value},
            trace::v1::{ResourceSpans, ScopeSpans, Span},
        },
        traces::{Checks, scan},
    };

    use super::*;

    fn payload(key: &str, value: Value) -> Vec<u8> {
        let value = Some(AnyValue { value: Some(value) });
        let attributes = vec![KeyValue { key: key.into(), value, ..Default::default() }];
        let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..Default::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    const KNOWN: Known<'_> = Known { kind: 2, status_code: 0, state: SpanState::Kept, kept_by: None };

    /// Whether the only span fits; `None` in the middle when its payload's bytes did not tell.
    fn ask(payload: &[u8], tags: Vec<TagFilter>) -> (Option<bool>, bool) {
        let conditions = TagConditions::new(&tags);
        let hopes = conditions.hopes(payload);
        let mut fits = false;
        scan(payload, Checks::Journalled, |scanned| fits = conditions.fit(scanned, &KNOWN, &hopes)).expect("canonical");
        (conditions.answer(&KNOWN, Some(&hopes)), fits)
    }

    #[test]
    fn a_payload_without_the_key_or_the_text_is_not_taken_apart() {
        let said = payload("error.type", Value::StringValue("Timeout!".into()));
        let tag = |key: &str, text: &str| vec![TagFilter::attribute(key, text)];
        assert_eq!(ask(&said, tag("error.type", "Timeout!")), (None, true));
        assert_eq!(ask(&said, tag("error.type", "Refused!")), (Some(false), false));
        assert_eq!(ask(&said, tag("error", "true")), (Some(false), false), "another key");
        assert_eq!(ask(&payload("error", Value::BoolValue(true)), tag("error", "true")), (None, true));
        assert_eq!(ask(&payload("", Value::IntValue(5)), tag("", "5")), (None, true), "an empty key is not written");
        let long = "k".repeat(200);
        assert_eq!(ask(&payload(&long, Value::IntValue(5)), tag(&long, "5")), (None, true));
    }

    #[test]
    fn a_length_may_be_written_longer_than_it_need_be() {
        // 0x85 0x00 is 5, too; every message around it is a byte longer.
        let mut bytes = payload("error", Value::BoolValue(true));
        let at = bytes.windows(5).position(|window| window == b"error").expect("the key") - 1;
        bytes.splice(at..=at, [0x85, 0x00]);
        // The lengths before the key that cover it: request, resource, scope, span's attributes.
        for position in 0..at - 1 {
            let length = usize::from(bytes[position]);
            if position > 0 && length > 0 && position + 1 + length == bytes.len() - 1 {
                bytes[position] += 1;
            }
        }
        assert_eq!(ask(&bytes, vec![TagFilter::attribute("error", "true")]), (None, true));
    }

    #[test]
    fn what_the_summary_tells_needs_no_payload() {
        let tag = |any_of: Vec<Sought>, is_absent| vec![TagFilter { any_of, is_absent }];
        let none = payload("a", Value::IntValue(1));
        assert_eq!(ask(&none, tag(vec![Sought::Kind(2)], false)).0, Some(true));
        assert_eq!(ask(&none, tag(vec![Sought::StatusCode(2)], false)).0, Some(false));
        let error = Sought::Attribute { key: "error".into(), text: "true".into() };
        assert_eq!(ask(&none, tag(vec![Sought::StatusCode(2), error], true)), (Some(true), true));
        assert_eq!(ask(&none, tag(vec![Sought::State(SpanState::Pending)], false)).0, Some(false));
    }
}
