//! A group header: the record that begins each group commit, and vouches for everything before it.

use super::{tallies::Tallies, varint::Fields};

/// Where the file before this one ends. What lies there beyond `end` does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// The number of the file before; 0 when there is none.
    pub(super) file: u32,
    /// Its end, in bytes.
    pub(super) end: u32,
}

/// What a group header is made of: everything before its group, and of that what the header before does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) all: &'a Tallies,
    /// Counts of `all`, of the tenants of the group before.
    pub(super) changed: &'a Tallies,
}

/// The group header's details. Its own position is the end of the group before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupHeader {
    /// Repeated in each group header of a file: the first one may get lost.
    pub(super) link: Link,
    /// Everything accepted and rejected before this group, since the journal began.
    pub(super) tallies: Tallies,
    /// Whether all tenants are in there: else those that the frames behind the header before are of.
    pub(super) is_whole: bool,
}

impl GroupHeader {
    /// Appends the stored form (docs/formats.md, Journal, Group header).
    pub(super) fn encode(link: Link, tallies: &Tallies, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&link.file.to_le_bytes());
        buffer.extend_from_slice(&link.end.to_le_bytes());
        tallies.encode(buffer);
    }

    pub(super) fn decode(details: &[u8], is_whole: bool) -> Option<Self> {
        let mut fields = Fields(details);
        let link = Link { file: fields.u32()?, end: fields.u32()? };
        let tallies = Tallies::decode(&mut fields)?;
        fields.0.is_empty().then_some(Self { link, tallies, is_whole })
    }
}
