//! Transcodes any message that a table describes, with a stack of its own: nesting costs no call stack.

use super::{
    DEPTH_CEILING, JsonError, Stranger, TranscodeLimits, Transcoded, base64, hex,
    schema::{Field, Kind, Message},
};
use crate::{
    json::{Items, Members, Reader},
    otlp::wire::{OpenMessage, Writer},
};

/// JSON is about this many times as long as the protobuf that comes out.
const USUAL_RATIO: usize = 3;

/// Unknown keys are remembered in the request, its ResourceSpans and their ScopeSpans, and further in where another
/// key was meant; so many and so much of each.
const STRANGE_LEVELS: usize = 3;
const STRANGERS_MAX: usize = 4;
const STRANGER_CHARS_MAX: usize = 64;
/// So many are looked at: whether they are told, and what was meant.
const LOOKS_MAX: usize = 64;

/// The way from one text to one message.
pub(super) struct Transcoder<'a> {
    reader: Reader<'a>,
    writer: Writer,
    /// The messages around the current one, itself last.
    levels: Vec<Level>,
    /// As admission counts: an attribute's own value is at 1.
    depth: u32,
    /// Unknown keys.
    strangers: Vec<Stranger>,
    /// Unknown keys that were looked at.
    looks: usize,
    limits: TranscodeLimits,
}

/// A message that is being read.
struct Level {
    message: &'static Message,
    members: Members,
    /// The repeated field in which we are.
    list: Option<List>,
    /// The fields that were there, a bit for each.
    seen: u32,
    /// The field that probably comes next.
    guess: usize,
    content_at: usize,
    /// What ends with it, beside the object itself; nothing for the outermost message.
    ending: Option<Ending>,
}

struct List {
    items: Items,
    field: &'static Field,
    message: &'static Message,
}

struct Ending {
    open: OpenMessage,
    /// From where to where an owner moves, in front of siblings that came before it.
    moved: Option<(usize, usize)>,
    nested: bool,
}

impl<'a> Transcoder<'a> {
    pub(super) fn new(json: &'a [u8], limits: TranscodeLimits) -> Self {
        let limits = TranscodeLimits { depth_max: limits.depth_max.min(DEPTH_CEILING), ..limits };
        let writer = Writer::with_capacity(json.len().min(limits.bytes_max) / USUAL_RATIO);
        Self {
            reader: Reader::new(json),
            writer,
            levels: Vec::new(),
            depth: 1,
            strangers: Vec::new(),
            looks: 0,
            limits,
        }
    }

    /// The whole text is one `message`.
    pub(super) fn transcode(mut self, message: &'static Message) -> Result<Transcoded, JsonError> {
        self.enter(message, None).map_err(|error| error.of_field("the body"))?;
        while let Some(level) = self.levels.last_mut() {
            if let Some(List { items, field, message }) = &mut level.list {
                let (field, message) = (*field, *message);
                if !self.reader.item(items)? {
                    level.list = None;
                } else if self.reader.null() {
                    self.writer.bytes(field.number, &[]);
                } else {
                    let open = self.writer.begin(field.number, message.length_bytes);
                    let ending = Ending { open, moved: None, nested: false };
                    self.enter(message, Some(ending)).map_err(|error| error.of_field(field.json))?;
                }
                continue;
            }
            match self.reader.key(&mut level.members)? {
                Some(key) => self.member(&key)?,
                None => {
                    self.leave();
                    self.check_size()?;
                }
            }
        }
        self.reader.end()?;
        Ok(Transcoded { payload: self.writer.into_bytes(), strangers: self.strangers })
    }

    fn check_size(&self) -> Result<(), JsonError> {
        let bytes_max = self.limits.bytes_max;
        if self.writer.len() > bytes_max { Err(JsonError::TooLarge { bytes_max }) } else { Ok(()) }
    }

