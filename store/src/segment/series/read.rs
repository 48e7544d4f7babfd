//! Answers about the series of a segment: which pass, what their labels are, what their chunks hold.

use fst::{IntoStreamer, Streamer};
use weir_proto::metrics::{Exemplar, Labels, Metadata};

use super::{
    CHUNKS, INDEX,
    chunks::{ChunkRef, read_chunk},
    directory::NameEntry,
    extras::{read_exemplars, read_families},
    open::SeriesSegment,
    postings::{ListPlace, add_list, each_run},
    records::{BLOCK_SERIES, SeriesRecord, read_block},
    windows::with_bytes,
};
use crate::{
    labels::{LabelIndex, SeriesSet, Values},
    note::Note,
    samples::SeriesSamples,
    segment::SegmentError,
};

impl SeriesSegment {
    /// Hands over the records of a set of series, in their order. A damaged block hurts only itself: it is the error once all others
    /// were handed over.
    pub(crate) fn records(&self, set: &SeriesSet, mut each: impl FnMut(u32, SeriesRecord)) -> Result<(), SegmentError> {
        let mut block_no = u32::MAX;
        let mut records: Vec<Option<SeriesRecord>> = Vec::new();
        let mut damage = Ok(());
        for number in set.iter() {
            if number / BLOCK_SERIES != block_no {
                block_no = number / BLOCK_SERIES;
                records = match self.record_block(block_no) {
                    Err(error @ SegmentError::Damaged { .. }) => {
                        damage = damage.and(Err(error));
                        Vec::new()
                    }
                    read => read?.into_iter().map(Some).collect(),
                };
            }
            if let Some(record) = records.get_mut((number % BLOCK_SERIES) as usize).and_then(Option::take) {
                each(number, record);
            }
        }
        damage
    }

    /// One block of records.
    pub(super) fn record_block(&self, block_no: u32) -> Result<Vec<SeriesRecord>, SegmentError> {
        let damaged = || SegmentError::damaged(format!("{INDEX}: records of block {block_no}"));
        let block = self.directory.records.get(block_no as usize).ok_or_else(damaged)?;
        let series = self.series_count().saturating_sub(block_no * BLOCK_SERIES).min(BLOCK_SERIES);
        read_block(&self.block(block)?, series).ok_or_else(damaged)
    }

    /// Appends the samples of a chunk from one time to another, both included.
    pub(crate) fn read_chunk(
        &self,
        chunk: &ChunkRef,
        range: (i64, i64),
        into: &mut SeriesSamples,
    ) -> Result<(), SegmentError> {
        let end = chunk.start.checked_add(u64::from(chunk.len)).filter(|&end| end <= self.chunks_bytes());
        end.ok_or_else(|| SegmentError::damaged(format!("{CHUNKS} ends before a chunk of {INDEX}")))?;
        with_bytes(self, (chunk.start, chunk.len as usize), |bytes| read_chunk(bytes, range, into))
    }

    /// The labels' names, sorted.
    pub(crate) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.directory.names.iter().map(|entry| &*entry.name)
    }

    /// Whether any series of a set has a label.
    pub(crate) fn has_label(&self, name: &str, set: &SeriesSet) -> Result<bool, SegmentError> {
        let Some(entry) = self.directory.name(name) else { return Ok(false) };
        let mut lists = Lists::of(self, entry);
        lists.intersects(ListPlace { block: 0, offset: 0 }, set)
    }

    /// Hands over the values that a label has in a set of series, sorted. What cannot be told of a damaged list is left out, and is the
    /// error in the end.
    pub(crate) fn values_of(
        &self,
        name: &str,
        set: &SeriesSet,
        mut each: impl FnMut(&str),
    ) -> Result<(), SegmentError> {
        let Some(entry) = self.directory.name(name) else { return Ok(()) };
        let map = self.map(entry)?;
        let mut lists = Lists::of(self, entry);
        let mut stream = map.stream();
        let mut damage = Ok(());
        while let Some((value, place)) = stream.next() {
            match lists.intersects(ListPlace::from_u64(place), set) {
                Ok(true) => each(text(value)?),
                Ok(false) => {}
                Err(error @ SegmentError::Damaged { .. }) => damage = damage.and(Err(error)),
                Err(error) => return Err(error),
            }
        }
        damage
    }

    /// Reads all that there is of a label.
    pub(super) fn check_name(&self, name: &str) -> Result<(), SegmentError> {
        let Some(entry) = self.directory.name(name) else { return Ok(()) };
        self.map(entry)?;
        let mut lists = Lists::of(self, entry);
        (0..entry.lists.len() as u32).try_for_each(|number| lists.block(number).map(drop))
    }

    /// The exemplars, by series.
    pub(crate) fn exemplars(&self) -> Result<Vec<(Labels, Vec<Exemplar>)>, SegmentError> {
        let Some(block) = &self.directory.exemplars else { return Ok(Vec::new()) };
        read_exemplars(&self.block(block)?).ok_or_else(|| SegmentError::damaged(format!("{INDEX}: exemplars")))
    }

    /// The families, by name.
    pub(crate) fn families(&self) -> Result<Vec<Metadata>, SegmentError> {
        Ok(self.told()?.0)
    }

    /// The notes that stood when it was written, by name.
    pub(crate) fn notes(&self) -> Result<Vec<Note>, SegmentError> {
        Ok(self.told()?.1)
    }

    fn told(&self) -> Result<(Vec<Metadata>, Vec<Note>), SegmentError> {
        let Some(block) = &self.directory.families else { return Ok(Default::default()) };
        read_families(&self.block(block)?).ok_or_else(|| SegmentError::damaged(format!("{INDEX}: families")))
    }

    fn map(&self, entry: &NameEntry) -> Result<fst::Map<Vec<u8>>, SegmentError> {
        let bytes = entry.map.load(&self.index, INDEX)?;
        fst::Map::new(bytes).map_err(|error| SegmentError::damaged(format!("{INDEX}: {error}")))
    }
}

