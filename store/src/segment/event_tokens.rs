//! What events and links hold, told without reading them: the keys of their attributes over the segment, and for each row group a
//! bloom filter over the events' names, keys and entries.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use parquet::bloom_filter::Sbbf;

use super::{
    attributes::ValueKind,
    json::{BadJson, Reader},
    json_entry,
    manifest::{RESIDUAL_KEYS_MAX, ResidualKey, ResidualKeys},
    promotion::residual_keys,
};
use crate::columns::{BLOOM_VALUES_MIN, ChunkView, ValuesView};

/// Longer entries count by their key alone: a stack trace is not what is searched for.
const TOKEN_BYTES_MAX: usize = 256;
/// With more distinct tokens a row group has no filter, and its events are looked through.
const TOKENS_MAX: usize = 1 << 20;
/// And with more bytes of them, each with what it takes in the table.
const TOKENS_BYTES_MAX: usize = 64 << 20;
const TOKEN_OVERHEAD_BYTES: usize = 48;

/// Something inside a list of events or links; all parts are JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside<'a> {
    /// A field of the event or link, but its attributes: name in quotes, value.
    Field(&'a [u8], &'a [u8]),
    /// One of its attributes: key in quotes, value.
    Attribute(&'a [u8], &'a [u8]),
}

/// Calls `visit` with everything inside a list of events or links, until it answers false.
pub(super) fn for_each_inside<'a>(list: &'a [u8], mut visit: impl FnMut(Inside<'a>) -> bool) -> Result<(), BadJson> {
    let mut reader = Reader::new(list);
    reader.expect(b'[')?;
    if reader.take(b']') {
        return reader.end();
    }
    loop {
        let start = reader.position();
        reader.skip_value()?;
        let mut goes_on = true;
        let mut inner = Ok(());
        json_entry::for_each(&list[start..reader.position()], |field, value| {
            if field == b"\"attributes\"" {
                inner = json_entry::for_each(value, |key, value| {
                    goes_on = visit(Inside::Attribute(key, value));
                    goes_on
                });
            } else {
                goes_on = visit(Inside::Field(field, value));
            }
            goes_on && inner.is_ok()
        })?;
        inner?;
        if !goes_on {
            return Ok(());
        }
        if reader.take(b']') {
            return reader.end();
        }
        reader.expect(b',')?;
    }
}

/// What a filter holds of an attribute: the whole entry, or of a long one its key and the colon.
pub(super) fn token(quoted_key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut token = key_token(quoted_key);
    if token.len() + value.len() <= TOKEN_BYTES_MAX {
        token.extend_from_slice(value);
    }
    token
}

/// What a filter holds of each key.
pub(super) fn key_token(quoted_key: &[u8]) -> Vec<u8> {
    [quoted_key, b":"].concat()
}

/// What a filter holds of an event's name in quotes; nothing of a long one.
pub(super) fn name_token(quoted_name: &[u8]) -> Option<Vec<u8>> {
    (quoted_name.len() <= TOKEN_BYTES_MAX).then(|| quoted_name.to_vec())
}

/// The keys that a column of events or links has, with the type and number of their values, about.
#[derive(Debug, Default)]
pub(super) struct ListKeys {
    counts: HashMap<Box<[u8]>, [u64; ValueKind::ALL.len()]>,
    cut: bool,
}

impl ListKeys {
    /// Counts the attributes of a row group's lists.
    pub(super) fn add(&mut self, view: ChunkView<'_>) -> Result<(), BadJson> {
        for_each_text(view, |text| {
            for_each_inside(text, |inside| {
                if let Inside::Attribute(key, value) = inside {
                    self.count(key, value);
                }
                true
            })
        })
    }

    /// Counts the attributes of a row group's events; the filter over them where there are enough to be worth one.
    pub(super) fn add_filtered(&mut self, view: ChunkView<'_>) -> Result<Option<Sbbf>, BadJson> {
        let values = match view.values {
            ValuesView::Bytes { codes, .. } => codes.len(),
            ValuesView::Words(_) => 0,
        };
        if values < BLOOM_VALUES_MIN {
            return self.add(view).map(|()| None);
        }
        let mut tokens = Tokens::default();
        let mut scratch = Vec::new();
        for_each_text(view, |text| {
            for_each_inside(text, |inside| {
                scratch.clear();
                match inside {
                    Inside::Attribute(key, value) => {
                        self.count(key, value);
                        scratch.extend_from_slice(key);
                        scratch.push(b':');
                        tokens.keep(&scratch);
                        scratch.extend_from_slice(value);
                        if scratch.len() <= TOKEN_BYTES_MAX {
                            tokens.keep(&scratch);
                        }
                    }
                    Inside::Field(b"\"name\"", name) if name.len() <= TOKEN_BYTES_MAX => tokens.keep(name),
                    Inside::Field(..) => {}
                }
                true
            })
        })?;
        let Some(tokens) = tokens.whole() else { return Ok(None) };
        // Other readers of the file look for whole values: those are in it, too. 8 to 16 bits for each of all.
        let mut filter = Sbbf::new_with_num_of_bytes((tokens.len() + values).next_power_of_two());
        for token in &tokens {
            filter.insert(token.as_slice());
        }
        for_each_text(view, |text| {
            filter.insert(text);
            Ok(())
        })?;
        Ok(Some(filter))
    }

