//! Batches of verdicts as the verdict journal keeps them (docs/formats.md, Verdicts).

use std::{collections::HashMap, sync::Arc};

use weir_proto::TraceId;

use crate::{
    journal::{Fields, put_varint},
    offset::Offset,
    verdict::{
        names::PolicyNames,
        outcome::{Outcome, PolicyNo},
    },
};

const VERSION: u8 = 1;

/// Fewest bytes of a verdict: trace id, flags, and five numbers.
const VERDICT_BYTES_MIN: usize = 16 + 1 + 5;

const KEEP: u8 = 1;
const PROBABILISTIC: u8 = 2;
const COUNTS: u8 = 4;
const COPIED: u8 = 8;

/// How many decided traces late spans are recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CacheLimits {
    pub(super) kept: u64,
    pub(super) dropped: u64,
}

/// A frame of the traces' journal, so that it is found again when recovery has copied it to another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(super) struct FramePlace {
    pub(super) offset: Offset,
    /// Its number among the frames of its group commit.
    pub(super) in_group: u32,
}

/// What became of a trace, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// Counts all verdicts since the first.
    pub(super) sequence: u64,
    pub(super) trace_id: TraceId,
    /// The offset of the trace's first span.
    pub(super) epoch: Offset,
    /// The last frame that was taken in before the decision: spans in later ones did not count.
    pub(super) after: FramePlace,
    pub(super) outcome: Outcome,
    /// Spans it was made of.
    pub(super) spans: u32,
    /// Written before, and again so that the older file may go.
    pub(super) copied: bool,
    pub(super) journal_time_ns: u64,
}

/// What a frame of the verdict journal holds: verdicts of one tenant, in ascending sequence.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct VerdictBatch {
    pub(super) limits: CacheLimits,
    pub(super) verdicts: Vec<Verdict>,
}

impl VerdictBatch {
    pub(super) fn encode(&self, names: &PolicyNames) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(64 + self.verdicts.len() * 32);
        buffer.push(VERSION);
        put_varint(&mut buffer, self.limits.kept);
        put_varint(&mut buffer, self.limits.dropped);
        let mut policies: Vec<PolicyNo> = Vec::new();
        let mut numbers: HashMap<PolicyNo, u64> = HashMap::new();
        for verdict in &self.verdicts {
            numbers.entry(verdict.outcome.policy).or_insert_with(|| {
                policies.push(verdict.outcome.policy);
                policies.len() as u64 - 1
            });
        }
        put_varint(&mut buffer, policies.len() as u64);
        for policy in policies {
            let name = names.name(policy).as_bytes();
            put_varint(&mut buffer, name.len() as u64);
            buffer.extend_from_slice(name);
        }
        put_varint(&mut buffer, self.verdicts.len() as u64);
        let mut last = Last::default();
        for verdict in &self.verdicts {
            last.put(verdict, numbers[&verdict.outcome.policy], &mut buffer);
        }
        buffer
    }

    /// The version of a batch that a newer Weir wrote, and the highest that is known.
    pub(super) fn newer(bytes: &[u8]) -> Option<(u32, u32)> {
        let &version = bytes.first()?;
        (version > VERSION).then_some((u32::from(version), u32::from(VERSION)))
    }

    /// `None` when it is not what [`Self::encode`] writes. Names that are new get numbers.
    pub(super) fn decode(bytes: &[u8], names: &PolicyNames) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.u8()? != VERSION {
            return None;
        }
        let limits = CacheLimits { kept: fields.varint()?, dropped: fields.varint()? };
        let mut policies = Vec::new();
        for _ in 0..fields.varint()? {
            let len = fields.varint_u32()? as usize;
            policies.push(names.number(std::str::from_utf8(fields.bytes(len)?).ok()?));
        }
        let count = fields.varint_u32()? as usize;
        // Before anything is allocated.
        if count > fields.0.len() / VERDICT_BYTES_MIN {
            return None;
        }
        let mut last = Last::default();
        let mut verdicts = Vec::with_capacity(count);
        for _ in 0..count {
            verdicts.push(last.read(&mut fields, &policies)?);
        }
        fields.0.is_empty().then_some(Self { limits, verdicts })
    }
}

/// What a verdict's numbers are written as differences from: those of the one before it.
#[derive(Default)]
struct Last {
    sequence: u64,
    after: FramePlace,
    journal_time_ns: u64,
}

