//! The lines of a target's last body, by their place: a line that was there before costs its number and a hash.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
};

use foldhash::fast::RandomState;
use weir_proto::metrics::MetricType;
use weir_store::SeriesRef;

/// Lines of void bodies that are known beside those of the last sound one, which may be as many again.
const VOID_LINES_MAX: usize = 1000;

/// What became of a line when it was read.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// Its samples go to a series.
    Kept(SeriesRef),
    /// Relabelling leaves it out.
    Dropped,
    /// It says when another began.
    Created,
    /// The same series as a line before it in the same body: only with times of their own are both taken.
    Duplicate(SeriesRef),
    /// No more series were taken; it is read anew each time.
    Refused,
}

/// A line's series as it stood in the last body that had it.
#[derive(Debug, Clone)]
struct Line {
    hash: u64,
    length: u32,
    /// Labels without `le` and `quantile`: lines of one histogram share it.
    group: u32,
    /// The body that had it last.
    turn: u32,
    /// Whether the body before that had it too.
    was_live: bool,
    /// Whether its series ends when the line vanishes.
    is_tracked: bool,
    fate: Fate,
}

impl Line {
    fn see(&mut self, turn: u32, is_tracked: bool) {
        self.was_live = self.turn.wrapping_add(1) == turn;
        (self.turn, self.is_tracked) = (turn, is_tracked);
    }
}

/// What a target exposed last, in its order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// How many of them, at the end, only void bodies had.
    of_void: usize,
    turn: u32,
    /// Secret: a target cannot make two series look alike.
    state: RandomState,
}

/// A walk along the lines while a body is read.
#[derive(Debug)]
pub(super) struct Walk<'l> {
    lines: &'l mut Lines,
    /// The line that should come next.
    place: usize,
    /// The new order, once it is another.
    moved: Option<Moved>,
}

#[derive(Debug)]
struct Moved {
    lines: Vec<Line>,
    /// By hash: where in the new order, or in the old one.
    places: HashMap<u64, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Old(usize),
    New(usize),
}

/// What is known of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'w> {
    pub(super) fate: &'w Fate,
    pub(super) group: u32,
}

