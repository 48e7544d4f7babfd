//! A frame: one batch of items of one tenant, as it arrived, behind a header that tells what became of it.

use bytes::Bytes;
use weir_proto::TenantId;

use super::{
    tallies::decode_tenant,
    varint::{Fields, put_varint},
};
use crate::reject::{RejectReason, Rejection};

/// What the journal keeps beside a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whose.
    pub tenant: TenantId,
    /// When it arrived, Unix ns.
    pub received_at_ns: u64,
    /// Items in the payload, rejected ones included.
    pub items: u32,
    /// The refused items, in ordinal order, each once.
    pub rejected: Vec<Rejection>,
    /// The config's generation: replay applies this one's rules.
    pub generation: u32,
    /// Where the source stands (files, Kafka); empty for most receivers.
    pub cursor: Bytes,
    /// Items that head sampling took out of what arrived: not in the payload, and not among `items`.
    pub head_dropped: u32,
}

impl FrameHeader {
    /// Items of the payload that were not refused.
    pub fn accepted(&self) -> u64 {
        u64::from(self.items).saturating_sub(self.rejected.len() as u64)
    }

    /// Most bytes that [`FrameHeader::encode`] can append.
    pub(super) fn encoded_bytes_max(&self) -> usize {
        // Fixed fields, varints of 10 bytes at most each, and 11 for each run of rejections.
        64 + TenantId::LEN_MAX + self.cursor.len() + self.rejected.len() * 11
    }

    /// Appends the stored form (docs/formats.md, Journal, Frame).
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.received_at_ns.to_le_bytes());
        buffer.extend_from_slice(&self.items.to_le_bytes());
        buffer.extend_from_slice(&self.generation.to_le_bytes());
        buffer.push(self.tenant.as_str().len() as u8);
        buffer.extend_from_slice(self.tenant.as_str().as_bytes());
        put_varint(buffer, self.cursor.len() as u64);
        buffer.extend_from_slice(&self.cursor);
        put_varint(buffer, self.rejected.len() as u64);
        let mut rest = &self.rejected[..];
        let mut next_ordinal = 0;
        while let Some(&first) = rest.first() {
            // Neighbours refused for the same reason are one run: a batch refused whole stays small.
            let same = |(index, rejection): (usize, &Rejection)| {
                rejection.reason == first.reason
                    && u64::from(rejection.ordinal) == u64::from(first.ordinal) + index as u64
            };
            let run = rest.iter().enumerate().take_while(|&item| same(item)).count();
            put_varint(buffer, u64::from(first.ordinal.wrapping_sub(next_ordinal)));
            put_varint(buffer, run as u64);
            buffer.push(first.reason as u8);
            next_ordinal = first.ordinal.wrapping_add(run as u32);
            rest = &rest[run..];
        }
        if self.head_dropped > 0 {
            put_varint(buffer, u64::from(self.head_dropped));
        }
    }

    pub(super) fn decode(details: &[u8]) -> Option<Self> {
        let mut fields = Fields(details);
        let received_at_ns = fields.u64()?;
        let items = fields.u32()?;
        let generation = fields.u32()?;
        let tenant = decode_tenant(&mut fields)?;
        let cursor_bytes = fields.varint_u32()?;
        let cursor = Bytes::copy_from_slice(fields.bytes(cursor_bytes as usize)?);
        let rejections = fields.varint_u32()?;
        if rejections > items {
            return None;
        }
        let mut rejected = Vec::with_capacity(rejections as usize);
        let mut next_ordinal = 0u32;
        while rejected.len() < rejections as usize {
            let first = next_ordinal.checked_add(fields.varint_u32()?)?;
            let run = fields.varint_u32()?;
            let reason = RejectReason::from_code(fields.u8()?)?;
            next_ordinal = first.checked_add(run)?;
            if run == 0 || rejected.len() + run as usize > rejections as usize {
                return None;
            }
            rejected.extend((first..next_ordinal).map(|ordinal| Rejection { ordinal, reason }));
        }
        // Frames from before there was head sampling end here, and so do all without any.
        let head_dropped = if fields.0.is_empty() { 0 } else { fields.varint_u32()? };
        fields.0.is_empty().then_some(Self {
            tenant,
            received_at_ns,
            items,
            rejected,
            generation,
            cursor,
            head_dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(rejected: &[(u32, RejectReason)]) -> FrameHeader {
        FrameHeader {
            tenant: TenantId::new("team-a").expect("a valid name"),
            received_at_ns: 1_700_000_000_000_000_000,
            items: 1000,
            rejected: rejected.iter().map(|&(ordinal, reason)| Rejection { ordinal, reason }).collect(),
            generation: 7,
            cursor: Bytes::from_static(b"at:12"),
            head_dropped: 0,
        }
    }

    fn round_trip(header: &FrameHeader) -> usize {
        let mut buffer = Vec::new();
        header.encode(&mut buffer);
        assert!(buffer.len() <= header.encoded_bytes_max());
        assert_eq!(FrameHeader::decode(&buffer).as_ref(), Some(header));
        for cut in 0..buffer.len() {
            // Lengths and a checksum are around it: only what lies before the optional field must tell by itself.
            let read = FrameHeader::decode(&buffer[..cut]);
            assert!(read.is_none() || read == Some(FrameHeader { head_dropped: 0, ..header.clone() }), "cut at {cut}");
        }
        buffer.len()
    }

    #[test]
    fn what_head_sampling_dropped_is_an_optional_field() {
        let without = header(&[(1, RejectReason::TooOld)]);
        for (head_dropped, bytes) in [(0, 0), (1, 1), (127, 1), (128, 2), (u32::MAX, 5)] {
            let with = FrameHeader { head_dropped, ..without.clone() };
            assert_eq!(round_trip(&with), round_trip(&without) + bytes);
        }
    }

    #[test]
    fn headers_come_back_as_they_were() {
        use RejectReason::{InvalidUtf8, TooOld};
        let none = round_trip(&header(&[]));
        round_trip(&header(&[(0, TooOld), (1, TooOld), (2, InvalidUtf8), (999, TooOld)]));
        let all: Vec<_> = (0..1000).map(|ordinal| (ordinal, TooOld)).collect();
        assert_eq!(header(&all).accepted(), 0);
        assert_eq!(round_trip(&header(&all)), none + 5, "one run and a longer count");
    }

    #[test]
    fn a_header_that_lies_about_its_rejections_is_refused() {
        let mut buffer = Vec::new();
        let mut lying = header(&[(5, RejectReason::TooOld)]);
        lying.items = 0;
        lying.encode(&mut buffer);
        assert_eq!(FrameHeader::decode(&buffer), None);
    }
}
