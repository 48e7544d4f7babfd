//! Finds the newest traces with a span that fulfils a filter.

use std::time::Instant;

use weir_proto::TraceId;

use super::{
    Segment, SegmentError,
    chunk_reader::{Block, ChunkReader},
    column::Values,
    json,
    manifest::ResidualKeys,
    matching::Wanted,
    schema::{Kind, RESOURCE_PREFIX, SPAN_PREFIX, fixed},
    selection::Selection,
};
use crate::{AttributeFilter, Place, SpanFilter, search::NewestTraces};

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// Everything that could matter was looked at.
    Whole,
    /// The deadline came first.
    Cut,
}

impl Segment {
    /// Offers every trace with a fitting span to `newest`, newest row groups first; leaves out what cannot change the result.
    pub fn search(
        &self,
        filter: &SpanFilter,
        newest: &mut NewestTraces,
        deadline: Instant,
    ) -> Result<Searched, SegmentError> {
        let Some((min, max)) = self.start_ns() else { return Ok(Searched::Whole) };
        if max < *filter.start_ns.start() || min > *filter.start_ns.end() || max < newest.floor_ns() {
            return Ok(Searched::Whole);
        }
        if !self.operations_fit(filter) {
            return Ok(Searched::Whole);
        }
        let file = self.spans()?;
        let reader = self.reader(&file);
        let mut groups: Vec<(u64, usize)> = (0..self.group_starts.len())
            .map(|group| (times(&reader, group).map_or(u64::MAX, |(_, max)| max), group))
            .collect();
        groups.sort_unstable();
        for &(max, group) in groups.iter().rev() {
            if max < newest.floor_ns() {
                break;
            }
            if Instant::now() >= deadline {
                return Ok(Searched::Cut);
            }
            self.search_group(&reader, group, filter, newest)?;
        }
        Ok(Searched::Whole)
    }

    /// Whether the manifest's operations leave hope for service, name and kind.
    fn operations_fit(&self, filter: &SpanFilter) -> bool {
        self.manifest.operations_cut
            || self.manifest.operations.iter().any(|operation| {
                filter.service.as_ref().is_none_or(|service| *service == operation.service)
                    && filter.name.as_ref().is_none_or(|name| *name == operation.name)
                    && filter.kind.is_none_or(|kind| kind == operation.kind)
            })
    }

    fn search_group(
        &self,
        reader: &ChunkReader<'_>,
        group: usize,
        filter: &SpanFilter,
        newest: &mut NewestTraces,
    ) -> Result<(), SegmentError> {
        let rows = self.group_rows(group);
        if !numbers_fit(reader, group, filter) {
            return Ok(());
        }
        let mut selection = Selection::all(rows);
        let mut search = GroupSearch { segment: self, reader, group, selection: &mut selection };
        // The cheap and the choosy first: each further column is read only where rows are left.
        search.text(fixed::SERVICE, filter.service.as_deref())?;
        search.text(fixed::NAME, filter.name.as_deref())?;
        search.number(fixed::KIND, filter.kind.map(i64::from))?;
        search.number(fixed::STATUS_CODE, filter.status_code.map(i64::from))?;
        if let Some(unwanted) = filter.status_code_not {
            search.words(fixed::STATUS_CODE, |code| code as i64 != i64::from(unwanted))?;
        }
        for attribute in &filter.attributes {
            search.attribute(attribute)?;
        }
        if filter.duration_ns != (0..=u64::MAX) {
            search.words(fixed::DURATION, |duration| filter.duration_ns.contains(&duration))?;
        }
        if search.selection.is_empty() {
            return Ok(());
        }
        let floor_ns = newest.floor_ns();
        let span = selection.span();
        let starts = reader.read(group, fixed::START_TIME, span.clone())?;
        let start_of = |row: u32| starts.column.word((row - starts.first) as usize);
        let hits: Vec<u32> = selection
            .iter()
            .filter(|&row| start_of(row) >= floor_ns && filter.start_ns.contains(&start_of(row)))
            .collect();
        let (Some(&first), Some(&last)) = (hits.first(), hits.last()) else { return Ok(()) };
        let ids = reader.read(group, fixed::TRACE_ID, first..last + 1)?;
        for row in hits {
            let id = ids.column.bytes((row - ids.first) as usize);
            let id = id.try_into().map_err(|_| SegmentError::damaged("trace id"))?;
            newest.offer(TraceId(id), start_of(row));
        }
        Ok(())
    }
}