impl LabelIndex for SeriesSegment {
    type Error = SegmentError;

    fn bound(&self) -> u32 {
        self.directory.series
    }

    fn insert(&self, name: &str, values: &Values, into: &mut SeriesSet) -> Result<(), SegmentError> {
        let Some(entry) = self.directory.name(name) else { return Ok(()) };
        let mut lists = Lists::of(self, entry);
        match values {
            Values::All => lists.add(ListPlace { block: 0, offset: 0 }, into),
            Values::Some(values) => {
                let map = self.map(entry)?;
                let places = values.iter().filter_map(|value| map.get(value));
                places.map(ListPlace::from_u64).try_for_each(|place| lists.add(place, into))
            }
            Values::Taken { prefix, .. } => {
                let map = self.map(entry)?;
                if let Some(automaton) = values.automaton(entry.values) {
                    let mut stream = map.search(automaton).ge(prefix).into_stream();
                    while let Some((_, place)) = stream.next() {
                        lists.add(ListPlace::from_u64(place), into)?;
                    }
                    return Ok(());
                }
                let mut stream = map.range().ge(prefix).into_stream();
                while let Some((value, place)) = stream.next() {
                    if !value.starts_with(prefix.as_bytes()) {
                        break;
                    }
                    if values.contain(text(value)?) {
                        lists.add(ListPlace::from_u64(place), into)?;
                    }
                }
                Ok(())
            }
        }
    }
}

fn text(value: &[u8]) -> Result<&str, SegmentError> {
    std::str::from_utf8(value).map_err(|_| SegmentError::damaged(format!("{INDEX}: a value is not UTF-8")))
}

/// The lists of a label; the block read last is kept.
struct Lists<'a> {
    segment: &'a SeriesSegment,
    entry: &'a NameEntry,
    block: Option<(u32, Vec<u8>)>,
}

impl<'a> Lists<'a> {
    fn of(segment: &'a SeriesSegment, entry: &'a NameEntry) -> Self {
        Self { segment, entry, block: None }
    }

    fn block(&mut self, number: u32) -> Result<&[u8], SegmentError> {
        if self.block.as_ref().is_none_or(|(known, _)| *known != number) {
            let extent = self.entry.lists.get(number as usize).ok_or_else(damaged_list)?;
            self.block = Some((number, extent.load(&self.segment.index, INDEX)?));
        }
        Ok(self.block.as_ref().map_or(&[], |(_, bytes)| bytes))
    }

    fn add(&mut self, place: ListPlace, into: &mut SeriesSet) -> Result<(), SegmentError> {
        add_list(self.block(place.block)?, place.offset, into).ok_or_else(damaged_list)
    }

    fn intersects(&mut self, place: ListPlace, set: &SeriesSet) -> Result<bool, SegmentError> {
        let mut found = false;
        let read = each_run(self.block(place.block)?, place.offset, |first, length| {
            found = (first..first.saturating_add(length)).any(|number| set.contains(number));
            !found
        });
        read.ok_or_else(damaged_list)?;
        Ok(found)
    }
}

fn damaged_list() -> SegmentError {
    SegmentError::damaged(format!("{INDEX}: a list of series"))
}
