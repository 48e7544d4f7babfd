//! Where a segment may show a tag, and which rows of a row group do.

use memchr::memmem::Finder;

use super::{
    Segment, SegmentError,
    chunk_reader::{Block, ChunkReader},
    event_tokens::{self, Inside},
    json::{self, BadJson},
    json_entry,
    manifest::ResidualKeys,
    matching::Wanted,
    schema::{ITEM_PREFIX, RESOURCE_PREFIX, fixed},
    selection::Selection,
};
use crate::{
    ask::{
        span::SpanState,
        tag::{DroppedItems, Sought, SpanText, TagFilter},
    },
    columns::{Kind, Values},
};

/// A tag's places in one segment.
pub(super) struct TagPlan<'f> {
    places: Vec<TagPlace<'f>>,
    is_absent: bool,
}

/// One place, the cheap ones first.
enum TagPlace<'f> {
    /// Every row shows it.
    EveryRow,
    /// A column of numbers that has this one.
    Number(usize, i64),
    /// Adjusted counts: this one.
    AdjustedCount(f64),
    /// A column of texts that has this one.
    Text(usize, &'f str),
    /// An attribute's own column.
    Attribute(usize, &'f str),
    /// A column of attributes as JSON objects.
    Object(usize, Lookup<'f>),
    /// A column of events or links.
    List(usize, Lookup<'f>),
    /// A field of events, written so, and what the events' filter holds of it.
    EventField { field: &'static [u8], value: Vec<u8>, token: Option<Vec<u8>> },
}

/// An attribute in JSON.
struct Lookup<'f> {
    quoted_key: Vec<u8>,
    wanted: Wanted<'f>,
}

/// What [`TagPlace::cost`] says of JSON, at least.
const JSON_COST: u8 = 3;

/// A row group whose rows are asked.
pub(super) struct TaggedRows<'a> {
    pub(super) segment: &'a Segment,
    pub(super) reader: &'a ChunkReader<'a>,
    pub(super) group: usize,
}

impl<'f> TagPlan<'f> {
    /// Of a filter, for a segment.
    pub(super) fn new(segment: &Segment, tag: &'f TagFilter) -> Self {
        let mut places = Vec::new();
        for sought in &tag.any_of {
            match sought {
                Sought::Attribute { key, text } => attribute_places(segment, key, text, &mut places),
                Sought::EventName(name) if name.is_empty() => {}
                Sought::Dropped(_, 0) => {}
                Sought::EventName(name) => {
                    let value = quoted(name);
                    let token = event_tokens::name_token(&value);
                    places.push(TagPlace::EventField { field: b"\"name\"", value, token });
                }
                Sought::Text(part, text) if !text.is_empty() => places.push(TagPlace::Text(text_column(*part), text)),
                Sought::Text(..) => {}
                Sought::Dropped(items, count) => {
                    places.push(TagPlace::Number(dropped_column(*items), i64::from(*count)));
                    if *items == DroppedItems::Attributes {
                        let value = count.to_string().into_bytes();
                        places.push(TagPlace::EventField {
                            field: b"\"dropped_attributes_count\"",
                            value,
                            token: None,
                        });
                    }
                }
                Sought::Kind(kind) => places.push(TagPlace::Number(fixed::KIND, i64::from(*kind))),
                Sought::StatusCode(code) => places.push(TagPlace::Number(fixed::STATUS_CODE, i64::from(*code))),
                // What is sealed was kept.
                Sought::State(SpanState::Kept) => places.push(TagPlace::EveryRow),
                Sought::State(SpanState::Pending) => {}
                Sought::AdjustedCount(count) => places.push(TagPlace::AdjustedCount(*count)),
            }
        }
        places.sort_by_key(TagPlace::cost);
        Self { places, is_absent: tag.is_absent }
    }

    /// Whether no row of the segment can do what the filter asks for.
    pub(super) fn is_hopeless(&self) -> bool {
        self.places.is_empty() && !self.is_absent
    }

    /// Larger for what takes longer to read.
    pub(super) fn cost(&self) -> u8 {
        self.places.iter().map(TagPlace::cost).max().unwrap_or(0)
    }

    /// Whether it means reading JSON.
    pub(super) fn reads_json(&self) -> bool {
        self.cost() >= JSON_COST
    }

    /// Of each place whether it may show it to a row of the group, as far as statistics, bloom filters and dictionaries tell; `None`
    /// when no row can do what the filter asks for.
    pub(super) fn hopes(&self, rows: &TaggedRows<'_>) -> Result<Option<Vec<bool>>, SegmentError> {
        let hopes = self.places.iter().map(|place| rows.may_show(place)).collect::<Result<Vec<bool>, _>>()?;
        Ok((self.is_absent || hopes.contains(&true)).then_some(hopes))
    }

    /// Leaves the rows that do what the filter asks for; `hopes` are the group's.
    pub(super) fn narrow(
        &self,
        rows: &TaggedRows<'_>,
        hopes: &[bool],
        selection: &mut Selection,
    ) -> Result<(), SegmentError> {
        let mut found = rows.none();
        // Those that no place has shown it of yet.
        let mut left = selection.clone();
        for (place, _) in self.places.iter().zip(hopes).filter(|&(_, &hope)| hope) {
            if left.is_empty() {
                break;
            }
            rows.find(place, &left, &mut found)?;
            left.leave_out(&found);
        }
        match self.is_absent {
            true => *selection = left,
            false => selection.keep(&found),
        }
        Ok(())
    }
}

impl TagPlace<'_> {
    fn cost(&self) -> u8 {
        match self {
            Self::EveryRow => 0,
            Self::Number(..) | Self::AdjustedCount(_) => 1,
            Self::Text(..) | Self::Attribute(..) => 2,
            Self::Object(..) => JSON_COST,
            Self::List(..) | Self::EventField { .. } => JSON_COST + 1,
        }
    }
}

/// Wherever an attribute with this key may lie.
fn attribute_places<'f>(segment: &Segment, key: &str, text: &'f str, places: &mut Vec<TagPlace<'f>>) {
    let wanted = Wanted::of(text);
    let manifest = &segment.manifest;
    for prefix in [ITEM_PREFIX, RESOURCE_PREFIX] {
        if let Some(&column) = segment.columns.get(&format!("{prefix}{key}"))
            && wanted.may_match(segment.specs()[column].kind)
        {
            places.push(TagPlace::Attribute(column, text));
        }
    }
    let is_listed = |keys: &ResidualKeys| {
        let from = keys.keys.partition_point(|listed| listed.key.as_str() < key);
        let of_key = keys.keys[from..].iter().take_while(|listed| listed.key == key);
        keys.cut || of_key.into_iter().any(|listed| wanted.may_match_named(&listed.kind))
    };
    let lookup = || Lookup { quoted_key: quoted(key), wanted: wanted.clone() };
    for (column, keys) in [
        (fixed::ATTRIBUTES_OTHER, Some(&manifest.attributes_other)),
        (fixed::RESOURCE_OTHER, Some(&manifest.resource_other)),
        (fixed::SCOPE_ATTRIBUTES, None),
    ] {
        if keys.is_none_or(is_listed) {
            places.push(TagPlace::Object(column, lookup()));
        }
    }
    for (column, keys) in [(fixed::EVENTS, &manifest.event_keys), (fixed::LINKS, &manifest.link_keys)] {
        if keys.as_ref().is_none_or(is_listed) {
            places.push(TagPlace::List(column, lookup()));
        }
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    json::write_text(text.as_bytes(), &mut quoted);
    quoted
}

fn text_column(part: SpanText) -> usize {
    match part {
        SpanText::StatusMessage => fixed::STATUS_MESSAGE,
        SpanText::TraceState => fixed::TRACE_STATE,
        SpanText::ScopeName => fixed::SCOPE_NAME,
        SpanText::ScopeVersion => fixed::SCOPE_VERSION,
    }
}

fn dropped_column(items: DroppedItems) -> usize {
    match items {
        DroppedItems::Attributes => fixed::DROPPED_ATTRIBUTES,
        DroppedItems::Events => fixed::DROPPED_EVENTS,
        DroppedItems::Links => fixed::DROPPED_LINKS,
    }
}

impl TaggedRows<'_> {
    /// No row of the group.
    pub(super) fn none(&self) -> Selection {
        Selection::none(self.segment.group_rows(self.group))
    }

    /// The rows of a column of numbers that fit, out of the pages of `within`.
    fn find_words(
        &self,
        column: usize,
        within: &Selection,
        fits: impl Fn(u64) -> bool,
        found: &mut Selection,
    ) -> Result<(), SegmentError> {
        let block = self.read(column, within)?;
        let Values::Words(words) = &block.column.values else { return Ok(()) };
        for (position, &word) in words.iter().enumerate() {
            if fits(word) {
                found.insert(block.row(position));
            }
        }
        Ok(())
    }

    fn read(&self, column: usize, within: &Selection) -> Result<Block, SegmentError> {
        self.reader.read(self.group, column, within.span())
    }

    fn bad(&self, column: usize) -> SegmentError {
        let name = &self.segment.specs()[column].name;
        SegmentError::damaged(format!("row group {}, column {name}: JSON", self.group))
    }

    /// Whether a place may show it, as far as statistics, bloom filters and dictionaries tell.
    fn may_show(&self, place: &TagPlace<'_>) -> Result<bool, SegmentError> {
        let is_there = |column: usize| !self.reader.is_empty(self.group, column);
        let in_range = |column: usize, number: i64| {
            let range = self.reader.int_range(self.group, column);
            range.is_none_or(|(min, max)| (min..=max).contains(&number))
        };
        Ok(match place {
            TagPlace::EveryRow | TagPlace::AdjustedCount(_) => true,
            TagPlace::Number(column, number) => is_there(*column) && in_range(*column, *number),
            TagPlace::Text(column, text) => is_there(*column) && self.may_hold(*column, text)?,
            TagPlace::Attribute(column, text) => {
                is_there(*column)
                    && match self.segment.specs()[*column].kind {
                        Kind::Int64 => Wanted::of(text).int.is_some_and(|int| in_range(*column, int)),
                        Kind::Text => self.may_hold(*column, text)?,
                        _ => true,
                    }
            }
            TagPlace::Object(column, lookup) => {
                is_there(*column) && self.reader.may_hold_needle(self.group, *column, &Finder::new(&lookup.needle()))?
            }
            TagPlace::List(column, lookup) => {
                is_there(*column) && (*column != fixed::EVENTS || self.may_contain(*column, &lookup.tokens())?)
            }
            TagPlace::EventField { token, .. } => {
                is_there(fixed::EVENTS)
                    && token.as_ref().map_or(Ok(true), |token| self.may_contain(fixed::EVENTS, &[token]))?
            }
        })
    }

    /// False when a bloom filter or a dictionary says that a column of texts has no such.
    fn may_hold(&self, column: usize, text: &str) -> Result<bool, SegmentError> {
        Ok(self.may_contain(column, &[text.as_bytes()])?
            && self.reader.dictionary_may_hold(self.group, column, text.as_bytes())?)
    }

    /// False when a bloom filter says that a column has none of these.
    fn may_contain<T: AsRef<[u8]>>(&self, column: usize, any_of: &[T]) -> Result<bool, SegmentError> {
        let blooms = &self.segment.manifest.blooms;
        let place = (self.group as u32, column as u32);
        let Ok(at) = blooms.binary_search_by_key(&place, |bloom| (bloom.row_group, bloom.column)) else {
            return Ok(true);
        };
        let filter = self.reader.bloom_filter(self.group, column, blooms[at].crc32c)?;
        Ok(filter.is_none_or(|filter| any_of.iter().any(|one| filter.check(one.as_ref()))))
    }

    /// Adds the rows of `within` (and perhaps others) of which a place shows it.
    fn find(&self, place: &TagPlace<'_>, within: &Selection, found: &mut Selection) -> Result<(), SegmentError> {
        match place {
            TagPlace::EveryRow => {
                found.add(within);
                Ok(())
            }
            TagPlace::Number(column, number) => self.find_words(*column, within, |word| word as i64 == *number, found),
            TagPlace::AdjustedCount(count) => {
                self.find_words(fixed::ADJUSTED_COUNT, within, |word| f64::from_bits(word) == *count, found)
            }
            TagPlace::Text(column, text) => {
                let block = self.read(*column, within)?;
                find_bytes(&block, |value| Ok(value == text.as_bytes()), found).map_err(|_| self.bad(*column))
            }
            TagPlace::Attribute(column, text) => self.find_attribute(*column, &Wanted::of(text), within, found),
            TagPlace::Object(column, lookup) => {
                self.find_json(*column, &lookup.needle(), within, found, |text| lookup.is_in_object(text))
            }
            TagPlace::List(column, lookup) => {
                self.find_json(*column, &lookup.needle(), within, found, |text| lookup.is_in_list(text))
            }
            TagPlace::EventField { field, value, .. } => {
                let needle = [field, &b":"[..], value].concat();
                let has_field = |text: &[u8]| {
                    let mut is_there = false;
                    event_tokens::for_each_inside(text, |inside| {
                        is_there |= inside == Inside::Field(field, value);
                        !is_there
                    })?;
                    Ok(is_there)
                };
                self.find_json(fixed::EVENTS, &needle, within, found, has_field)
            }
        }
    }

    fn find_attribute(
        &self,
        column: usize,
        wanted: &Wanted<'_>,
        within: &Selection,
        found: &mut Selection,
    ) -> Result<(), SegmentError> {
        let kind = self.segment.specs()[column].kind;
        if !kind.is_bytes() {
            return self.find_words(column, within, |word| wanted.matches_word(kind, word), found);
        }
        let block = self.read(column, within)?;
        let fits = |value: &[u8]| match kind {
            Kind::Json => wanted.matches_json(value),
            _ => Ok(value == wanted.text.as_bytes()),
        };
        find_bytes(&block, fits, found).map_err(|_| self.bad(column))
    }

    /// The rows whose JSON text holds the needle and is what is looked for; pages without the needle are not taken apart.
    fn find_json(
        &self,
        column: usize,
        needle: &[u8],
        within: &Selection,
        found: &mut Selection,
        fits: impl Fn(&[u8]) -> Result<bool, BadJson>,
    ) -> Result<(), SegmentError> {
        let finder = Finder::new(needle);
        let rows: Vec<u32> = within.iter().collect();
        let block = self.reader.read_rows_with(self.group, column, &rows, &finder)?;
        let holds = |text: &[u8]| Ok(finder.find(text).is_some() && fits(text)?);
        find_bytes(&block, holds, found).map_err(|_| self.bad(column))
    }
}

