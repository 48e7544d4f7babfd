//! Samples of a series as columns: what a query reads.

use weir_proto::metrics::Histogram;

use super::chunk::Samples;

/// Samples of one series, in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesSamples {
    /// Of the floats, Unix ms.
    pub times_ms: Vec<i64>,
    /// The floats.
    pub values: Vec<f64>,
    /// When what each float counts began, Unix ms, 0 where nobody said; empty when nobody said of any.
    pub start_ms: Vec<i64>,
    /// Native histograms.
    pub histograms: Vec<TimedHistogram>,
}

/// A native histogram of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedHistogram {
    /// Unix ms.
    pub time_ms: i64,
    /// When what it counts began, Unix ms; 0 where nobody said.
    pub start_ms: i64,
    /// The histogram.
    pub histogram: Box<Histogram>,
}

impl SeriesSamples {
    /// Empties the columns, and keeps their memory.
    pub fn clear(&mut self) {
        self.times_ms.clear();
        self.values.clear();
        self.start_ms.clear();
        self.histograms.clear();
    }

    /// Floats and histograms.
    pub fn len(&self) -> usize {
        self.times_ms.len() + self.histograms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a float.
    pub(crate) fn push(&mut self, time_ms: i64, start_ms: i64, value: f64) {
        if start_ms != 0 || !self.start_ms.is_empty() {
            self.start_ms.resize(self.times_ms.len(), 0);
            self.start_ms.push(start_ms);
        }
        self.times_ms.push(time_ms);
        self.values.push(value);
    }

    /// Adds the samples of a chunk, whose times ascend, from one time to another, both included. `starts` say from which sample on
    /// counting began when; the first of the samples is the chunk's `first`th.
    pub(crate) fn append_chunk(
        &mut self,
        (first, samples): (u32, Samples<'_>),
        starts: &[(u32, i64)],
        (from_ms, to_ms): (i64, i64),
    ) {
        if !starts.is_empty() || !self.start_ms.is_empty() {
            self.append_with_starts((first, samples), starts, (from_ms, to_ms));
            return;
        }
        for (time_ms, value) in samples {
            if time_ms < from_ms {
                continue;
            }
            if time_ms > to_ms {
                break;
            }
            self.times_ms.push(time_ms);
            self.values.push(value);
        }
    }

    fn append_with_starts(
        &mut self,
        (first, samples): (u32, Samples<'_>),
        starts: &[(u32, i64)],
        (from_ms, to_ms): (i64, i64),
    ) {
        let mut starts = starts.iter().peekable();
        let mut start_ms = 0;
        for (index, (time_ms, value)) in (first..).zip(samples) {
            while let Some(&(_, next_ms)) = starts.next_if(|&&(from, _)| from <= index) {
                start_ms = next_ms;
            }
            if time_ms > to_ms {
                break;
            }
            if time_ms >= from_ms {
                self.push(time_ms, start_ms, value);
            }
        }
    }

    /// Puts what was appended since `floats` and `histograms` in time order, one of each time: the one that was appended first.
    pub(crate) fn settle(&mut self, floats: usize, histograms: usize) {
        if !self.times_ms[floats..].is_sorted_by(|one, next| one < next) {
            self.sort_floats(floats);
        }
        let of_histograms = &mut self.histograms[histograms..];
        if !of_histograms.is_sorted_by(|one, next| one.time_ms < next.time_ms) {
            of_histograms.sort_by_key(|one| one.time_ms);
            let mut added = self.histograms.split_off(histograms);
            added.dedup_by_key(|one| one.time_ms);
            self.histograms.append(&mut added);
        }
        if self.start_ms.len() < self.times_ms.len() && !self.start_ms.is_empty() {
            self.start_ms.resize(self.times_ms.len(), 0);
        }
    }

    fn sort_floats(&mut self, from: usize) {
        if !self.start_ms.is_empty() {
            self.start_ms.resize(self.times_ms.len(), 0);
        }
        let mut order: Vec<usize> = (from..self.times_ms.len()).collect();
        // Stable: the first of a time stays the first.
        order.sort_by_key(|&index| self.times_ms[index]);
        order.dedup_by_key(|index| self.times_ms[*index]);
        reorder(&mut self.times_ms, from, &order);
        reorder(&mut self.values, from, &order);
        if !self.start_ms.is_empty() {
            reorder(&mut self.start_ms, from, &order);
        }
    }
}

fn reorder<T: Copy>(column: &mut Vec<T>, from: usize, order: &[usize]) {
    let ordered: Vec<T> = order.iter().map(|&index| column[index]).collect();
    column.truncate(from);
    column.extend(ordered);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::chunk::Chunk;

    #[test]
    fn the_first_of_a_time_counts() {
        let mut samples = SeriesSamples::default();
        samples.push(99, 0, 0.5);
        let floats = samples.times_ms.len();
        for (time_ms, start_ms, value) in [(20, 0, 1.0), (30, 7, 2.0), (10, 7, 3.0), (20, 0, 4.0), (30, 0, 5.0)] {
            samples.push(time_ms, start_ms, value);
        }
        for time_ms in [5, 3, 5] {
            let histogram = Histogram { sum: samples.histograms.len() as f64, ..Histogram::default() };
            samples.histograms.push(TimedHistogram { time_ms, start_ms: 0, histogram: Box::new(histogram) });
        }
        samples.settle(floats, 0);
        assert_eq!(samples.times_ms, [99, 10, 20, 30]);
        assert_eq!(samples.values, [0.5, 3.0, 1.0, 2.0]);
        assert_eq!(samples.start_ms, [0, 7, 0, 7]);
        let histograms: Vec<_> = samples.histograms.iter().map(|one| (one.time_ms, one.histogram.sum)).collect();
        assert_eq!(histograms, [(3, 1.0), (5, 0.0)]);
    }

    #[test]
    fn a_part_of_a_chunk() {
        let mut chunk = Chunk::default();
        for n in 0..10 {
            chunk.push(n * 10, n as f64);
        }
        let read = |starts: &[(u32, i64)]| {
            let mut samples = SeriesSamples::default();
            samples.append_chunk((0, Samples::new(chunk.bytes(), 9)), starts, (25, 1000));
            samples
        };
        assert_eq!(read(&[]).times_ms, [30, 40, 50, 60, 70, 80]);
        assert_eq!(read(&[(2, 5), (7, 0)]).start_ms, [5, 5, 5, 5, 0, 0]);
        assert_eq!(read(&[(2, 5), (7, 0)]).values, read(&[]).values);
    }
}
