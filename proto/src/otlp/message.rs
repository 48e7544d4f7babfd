//! Views as the generated messages, for showing a few items. Unlike prost's decoder it has no nesting limit of its own:
//! what admission let in comes out.

use super::{
    AttributeView, Attributes, ResourceView, ScopeView, ValueView, array_values, key_values,
    messages::{
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
        resource::v1::Resource,
    },
};

impl ResourceView<'_> {
    /// The resource as a message. Unknown fields are left out.
    pub fn to_message(&self) -> Resource {
        Resource {
            attributes: attributes(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            ..Resource::default()
        }
    }
}

impl ScopeView<'_> {
    /// The scope as a message. Unknown fields are left out.
    pub fn to_message(&self) -> InstrumentationScope {
        InstrumentationScope {
            name: text(self.name),
            version: text(self.version),
            attributes: attributes(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
        }
    }
}

/// Attributes as messages.
pub(super) fn attributes(views: Attributes<'_>) -> Vec<KeyValue> {
    views.iter().map(key_value).collect()
}

fn key_value(view: AttributeView<'_>) -> KeyValue {
    KeyValue { key: text(view.key), value: Some(any_value(view.value)), ..KeyValue::default() }
}

/// A value as a message.
pub(super) fn any_value(view: ValueView<'_>) -> AnyValue {
    let value = match view {
        ValueView::Empty => None,
        ValueView::Str(value) => Some(Value::StringValue(text(value))),
        ValueView::Bool(value) => Some(Value::BoolValue(value)),
        ValueView::Int(value) => Some(Value::IntValue(value)),
        ValueView::Double(value) => Some(Value::DoubleValue(value)),
        ValueView::Array(values) => {
            Some(Value::ArrayValue(ArrayValue { values: array_values(values).map(any_value).collect() }))
        }
        ValueView::KvList(values) => {
            Some(Value::KvlistValue(KeyValueList { values: key_values(values).map(key_value).collect() }))
        }
        ValueView::Bytes(value) => Some(Value::BytesValue(value.to_vec())),
    };
    AnyValue { value }
}

/// Checked at admission; a stored byte that went bad since shows as a replacement character.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