/// Smallest and largest start of a row group, where its statistics tell.
fn times(reader: &ChunkReader<'_>, group: usize) -> Option<(u64, u64)> {
    let (min, max) = reader.int_range(group, fixed::START_TIME)?;
    // Times beyond the year 2262 are negative as signed numbers: then the order says nothing.
    (min >= 0).then_some((min as u64, max as u64))
}

/// Whether a row group's statistics leave hope for times and numbers.
fn numbers_fit(reader: &ChunkReader<'_>, group: usize, filter: &SpanFilter) -> bool {
    if let Some((min, max)) = times(reader, group)
        && (max < *filter.start_ns.start() || min > *filter.start_ns.end())
    {
        return false;
    }
    if let Some((min, max)) = reader.int_range(group, fixed::DURATION)
        && min >= 0
        && ((max as u64) < *filter.duration_ns.start() || min as u64 > *filter.duration_ns.end())
    {
        return false;
    }
    let number = |column: usize, wanted: Option<i32>| match (wanted, reader.int_range(group, column)) {
        (Some(wanted), Some((min, max))) => (min..=max).contains(&i64::from(wanted)),
        _ => true,
    };
    number(fixed::KIND, filter.kind) && number(fixed::STATUS_CODE, filter.status_code)
}

/// Narrows the rows of one row group.
struct GroupSearch<'a> {
    segment: &'a Segment,
    reader: &'a ChunkReader<'a>,
    group: usize,
    selection: &'a mut Selection,
}