    /// Begins the object that `message` is in JSON.
    fn enter(&mut self, message: &'static Message, ending: Option<Ending>) -> Result<(), JsonError> {
        let members = self.reader.object()?;
        let content_at = self.writer.len();
        self.levels.push(Level { message, members, list: None, seen: 0, guess: 0, content_at, ending });
        Ok(())
    }

    fn leave(&mut self) {
        let Some(Level { ending: Some(Ending { open, moved, nested }), .. }) = self.levels.pop() else { return };
        self.writer.end(open);
        if let Some((from, to)) = moved {
            self.writer.move_forward(from, to);
        }
        self.depth -= u32::from(nested);
    }

    /// The member called `key`, whose value comes next.
    fn member(&mut self, key: &[u8]) -> Result<(), JsonError> {
        let level = self.levels.last_mut().expect("a member is in a message");
        let message = level.message;
        let Some(index) = message.find(key, level.guess) else { return self.stranger(key) };
        level.guess = index + 1;
        let field = &message.fields[index];
        let bit = if message.one_of { 1 } else { 1 << index };
        if level.seen & bit != 0 {
            if Some(key) == field.former.map(str::as_bytes) {
                return self.stranger(key);
            }
            let what = if message.one_of { "is a second value" } else { "is there twice" };
            return Err(JsonError::value(self.reader.position(), what).of_field(field.json));
        }
        level.seen |= bit;
        self.field(field, message.one_of).map_err(|error| error.of_field(field.json))
    }

    /// A member that nobody knows, or knows twice by two names.
    #[cold]
    fn stranger(&mut self, key: &[u8]) -> Result<(), JsonError> {
        if self.strangers.len() < STRANGERS_MAX && self.looks < LOOKS_MAX {
            self.looks += 1;
            let meant = self.levels.last().and_then(|level| level.message.near(key));
            // What is there by its right name, too, was not meant by another.
            let meant = meant.filter(|meant| key != meant.as_bytes());
            let key: String = String::from_utf8_lossy(key).chars().take(STRANGER_CHARS_MAX).collect();
            let is_told = self.levels.len() <= STRANGE_LEVELS || meant.is_some();
            if is_told && !self.strangers.iter().any(|known| known.key == key) {
                self.strangers.push(Stranger { key, meant });
            }
        }
        self.reader.skip()
    }

    /// One field's value, or the beginning of it; defaults are left out unless `explicit`.
    fn field(&mut self, field: &'static Field, explicit: bool) -> Result<(), JsonError> {
        let number = field.number;
        match &field.kind {
            Kind::Text => {
                let text = self.reader.string()?;
                if explicit || !text.is_empty() {
                    self.writer.bytes(number, &text);
                }
            }
            Kind::Texts => {
                let mut items = self.reader.list()?;
                while self.reader.item(&mut items)? {
                    self.writer.bytes(number, &self.reader.string()?);
                }
            }
            Kind::Hex => self.hex(number)?,
            Kind::Base64 => self.base64(number)?,
            Kind::Fixed64 => {
                let value = self.reader.integer(0, u64::MAX.into())? as u64;
                if value != 0 {
                    self.writer.fixed64(number, value);
                }
            }
            Kind::Sfixed64 => {
                let value = self.reader.integer(i64::MIN.into(), i64::MAX.into())? as i64;
                self.writer.fixed64(number, value as u64);
            }
            Kind::Sint32 => {
                let value = self.reader.integer(i32::MIN.into(), i32::MAX.into())? as i32;
                if value != 0 {
                    self.writer.varint(number, u64::from((value << 1 ^ value >> 31) as u32));
                }
            }
            Kind::Fixed64s | Kind::Uint64s | Kind::Doubles => self.numbers(field)?,
            Kind::Fixed32 => {
                let value = self.reader.integer(0, u32::MAX.into())? as u32;
                if value != 0 {
                    self.writer.fixed32(number, value);
                }
            }
            Kind::Double => {
                let value = self.reader.double()?;
                self.writer.fixed64(number, value.to_bits());
            }
            Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Int64 | Kind::Enum(_) => {
                let value = self.varint(&field.kind)?;
                if explicit || value != 0 {
                    self.writer.varint(number, value);
                }
            }
            Kind::Message(message) => self.sub_message(field, message, None, false)?,
            Kind::Owner(message) => {
                let (from, to) = (self.writer.len(), self.levels.last().map_or(0, |level| level.content_at));
                self.sub_message(field, message, (from > to).then_some((from, to)), false)?;
            }
            Kind::Nested(message) => self.nested(field, message)?,
            Kind::Repeated(message) => {
                let items = self.reader.list()?;
                let level = self.levels.last_mut().expect("a field is in a message");
                level.list = Some(List { items, field, message });
            }
        }
        Ok(())
    }

