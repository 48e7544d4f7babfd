//! What is known of a tenant's metric families: the last that anybody said.

use std::{borrow::Cow, collections::BTreeMap};

use weir_proto::metrics::{Metadata, MetricType};

/// Texts are cut to this length.
const TEXT_BYTES_MAX: usize = 4096;

/// By name.
#[derive(Debug, Default)]
pub(super) struct Families {
    by_name: BTreeMap<String, Family>,
    /// Counts changes.
    version: u64,
    /// The file that has all that was known at a version.
    written: (u32, u64),
}

#[derive(Debug)]
struct Family {
    known: Metadata,
    /// The version that it came with, or last changed.
    version: u64,
}

impl Families {
    /// Takes in what a batch says, of no more families than `families_max`. What says nothing new, or nothing, changes nothing.
    pub(super) fn learn(&mut self, batch: &[Metadata], families_max: usize) {
        for said in batch.iter().map(shortened) {
            let is_silent = said.metric_type == MetricType::Unknown && said.unit.is_empty() && said.help.is_empty();
            let known = self.by_name.get(&said.family);
            if is_silent
                || known.is_some_and(|known| known.known == *said)
                || (known.is_none() && self.by_name.len() >= families_max)
            {
                continue;
            }
            self.version += 1;
            self.by_name.insert(said.family.clone(), Family { known: said.into_owned(), version: self.version });
        }
    }

    /// Whether anything is known of a family.
    pub(super) fn knows(&self, family: &str) -> bool {
        self.by_name.contains_key(family)
    }

    /// What a file must be told, with the version that it has then.
    pub(super) fn news_for(&self, file: u32) -> (Vec<Metadata>, u64) {
        let has = if self.written.0 == file { self.written.1 } else { 0 };
        if has == self.version {
            return (Vec::new(), has);
        }
        let news = self.by_name.values().filter(|family| family.version > has);
        (news.map(|family| family.known.clone()).collect(), self.version)
    }

    /// A file durably has what is known at a version.
    pub(super) fn set_written(&mut self, file: u32, version: u64) {
        self.written = (file, version);
    }

    /// All, by name.
    pub(super) fn all(&self) -> Vec<Metadata> {
        self.by_name.values().map(|family| family.known.clone()).collect()
    }
}

fn shortened(said: &Metadata) -> Cow<'_, Metadata> {
    let mut said = Cow::Borrowed(said);
    if said.help.len() > TEXT_BYTES_MAX || said.unit.len() > TEXT_BYTES_MAX {
        let longer = said.to_mut();
        for text in [&mut longer.help, &mut longer.unit] {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &str, help: &str) -> Metadata {
        Metadata { family: name.into(), metric_type: MetricType::Gauge, unit: String::new(), help: help.into() }
    }

    #[test]
    fn a_file_is_told_once() {
        let mut families = Families::default();
        families.learn(&[family("a", "one"), family("b", "two")], 2);
        let (news, version) = families.news_for(1);
        assert_eq!(news, [family("a", "one"), family("b", "two")]);
        families.set_written(1, version);
        assert_eq!(families.news_for(1).0, []);
        let silent = Metadata { metric_type: MetricType::Unknown, ..family("b", "") };
        families.learn(&[family("b", "two"), family("a", "other"), silent, family("c", "one too many")], 2);
        assert_eq!(families.news_for(1).0, [family("a", "other")]);
        assert_eq!(families.news_for(2).0, [family("a", "other"), family("b", "two")]);
    }
}
