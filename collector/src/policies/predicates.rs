//! Predicates over single spans, all of them in one pass over a span's attributes as it arrives.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use weir_proto::otlp::traces::{Attributes, KeySet, ScannedSpan, ValueView};

use super::{ottl::Condition, plan::Plan, text::TextMatch, trace_state};

/// Something that holds of a span or does not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predicate {
    /// An attribute of the span or its resource has such a value.
    Attribute(Box<str>, ValueTest),
    /// Status codes, one bit each: 1 unset, 2 ok, 4 error.
    Status(u8),
    /// The sampled flag is set.
    SampledFlag,
    /// A tracestate entry has one of these values.
    TraceState(Box<str>, Vec<String>),
    /// A condition in OTTL's words.
    Condition(Condition),
}

/// What is asked of an attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ValueTest {
    /// A string of this kind.
    Text(TextMatch),
    /// A number between the two, ends included; without one there is no end.
    Number(Option<i64>, Option<i64>),
    /// This boolean.
    Bool(bool),
}

impl ValueTest {
    fn holds(&self, value: ValueView<'_>) -> bool {
        match (self, value) {
            (Self::Text(text), ValueView::Str(value)) => text.matches(value),
            (Self::Number(min, max), ValueView::Int(value)) => {
                min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
            }
            (Self::Number(min, max), ValueView::Double(value)) => {
                let is_within = min.is_none_or(|min| value >= min as f64) && max.is_none_or(|max| value <= max as f64);
                is_within && !value.is_nan()
            }
            (Self::Bool(wanted), ValueView::Bool(value)) => *wanted == value,
            _ => false,
        }
    }
}

/// The predicates of all sets, arranged by what they look at.
#[derive(Debug)]
pub(crate) struct Predicates {
    keys: Vec<Key>,
    /// Of `keys`, to pass over most others without comparing.
    key_set: KeySet,
    /// For each status code 0, 1, 2: the bits that it sets.
    status: [u64; 3],
    sampled_flag: u64,
    trace_states: Vec<(Box<str>, Vec<String>, u64)>,
    conditions: Vec<(Condition, u64)>,
}

/// A key and what is asked of its value.
#[derive(Debug)]
struct Key {
    bytes: Box<[u8]>,
    tests: Vec<(ValueTest, u64)>,
    is_error_type: bool,
}

/// Keys that are told apart by their number in the bits of `seen`.
const KEYS_MAX: usize = 65;

impl Predicates {
    /// Arranges what a plan has gathered.
    pub(crate) fn of_plan(plan: Plan) -> Self {
        let (predicates, wants_error_type) = plan.into_predicates();
        let mut arranged = Self {
            keys: Vec::new(),
            key_set: KeySet::EMPTY,
            status: [0; 3],
            sampled_flag: 0,
            trace_states: Vec::new(),
            conditions: Vec::new(),
        };
        for (predicate, bit) in predicates {
            arranged.add(predicate, 1 << bit);
        }
        if wants_error_type {
            arranged.key("error.type").is_error_type = true;
        }
        debug_assert!(arranged.keys.len() <= KEYS_MAX, "a key for each bit, and error.type");
        arranged
    }

    fn add(&mut self, predicate: Predicate, mask: u64) {
        match predicate {
            Predicate::Attribute(key, test) => self.key(&key).tests.push((test, mask)),
            Predicate::Status(codes) => {
                for (code, bits) in self.status.iter_mut().enumerate() {
                    if codes & (1 << code) != 0 {
                        *bits |= mask;
                    }
                }
            }
            Predicate::SampledFlag => self.sampled_flag |= mask,
            Predicate::TraceState(key, values) => self.trace_states.push((key, values, mask)),
            Predicate::Condition(condition) => self.conditions.push((condition, mask)),
        }
    }

    fn key(&mut self, name: &str) -> &mut Key {
        let index = self.keys.iter().position(|key| *key.bytes == *name.as_bytes()).unwrap_or_else(|| {
            self.key_set.insert(name.as_bytes());
            self.keys.push(Key { bytes: name.as_bytes().into(), tests: Vec::new(), is_error_type: false });
            self.keys.len() - 1
        });
        &mut self.keys[index]
    }

    /// The bits that a resource sets for all its spans.
    pub(crate) fn of_resource(&self, attributes: Attributes<'_>) -> u64 {
        if self.keys.is_empty() { 0 } else { self.of_attributes(attributes).0 }
    }

    /// The bits of a span beside those of its resource, and the hash of its `error.type` when that is wanted.
    #[inline]
    pub(crate) fn of_span(&self, span: &ScannedSpan<'_>) -> (u64, u64) {
        let view = &span.span;
        let mut bits =
            usize::try_from(view.status_code).ok().and_then(|code| self.status.get(code)).map_or(0, |bits| *bits);
        if view.flags & 1 != 0 {
            bits |= self.sampled_flag;
        }
        let mut error_type = 0;
        if view.keys.may_share(self.key_set) {
            let (of_attributes, hash) = self.of_attributes(view.attributes);
            bits |= of_attributes;
            error_type = hash;
        }
        if !view.trace_state.is_empty() {
            for (key, values, mask) in &self.trace_states {
                if trace_state::has(view.trace_state, key.as_bytes(), values) {
                    bits |= mask;
                }
            }
        }
        for (condition, mask) in &self.conditions {
            if condition.holds(span) {
                bits |= mask;
            }
        }
        (bits, error_type)
    }

    /// One pass. Of attributes with the same key the first counts.
    #[inline]
    fn of_attributes(&self, attributes: Attributes<'_>) -> (u64, u64) {
        let (mut bits, mut error_type, mut seen) = (0, 0, 0_u128);
        for attribute in attributes.raw() {
            if !KeySet::of(attribute.key).may_share(self.key_set) {
                continue;
            }
            let Some(index) = self.keys.iter().position(|key| *key.bytes == *attribute.key) else { continue };
            if seen & (1 << index) != 0 {
                continue;
            }
            seen |= 1 << index;
            let Some(view) = attribute.view() else { continue };
            let key = &self.keys[index];
            for (test, mask) in &key.tests {
                if test.holds(view.value) {
                    bits |= mask;
                }
            }
            if key.is_error_type
                && let ValueView::Str(text) = view.value
            {
                error_type = FixedState::default().hash_one(text);
            }
        }
        (bits, error_type)
    }
}
