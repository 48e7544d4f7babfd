//! Attributes that a line does not write out, because they are the fields of its body: a JSON object that was taken apart.
//!
//! The journal has such a line once. Who asks for its attributes gets them written out ([`Expander`]).

use std::borrow::Cow;

use super::{Attributes, LineView, ValueView};
use crate::{
    json::{Event, events},
    otlp::wire::{OpenMessage, Repeated, Writer},
};

/// The field of a LogRecord that says so, in the journal only: a number far from those of OTLP.
pub const FIELD: u32 = 1000;

/// The field of a LogRecord that attributes are in.
const ATTRIBUTE_FIELD: u32 = 6;

/// Objects and lists in each other, the outermost included: more than shapes of bodies have.
const DEPTH_MAX: usize = 40;

/// Whether the fields of a line's body are attributes, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Implied {
    /// No: all attributes are written out.
    #[default]
    None,
    /// Yes, and the ids that are among them are the record's own.
    WithIds,
    /// Yes, and nobody has looked for ids.
    WithoutIds,
}

impl Implied {
    /// What the field's number says. Of one that is not known yet nothing is believed but that fields are attributes.
    pub(super) fn of_number(number: u64) -> Self {
        match number {
            0 => Self::None,
            1 => Self::WithIds,
            _ => Self::WithoutIds,
        }
    }

    /// The number that the field has; `None` where it is left out.
    pub fn number(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::WithIds => Some(1),
            Self::WithoutIds => Some(2),
        }
    }
}

/// Writes out attributes; its memory is used again.
#[derive(Debug, Default)]
pub struct Expander {
    out: Writer,
}

impl Expander {
    /// The line with all of its attributes, those that were written out first.
    pub fn whole<'e, 'a: 'e>(&'e mut self, line: &LineView<'a>) -> LineView<'e> {
        let ValueView::Str(body) = line.body else { return *line };
        if line.implied == Implied::None {
            return *line;
        }
        self.out.clear();
        for encoded in line.attributes.encoded() {
            self.out.bytes(ATTRIBUTE_FIELD, encoded);
        }
        let implied = write_members(body, &mut self.out, ATTRIBUTE_FIELD).unwrap_or(0);
        let count = line.attributes.len() as u32 + implied;
        LineView { attributes: Attributes(Repeated::exactly(self.out.written(), ATTRIBUTE_FIELD, count)), ..*line }
    }
}

/// Writes each member of a JSON object as a KeyValue in this field, and answers how many there are; `None`, and nothing written, for what is
/// no object. Whole numbers are whole ones, others doubles, and what neither can hold is text. Names that are there twice are written twice.
pub fn write_members(text: &[u8], out: &mut Writer, field: u32) -> Option<u32> {
    let begun_at = out.len();
    let mut writing = Members { out, field, open: Vec::new(), name: Cow::Borrowed(b""), members: 0, is_object: true };
    let read = events(text, DEPTH_MAX, |event| writing.take(event));
    let (is_object, members) = (writing.is_object, writing.members);
    if read.is_ok() && is_object {
        return Some(members);
    }
    out.truncate(begun_at);
    None
}

/// An object whose members are being written.
struct Members<'w, 't> {
    out: &'w mut Writer,
    field: u32,
    open: Vec<Open>,
    name: Cow<'t, [u8]>,
    members: u32,
    is_object: bool,
}

/// What is open.
enum Open {
    /// The object itself.
    Whole,
    /// An object or a list in it: the messages to end, from the innermost; whether it is a list.
    Inner { content: OpenMessage, any: OpenMessage, pair: Option<OpenMessage>, is_list: bool },
}

impl<'t> Members<'_, 't> {
    fn take(&mut self, event: Event<'t>) {
        match event {
            Event::Key(key) => self.name = key,
            Event::Object if self.open.is_empty() => self.open.push(Open::Whole),
            _ if self.open.is_empty() => self.is_object = false,
            Event::Object => self.begin(6, false),
            Event::List => self.begin(5, true),
            Event::End => {
                if let Some(Open::Inner { content, any, pair, .. }) = self.open.pop() {
                    self.out.end(content);
                    self.end_value(any, pair);
                }
            }
            Event::Text(text) if !self.is_in_list() => {
                let field = self.pair_field();
                self.out.text_pair(field, &self.name, &text);
            }
            scalar => {
                let (any, pair) = self.begin_value();
                match scalar {
                    Event::Text(text) => self.out.bytes(1, &text),
                    Event::Bool(value) => self.out.varint(2, u64::from(value)),
                    Event::Number(digits) => match json_number(digits) {
                        ValueView::Int(number) => self.out.varint(3, number as u64),
                        ValueView::Double(number) => self.out.fixed64(4, number.to_bits()),
                        _ => self.out.bytes(1, digits),
                    },
                    _ => {}
                }
                self.end_value(any, pair);
            }
        }
    }

    fn is_in_list(&self) -> bool {
        matches!(self.open.last(), Some(Open::Inner { is_list: true, .. }))
    }

    /// The field that a member of the innermost object is written in.
    fn pair_field(&mut self) -> u32 {
        if self.open.len() > 1 {
            return 1;
        }
        self.members += 1;
        self.field
    }

    fn begin_value(&mut self) -> (OpenMessage, Option<OpenMessage>) {
        if self.is_in_list() {
            return (self.out.begin(1, 1), None);
        }
        let field = self.pair_field();
        let pair = self.out.begin(field, 1);
        self.out.bytes(1, &self.name);
        (self.out.begin(2, 1), Some(pair))
    }

    fn end_value(&mut self, any: OpenMessage, pair: Option<OpenMessage>) {
        self.out.end(any);
        if let Some(pair) = pair {
            self.out.end(pair);
        }
    }

    fn begin(&mut self, field: u32, is_list: bool) {
        let (any, pair) = self.begin_value();
        let content = self.out.begin(field, 1);
        self.open.push(Open::Inner { content, any, pair, is_list });
    }
}