impl Lines {
    /// Begins with a body.
    pub(super) fn walk(&mut self) -> Walk<'_> {
        self.turn = self.turn.wrapping_add(1);
        Walk { lines: self, place: 0, moved: None }
    }

    /// The series that end when nothing is exposed: those of the last body.
    pub(super) fn live(&self) -> impl Iterator<Item = &SeriesRef> {
        self.lines.iter().filter(|line| line.turn == self.turn && line.is_tracked).filter_map(|line| match &line.fate {
            Fate::Kept(series) => Some(series),
            _ => None,
        })
    }

    /// No line is live any more; they are remembered all the same.
    pub(super) fn end_all(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Forgets what was read with other settings, and hands over the series that were live.
    pub(super) fn take(&mut self) -> Vec<SeriesRef> {
        let live = self.live().cloned().collect();
        (self.lines, self.of_void) = (Vec::new(), 0);
        live
    }

    /// Looks at each series once, the processor at many side by side. Without it the first who counts a reference to one waits for its memory,
    /// and for each again.
    pub(super) fn fetch(&self) {
        let latest = self.lines.iter().filter_map(|line| match &line.fate {
            Fate::Kept(series) => Some(series.last_ms()),
            _ => None,
        });
        std::hint::black_box(latest.max());
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

/// A series under another kind of family is read anew: its bounds may be written otherwise.
#[inline]
fn hash(state: &RandomState, series: &[u8], metric_type: MetricType) -> u64 {
    state.hash_one(series).wrapping_add((metric_type as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Walk<'_> {
    /// How many bytes of `body`, which begins with a line, are the series that stood here last time.
    #[inline]
    pub(super) fn recall(&self, body: &[u8], metric_type: MetricType) -> Option<usize> {
        let line = self.lines.lines.get(self.place)?;
        let length = line.length as usize;
        // One blank and a value, or it may be another series that only begins so.
        let is_whole =
            matches!(body.get(length..length + 2), Some([b' ', next]) if !matches!(next, b' ' | b'\t' | b'{'));
        let is_same = is_whole && hash(&self.lines.state, &body[..length], metric_type) == line.hash;
        (is_same && !matches!(line.fate, Fate::Refused)).then_some(length)
    }

    /// The line that was recalled; it stands in the body that is read now. `is_tracked`: it ends when it vanishes.
    #[inline]
    pub(super) fn recalled(&mut self, is_tracked: bool) -> Known<'_> {
        let at = self.place;
        self.place += 1;
        if self.moved.is_some() {
            return self.found_old(at, is_tracked);
        }
        let line = &mut self.lines.lines[at];
        line.see(self.lines.turn, is_tracked);
        Known { fate: &line.fate, group: line.group }
    }

    /// A line that stands elsewhere than last time, or for the first time; `None` when it has to be read.
    pub(super) fn find(&mut self, series: &[u8], metric_type: MetricType, is_tracked: bool) -> Option<Known<'_>> {
        let hash = hash(&self.lines.state, series, metric_type);
        self.leave_order();
        let moved = self.moved.as_ref().expect("just made");
        match *moved.places.get(&hash)? {
            Place::Old(at) if matches!(self.lines.lines[at].fate, Fate::Refused) => None,
            Place::Old(at) if self.lines.lines[at].length as usize == series.len() => {
                self.place = at + 1;
                Some(self.found_old(at, is_tracked))
            }
            Place::New(at) if moved.lines[at].length as usize == series.len() => Some(self.found_again(at)),
            Place::Old(_) | Place::New(_) => None,
        }
    }

    /// A line of the old order takes its place in the new one.
    fn found_old(&mut self, at: usize, is_tracked: bool) -> Known<'_> {
        let hash = self.lines.lines[at].hash;
        let moved = self.moved.as_ref().expect("only with a new order");
        if let Some(&Place::New(new)) = moved.places.get(&hash) {
            return self.found_again(new);
        }
        let moved = self.moved.as_mut().expect("just looked at");
        let line = &mut self.lines.lines[at];
        line.see(self.lines.turn, is_tracked);
        let mut line = line.clone();
        if let Fate::Duplicate(series) = line.fate {
            // Its first one is gone, or comes later.
            line.fate = Fate::Kept(series);
        }
        moved.places.insert(line.hash, Place::New(moved.lines.len()));
        moved.lines.push(line);
        let line = moved.lines.last().expect("just put there");
        Known { fate: &line.fate, group: line.group }
    }

    /// A line of this body stands in it once more.
    fn found_again(&mut self, at: usize) -> Known<'_> {
        let moved = self.moved.as_mut().expect("only with a new order");
        let mut line = moved.lines[at].clone();
        if let Fate::Kept(series) = line.fate {
            line.fate = Fate::Duplicate(series);
        }
        line.is_tracked = false;
        moved.lines.push(line);
        let line = moved.lines.last().expect("just put there");
        Known { fate: &line.fate, group: line.group }
    }

    /// Remembers a line that was read.
    pub(super) fn add(&mut self, series: &[u8], metric_type: MetricType, group: u32, is_tracked: bool, fate: Fate) {
        self.leave_order();
        let (hash, turn) = (hash(&self.lines.state, series, metric_type), self.lines.turn);
        let moved = self.moved.as_mut().expect("just made");
        moved.places.insert(hash, Place::New(moved.lines.len()));
        moved.lines.push(Line { hash, length: series.len() as u32, group, turn, was_live: false, is_tracked, fate });
    }

    /// From here on the order is another than last time.
    fn leave_order(&mut self) {
        if self.moved.is_some() {
            return;
        }
        let Lines { lines, turn, .. } = &*self.lines;
        let in_order = &lines[..self.place.min(lines.len())];
        let new: Vec<Line> = in_order.iter().take_while(|line| line.turn == *turn).cloned().collect();
        let mut places = HashMap::with_capacity(lines.len());
        // Backwards: of lines that are alike the first one counts.
        for (at, line) in lines.iter().enumerate().rev() {
            places.insert(line.hash, if at < new.len() { Place::New(at) } else { Place::Old(at) });
        }
        self.moved = Some(Moved { lines: new, places });
    }

    /// The body is read: hands every series that was in the last one and is not in this to `ended`.
    pub(super) fn finish(mut self, mut ended: impl FnMut(&SeriesRef)) {
        let turn = self.lines.turn;
        self.lines.of_void = 0;
        if self.moved.is_none() && self.place < self.lines.lines.len() {
            self.leave_order();
        }
        let Some(moved) = self.moved else { return };
        for line in &self.lines.lines {
            if let Fate::Kept(series) = &line.fate
                && line.is_tracked
                && line.turn.wrapping_add(1) == turn
            {
                ended(series);
            }
        }
        self.lines.lines = moved.lines;
    }

    /// The body is void: which lines are live is as if it had not been. Lines that were met in it are known all the same, or each of a
    /// target's void bodies would be said to bring new series.
    pub(super) fn give_up(self) {
        let turn = self.lines.turn;
        if let Some(moved) = self.moved {
            let known: HashSet<u64> = self.lines.lines.iter().map(|line| line.hash).collect();
            let sound = self.lines.lines.len() - self.lines.of_void;
            let room = (sound + VOID_LINES_MAX).saturating_sub(self.lines.of_void);
            let met = moved.lines.into_iter().filter(|line| !known.contains(&line.hash));
            let met = met.filter(|line| matches!(line.fate, Fate::Kept(_) | Fate::Dropped)).take(room);
            self.lines.lines.extend(met.map(|line| Line { was_live: false, ..line }));
            self.lines.of_void = self.lines.lines.len() - sound;
        }
        for line in self.lines.lines.iter_mut().filter(|line| line.turn == turn) {
            line.turn = turn.wrapping_sub(if line.was_live { 1 } else { 2 });
        }
        self.lines.turn = turn.wrapping_sub(1);
    }
}