impl Last {
    fn put(&mut self, verdict: &Verdict, policy: u64, buffer: &mut Vec<u8>) {
        let outcome = verdict.outcome;
        let counts = outcome.adjusted_count != 1.0;
        let flags = [
            (outcome.keep, KEEP),
            (outcome.is_probabilistic, PROBABILISTIC),
            (counts, COUNTS),
            (verdict.copied, COPIED),
        ];
        buffer.extend_from_slice(&verdict.trace_id.0);
        buffer.push(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
        put_varint(buffer, verdict.sequence.wrapping_sub(self.sequence));
        put_varint(buffer, verdict.after.offset.0.wrapping_sub(self.after.offset.0));
        if verdict.after.offset != self.after.offset {
            put_varint(buffer, u64::from(verdict.after.in_group));
        }
        put_varint(buffer, verdict.after.offset.0.wrapping_sub(verdict.epoch.0));
        put_varint(buffer, policy);
        put_varint(buffer, u64::from(verdict.spans));
        put_varint(buffer, verdict.journal_time_ns.wrapping_sub(self.journal_time_ns));
        if counts {
            buffer.extend_from_slice(&outcome.adjusted_count.to_bits().to_le_bytes());
        }
        *self = Self { sequence: verdict.sequence, after: verdict.after, journal_time_ns: verdict.journal_time_ns };
    }

    fn read(&mut self, fields: &mut Fields<'_>, policies: &[PolicyNo]) -> Option<Verdict> {
        let trace_id = TraceId::from_wire(fields.bytes(16)?)?;
        let flags = fields.u8()?;
        if flags & !(KEEP | PROBABILISTIC | COUNTS | COPIED) != 0 {
            return None;
        }
        self.sequence = self.sequence.wrapping_add(fields.varint()?);
        let further = fields.varint()?;
        if further != 0 {
            self.after.offset.0 = self.after.offset.0.wrapping_add(further);
            self.after.in_group = fields.varint_u32()?;
        }
        let epoch = Offset(self.after.offset.0.wrapping_sub(fields.varint()?));
        let policy = *policies.get(fields.varint_u32()? as usize)?;
        let spans = fields.varint_u32()?;
        self.journal_time_ns = self.journal_time_ns.wrapping_add(fields.varint()?);
        let adjusted_count = if flags & COUNTS != 0 { f64::from_bits(fields.u64()?) } else { 1.0 };
        let is_sound = adjusted_count.is_finite() && adjusted_count >= 1.0;
        let outcome = Outcome {
            keep: flags & KEEP != 0,
            policy,
            adjusted_count: if is_sound { adjusted_count } else { 1.0 },
            is_probabilistic: flags & PROBABILISTIC != 0,
        };
        let (after, journal_time_ns) = (self.after, self.journal_time_ns);
        let (sequence, copied) = (self.sequence, flags & COPIED != 0);
        Some(Verdict { sequence, trace_id, epoch, after, outcome, spans, copied, journal_time_ns })
    }
}

/// A verdict as recovery finds it.
#[derive(Debug, Clone)]
pub(super) struct StoredVerdict {
    pub(super) tenant: u32,
    /// The file of the verdict journal in which it lies.
    pub(super) file: u32,
    /// In force when it was made.
    pub(super) limits: Arc<CacheLimits>,
    pub(super) verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(names: &PolicyNames) -> VerdictBatch {
        let policies = [names.number("errors"), names.number("one percent")];
        let verdict = |n: u64| Verdict {
            sequence: 1_000_000 + n * n,
            trace_id: TraceId([n as u8 + 1; 16]),
            epoch: Offset::new(7, 64 + n as u32),
            after: FramePlace { offset: Offset::new(8, 72 * (n / 3) as u32), in_group: (n / 3) as u32 },
            outcome: Outcome {
                keep: n.is_multiple_of(2),
                policy: policies[n as usize % 2],
                adjusted_count: if n == 3 { 100.0 / 3.0 } else { 1.0 },
                is_probabilistic: n == 3,
            },
            spans: n as u32 * 1000,
            copied: n == 5,
            journal_time_ns: 1_760_000_000_000_000_000 + n / 2,
        };
        let limits = CacheLimits { kept: 100_000, dropped: 0 };
        VerdictBatch { limits, verdicts: (0..9).map(verdict).collect() }
    }

    #[test]
    fn a_batch_comes_back_as_it_was() {
        let names = PolicyNames::default();
        let batch = batch(&names);
        let bytes = batch.encode(&names);
        assert!(bytes.len() < 9 * 36 + 40, "{}", bytes.len());
        assert_eq!(VerdictBatch::decode(&bytes, &names), Some(batch));
        // Another process has met other names.
        let others = PolicyNames::default();
        others.number("slow");
        let read = VerdictBatch::decode(&bytes, &others).expect("sound");
        assert_eq!(others.name(read.verdicts[1].outcome.policy), "one percent");
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        let names = PolicyNames::default();
        let bytes = batch(&names).encode(&names);
        for cut in 0..bytes.len() {
            assert_eq!(VerdictBatch::decode(&bytes[..cut], &names), None, "cut at {cut}");
        }
        let newer = [&[VERSION + 1], &bytes[1..]].concat();
        assert_eq!(VerdictBatch::decode(&newer, &names), None);
        assert_eq!(VerdictBatch::newer(&newer), Some((u32::from(VERSION) + 1, u32::from(VERSION))));
        assert_eq!((VerdictBatch::newer(&bytes), VerdictBatch::newer(&[])), (None, None));
        // A count that no memory is taken for.
        let mut huge = vec![VERSION, 0, 0, 0];
        put_varint(&mut huge, u64::from(u32::MAX));
        assert_eq!(VerdictBatch::decode(&huge, &names), None);
    }
}
