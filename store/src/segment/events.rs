//! Events and links as JSON text: arrays of objects whose fields are left out when they are empty or zero.

use weir_proto::otlp::{
    messages::trace::v1::span::{Event, Link},
    traces::{EventView, LinkView},
};

use super::json::{self, BadJson, Reader};

/// Appends `[{"time":…,"name":…,"attributes":{…},"dropped_attributes_count":…}, …]`; times are Unix ns.
pub(super) fn write_events<'a>(events: impl Iterator<Item = EventView<'a>>, out: &mut Vec<u8>) {
    write_list(events, out, |event, fields| {
        fields.number("time", event.time_ns);
        fields.text("name", event.name);
        if !event.attributes.is_empty() {
            json::write_object(event.attributes.iter(), fields.value("attributes"));
        }
        fields.number("dropped_attributes_count", u64::from(event.dropped_attributes_count));
    });
}

/// Appends `[{"trace_id":"<hex>","span_id":"<hex>","trace_state":…,"flags":…,"attributes":{…},"dropped_attributes_count":…}, …]`.
pub(super) fn write_links<'a>(links: impl Iterator<Item = LinkView<'a>>, out: &mut Vec<u8>) {
    write_list(links, out, |link, fields| {
        fields.hex("trace_id", link.trace_id);
        fields.hex("span_id", link.span_id);
        fields.text("trace_state", link.trace_state);
        fields.number("flags", u64::from(link.flags));
        if !link.attributes.is_empty() {
            json::write_object(link.attributes.iter(), fields.value("attributes"));
        }
        fields.number("dropped_attributes_count", u64::from(link.dropped_attributes_count));
    });
}

/// Reads events back.
pub(super) fn read_events(text: &[u8]) -> Result<Vec<Event>, BadJson> {
    let mut reader = Reader::new(text);
    let events = reader.list(|reader| {
        let mut event = Event::default();
        reader.fields(|reader, name| {
            match name.as_str() {
                "time" => event.time_unix_nano = reader.unsigned()?,
                "name" => event.name = reader.string()?,
                "attributes" => event.attributes = reader.object()?,
                "dropped_attributes_count" => event.dropped_attributes_count = reader.unsigned()? as u32,
                _ => return reader.bad(),
            }
            Ok(())
        })?;
        Ok(event)
    })?;
    reader.end()?;
    Ok(events)
}

/// Reads links back.
pub(super) fn read_links(text: &[u8]) -> Result<Vec<Link>, BadJson> {
    let mut reader = Reader::new(text);
    let links = reader.list(|reader| {
        let mut link = Link::default();
        reader.fields(|reader, name| {
            match name.as_str() {
                "trace_id" => link.trace_id = unhex(reader)?,
                "span_id" => link.span_id = unhex(reader)?,
                "trace_state" => link.trace_state = reader.string()?,
                "flags" => link.flags = reader.unsigned()? as u32,
                "attributes" => link.attributes = reader.object()?,
                "dropped_attributes_count" => link.dropped_attributes_count = reader.unsigned()? as u32,
                _ => return reader.bad(),
            }
            Ok(())
        })?;
        Ok(link)
    })?;
    reader.end()?;
    Ok(links)
}

/// Writes the fields of an object.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl Fields<'_> {
    fn value(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        json::write_text(name.as_bytes(), self.out);
        self.out.push(b':');
        self.out
    }

    fn number(&mut self, name: &str, value: u64) {
        if value != 0 {
            json::write_display(&value, self.value(name));
        }
    }

    fn text(&mut self, name: &str, text: &[u8]) {
        if !text.is_empty() {
            json::write_text(text, self.value(name));
        }
    }

    fn hex(&mut self, name: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            let out = self.value(name);
            out.push(b'"');
            json::write_hex(bytes, out);
            out.push(b'"');
        }
    }
}

fn write_list<T>(items: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Fields<'_>)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'{');
        write(item, &mut Fields { out, is_first: true });
        out.push(b'}');
    }
    out.push(b']');
}

fn unhex(reader: &mut Reader<'_>) -> Result<Vec<u8>, BadJson> {
    let text = reader.string()?;
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        _ => reader.bad(),
    }
}
