//! Takes out of a frame, before it is written, the samples whose time something in memory or in the group has already.
//!
//! Only the committer knows what comes first. What it takes out is neither in the payload nor among the items of the
//! header, so that the ledger, and whoever reads the journal again, count what is there.

use std::collections::{HashMap, hash_map::Entry as Entered};

use foldhash::quality::RandomState;
use weir_proto::metrics::Histogram;

use super::{
    append::{payload, rejections},
    batch::{FloatSample, HistogramSample, Places, SampleIndex, SentFrame},
};
use crate::{
    head::{Offer, Series, Taken},
    journal::Entry,
    reject::RejectReason,
    samples::histogram::put_histogram,
};

/// What a group has had so far.
#[derive(Debug, Default)]
pub(super) struct Twins {
    group: u32,
    /// Frames of the group before the one that is looked at.
    frames: u32,
    /// What of these series goes to memory with the group, by series and time.
    offered: Map,
    /// The series that had a second sample that is not later, by number.
    followed: Vec<u64>,
    /// There were so many that all are followed.
    are_all_followed: bool,
}

/// So many series are looked for one by one in what the group had before: a look is cheap beside entering all of it.
const FOLLOWED_MAX: usize = 8;

#[derive(Debug)]
struct Offered {
    frame: u32,
    index: SampleIndex,
    value: Bits,
}

/// A value, to be compared.
#[derive(Debug, PartialEq, Eq)]
enum Bits {
    Float(u64),
    Histogram(Vec<u8>),
}

impl From<f64> for Bits {
    fn from(value: f64) -> Self {
        Self::Float(value.to_bits())
    }
}

impl From<&Histogram> for Bits {
    fn from(histogram: &Histogram) -> Self {
        let mut bytes = Vec::new();
        put_histogram(&mut bytes, histogram);
        Self::Histogram(bytes)
    }
}

/// By series and time.
type Map = HashMap<(u64, i64), Offered, RandomState>;

/// What is taken out of a frame.
#[derive(Debug, Default)]
struct TakenOut {
    /// Places of floats, and of histograms, in the frame.
    floats: Vec<usize>,
    histograms: Vec<usize>,
    /// Where they were in the batch, and which other one of it has their time.
    what: Vec<(Taken, SampleIndex, Option<SampleIndex>)>,
}

impl Twins {
    /// Of a new group.
    pub(super) fn new(group: u32) -> Self {
        Self { group, ..Self::default() }
    }

    /// Leaves what is new of the next frame, and counts the rest.
    pub(super) fn take_out<'f>(
        &mut self,
        entry: &mut Entry<SentFrame>,
        before: impl Iterator<Item = &'f SentFrame> + Clone,
    ) {
        let sent = &entry.attachment;
        let mut out = TakenOut::default();
        let frame = self.frames;
        let so_far = |map: &mut Map, series: Option<u64>, floats: usize, histograms: usize| {
            let complete = (0..).zip(before.clone());
            complete.for_each(|(frame, sent)| put(map, series, (frame, sent), (usize::MAX, usize::MAX)));
            put(map, series, (frame, sent), (floats, histograms));
        };
        for (at, FloatSample { series, time_ms, value, .. }) in sent.floats.iter().enumerate() {
            let (series, time_ms, value) = (&*series.0, *time_ms, *value);
            let index = sent.float_index(at);
            let in_memory = || series.would_take_float(time_ms, value);
            let place = (series, time_ms, index);
            let (taken, twin) = self.taken(place, || value.into(), in_memory, |map, of| so_far(map, of, at, 0));
            if taken != Taken::Stored {
                out.floats.push(at);
                out.what.push((taken, index, twin));
            }
        }
        for (at, HistogramSample { series, time_ms, histogram, .. }) in sent.histograms.iter().enumerate() {
            let (series, time_ms) = (&*series.0, *time_ms);
            let index = sent.histogram_index(at);
            let in_memory = || series.would_take_histogram(time_ms, histogram);
            let (place, value) = ((series, time_ms, index), || Bits::from(&**histogram));
            let (taken, twin) = self.taken(place, value, in_memory, |map, of| so_far(map, of, usize::MAX, at));
            if taken != Taken::Stored {
                out.histograms.push(at);
                out.what.push((taken, index, twin));
            }
        }
        self.frames += 1;
        if !out.what.is_empty() {
            leave_out(entry, out);
        }
    }

    /// Whether all that the group has of a series is entered.
    fn is_followed(&self, number: u64) -> bool {
        self.are_all_followed || self.followed.contains(&number)
    }

    /// What becomes of a sample, and which other one of its frame has its time.
    fn taken(
        &mut self,
        (series, time_ms, index): (&Series, i64, SampleIndex),
        value: impl FnOnce() -> Bits,
        in_memory: impl FnOnce() -> Taken,
        so_far: impl FnOnce(&mut Map, Option<u64>),
    ) -> (Taken, Option<SampleIndex>) {
        let offer = series.offer(time_ms, self.group);
        if offer != Offer::Latest {
            let taken = in_memory();
            if taken != Taken::Stored {
                return (taken, None);
            }
        }
        if !self.is_followed(series.number) {
            if offer != Offer::Further {
                return (Taken::Stored, None);
            }
            let is_one_of_few = self.followed.len() < FOLLOWED_MAX;
            if is_one_of_few {
                self.followed.push(series.number);
            }
            self.are_all_followed = !is_one_of_few;
            so_far(&mut self.offered, is_one_of_few.then_some(series.number));
        }
        match self.offered.entry((series.number, time_ms)) {
            Entered::Vacant(new) => {
                new.insert(Offered { frame: self.frames, index, value: value() });
                (Taken::Stored, None)
            }
            Entered::Occupied(known) => {
                let first = known.get();
                let taken = if first.value == value() { Taken::Repeated } else { Taken::Conflict };
                (taken, (first.frame == self.frames).then_some(first.index))
            }
        }
    }
}

