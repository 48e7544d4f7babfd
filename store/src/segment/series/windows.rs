//! Reads chunks that lie one behind the other by larger stretches: a query over many series asks for them in their order.

use std::cell::RefCell;

use super::open::SeriesSegment;
use crate::segment::{SegmentError, files::ReadFile};

/// Bytes of a stretch.
const WINDOW_BYTES: usize = 64 << 10;

/// A gap that is read rather than left out.
const GAP_BYTES: u64 = 16 << 10;

/// Segments that a thread reads by turns.
const WINDOWS_MAX: usize = 8;

thread_local! {
    /// The thread's stretches, the one used last first.
    static WINDOWS: RefCell<Vec<Window>> = const { RefCell::new(Vec::new()) };
}

/// A stretch of a segment's chunks.
#[derive(Debug)]
struct Window {
    /// The segment's number in this process.
    serial: u64,
    start: u64,
    bytes: Vec<u8>,
    /// Where the last read ended.
    end_of_last: u64,
}

impl Window {
    fn has(&self, start: u64, len: usize) -> bool {
        start >= self.start && start + len as u64 <= self.start + self.bytes.len() as u64
    }

    fn read(&mut self, file: &ReadFile, (start, len): (u64, usize), file_bytes: u64) -> Result<&[u8], SegmentError> {
        if !self.has(start, len) {
            let goes_on = start >= self.end_of_last && start - self.end_of_last <= GAP_BYTES;
            let wanted = if goes_on { len.max(WINDOW_BYTES) } else { len };
            let there = usize::try_from(file_bytes - start).unwrap_or(usize::MAX);
            self.start = start;
            // Nothing is there until all of it is.
            let mut bytes = std::mem::take(&mut self.bytes);
            file.read_there(start, wanted.min(there), &mut bytes)?;
            self.bytes = bytes;
        }
        self.end_of_last = start + len as u64;
        let from = (start - self.start) as usize;
        Ok(&self.bytes[from..from + len])
    }
}

/// Hands over `len` bytes at `start` of the chunks, which lie within them. Those that come from elsewhere and are damaged are asked for
/// again by the next who wants them.
pub(super) fn with_bytes<T>(
    segment: &SeriesSegment,
    (start, len): (u64, usize),
    take: impl FnOnce(&[u8]) -> Result<T, SegmentError>,
) -> Result<T, SegmentError> {
    WINDOWS.with_borrow_mut(|windows| {
        match windows.iter().position(|window| window.serial == segment.serial) {
            Some(at) => windows[..=at].rotate_right(1),
            None => {
                windows.truncate(WINDOWS_MAX - 1);
                let (serial, bytes) = (segment.serial, Vec::new());
                windows.insert(0, Window { serial, start: 0, bytes, end_of_last: u64::MAX });
            }
        }
        let taken = take(windows[0].read(&segment.chunks, (start, len), segment.chunks_bytes())?);
        if matches!(taken, Err(SegmentError::Damaged { .. })) {
            segment.chunks.forget(start..start + len as u64);
            windows.remove(0);
        }
        taken
    })
}