    /// The keys, sorted and bounded.
    pub(super) fn finish(self) -> ResidualKeys {
        let mut keys = Vec::new();
        for (quoted, counts) in &self.counts {
            let Ok(key) = Reader::new(quoted).string() else { continue };
            let kinds = ValueKind::ALL.into_iter().zip(counts).filter(|&(_, &count)| count > 0);
            keys.extend(kinds.map(|(kind, &count)| ResidualKey { key: key.clone(), kind: kind.name().into(), count }));
        }
        residual_keys(keys, self.cut)
    }

    fn count(&mut self, quoted_key: &[u8], value: &[u8]) {
        let kind = kind_of(value) as usize;
        if let Some(counts) = self.counts.get_mut(quoted_key) {
            counts[kind] += 1;
        } else if self.counts.len() < RESIDUAL_KEYS_MAX {
            self.counts.entry(quoted_key.into()).or_default()[kind] += 1;
        } else {
            self.cut = true;
        }
    }
}

/// The distinct tokens of a row group, within a bound.
#[derive(Debug, Default)]
struct Tokens {
    distinct: HashSet<Vec<u8>, RandomState>,
    bytes: usize,
    are_cut: bool,
}

impl Tokens {
    fn keep(&mut self, token: &[u8]) {
        if self.are_cut || self.distinct.contains(token) {
            return;
        }
        self.bytes += token.len() + TOKEN_OVERHEAD_BYTES;
        if self.distinct.len() == TOKENS_MAX || self.bytes > TOKENS_BYTES_MAX {
            self.are_cut = true;
            self.distinct = HashSet::default();
            return;
        }
        self.distinct.insert(token.to_vec());
    }

    /// All of them; `None` when there were too many.
    fn whole(self) -> Option<HashSet<Vec<u8>, RandomState>> {
        (!self.are_cut).then_some(self.distinct)
    }
}

/// Each distinct text of the rows once.
fn for_each_text(view: ChunkView<'_>, mut visit: impl FnMut(&[u8]) -> Result<(), BadJson>) -> Result<(), BadJson> {
    let ValuesView::Bytes { codes, dictionary } = view.values else { return Ok(()) };
    let mut seen = vec![false; if dictionary.is_distinct() { dictionary.len() } else { 0 }];
    for &code in codes {
        if seen.get_mut(code as usize).is_none_or(|seen| !std::mem::replace(seen, true)) {
            visit(dictionary.get(code))?;
        }
    }
    Ok(())
}

/// The type of a value by its text.
fn kind_of(value: &[u8]) -> ValueKind {
    match value.first() {
        Some(b'"') => ValueKind::Text,
        Some(b't' | b'f') => ValueKind::Bool,
        Some(b'n') => ValueKind::Empty,
        Some(b'{') if value.starts_with(b"{\"$double\"") => ValueKind::Double,
        Some(b'[' | b'{') => ValueKind::Json,
        _ if value.iter().any(|byte| matches!(byte, b'.' | b'e')) => ValueKind::Double,
        _ => ValueKind::Int,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Column;

    const EVENTS: &[u8] = br#"[{"time":1,"name":"exception","attributes":{"exception.type":"Declined","tries":3}},{"attributes":{"tries":0.5,"\"":[1,{"tries":true}]}}]"#;

    #[test]
    fn everything_inside_is_visited() {
        let mut seen = Vec::new();
        for_each_inside(EVENTS, |inside| {
            seen.push(match inside {
                Inside::Field(name, value) => [name, b" ", value].concat(),
                Inside::Attribute(key, value) => token(key, value),
            });
            true
        })
        .expect("sound");
        let seen: Vec<_> = seen.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        assert_eq!(
            seen,
            [
                "\"time\" 1",
                "\"name\" \"exception\"",
                "\"exception.type\":\"Declined\"",
                "\"tries\":3",
                "\"tries\":0.5",
                r#""\"":[1,{"tries":true}]"#
            ]
        );
        assert_eq!(for_each_inside(b"[]", |_| true), Ok(()));
        for end in 0..EVENTS.len() {
            assert!(for_each_inside(&EVENTS[..end], |_| true).is_err(), "{end}");
        }
    }

    #[test]
    fn keys_are_listed_with_their_types_and_tokens_are_in_the_filter() {
        let mut column = Column::sparse_bytes();
        for row in 0..200 {
            column.push_bytes(row, EVENTS);
            column.push_bytes(row, format!(r#"[{{"attributes":{{"row":{row}}}}}]"#).as_bytes());
        }
        let mut keys = ListKeys::default();
        let filter = keys.add_filtered(column.slice(0, 200)).expect("sound").expect("enough");
        for token in ["\"exception\"", "\"tries\":", "\"tries\":3", "\"row\":17"] {
            assert!(filter.check(token.as_bytes()), "{token}");
        }
        let wrong = (1000..2000).filter(|row| filter.check(format!("\"row\":{row}").as_bytes())).count();
        assert!(wrong < 100, "{wrong} of 1000");
        let listed: Vec<_> = keys.finish().keys.into_iter().map(|key| (key.key, key.kind)).collect();
        let expected =
            [("\"", "json"), ("exception.type", "text"), ("row", "int"), ("tries", "double"), ("tries", "int")];
        assert_eq!(listed, expected.map(|(key, kind)| (key.to_owned(), kind.to_owned())));
    }
}
