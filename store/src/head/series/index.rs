//! The label index of a tenant's series in memory: which series has which value of which label.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    hash::BuildHasher,
    ops::Bound,
    sync::Arc,
};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;
use weir_proto::metrics::Labels;

use super::series::Series;
use crate::labels::{LabelIndex, SeriesSet, Values};

/// Series by label set, and by the values of their labels. Slots are given in the order in which series come.
#[derive(Debug, Default)]
pub(crate) struct SeriesIndex {
    slots: Vec<Arc<Series>>,
    by_labels: HashTable<u32>,
    hasher: RandomState,
    names: HashMap<Box<str>, ByValue, RandomState>,
    /// Slots in the order of their labels, as many as there were when somebody asked last.
    order: Mutex<Arc<Vec<u32>>>,
}

/// A label set's hash in one index.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelsHash(u64);

/// Slots, ascending, by the value of one label.
type ByValue = BTreeMap<Box<str>, Vec<u32>>;

impl SeriesIndex {
    /// The series, if it is known. `hash` is that of the labels.
    pub(super) fn find(&self, labels: &Labels, hash: LabelsHash) -> Option<&Arc<Series>> {
        let slot = self.by_labels.find(hash.0, |&slot| self.slots[slot as usize].labels == *labels)?;
        Some(&self.slots[*slot as usize])
    }

    /// Adds a series that is not known. `hash` is that of its labels.
    pub(super) fn add(&mut self, series: Arc<Series>, LabelsHash(hash): LabelsHash) {
        let slot = self.slots.len() as u32;
        for (name, value) in series.labels.iter() {
            let by_value = match self.names.get_mut(name) {
                Some(by_value) => by_value,
                None => self.names.entry(name.into()).or_default(),
            };
            match by_value.get_mut(value) {
                Some(slots) => slots.push(slot),
                None => drop(by_value.insert(value.into(), vec![slot])),
            }
        }
        self.slots.push(series);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_labels.insert_unique(hash, slot, |&slot| hasher.hash_one(&slots[slot as usize].labels));
    }

    /// How many series have a value of a label.
    pub(super) fn series_with(&self, name: &str, value: &str) -> usize {
        self.names.get(name).and_then(|by_value| by_value.get(value)).map_or(0, Vec::len)
    }

    /// How many series.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// A series by its slot.
    pub(crate) fn series(&self, slot: u32) -> &Arc<Series> {
        &self.slots[slot as usize]
    }

    /// The series of a set, in the order of their labels.
    pub(crate) fn in_order(&self, set: &SeriesSet) -> Vec<Arc<Series>> {
        if set.len() < self.slots.len() / 8 {
            let mut series: Vec<_> = set.iter().map(|slot| self.series(slot).clone()).collect();
            series.sort_unstable_by(|one, other| one.labels.cmp(&other.labels));
            return series;
        }
        let order = self.order();
        order.iter().filter(|slot| set.contains(**slot)).map(|&slot| self.series(slot).clone()).collect()
    }

    /// All slots in the order of their labels. What came since the last time is sorted in.
    fn order(&self) -> Arc<Vec<u32>> {
        let mut order = self.order.lock();
        if order.len() < self.slots.len() {
            let mut all: Vec<u32> = Vec::with_capacity(self.slots.len());
            all.extend_from_slice(&order);
            let mut new: Vec<u32> = (order.len() as u32..self.slots.len() as u32).collect();
            let labels = |slot: &u32| &self.slots[*slot as usize].labels;
            new.sort_unstable_by(|one, other| labels(one).cmp(labels(other)));
            all.append(&mut new);
            // Stable, and quick over two runs in order.
            all.sort_by(|one, other| labels(one).cmp(labels(other)));
            *order = Arc::new(all);
        }
        order.clone()
    }

    /// All series.
    pub(crate) fn all(&self) -> &[Arc<Series>] {
        &self.slots
    }

    /// Leaves out the series that `keep` does not want, and gives the others new slots, in the same order.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Arc<Series>) -> bool) {
        const GONE: u32 = u32::MAX;
        let mut next = 0;
        let new_slots: Vec<u32> = self
            .slots
            .iter()
            .map(|series| match keep(series) {
                true => {
                    next += 1;
                    next - 1
                }
                false => GONE,
            })
            .collect();
        if next as usize == self.slots.len() {
            return;
        }
        let mut old = 0;
        self.slots.retain(|_| {
            old += 1;
            new_slots[old - 1] != GONE
        });
        self.slots.shrink_to_fit();
        *self.order.get_mut() = Arc::default();
        self.names.retain(|_, by_value| {
            by_value.retain(|_, slots| {
                slots.iter_mut().for_each(|slot| *slot = new_slots[*slot as usize]);
                slots.retain(|&slot| slot != GONE);
                slots.shrink_to_fit();
                !slots.is_empty()
            });
            !by_value.is_empty()
        });
        self.by_labels.clear();
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash_of = |slot: &u32| hasher.hash_one(&slots[*slot as usize].labels);
        for slot in 0..next {
            self.by_labels.insert_unique(hash_of(&slot), slot, hash_of);
        }
        self.by_labels.shrink_to_fit(hash_of);
    }

    /// The labels' names.
    pub(crate) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// The values of a label with the slots of their series, in the values' order.
    pub(crate) fn values_of(&self, name: &str) -> impl Iterator<Item = (&str, &[u32])> {
        self.names.get(name).into_iter().flatten().map(|(value, slots)| (&**value, &slots[..]))
    }

    /// Memory of the index itself, about.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let of_values = |by_value: &ByValue| -> usize {
            by_value.iter().map(|(value, slots)| 48 + value.len() + slots.capacity() * 4).sum()
        };
        let names: usize = self.names.iter().map(|(name, by_value)| 64 + name.len() + of_values(by_value)).sum();
        (names + self.slots.capacity() * 8 + self.by_labels.capacity() * 5) as u64
    }

    /// The hash that its series are found by.
    pub(super) fn hash(&self, labels: &Labels) -> LabelsHash {
        LabelsHash(self.hasher.hash_one(labels))
    }
}

impl LabelIndex for SeriesIndex {
    type Error = Infallible;

    fn bound(&self) -> u32 {
        self.slots.len() as u32
    }

    fn insert(&self, name: &str, values: &Values, into: &mut SeriesSet) -> Result<(), Infallible> {
        let Some(by_value) = self.names.get(name) else { return Ok(()) };
        let mut add = |slots: &[u32]| slots.iter().for_each(|&slot| into.insert(slot));
        match values {
            Values::Some(values) => {
                values.iter().filter_map(|value| by_value.get(value.as_str())).for_each(|slots| add(slots));
            }
            Values::Taken { prefix, .. } => {
                let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
                let range = by_value.range::<str, _>(from).take_while(|(value, _)| value.starts_with(prefix.as_str()));
                range.filter(|(value, _)| values.contain(value)).for_each(|(_, slots)| add(slots));
            }
            Values::All => by_value.values().for_each(|slots| add(slots)),
        }
        Ok(())
    }
}
