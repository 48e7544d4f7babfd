//! The conditions of a scan. All of them must hold; an absent one always does.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use weir_proto::TraceId;

use super::{field_test::FieldTest, request::AttributeForm, span::Place, tag::TagFilter};

/// What rows must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanFilter {
    /// One of these traces.
    pub trace_ids: Option<Vec<TraceId>>,
    /// One of these services.
    pub services: Option<Vec<String>>,
    /// One of these operations.
    pub names: Option<Vec<String>>,
    /// One of these OTLP SpanKinds.
    pub kinds: Option<Vec<i32>>,
    /// One of these OTLP StatusCodes.
    pub status_codes: Option<Vec<i32>>,
    /// Bounds on the start, Unix ns.
    pub start_ns: RangeInclusive<u64>,
    /// Bounds on the duration in ns.
    pub duration_ns: RangeInclusive<u64>,
    /// All of these.
    pub attributes: Vec<AttributeCondition>,
    /// All of these: of spans only.
    pub tags: Vec<TagFilter>,
    /// Each of these occurs in the body's text, byte for byte: of lines only.
    pub body_contains: Vec<String>,
    /// Of each of these lists one text occurs there: of lines only.
    pub body_any: Vec<Vec<String>>,
    /// The same, whichever case letters of ASCII have there: these are in lower case, and of ASCII.
    pub body_any_case: Vec<Vec<String>>,
    /// None of these occurs there, or there is no body: of lines only.
    pub body_lacks: Vec<String>,
    /// What the resource and the name of the scope must fulfil: of lines only.
    pub resources: Option<ResourceTest>,
    /// What leaves lines out by fields of their bodies; lines that only their bodies tell of stay.
    pub fields: Vec<FieldTest>,
    /// The same by what lies beside bodies: attributes, and the ids under the labels `trace_id` and `span_id`.
    pub beside: Vec<FieldTest>,
}

/// Asked about each resource's attributes, as [`ScanColumn::Attributes`](crate::ask::request::ScanColumn::Attributes) writes them (nothing without any), and the name
/// of the scope: of equal ones once, mostly.
#[derive(Clone)]
pub struct ResourceTest(Arc<ResourceFits>);

type ResourceFits = dyn Fn(&str, &str) -> bool + Send + Sync;

impl ResourceTest {
    /// Rows whose resource `fits` pass.
    pub fn new(fits: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(fits))
    }

    /// Whether rows of this resource, within this scope, pass.
    pub(crate) fn passes(&self, attributes: &[u8], scope: &[u8]) -> bool {
        (self.0)(&String::from_utf8_lossy(attributes), &String::from_utf8_lossy(scope))
    }
}

impl fmt::Debug for ResourceTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResourceTest")
    }
}

impl PartialEq for ResourceTest {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for ScanFilter {
    fn default() -> Self {
        Self {
            trace_ids: None,
            services: None,
            names: None,
            kinds: None,
            status_codes: None,
            start_ns: 0..=u64::MAX,
            duration_ns: 0..=u64::MAX,
            attributes: Vec::new(),
            tags: Vec::new(),
            body_contains: Vec::new(),
            body_any: Vec::new(),
            body_any_case: Vec::new(),
            body_lacks: Vec::new(),
            resources: None,
            fields: Vec::new(),
            beside: Vec::new(),
        }
    }
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeCondition {
    /// Whose.
    pub place: Place,
    /// The key.
    pub key: String,
    /// What its value must be.
    pub test: AttributeTest,
}

/// What an attribute's value must be. A row without the attribute never fulfils one.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeTest {
    /// There.
    Present,
    /// One of these, as [`AttributeForm::Text`] writes it.
    TextIn(Vec<String>),
    /// A number within these bounds, in IEEE 754's total order: NaN is above infinity, -0 below 0.
    NumberIn(RangeInclusive<f64>),
    /// This boolean.
    Is(bool),
}

impl AttributeTest {
    /// As what the value is read.
    pub(crate) fn form(&self) -> AttributeForm {
        match self {
            Self::Present | Self::TextIn(_) => AttributeForm::Text,
            Self::NumberIn(_) => AttributeForm::Number,
            Self::Is(_) => AttributeForm::Bool,
        }
    }

    /// Whether a text passes.
    pub(crate) fn passes_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::TextIn(texts) => texts.iter().any(|wanted| wanted.as_bytes() == text),
            _ => false,
        }
    }

    /// Whether the 64 bits of a number or boolean pass.
    pub(crate) fn passes_word(&self, word: u64) -> bool {
        match self {
            Self::NumberIn(bounds) => {
                let number = f64::from_bits(word);
                bounds.start().total_cmp(&number).is_le() && number.total_cmp(bounds.end()).is_le()
            }
            Self::Is(wanted) => (word != 0) == *wanted,
            _ => false,
        }
    }
}

impl ScanFilter {
    /// Whether an operation's texts and kind fit.
    pub(crate) fn fits_operation(&self, service: &[u8], name: &[u8], kind: i32) -> bool {
        is_one_of(&self.services, service)
            && is_one_of(&self.names, name)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn is_one_of(texts: &Option<Vec<String>>, text: &[u8]) -> bool {
    texts.as_ref().is_none_or(|texts| texts.iter().any(|wanted| wanted.as_bytes() == text))
}

impl fmt::Display for ScanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut conditions: Vec<String> = Vec::new();
        let bounds =
            |name: &str, bounds: &RangeInclusive<u64>| format!("{name} in {}..={}", bounds.start(), bounds.end());
        conditions.extend(self.trace_ids.iter().map(|ids| format!("trace_id in {ids:?}")));
        conditions.extend(self.services.iter().map(|texts| format!("service in {texts:?}")));
        conditions.extend(self.names.iter().map(|texts| format!("name in {texts:?}")));
        conditions.extend(self.kinds.iter().map(|numbers| format!("kind in {numbers:?}")));
        conditions.extend(self.status_codes.iter().map(|numbers| format!("status_code in {numbers:?}")));
        if self.start_ns != (0..=u64::MAX) {
            conditions.push(bounds("start_ns", &self.start_ns));
        }
        if self.duration_ns != (0..=u64::MAX) {
            conditions.push(bounds("duration_ns", &self.duration_ns));
        }
        for AttributeCondition { place, key, test } in &self.attributes {
            conditions.push(format!("{place:?} {key:?} {test:?}").to_lowercase());
        }
        conditions.extend(self.tags.iter().map(|tag| format!("tag {tag:?}")));
        conditions.extend(self.resources.iter().map(|_| "resource fits".to_owned()));
        conditions.extend(self.beside.iter().map(|test| format!("label {:?} fits", test.label())));
        conditions.extend(self.fields.iter().map(|test| format!("field {:?} fits", test.label())));
        conditions.extend(self.body_contains.iter().map(|needle| format!("body contains {needle:?}")));
        conditions.extend(self.body_any.iter().map(|needles| format!("body contains one of {needles:?}")));
        let of_any_case = |needles: &Vec<String>| format!("body contains one of {needles:?} in any case");
        conditions.extend(self.body_any_case.iter().map(of_any_case));
        conditions.extend(self.body_lacks.iter().map(|needle| format!("body lacks {needle:?}")));
        write!(f, "[{}]", conditions.join(" and "))
    }
}
