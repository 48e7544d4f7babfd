//! Gathered floats of a few hundred neighbouring series: few enough that putting them in order stays in the processor's cache.

use weir_proto::metrics::Histogram;

/// Series of a block.
pub(super) const BLOCK_SERIES: usize = if cfg!(test) { 4 } else { 512 };

/// A float that waits for its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gathered {
    pub(super) value: f64,
    pub(super) time_ms: i64,
    /// Of its frame.
    pub(super) position: u32,
    /// Of its series in the block.
    pub(super) place: u32,
}

/// A histogram that waits with them.
#[derive(Debug)]
pub(super) struct GatheredHistogram {
    pub(super) place: u32,
    pub(super) position: u32,
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) histogram: Box<Histogram>,
}

/// What was gathered for a block's series, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Block {
    rows: Vec<Gathered>,
    /// When counting began, for as many rows as this is long; 0 for the others.
    starts_ms: Vec<i64>,
    histograms: Vec<GatheredHistogram>,
}

impl Block {
    #[inline]
    pub(super) fn push(&mut self, row: Gathered, start_ms: i64) {
        if start_ms != 0 {
            self.starts_ms.resize(self.rows.len(), 0);
            self.starts_ms.push(start_ms);
        }
        self.rows.push(row);
    }

    pub(super) fn push_histogram(&mut self, histogram: GatheredHistogram) {
        self.histograms.push(histogram);
    }

    /// By series, once they were put in order.
    pub(super) fn histograms(&self) -> impl Iterator<Item = &GatheredHistogram> {
        self.histograms.iter()
    }

    /// Without rows, its memory kept.
    pub(super) fn cleared(mut self) -> Self {
        self.rows.clear();
        self.starts_ms.clear();
        self.histograms.clear();
        self
    }
}

/// Puts a block's rows in the order of their series. Keeps its memory from block to block.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    /// Where each series' rows begin in `rows`; one more at the end.
    starts: Vec<u32>,
    next: Vec<u32>,
    rows: Vec<u32>,
}

impl Ordered {
    /// Of `series` series.
    pub(super) fn put(&mut self, block: &mut Block, series: usize) {
        // Stable: they stay as they came.
        block.histograms.sort_by_key(|histogram| histogram.place);
        self.starts.clear();
        self.starts.resize(series + 1, 0);
        block.rows.iter().for_each(|row| self.starts[row.place as usize + 1] += 1);
        for place in 0..series {
            self.starts[place + 1] += self.starts[place];
        }
        self.next.clone_from(&self.starts);
        self.rows.resize(block.rows.len(), 0);
        for (index, row) in (0..).zip(&block.rows) {
            let at = &mut self.next[row.place as usize];
            self.rows[*at as usize] = index;
            *at += 1;
        }
    }

    /// A series' rows in the order in which they came, each with when counting began.
    pub(super) fn rows<'b>(&'b self, block: &'b Block, place: usize) -> impl ExactSizeIterator<Item = (Gathered, i64)> {
        let own = &self.rows[self.starts[place] as usize..self.starts[place + 1] as usize];
        own.iter().map(|&index| {
            let index = index as usize;
            (block.rows[index], block.starts_ms.get(index).copied().unwrap_or(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_has_its_rows_in_their_order() {
        let mut block = Block::default();
        for (index, (place, start_ms)) in [(2, 0), (0, 5), (2, 0), (2, 7), (0, 0)].into_iter().enumerate() {
            let row = Gathered { value: index as f64, time_ms: index as i64, position: 0, place };
            block.push(row, start_ms);
        }
        let mut ordered = Ordered::default();
        ordered.put(&mut Block::default(), 1);
        ordered.put(&mut block, 4);
        let rows = |place| ordered.rows(&block, place).map(|(row, start_ms)| (row.time_ms, start_ms)).collect();
        let rows: Vec<Vec<(i64, i64)>> = (0..4).map(rows).collect();
        assert_eq!(rows, [vec![(1, 5), (4, 0)], vec![], vec![(0, 0), (2, 0), (3, 7)], vec![]]);
    }
}
