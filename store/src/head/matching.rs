//! Whether a span shows what a search asks for: told by its summary where it can be, else by its bytes, without decoding them.

use memchr::memmem::Finder;
use weir_proto::otlp::traces::{Attributes, ScannedSpan};

use crate::{
    DroppedItems, Sought, SpanFilter, SpanState, SpanText,
    sampling::{KeptBy, POLICY_ATTRIBUTE},
    segment::Wanted,
};

/// A filter's tags, made ready for many payloads.
pub(super) struct TagConditions<'f>(Vec<TagCondition<'f>>);

struct TagCondition<'f> {
    any_of: Vec<Way<'f>>,
    is_absent: bool,
}

/// One way of showing a tag.
struct Way<'f> {
    sought: &'f Sought,
    wanted: Wanted<'f>,
    /// Without it a payload has no such attribute, name or text.
    needle: Option<Finder<'f>>,
    /// Its number among all ways.
    number: usize,
}

/// What is known of a span without its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) kind: i32,
    pub(super) status_code: i32,
    pub(super) state: SpanState,
    pub(super) kept_by: Option<KeptBy<'a>>,
}

/// Of each way whether a payload may have it, by the bytes in it.
pub(super) struct Hopes(Vec<bool>);

impl<'f> TagConditions<'f> {
    pub(super) fn new(filter: &'f SpanFilter) -> Self {
        let mut number = 0;
        let mut way = |sought: &'f Sought| {
            let (text, needle) = match sought {
                Sought::Attribute { key, text } => (text.as_str(), Some(key)),
                Sought::EventName(name) => ("", Some(name)),
                // A verdict writes into it.
                Sought::Text(SpanText::TraceState, _) => ("", None),
                Sought::Text(_, text) => ("", Some(text)),
                _ => ("", None),
            };
            number += 1;
            let needle = needle.map(|needle| Finder::new(needle.as_bytes()));
            Way { sought, wanted: Wanted::of(text), needle, number: number - 1 }
        };
        let tags = filter.tags.iter();
        Self(
            tags.map(|tag| TagCondition {
                any_of: tag.any_of.iter().map(&mut way).collect(),
                is_absent: tag.is_absent,
            })
            .collect(),
        )
    }

    /// What the bytes of a payload leave hope for.
    pub(super) fn hopes(&self, payload: &[u8]) -> Hopes {
        let ways = self.0.iter().flat_map(|tag| &tag.any_of);
        Hopes(ways.map(|way| way.needle.as_ref().is_none_or(|needle| needle.find(payload).is_some())).collect())
    }

    /// Whether a span fulfils all of them, as far as it is known.
    pub(super) fn answer(&self, known: &Known<'_>, hopes: Option<&Hopes>) -> Option<bool> {
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
    pub(super) fn fit(&self, scanned: &ScannedSpan<'_>, known: &Known<'_>, hopes: &Hopes) -> bool {
        let shows = |way: &Way<'_>| way.known(known, Some(hopes)).or_else(|| Some(way.is_shown(scanned, known)));
        self.0.iter().all(|tag| tag.answer(shows) == Some(true))
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
            Sought::EventName(name) => span.events.iter().any(|event| event.name == name.as_bytes()),
            Sought::Text(part, text) => !text.is_empty() && self.is_text(*part, text.as_bytes(), scanned, known),
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
