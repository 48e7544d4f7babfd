//! The labels of a line on its way through a pipeline, and those of its stream.

use std::{
    collections::HashMap,
    fmt::Write,
    hash::BuildHasher,
    sync::{Arc, LazyLock},
};

use foldhash::quality::RandomState;

pub(crate) use weir_proto::loki::push_label_name as push_name;

/// Where a label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Origin {
    /// The stream.
    Stream,
    /// What came beside the line.
    Metadata,
    /// A stage.
    Parsed,
}

/// The labels of a stream, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) struct StreamLabels(Vec<(String, String)>);

impl StreamLabels {
    /// Of these; of several with a name, the first counts.
    pub(crate) fn new(mut labels: Vec<(String, String)>) -> Self {
        labels.sort_by(|a, b| a.0.cmp(&b.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0);
        Self(labels)
    }

    /// All, sorted.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.0[at].1)
    }
}

/// `{a="b", c="d"}`
impl std::fmt::Display for StreamLabels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_labels(f, self.iter())
    }
}

/// Writes labels as a selector.
pub(crate) fn write_labels<'a>(
    out: &mut impl Write,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> std::fmt::Result {
    out.write_char('{')?;
    for (number, (name, value)) in labels.enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        write!(out, "{comma}{name}={value:?}")?;
    }
    out.write_char('}')
}

/// What stands for a line whose stages failed.
pub(crate) const ERROR: &str = "__error__";
/// And the words for it.
pub(crate) const ERROR_DETAILS: &str = "__error_details__";

/// More labels than these are found by a table.
const LISTED_MAX: usize = 48;

#[derive(Debug, Clone, Copy)]
struct Entry {
    name: (u32, u32),
    value: (u32, u32),
    hash: u32,
    origin: Origin,
    is_gone: bool,
    /// The entry before it with the same hash, when there is a table; itself when there is none.
    before: u32,
}

/// A line's labels. Names and values lie in one piece of memory, which the next line uses again.
#[derive(Debug, Default)]
pub(crate) struct LabelSet {
    arena: String,
    entries: Vec<Entry>,
    table: HashMap<u32, u32, foldhash::fast::FixedState>,
    /// How many the table knows.
    in_table: usize,
    stream: Option<Arc<StreamLabels>>,
    /// Where the stream's labels end.
    stream_ends: (usize, usize),
    has_error: bool,
}

impl LabelSet {
    /// Begins a line of this stream.
    pub(crate) fn begin(&mut self, stream: &Arc<StreamLabels>) {
        self.has_error = false;
        if self.in_table > 0 {
            self.table.clear();
            self.in_table = 0;
        }
        if self.stream.as_ref().is_some_and(|known| Arc::ptr_eq(known, stream)) {
            self.entries.truncate(self.stream_ends.0);
            self.arena.truncate(self.stream_ends.1);
            self.entries.iter_mut().for_each(|entry| entry.is_gone = false);
            return;
        }
        self.entries.clear();
        self.arena.clear();
        for (name, value) in stream.iter() {
            self.push(name, value, Origin::Stream);
        }
        self.stream = Some(Arc::clone(stream));
        self.stream_ends = (self.entries.len(), self.arena.len());
    }

    fn text(&self, (begin, end): (u32, u32)) -> &str {
        &self.arena[begin as usize..end as usize]
    }

    fn write(&mut self, text: &str) -> (u32, u32) {
        let begin = self.arena.len() as u32;
        self.arena.push_str(text);
        (begin, self.arena.len() as u32)
    }

    fn push(&mut self, name: &str, value: &str, origin: Origin) {
        let hash = hash_of(name);
        let (name, value) = (self.write(name), self.write(value));
        let number = self.entries.len() as u32;
        self.entries.push(Entry { name, value, hash, origin, is_gone: false, before: number });
    }

    fn fill_table(&mut self) {
        while self.in_table < self.entries.len() {
            let number = self.in_table as u32;
            let before = self.table.insert(self.entries[self.in_table].hash, number);
            self.entries[self.in_table].before = before.unwrap_or(number);
            self.in_table += 1;
        }
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let hash = hash_of(name);
        if self.entries.len() <= LISTED_MAX {
            let fits = |entry: &Entry| entry.hash == hash && !entry.is_gone && self.text(entry.name) == name;
            return self.entries.iter().position(fits);
        }
        self.fill_table();
        let mut number = *self.table.get(&hash)?;
        loop {
            let entry = self.entries[number as usize];
            if !entry.is_gone && self.text(entry.name) == name {
                return Some(number as usize);
            }
            if entry.before == number {
                return None;
            }
            number = entry.before;
        }
    }