impl GroupSearch<'_> {
    fn read(&self, column: usize) -> Result<Block, SegmentError> {
        self.reader.read(self.group, column, self.selection.span())
    }

    fn none(&self) -> Selection {
        Selection::none(self.segment.group_rows(self.group))
    }

    fn text(&mut self, column: usize, wanted: Option<&str>) -> Result<(), SegmentError> {
        let Some(wanted) = wanted.filter(|_| !self.selection.is_empty()) else { return Ok(()) };
        let mut found = self.none();
        self.find_text(column, wanted.as_bytes(), &mut found)?;
        self.selection.keep(&found);
        Ok(())
    }

    fn number(&mut self, column: usize, wanted: Option<i64>) -> Result<(), SegmentError> {
        let Some(wanted) = wanted else { return Ok(()) };
        self.words(column, |word| word as i64 == wanted)
    }

    fn words(&mut self, column: usize, fits: impl Fn(u64) -> bool) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let mut found = self.none();
        find_words(&self.read(column)?, fits, &mut found);
        self.selection.keep(&found);
        Ok(())
    }

    fn attribute(&mut self, filter: &AttributeFilter) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let wanted = Wanted::of(&filter.value);
        let mut found = self.none();
        if filter.place != Place::Resource {
            self.promoted(SPAN_PREFIX, &filter.key, &wanted, &mut found)?;
            let keys = &self.segment.manifest.attributes_other;
            self.residual(fixed::ATTRIBUTES_OTHER, keys, &filter.key, &wanted, &mut found)?;
        }
        if filter.place != Place::Span {
            self.promoted(RESOURCE_PREFIX, &filter.key, &wanted, &mut found)?;
            let keys = &self.segment.manifest.resource_other;
            self.residual(fixed::RESOURCE_OTHER, keys, &filter.key, &wanted, &mut found)?;
        }
        self.selection.keep(&found);
        Ok(())
    }

    /// Rows whose column of this key matches.
    fn promoted(
        &self,
        prefix: &str,
        key: &str,
        wanted: &Wanted<'_>,
        found: &mut Selection,
    ) -> Result<(), SegmentError> {
        let Some(&column) = self.segment.columns.get(&format!("{prefix}{key}")) else { return Ok(()) };
        let kind = self.segment.specs()[column].kind;
        if !wanted.may_match(kind) || self.reader.is_empty(self.group, column) {
            return Ok(());
        }
        if let (Kind::Text, Some(text)) = (kind, wanted.text) {
            return self.find_text(column, text.as_bytes(), found);
        }
        if let (Kind::Int64, Some(int), Some((min, max))) =
            (kind, wanted.int, self.reader.int_range(self.group, column))
            && !(min..=max).contains(&int)
        {
            return Ok(());
        }
        find_words(&self.read(column)?, |word| wanted.matches_word(kind, word), found);
        Ok(())
    }

    fn find_text(&self, column: usize, wanted: &[u8], found: &mut Selection) -> Result<(), SegmentError> {
        let blooms = &self.segment.manifest.blooms;
        let place = (self.group as u32, column as u32);
        if let Ok(at) = blooms.binary_search_by_key(&place, |bloom| (bloom.row_group, bloom.column))
            && !self.reader.may_contain(self.group, column, blooms[at].crc32c, wanted)?
        {
            return Ok(());
        }
        find_bytes(&self.read(column)?, |value| value == wanted, found);
        Ok(())
    }

    /// Rows whose residual has this key with a matching value.
    fn residual(
        &self,
        column: usize,
        keys: &ResidualKeys,
        key: &str,
        wanted: &Wanted<'_>,
        found: &mut Selection,
    ) -> Result<(), SegmentError> {
        let listed = |key_listed: &super::manifest::ResidualKey| {
            key_listed.key == key && wanted.may_match_named(&key_listed.kind)
        };
        if self.reader.is_empty(self.group, column) || (!keys.cut && !keys.keys.iter().any(listed)) {
            return Ok(());
        }
        let block = self.read(column)?;
        let mut quoted = Vec::new();
        json::write_text(key.as_bytes(), &mut quoted);
        quoted.push(b':');
        let finder = memchr::memmem::Finder::new(&quoted);
        let mut bad = None;
        find_bytes(
            &block,
            |text| {
                // Most texts do not even hold the key's letters.
                finder.find(text).is_some()
                    && match json::read_object(text) {
                        Ok(entries) => entries.iter().any(|entry| {
                            entry.key == key && entry.value.as_ref().is_some_and(|value| wanted.matches(value))
                        }),
                        Err(error) => {
                            bad = Some(error);
                            false
                        }
                    }
            },
            found,
        );
        let name = &self.segment.specs()[column].name;
        bad.map_or(Ok(()), |error| {
            Err(SegmentError::damaged(format!("row group {}, column {name}: {error}", self.group)))
        })
    }
}

/// Adds the rows whose byte string fits; asks once for each distinct one.
fn find_bytes(block: &Block, mut fits: impl FnMut(&[u8]) -> bool, found: &mut Selection) {
    let Values::Bytes { codes, dictionary } = &block.column.values else { return };
    let fitting: Vec<bool> = (0..dictionary.len() as u32).map(|code| fits(dictionary.get(code))).collect();
    if !fitting.contains(&true) {
        return;
    }
    for (position, &code) in codes.iter().enumerate() {
        if fitting[code as usize] {
            found.insert(block.row(position));
        }
    }
}

/// Adds the rows whose number fits.
fn find_words(block: &Block, fits: impl Fn(u64) -> bool, found: &mut Selection) {
    let Values::Words(words) = &block.column.values else { return };
    for (position, &word) in words.iter().enumerate() {
        if fits(word) {
            found.insert(block.row(position));
        }
    }
}
