//! Makes one segment of several, smaller: series by series, the samples of all inputs in time order, in columns.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use weir_proto::metrics::{Exemplar, Labels, Metadata};

use super::{
    chunks::EncodedChunk,
    open::SeriesSegment,
    records::{BLOCK_SERIES, SeriesRecord},
    write::{SeriesExtras, SeriesWriter},
};
use crate::{
    disk::Disk,
    ledger::Tally,
    samples::SeriesSamples,
    segment::{SegmentError, SegmentId, SegmentTally},
};

/// A merged segment is read more often than written.
const ZSTD_LEVEL: i32 = 3;

/// A segment's series, one after the other.
struct Input<'a> {
    segment: &'a SeriesSegment,
    block: std::vec::IntoIter<SeriesRecord>,
    next_block: u32,
    current: Option<SeriesRecord>,
    /// Blocks that cannot be read are passed over, and counted.
    passes_over: bool,
    blocks_lost: u32,
}

impl<'a> Input<'a> {
    fn new(segment: &'a SeriesSegment, passes_over: bool) -> Result<Self, SegmentError> {
        let block = Vec::new().into_iter();
        let mut input = Self { segment, block, next_block: 0, current: None, passes_over, blocks_lost: 0 };
        input.advance()?;
        Ok(input)
    }

    fn advance(&mut self) -> Result<(), SegmentError> {
        loop {
            self.current = self.block.next();
            if self.current.is_some() || self.next_block >= self.segment.series_count().div_ceil(BLOCK_SERIES) {
                return Ok(());
            }
            match self.segment.record_block(self.next_block) {
                Ok(records) => self.block = records.into_iter(),
                Err(SegmentError::Damaged { .. }) if self.passes_over => self.blocks_lost += 1,
                Err(error) => return Err(error),
            }
            self.next_block += 1;
        }
    }
}

/// Merges neighbours, oldest first. Of two samples at one time that of the older segment counts.
pub(crate) fn merge_series(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    inputs: &[Arc<SeriesSegment>],
    is_stopping: &dyn Fn() -> bool,
) -> Result<SeriesSegment, SegmentError> {
    let mut own = Tally::default();
    inputs.iter().for_each(|input| own.add(input.tally()));
    let ledger_after = inputs.iter().rev().find_map(|input| input.ledger_after().cloned());
    let tally = SegmentTally { own, ledger_after };
    write_merged(disk, parent, id, inputs, tally, false, is_stopping)
}

impl SeriesSegment {
    /// Samples that can be read, and whether everything can.
    pub(crate) fn sound_samples(&self, is_stopping: &dyn Fn() -> bool) -> Result<(u64, bool), SegmentError> {
        let mut input = Input::new(self, true)?;
        let (mut sound, mut all) = (0, true);
        let mut samples = SeriesSamples::default();
        while let Some(record) = input.current.take() {
            if is_stopping() {
                return Err(SegmentError::Stopped);
            }
            for chunk in &record.chunks {
                samples.clear();
                match self.read_chunk(chunk, (i64::MIN, i64::MAX), &mut samples) {
                    Ok(()) => sound += samples.len() as u64,
                    Err(SegmentError::Damaged { .. }) => all = false,
                    Err(error) => return Err(error),
                }
            }
            input.advance()?;
        }
        let extras = self.exemplars().map(drop).and_then(|()| self.families().map(drop));
        let names = self.label_names().try_for_each(|name| self.check_name(name));
        for read in [extras, names] {
            match read {
                Ok(()) => {}
                Err(SegmentError::Damaged { .. }) => all = false,
                Err(error) => return Err(error),
            }
        }
        Ok((sound, all && input.blocks_lost == 0))
    }
}

/// Makes a segment of what can still be read of a damaged one.
pub(crate) fn salvage_series(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    damaged: &Arc<SeriesSegment>,
    is_stopping: &dyn Fn() -> bool,
) -> Result<SeriesSegment, SegmentError> {
    let tally = SegmentTally { own: damaged.tally().clone(), ledger_after: damaged.ledger_after().cloned() };
    write_merged(disk, parent, id, std::slice::from_ref(damaged), tally, true, is_stopping)
}

fn write_merged(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    inputs: &[Arc<SeriesSegment>],
    tally: SegmentTally,
    passes_over: bool,
    is_stopping: &dyn Fn() -> bool,
) -> Result<SeriesSegment, SegmentError> {
    let mut writer = SeriesWriter::create(disk, parent, id, ZSTD_LEVEL)?;
    let written = copy_series(&mut writer, inputs, passes_over, is_stopping);
    let extras = written.and_then(|()| extras(inputs, tally, passes_over));
    match extras {
        Ok(extras) => writer.finish(extras),
        Err(error) => {
            writer.discard();
            Err(error)
        }
    }
}

fn copy_series(
    writer: &mut SeriesWriter,
    inputs: &[Arc<SeriesSegment>],
    passes_over: bool,
    is_stopping: &dyn Fn() -> bool,
) -> Result<(), SegmentError> {
    let mut inputs: Vec<Input<'_>> =
        inputs.iter().map(|segment| Input::new(segment, passes_over)).collect::<Result<_, _>>()?;
    let mut samples = SeriesSamples::default();
    loop {
        let currents = inputs.iter().filter_map(|input| input.current.as_ref());
        let Some(next) = currents.map(|record| &record.labels).min().cloned() else { return Ok(()) };
        if is_stopping() {
            return Err(SegmentError::Stopped);
        }
        samples.clear();
        for input in &mut inputs {
            let Some(record) = input.current.take_if(|record| record.labels == next) else { continue };
            for chunk in &record.chunks {
                match input.segment.read_chunk(chunk, (i64::MIN, i64::MAX), &mut samples) {
                    Err(SegmentError::Damaged { .. }) if passes_over => {}
                    read => read?,
                }
            }
            input.advance()?;
        }
        samples.settle(0, 0);
        writer.series(&next, &EncodedChunk::merged(&samples)?)?;
    }
}

fn extras(inputs: &[Arc<SeriesSegment>], tally: SegmentTally, passes_over: bool) -> Result<SeriesExtras, SegmentError> {
    let mut exemplars: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    let mut families: BTreeMap<String, Metadata> = BTreeMap::new();
    for input in inputs {
        match input.exemplars() {
            Ok(of_input) => {
                of_input.into_iter().for_each(|(series, more)| exemplars.entry(series).or_default().extend(more))
            }
            Err(SegmentError::Damaged { .. }) if passes_over => {}
            Err(error) => return Err(error),
        }
        match input.families() {
            Ok(of_input) => families.extend(of_input.into_iter().map(|family| (family.family.clone(), family))),
            Err(SegmentError::Damaged { .. }) if passes_over => {}
            Err(error) => return Err(error),
        }
    }
    let notes = match inputs.last().map_or(Ok(Vec::new()), |newest| newest.notes()) {
        Err(SegmentError::Damaged { .. }) if passes_over => Vec::new(),
        notes => notes?,
    };
    for of_series in exemplars.values_mut() {
        of_series.sort_by_key(|exemplar| exemplar.time_ms);
        of_series.dedup();
    }
    Ok(SeriesExtras {
        exemplars: exemplars.into_iter().collect(),
        families: families.into_values().collect(),
        notes,
        tally,
        arrived_at_ns: inputs.iter().map(|input| input.age_from_ns()).max().unwrap_or(0),
    })
}