    /// A label's value.
    pub(crate) fn get(&mut self, name: &str) -> Option<&str> {
        let at = self.find(name)?;
        Some(self.text(self.entries[at].value))
    }

    /// Where a label comes from.
    pub(crate) fn origin(&mut self, name: &str) -> Option<Origin> {
        self.find(name).map(|at| self.entries[at].origin)
    }

    /// Sets a label, whatever it was.
    pub(crate) fn set(&mut self, name: &str, value: &str, origin: Origin) {
        self.remove(name);
        self.push(name, value, origin);
    }

    /// Adds what came beside the line; a name that the stream has is set apart.
    pub(crate) fn add_metadata(&mut self, name: &str, value: &str) {
        match self.origin(name) {
            None => self.push(name, value, Origin::Metadata),
            Some(Origin::Stream) => {
                let apart = format!("{name}_extracted");
                if self.find(&apart).is_none() {
                    self.push(&apart, value, Origin::Metadata);
                }
            }
            Some(_) => {}
        }
    }

    /// Adds what a parser found: the first of a name counts, and a name of the stream's is set apart.
    pub(crate) fn add_parsed(&mut self, name: &str, value: &str) {
        match self.origin(name) {
            None => self.push(name, value, Origin::Parsed),
            Some(Origin::Parsed) => {}
            Some(_) => {
                let apart = format!("{name}_extracted");
                if self.find(&apart).is_none() {
                    self.push(&apart, value, Origin::Parsed);
                }
            }
        }
    }

    /// Removes a label.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(at) = self.find(name) {
            self.entries[at].is_gone = true;
            if name == ERROR {
                self.has_error = false;
            }
        }
    }

    /// Notes what went wrong; the first error stays.
    pub(crate) fn set_error(&mut self, error: &str, details: &str) {
        if self.has_error {
            return;
        }
        self.set(ERROR, error, Origin::Parsed);
        self.set(ERROR_DETAILS, details, Origin::Parsed);
        self.has_error = true;
    }

    /// Whether something went wrong.
    pub(crate) fn has_error(&self) -> bool {
        self.has_error
    }

    /// All labels, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, Origin)> {
        let live = self.entries.iter().filter(|entry| !entry.is_gone);
        live.map(|entry| (self.text(entry.name), self.text(entry.value), entry.origin))
    }

    /// All labels, sorted by name.
    pub(crate) fn sorted(&self) -> Vec<(&str, &str, Origin)> {
        let mut labels: Vec<_> = self.iter().collect();
        labels.sort_unstable_by(|a, b| a.0.cmp(b.0));
        labels
    }

    /// Removes the labels that `is_wanted` does not want.
    pub(crate) fn retain(&mut self, mut is_wanted: impl FnMut(&str, &str) -> bool) {
        for at in 0..self.entries.len() {
            let entry = self.entries[at];
            if entry.is_gone || is_wanted(self.text(entry.name), self.text(entry.value)) {
                continue;
            }
            if self.text(entry.name) == ERROR {
                self.has_error = false;
            }
            self.entries[at].is_gone = true;
        }
    }
}

/// Differs from process to process: who sends lines chooses the names in them.
fn hash_of(name: &str) -> u32 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    KEYS.hash_one(name) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashes_are_set_apart_and_the_first_counts() {
        let stream = Arc::new(StreamLabels::new(vec![("app".into(), "cart".into())]));
        let mut set = LabelSet::default();
        for _ in 0..2 {
            set.begin(&stream);
            set.add_metadata("trace", "1");
            set.add_parsed("app", "other");
            set.add_parsed("trace", "2");
            set.add_parsed("x", "1");
            set.add_parsed("x", "2");
            let shown: Vec<String> = set.sorted().iter().map(|(name, value, _)| format!("{name}={value}")).collect();
            assert_eq!(shown.join(" "), "app=cart app_extracted=other trace=1 trace_extracted=2 x=1");
            set.set("app", "new", Origin::Parsed);
            assert_eq!(set.get("app"), Some("new"));
        }
    }

    #[test]
    fn many_labels_are_found_by_a_table() {
        let mut set = LabelSet::default();
        set.begin(&Arc::default());
        for number in 0..20_000 {
            set.add_parsed(&format!("n{number}"), "v");
            set.add_parsed("n7", "w");
        }
        assert_eq!(set.iter().count(), 20_000);
        set.remove("n7");
        assert_eq!(set.get("n7"), None);
        set.begin(&Arc::default());
        assert_eq!(set.get("n8"), None);
    }
}