impl Lookup<'_> {
    fn needle(&self) -> Vec<u8> {
        self.wanted.needle(&self.quoted_key)
    }

    /// One of these is in the events' filter when a value is among the events.
    fn tokens(&self) -> Vec<Vec<u8>> {
        match self.wanted.scalars() {
            Some(texts) => texts.iter().map(|text| event_tokens::token(&self.quoted_key, text)).collect(),
            None => vec![event_tokens::key_token(&self.quoted_key)],
        }
    }

    fn is_in_object(&self, object: &[u8]) -> Result<bool, BadJson> {
        let mut found = Ok(false);
        json_entry::for_each(object, |key, value| {
            if key == self.quoted_key {
                found = self.wanted.matches_json(value);
            }
            found == Ok(false)
        })?;
        found
    }

    fn is_in_list(&self, list: &[u8]) -> Result<bool, BadJson> {
        let mut found = Ok(false);
        event_tokens::for_each_inside(list, |inside| {
            if let Inside::Attribute(key, value) = inside
                && key == self.quoted_key
            {
                found = self.wanted.matches_json(value);
            }
            found == Ok(false)
        })?;
        found
    }
}

/// Adds the rows whose byte string fits; asks once for each distinct one.
fn find_bytes(
    block: &Block,
    mut fits: impl FnMut(&[u8]) -> Result<bool, BadJson>,
    found: &mut Selection,
) -> Result<(), BadJson> {
    let Values::Bytes { codes, dictionary } = &block.column.values else { return Ok(()) };
    let fitting = (0..dictionary.len() as u32).map(|code| fits(dictionary.get(code)));
    let fitting = fitting.collect::<Result<Vec<bool>, _>>()?;
    if fitting.contains(&true) {
        for (position, &code) in codes.iter().enumerate() {
            if fitting[code as usize] {
                found.insert(block.row(position));
            }
        }
    }
    Ok(())
}
