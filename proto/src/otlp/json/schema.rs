//! What the transcoder knows of a message: its fields by name, number and kind.

/// A message's fields, in the order in which encoders write them.
pub(super) struct Message {
    pub(super) fields: &'static [Field],
    /// Only one of the fields may be there, and it is written even when it is zero or empty.
    pub(super) one_of: bool,
    /// How many bytes its length usually takes.
    pub(super) length_bytes: usize,
}

/// One row of a message.
pub(super) struct Field {
    /// lowerCamelCase.
    pub(super) json: &'static str,
    /// As the proto file has it.
    pub(super) proto: &'static str,
    /// As it was called before, in lowerCamelCase, where the content is the same.
    pub(super) former: Option<&'static str>,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

/// How a field's value is written, in JSON and in protobuf.
pub(super) enum Kind {
    /// A string.
    Text,
    /// Strings.
    Texts,
    /// Bytes as hex digits: ids.
    Hex,
    /// Bytes as base64.
    Base64,
    Bool,
    Int32,
    Uint32,
    Int64,
    Fixed32,
    Fixed64,
    /// With a sign; written even when it is zero.
    Sfixed64,
    /// With a sign, written as a zigzag.
    Sint32,
    Double,
    /// Numbers of eight bytes.
    Fixed64s,
    /// Numbers as varints.
    Uint64s,
    /// Floating point numbers.
    Doubles,
    /// A number, or one of these names by their numbers.
    Enum(&'static [&'static str]),
    Message(&'static Message),
    /// A message that must stand before its siblings.
    Owner(&'static Message),
    Repeated(&'static Message),
    /// A message that counts as a level of nesting.
    Nested(&'static Message),
}

/// A row.
pub(super) const fn field(json: &'static str, proto: &'static str, number: u32, kind: Kind) -> Field {
    Field { json, proto, former: None, number, kind }
}

/// A field that had another name until opentelemetry-proto 0.19.
pub(super) const fn renamed(former: &'static str, field: Field) -> Field {
    Field { former: Some(former), ..field }
}

/// A message of which any fields may be there.
pub(super) const fn message(length_bytes: usize, fields: &'static [Field]) -> Message {
    Message { fields, one_of: false, length_bytes }
}

/// What other systems and earlier days call a field, letters only, and its name in OTLP/JSON.
const FORMER: [(&str, &str); 8] = [
    ("starttime", "startTimeUnixNano"),
    ("endtime", "endTimeUnixNano"),
    ("operationname", "name"),
    ("parentid", "parentSpanId"),
    ("tags", "attributes"),
    ("labels", "attributes"),
    ("timestamp", "timeUnixNano"),
    ("severity", "severityText"),
];

impl Message {
    /// The field that an unknown key is probably meant to be: it differs in capitals and signs only, or was called so
    /// elsewhere.
    pub(super) fn near(&self, key: &[u8]) -> Option<&'static str> {
        fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
            name.iter().filter(|c| c.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
        }
        let is_key = |name: &str| letters(name.as_bytes()).eq(letters(key));
        let former = FORMER.iter().find(|(former, _)| is_key(former)).map(|(_, name)| *name);
        let is_meant = |field: &&Field| is_key(field.json) || former == Some(field.json);
        self.fields.iter().find(is_meant).map(|field| field.json)
    }

    /// The index of the field called `key`, looked for from `guess` on: keys mostly come in the table's order.
    #[inline]
    pub(super) fn find(&self, key: &[u8], guess: usize) -> Option<usize> {
        let count = self.fields.len();
        for index in (guess..count).chain(0..guess.min(count)) {
            if self.fields[index].json.as_bytes() == key {
                return Some(index);
            }
        }
        let known = |field: &Field| {
            field.proto.as_bytes() == key || field.former.is_some_and(|former| former.as_bytes() == key)
        };
        self.fields.iter().position(known)
    }
}
