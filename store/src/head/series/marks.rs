//! How many samples of a chunk a snapshot sees: only those of frames that were published when it was taken.

/// Where the last frames with samples in a chunk lie, as far back as there are snapshots that tell them apart.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    newest: Mark,
    /// Ascending; empty unless somebody holds an old snapshot.
    #[expect(clippy::box_collection, reason = "there are very many, and hardly any has one")]
    older: Option<Box<Vec<Mark>>>,
}

/// A frame by its position in the journal file, and the samples before it.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    position: u32,
    samples_before: u32,
}

impl Marks {
    /// A frame adds samples. What lies at or before `seen` every snapshot sees.
    pub(crate) fn add(&mut self, position: u32, samples_before: u32, seen: u32) {
        if self.newest.position == position {
            return;
        }
        if self.newest.position > seen {
            self.older.get_or_insert_default().push(self.newest);
        } else if self.older.is_some() {
            self.older = None;
        }
        self.newest = Mark { position, samples_before };
    }

    /// Of `samples` those of frames at or before `projected`.
    pub(crate) fn visible(&self, samples: u32, projected: u32) -> u32 {
        if self.newest.position <= projected {
            return samples;
        }
        let older = self.older.iter().flat_map(|older| older.iter());
        let first_hidden = older.chain([&self.newest]).find(|mark| mark.position > projected);
        first_hidden.map_or(samples, |mark| mark.samples_before)
    }

    /// Memory beside the struct itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.older.as_ref().map_or(0, |older| 24 + older.capacity() * size_of::<Mark>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_was_there_when_it_was_taken() {
        let mut marks = Marks::default();
        marks.add(100, 0, 0);
        marks.add(200, 1, 100);
        assert_eq!((marks.visible(2, 99), marks.visible(2, 100), marks.visible(2, 200)), (1, 1, 2));
        let mut held = Marks::default();
        for (samples, position) in (0..10).zip((100..).step_by(100)) {
            held.add(position, samples, 150);
            held.add(position, samples, 150);
        }
        for projected in [150, 199, 200, 399, 450, 1000] {
            assert_eq!(held.visible(10, projected), projected / 100, "{projected}");
        }
        held.add(1100, 10, 1000);
        assert_eq!((held.visible(11, 1000), held.heap_bytes()), (10, 0));
    }
}
