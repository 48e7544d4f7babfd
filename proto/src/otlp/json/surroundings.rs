//! The messages that surround items, and values (opentelemetry-proto 1.8: resource and common).

use super::schema::{Kind, Message, field, message};

pub(super) static RESOURCE: Message = message(
    2,
    &[
        field("attributes", "attributes", 1, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 2, Kind::Uint32),
        field("entityRefs", "entity_refs", 3, Kind::Repeated(&ENTITY_REF)),
    ],
);

static ENTITY_REF: Message = message(
    1,
    &[
        field("schemaUrl", "schema_url", 1, Kind::Text),
        field("type", "type", 2, Kind::Text),
        field("idKeys", "id_keys", 3, Kind::Texts),
        field("descriptionKeys", "description_keys", 4, Kind::Texts),
    ],
);

pub(super) static SCOPE: Message = message(
    1,
    &[
        field("name", "name", 1, Kind::Text),
        field("version", "version", 2, Kind::Text),
        field("attributes", "attributes", 3, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", "dropped_attributes_count", 4, Kind::Uint32),
    ],
);

pub(super) static KEY_VALUE: Message = message(
    1,
    &[
        field("key", "key", 1, Kind::Text),
        field("value", "value", 2, Kind::Message(&ANY_VALUE)),
        field("keyStrindex", "key_strindex", 3, Kind::Int32),
    ],
);

pub(super) static ANY_VALUE: Message = Message {
    fields: &[
        field("stringValue", "string_value", 1, Kind::Text),
        field("intValue", "int_value", 3, Kind::Int64),
        field("boolValue", "bool_value", 2, Kind::Bool),
        field("doubleValue", "double_value", 4, Kind::Double),
        field("arrayValue", "array_value", 5, Kind::Nested(&ARRAY_VALUE)),
        field("kvlistValue", "kvlist_value", 6, Kind::Nested(&KEY_VALUE_LIST)),
        field("bytesValue", "bytes_value", 7, Kind::Base64),
        field("stringValueStrindex", "string_value_strindex", 8, Kind::Int32),
    ],
    one_of: true,
    length_bytes: 1,
};

static ARRAY_VALUE: Message = message(1, &[field("values", "values", 1, Kind::Repeated(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = message(1, &[field("values", "values", 1, Kind::Repeated(&KEY_VALUE))]);