/// So many of a frame's samples, of a series or of all. Of two at one time the first counts.
fn put(map: &mut Map, series: Option<u64>, (frame, sent): (u32, &SentFrame), (floats, histograms): (usize, usize)) {
    let is_asked = |number: u64| series.is_none_or(|series| series == number);
    let asked = |(_, sample): &(usize, &FloatSample)| is_asked(sample.series.0.number);
    for (at, sample) in sent.floats.iter().enumerate().take(floats).filter(asked) {
        let offered = || Offered { frame, index: sent.float_index(at), value: sample.value.into() };
        map.entry((sample.series.0.number, sample.time_ms)).or_insert_with(offered);
    }
    let asked = |(_, sample): &(usize, &HistogramSample)| is_asked(sample.series.0.number);
    for (at, sample) in sent.histograms.iter().enumerate().take(histograms).filter(asked) {
        let offered = || Offered { frame, index: sent.histogram_index(at), value: (&*sample.histogram).into() };
        map.entry((sample.series.0.number, sample.time_ms)).or_insert_with(offered);
    }
}

/// The frame anew, without what is out.
fn leave_out(entry: &mut Entry<SentFrame>, out: TakenOut) {
    let sent = &mut entry.attachment;
    let floats = left(sent.floats.len(), &out.floats);
    let histograms = left(sent.histograms.len(), &out.histograms);
    let places = Places {
        floats: floats.iter().map(|&at| sent.float_index(at).in_kind()).collect(),
        histograms: histograms.iter().map(|&at| sent.histogram_index(at).in_kind()).collect(),
    };
    sent.floats = floats.iter().map(|&at| sent.floats[at].clone()).collect();
    sent.histograms = histograms.iter().map(|&at| sent.histograms[at].clone()).collect();
    sent.places = Some(places);
    let mut conflicts = 0;
    let mut outcome = sent.outcome.lock();
    for (taken, index, twin) in out.what {
        outcome.count(taken, index);
        if taken == Taken::Conflict {
            conflicts += 1;
            outcome.within.extend(twin.map(|twin| (index, twin)));
        }
    }
    drop(outcome);
    let samples = (sent.floats.len() + sent.histograms.len()) as u32;
    let header = &mut entry.header;
    let reasons = header.rejected.iter().map(|rejection| rejection.reason);
    let reasons = reasons.chain(std::iter::repeat_n(RejectReason::Conflict, conflicts));
    header.rejected = rejections(samples, reasons);
    header.items = samples + header.rejected.len() as u32;
    entry.payload = payload((&sent.floats, &sent.histograms, &sent.exemplars), &sent.notes).into();
}

/// The places up to `len` that are not out; those are in order.
fn left(len: usize, out: &[usize]) -> Vec<usize> {
    let mut out = out.iter().copied().peekable();
    (0..len).filter(|at| out.next_if_eq(at).is_none()).collect()
}