/// The value of a JSON number: a whole one, a double, or its text, where neither holds it.
#[inline]
pub fn json_number(digits: &[u8]) -> ValueView<'_> {
    let text = std::str::from_utf8(digits).unwrap_or("0");
    if let Ok(whole) = text.parse::<i64>() {
        return ValueView::Int(whole);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => ValueView::Double(number),
        _ => ValueView::Str(digits),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::otlp::{
        logs::{Checks, IdNames, scan},
        messages::{collector::logs::v1::ExportLogsServiceRequest, common::v1::any_value::Value},
    };

    fn payload(body: &str, implied: Implied) -> Vec<u8> {
        let mut out = Writer::default();
        let resource = out.begin(1, 2);
        let scope = out.begin(2, 2);
        let record = out.begin(2, 2);
        let any = out.begin(5, 2);
        out.bytes(1, body.as_bytes());
        out.end(any);
        out.text_pair(6, b"file", b"x.log");
        if let Some(number) = implied.number() {
            out.varint(FIELD, number);
        }
        out.end(record);
        out.end(scope);
        out.end(resource);
        out.into_bytes()
    }

    fn shown(body: &str, implied: Implied) -> Vec<String> {
        let payload = payload(body, implied);
        let mut shown = Vec::new();
        let mut expander = Expander::default();
        scan(&payload, Checks::Journalled, |scanned| {
            let line = expander.whole(&scanned.line);
            assert_eq!(line.attributes.len(), line.attributes.iter().count());
            let any = |value: Option<Value>| format!("{value:?}").replace("Value", "");
            let message = line.to_message();
            let pairs = message.attributes.into_iter().map(|pair| (pair.key, pair.value.and_then(|any| any.value)));
            shown.extend(pairs.map(|(key, value)| format!("{key}={}", any(value))));
        })
        .expect("well formed");
        shown
    }

    #[test]
    fn fields_are_attributes_behind_those_that_are_written_out() {
        let file = r#"file=Some(String("x.log"))"#;
        let body = r#" {"a": -1, "b":1.50,"c":"x\ny","d":true,"e":null,"f":1e999,"g":9007199254740993}"#;
        let expected = [
            file,
            "a=Some(Int(-1))",
            "b=Some(Double(1.5))",
            r#"c=Some(String("x\ny"))"#,
            "d=Some(Bool(true))",
            "e=None",
            r#"f=Some(String("1e999"))"#,
            "g=Some(Int(9007199254740993))",
        ];
        assert_eq!(shown(body, Implied::WithIds), expected);
        assert_eq!(shown(body, Implied::None), [file]);
        for broken in ["[1]", "5", "{\"a\":1", "text", ""] {
            assert_eq!(shown(broken, Implied::WithIds), [file], "{broken}");
        }
    }

    #[test]
    fn objects_and_lists_are_written_as_prost_reads_them() {
        let long = "z".repeat(300);
        let body = format!(r#"{{"o":{{"k":{{"n":[1,{{"m":"{long}"}},[],"t"]}},"q":{{}}}},"l":[null,2.5]}}"#);
        let payload = payload(&body, Implied::WithIds);
        let mut out = Vec::new();
        scan(&payload, Checks::Journalled, |scanned| {
            let mut expander = Expander::default();
            out.push(expander.whole(&scanned.line).to_message());
        })
        .expect("well formed");
        let attributes = &out[0].attributes;
        let as_json = |value: &Option<crate::otlp::messages::common::v1::AnyValue>| format!("{value:?}");
        assert_eq!(attributes.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>(), ["file", "o", "l"]);
        assert!(as_json(&attributes[1].value).contains(&long));
        let again = ExportLogsServiceRequest::decode(&payload[..]).expect("protobuf");
        assert_eq!(again.resource_logs[0].scope_logs[0].log_records[0].attributes.len(), 1);
    }

    #[test]
    fn ids_are_found_once() {
        let body = format!(r#"{{"trace_id":"{}","span":{{"id":"{}"}}}}"#, "ab".repeat(16), "cd".repeat(8));
        for (implied, is_found) in [(Implied::None, true), (Implied::WithoutIds, true), (Implied::WithIds, false)] {
            scan(&payload(&body, implied), Checks::Journalled, |scanned| {
                let ids = scanned.line.ids(&IdNames::USUAL);
                assert_eq!((ids.trace.is_some(), ids.span.is_some()), (is_found, is_found), "{implied:?}");
            })
            .expect("well formed");
        }
    }
}
