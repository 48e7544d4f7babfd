//! Finds the series of a line: labels, or some of them, to a number.

use std::{collections::HashMap, hash::BuildHasher};

use super::series::Labels;
use crate::logql::labels::{LabelSet, Origin};

/// Which labels make a series.
#[derive(Debug, Clone)]
pub(super) enum Key {
    /// All but these.
    Without(Vec<String>),
    /// These.
    By(Vec<String>),
}

/// Series by their labels.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By a hash that differs from table to table: who sends lines chooses the labels.
    numbers: HashMap<u64, Vec<u32>, foldhash::fast::FixedState>,
    keys: foldhash::quality::RandomState,
    labels: Vec<Labels>,
}

impl Groups {
    /// The series of these labels; a new one gets the next number.
    pub(super) fn number(&mut self, labels: &[(&str, &str, Origin)]) -> u32 {
        let hash = self.keys.hash_one(Hashed(labels));
        let found = self.numbers.entry(hash).or_default();
        let same = |known: &Labels| {
            known.len() == labels.len()
                && known.iter().zip(labels).all(|(known, label)| known.0 == label.0 && known.1 == label.1)
        };
        if let Some(&number) = found.iter().find(|&&number| same(&self.labels[number as usize])) {
            return number;
        }
        let number = self.labels.len() as u32;
        found.push(number);
        self.labels.push(labels.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())).collect());
        number
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Their labels, by number.
    pub(super) fn into_labels(self) -> Vec<Labels> {
        self.labels
    }
}

struct Hashed<'a>(&'a [(&'a str, &'a str, Origin)]);

impl std::hash::Hash for Hashed<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for (name, value, _) in self.0 {
            name.hash(state);
            value.hash(state);
        }
    }
}

/// The labels of a line that make its series, sorted; empty ones count as absent.
pub(super) fn key_of<'l>(key: &Key, labels: &'l LabelSet, out: &mut Vec<(&'l str, &'l str, Origin)>) {
    out.clear();
    let listed = |name: &str, names: &[String]| names.iter().any(|listed| listed == name);
    match key {
        Key::Without(names) => out.extend(labels.iter().filter(|(name, ..)| !listed(name, names))),
        Key::By(names) => {
            if names.is_empty() {
                return;
            }
            out.extend(labels.iter().filter(|(name, ..)| listed(name, names)));
        }
    }
    out.retain(|(_, value, _)| !value.is_empty());
    out.sort_unstable_by(|left, right| left.0.cmp(right.0));
}
