//! What a body says of families: handed on when it is otherwise than last time.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use weir_proto::{
    exposition::{Entry, Exposition, TextFormat},
    metrics::{Metadata, MetricType},
};

/// Families that one target may say something of.
const FAMILIES_MAX: usize = 100_000;

/// What was said, as fingerprints in their order: lines that say what they said last time need not be read.
#[derive(Debug, Default)]
pub(super) struct Families {
    last: Vec<Said>,
    /// The line that should come next.
    place: usize,
    /// What this body says, once it is otherwise.
    changed: Option<Vec<Said>>,
    /// The line that is read now, as far as it was recognised as a line.
    line: u64,
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    hash: u64,
    /// The kind of family behind it.
    metric_type: MetricType,
}

impl Families {
    /// The kind of family behind a line that stood here last time.
    #[inline]
    pub(super) fn recall(&mut self, line: &[u8]) -> Option<MetricType> {
        self.line = FixedState::with_seed(0).hash_one(line);
        let known = self.last.get(self.place).filter(|known| known.hash == self.line && self.changed.is_none())?;
        self.place += 1;
        Some(known.metric_type)
    }

    /// Takes note of an entry that had to be read.
    pub(super) fn note(&mut self, entry: &Entry<'_>, metric_type: MetricType) {
        let state = FixedState::with_seed(0);
        let hash = match entry {
            Entry::Help { family, text } => state.hash_one((0, &**family, &**text)),
            Entry::Type { family, metric_type } => state.hash_one((1, &**family, *metric_type)),
            Entry::Unit { family, unit } => state.hash_one((2, &**family, *unit)),
            Entry::Sample(_) => return,
        };
        // OpenMetrics' lines are always read: then the entry is what is compared.
        let hash = if self.line == 0 { hash } else { std::mem::take(&mut self.line) };
        let said = Said { hash, metric_type };
        if self.changed.is_none() && self.last.get(self.place) == Some(&said) {
            self.place += 1;
            return;
        }
        let before = &self.last[..self.place.min(self.last.len())];
        self.changed.get_or_insert_with(|| before.to_vec()).push(said);
    }

    /// At the end of a body: what it says, if that is new.
    pub(super) fn finish(&mut self, body: &[u8], format: TextFormat, into: &mut Vec<Metadata>) {
        if self.changed.is_none() && self.place < self.last.len() {
            self.changed = Some(self.last[..self.place].to_vec());
        }
        if let Some(changed) = self.changed.take() {
            self.last = changed;
            self.last.shrink_to_fit();
            *into = read(body, format);
        }
        (self.place, self.line) = (0, 0);
    }

    /// The body is void.
    pub(super) fn give_up(&mut self) {
        (self.place, self.line, self.changed) = (0, 0, None);
    }
}

/// Everything that a body says, read once more: that is rare.
fn read(body: &[u8], format: TextFormat) -> Vec<Metadata> {
    let mut all: Vec<Metadata> = Vec::new();
    let mut exposition = Exposition::new(body, format);
    while let Ok(Some(entry)) = exposition.next(|_| None) {
        let name = match &entry {
            Entry::Help { family, .. } | Entry::Type { family, .. } | Entry::Unit { family, .. } => family,
            Entry::Sample(_) => continue,
        };
        // What is said of one family stands together.
        if all.last().is_none_or(|last| last.family != **name) {
            if all.len() == FAMILIES_MAX {
                break;
            }
            let family = name.clone().into_owned();
            let metric_type = MetricType::Unknown;
            all.push(Metadata { family, metric_type, unit: String::new(), help: String::new() });
        }
        let last = all.last_mut().expect("just put there");
        match entry {
            Entry::Help { text, .. } => last.help = text.into_owned(),
            Entry::Type { metric_type, .. } => last.metric_type = metric_type,
            Entry::Unit { unit, .. } => last.unit = unit.to_owned(),
            Entry::Sample(_) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body; the families that are told, by their helps.
    fn told(families: &mut Families, body: &str) -> Option<Vec<String>> {
        let mut exposition = Exposition::new(body.as_bytes(), TextFormat::Prometheus);
        loop {
            let entry = exposition.next_of_known(|_, _| None, |line| families.recall(line)).expect("well formed");
            match entry {
                Some(entry) => families.note(&entry, exposition.metric_type()),
                None => break,
            }
        }
        let mut told = Vec::new();
        families.finish(body.as_bytes(), TextFormat::Prometheus, &mut told);
        (!told.is_empty()).then(|| told.iter().map(|one| format!("{} {}", one.metric_type.name(), one.help)).collect())
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut families = Families::default();
        let body = "# HELP a One.\n# TYPE a counter\na 1\n# a remark\n# TYPE b gauge\nb 2\n";
        let expected = ["counter One.", "gauge "].map(str::to_owned).to_vec();
        assert_eq!(told(&mut families, body), Some(expected.clone()));
        for _ in 0..3 {
            assert_eq!(told(&mut families, body), None);
        }
        let other = body.replace("One", "Another");
        assert_eq!(told(&mut families, &other).expect("told")[0], "counter Another.");
        assert_eq!(told(&mut families, &other), None);
        let shorter = &other[..other.find("# TYPE b").expect("there")];
        assert_eq!(told(&mut families, shorter).expect("told").len(), 1);
        assert_eq!(told(&mut families, shorter), None);
        assert_eq!(told(&mut families, body), Some(expected));
    }

    #[test]
    fn a_known_line_has_its_kind() {
        let mut families = Families::default();
        let body = b"# HELP a One.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\n";
        for _ in 0..2 {
            let mut exposition = Exposition::new(body, TextFormat::Prometheus);
            while let Some(entry) =
                exposition.next_of_known(|_, _| None, |line| families.recall(line)).expect("well formed")
            {
                families.note(&entry, exposition.metric_type());
            }
            assert_eq!(exposition.metric_type(), MetricType::Histogram);
            families.finish(body, TextFormat::Prometheus, &mut Vec::new());
        }
    }
}
