//! The directory of a segment's index: which block is where. It stays in memory while the segment is open.

use super::extent::Extent;
use crate::{
    journal::{Fields, put_varint},
    samples::bytes::{count, put_bytes, text},
};

/// Blocks of the index.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Directory {
    /// How many series there are.
    pub(super) series: u32,
    /// By name.
    pub(super) names: Vec<NameEntry>,
    /// Records of series, compressed.
    pub(super) records: Vec<Block>,
    /// Exemplars and families, compressed.
    pub(super) exemplars: Option<Block>,
    pub(super) families: Option<Block>,
}

/// What there is of a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NameEntry {
    pub(super) name: String,
    /// How many values it has.
    pub(super) values: u32,
    /// The map from values to lists.
    pub(super) map: Extent,
    /// Lists of series; the first one is that of all series with the label.
    pub(super) lists: Vec<Extent>,
}

/// A compressed stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) extent: Extent,
    /// Bytes when decompressed.
    pub(super) bytes: u32,
}

impl Directory {
    /// What there is of a label.
    pub(super) fn name(&self, name: &str) -> Option<&NameEntry> {
        let at = self.names.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        Some(&self.names[at])
    }

    /// Every stretch of the index.
    pub(super) fn extents(&self) -> impl Iterator<Item = Extent> {
        let of_names = self.names.iter().flat_map(|name| name.lists.iter().chain([&name.map]));
        let blocks = self.records.iter().chain(&self.exemplars).chain(&self.families);
        of_names.copied().chain(blocks.map(|block| block.extent))
    }

    /// The stored form.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::from(self.series));
        put_varint(&mut bytes, self.names.len() as u64);
        let mut before = 0;
        for entry in &self.names {
            put_bytes(&mut bytes, entry.name.as_bytes());
            put_varint(&mut bytes, u64::from(entry.values));
            put_varint(&mut bytes, entry.lists.len() as u64);
            // Lists are written before the map that names them.
            entry.lists.iter().for_each(|list| list.put(&mut before, &mut bytes));
            entry.map.put(&mut before, &mut bytes);
        }
        put_varint(&mut bytes, self.records.len() as u64);
        let mut before = 0;
        self.records.iter().for_each(|block| block.put(&mut before, &mut bytes));
        for block in [&self.exemplars, &self.families] {
            bytes.push(u8::from(block.is_some()));
            if let Some(block) = block {
                block.put(&mut before, &mut bytes);
            }
        }
        bytes
    }

    /// Reads the stored form.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let series = fields.varint_u32()?;
        let mut before = 0;
        let names: Option<Vec<_>> = (0..count(&mut fields, 8)?)
            .map(|_| {
                let name = text(&mut fields)?.to_owned();
                let values = fields.varint_u32()?;
                let lists = count(&mut fields, 6)?;
                let lists: Option<Vec<_>> = (0..lists).map(|_| Extent::read(&mut before, &mut fields)).collect();
                Some(NameEntry { name, values, lists: lists?, map: Extent::read(&mut before, &mut fields)? })
            })
            .collect();
        let mut before = 0;
        let records = count(&mut fields, 7)?;
        let records: Option<Vec<_>> = (0..records).map(|_| Block::read(&mut before, &mut fields)).collect();
        let mut block = || match fields.u8()? {
            0 => Some(None),
            _ => Block::read(&mut before, &mut fields).map(Some),
        };
        let (exemplars, families) = (block()?, block()?);
        // What a later version adds at the end is passed over.
        Some(Self { series, names: names?, records: records?, exemplars, families })
    }
}

impl Block {
    fn put(&self, before: &mut u64, into: &mut Vec<u8>) {
        self.extent.put(before, into);
        put_varint(into, u64::from(self.bytes));
    }

    fn read(before: &mut u64, fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { extent: Extent::read(before, fields)?, bytes: fields.varint_u32()? })
    }
}