    /// A list of numbers, each a field of its own.
    fn numbers(&mut self, field: &'static Field) -> Result<(), JsonError> {
        let mut items = self.reader.list()?;
        while self.reader.item(&mut items)? {
            match field.kind {
                Kind::Doubles => {
                    let value = self.reader.double()?;
                    self.writer.fixed64(field.number, value.to_bits());
                }
                Kind::Fixed64s => {
                    let value = self.reader.integer(0, u64::MAX.into())? as u64;
                    self.writer.fixed64(field.number, value);
                }
                _ => {
                    let value = self.reader.integer(0, u64::MAX.into())? as u64;
                    self.writer.varint(field.number, value);
                }
            }
            self.check_size()?;
        }
        Ok(())
    }

    /// A value that is written as a varint; negative ones take ten bytes.
    fn varint(&mut self, kind: &Kind) -> Result<u64, JsonError> {
        let value = match kind {
            Kind::Bool => i128::from(self.reader.boolean()?),
            Kind::Uint32 => self.reader.integer(0, u32::MAX.into())?,
            Kind::Int64 => self.reader.integer(i64::MIN.into(), i64::MAX.into())?,
            Kind::Enum(names) if self.reader.peek() == Some(b'"') => {
                let at = self.reader.position();
                let name = self.reader.string()?;
                let number = names.iter().position(|known| known.as_bytes() == &*name);
                number.ok_or_else(|| JsonError::value(at, "is no name of this enum"))? as i128
            }
            _ => self.reader.integer(i32::MIN.into(), i32::MAX.into())?,
        };
        Ok(value as i64 as u64)
    }

    fn hex(&mut self, number: u32) -> Result<(), JsonError> {
        const WHAT: &str = "must be hex digits, two for each byte (OTLP/JSON has ids in hex, not base64)";

        let at = self.reader.position();
        let text = self.reader.string()?;
        if text.is_empty() {
            return Ok(());
        }
        let out = self.writer.begin_bytes(number, text.len() / 2);
        hex::decode(&text, out).ok_or_else(|| JsonError::value(at, WHAT))
    }

    fn base64(&mut self, number: u32) -> Result<(), JsonError> {
        let at = self.reader.position();
        let text = self.reader.string()?;
        let text = base64::without_padding(&text);
        let out = self.writer.begin_bytes(number, base64::decoded_len(text.len()));
        base64::decode(text, out).ok_or_else(|| JsonError::value(at, "must be base64"))
    }

    fn sub_message(
        &mut self,
        field: &'static Field,
        message: &'static Message,
        moved: Option<(usize, usize)>,
        nested: bool,
    ) -> Result<(), JsonError> {
        let open = self.writer.begin(field.number, message.length_bytes);
        self.enter(message, Some(Ending { open, moved, nested }))
    }

    /// A list or map within a value. One that admission will find too deep comes out empty, whatever is in it.
    fn nested(&mut self, field: &'static Field, message: &'static Message) -> Result<(), JsonError> {
        if self.depth >= self.limits.depth_max {
            self.writer.bytes(field.number, &[]);
            return self.reader.skip();
        }
        self.depth += 1;
        self.sub_message(field, message, None, true)
    }
}
