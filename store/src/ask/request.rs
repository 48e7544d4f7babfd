//! What a scan is asked for: columns, and the conditions on rows.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use weir_proto::Signal;

use super::{filter::ScanFilter, span::Place};

/// A column of a scan's record batches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScanColumn {
    /// 16 bytes.
    TraceId,
    /// 8 bytes.
    SpanId,
    /// 8 bytes; null for roots.
    ParentSpanId,
    /// Start, Unix ns.
    StartTime,
    /// End, Unix ns, as it came: before the start where a span ended before it started.
    EndTime,
    /// End minus start in ns, at least 0.
    Duration,
    /// `service.name`.
    Service,
    /// Operation.
    Name,
    /// OTLP SpanKind.
    Kind,
    /// OTLP StatusCode.
    StatusCode,
    /// Null when empty.
    StatusMessage,
    /// W3C tracestate; null when empty.
    TraceState,
    /// W3C trace flags and OTLP's own bits.
    Flags,
    /// How many spans this one stands for.
    AdjustedCount,
    /// Where it stands: `pending` or `kept`.
    State,
    /// JSON text as docs/formats.md has it; null without events.
    Events,
    /// JSON text as docs/formats.md has it; null without links.
    Links,
    /// A line's place in time, Unix ns.
    Time,
    /// When a line was observed, Unix ns; null when nobody said.
    ObservedTime,
    /// OTLP SeverityNumber; 0 when it is not known.
    SeverityNumber,
    /// The severity in the source's own words; null when empty.
    SeverityText,
    /// What a line says, as text or JSON text; null without a body.
    Body,
    /// Whether that is JSON text of a value that is no text.
    BodyIsJson,
    /// Names the kind of event; null when empty.
    EventName,
    /// Null when empty.
    ScopeName,
    /// Null when empty.
    ScopeVersion,
    /// One attribute of the item or its resource; null where it is absent or not of this form.
    Attribute {
        /// Whose.
        place: Place,
        /// The key.
        key: String,
        /// As what.
        form: AttributeForm,
    },
    /// All attributes of the item or of its resource as JSON text, sorted by key; null without any.
    Attributes(Place),
    /// The same of a line, of those that may have one of these labels: [`weir_proto::loki::may_have_label`].
    AttributesNamed(Vec<String>),
    /// Whether a line's body need not be read to know its fields: they are in [`Self::Field`].
    HasFields,
    /// As [`Self::Body`], of the other lines.
    PlainBody,
    /// Of a body that has fields, the first one that LogQL's parser makes this label of, as the parser writes it; null without one.
    Field(String),
    /// Of a body that has fields, the level that it tells: [`weir_proto::otlp::logs::level_of_text`].
    BodyLevel,
}

/// What an attribute's value is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeForm {
    /// Any value as text: strings as they are, numbers and booleans as JSON writes them, the rest as JSON text.
    Text,
    /// Integers, doubles, and texts that are numbers.
    Number,
    /// Booleans, and the texts `true` and `false`.
    Bool,
}

impl ScanColumn {
    /// The attribute of a span, as text.
    pub fn attribute(key: &str) -> Self {
        Self::Attribute { place: Place::Span, key: key.to_owned(), form: AttributeForm::Text }
    }

    /// The attribute of a resource, as text.
    pub fn resource(key: &str) -> Self {
        Self::Attribute { place: Place::Resource, key: key.to_owned(), form: AttributeForm::Text }
    }

    /// Its Arrow type. Text lies behind the codes of a dictionary, which is the page's where there is one.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::TraceId => DataType::FixedSizeBinary(16),
            Self::SpanId | Self::ParentSpanId => DataType::FixedSizeBinary(8),
            Self::StartTime | Self::EndTime | Self::Time | Self::ObservedTime => {
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
            }
            Self::Duration => DataType::Int64,
            Self::Kind | Self::StatusCode | Self::SeverityNumber => DataType::Int32,
            Self::Flags => DataType::UInt32,
            Self::AdjustedCount => DataType::Float64,
            Self::Attribute { form: AttributeForm::Number, .. } => DataType::Float64,
            Self::BodyIsJson | Self::HasFields | Self::Attribute { form: AttributeForm::Bool, .. } => DataType::Boolean,
            _ => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)),
        }
    }

    /// Whether a row of this signal may be without it.
    pub fn is_nullable(&self, signal: Signal) -> bool {
        match self {
            // A line need not belong to a span.
            Self::TraceId | Self::SpanId => signal == Signal::Logs,
            Self::StartTime
            | Self::EndTime
            | Self::Duration
            | Self::Service
            | Self::Name
            | Self::Kind
            | Self::StatusCode
            | Self::Flags
            | Self::State
            | Self::Time
            | Self::SeverityNumber
            | Self::BodyIsJson
            | Self::HasFields => false,
            _ => true,
        }
    }

    /// Whether it is a row's place in time: what parts are ordered by, and [`ReadBounds`] are about.
    pub fn is_place_in_time(&self) -> bool {
        matches!(self, Self::StartTime | Self::Time)
    }

    /// Its name in record batches. Names of attributes may collide; batches are read by position.
    pub fn name(&self) -> String {
        let fixed = match self {
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::ParentSpanId => "parent_span_id",
            Self::StartTime => "start_time",
            Self::EndTime => "end_time",
            Self::Duration => "duration_ns",
            Self::Service => "service",
            Self::Name => "name",
            Self::Kind => "kind",
            Self::StatusCode => "status_code",
            Self::StatusMessage => "status_message",
            Self::TraceState => "trace_state",
            Self::Flags => "flags",
            Self::AdjustedCount => "adjusted_count",
            Self::State => "state",
            Self::Events => "events",
            Self::Links => "links",
            Self::Time => "time",
            Self::ObservedTime => "observed_time",
            Self::SeverityNumber => "severity_number",
            Self::SeverityText => "severity_text",
            Self::Body => "body",
            Self::BodyIsJson => "body_is_json",
            Self::EventName => "event_name",
            Self::ScopeName => "scope_name",
            Self::ScopeVersion => "scope_version",
            Self::Attributes(Place::Resource) => "resource",
            Self::Attributes(_) | Self::AttributesNamed(_) => "attributes",
            Self::HasFields => "has_fields",
            Self::PlainBody => "plain_body",
            Self::BodyLevel => "body_level",
            Self::Field(label) => return format!("body.{label}"),
            Self::Attribute { place, key, .. } => {
                let whose = if *place == Place::Resource { "resource" } else { "attributes" };
                return format!("{whose}.{key}");
            }
        };
        fixed.to_owned()
    }
}

/// What to scan for.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// The batches' columns, in order.
    pub columns: Vec<ScanColumn>,
    /// What rows must fulfil.
    pub filter: ScanFilter,
}

/// Which rows of a part are enough.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadBounds {
    /// Rows that start before this, Unix ns, are not needed.
    pub start_min_ns: u64,
    /// No more rows than these newest ones are needed; there may be more.
    pub newest: Option<usize>,
    /// No more rows than so many are needed, whichever; there may be more.
    pub rows_max: Option<usize>,
}

impl ScanRequest {
    /// The batches' schema, of rows of this signal.
    pub fn schema(&self, signal: Signal) -> SchemaRef {
        let field = |column: &ScanColumn| Field::new(column.name(), column.data_type(), column.is_nullable(signal));
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }
}
