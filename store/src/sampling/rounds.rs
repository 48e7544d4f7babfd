//! A round: verdicts that were decided together, on their way into the verdict journal. They take effect when all are durable.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use weir_proto::TenantId;

use super::{
    slots::SlotNo,
    verdicts::{CacheLimits, Verdict, VerdictBatch},
};
use crate::{
    journal::{Checksummed, Entry, FrameHeader, Journal, JournalAppendError},
    offset::Offset,
};

/// Most verdicts of a round; what is due beyond waits for the next.
pub(super) const VERDICTS_MAX: usize = 64 << 10;

/// Pause before a round that found no space is tried again.
const RETRY: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_millis(500) };

/// A verdict that waits for its fsync.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) tenant: u32,
    /// Where the outcome goes; none for a verdict that is only written again.
    pub(super) slot: Option<SlotNo>,
    /// When it was due, in journal time; 0 when it was decided early.
    pub(super) due_ns: u64,
    pub(super) verdict: Verdict,
}

/// Verdicts decided at one moment.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) decided: Vec<Decided>,
    /// Files that copied verdicts were in before, each time one was.
    pub(super) copied_from: Vec<u32>,
    frames: Vec<RoundFrame>,
    retry_at: Option<Instant>,
}

/// One tenant's verdicts.
#[derive(Debug)]
struct RoundFrame {
    tenant: TenantId,
    payload: Checksummed,
    verdicts: u32,
    journal_time_ns: u64,
    state: FrameState,
}

#[derive(Debug)]
enum FrameState {
    /// In the journal's hands.
    Submitted(oneshot::Receiver<Result<(), JournalAppendError>>),
    /// Without space: to be tried again.
    Refused,
    /// Durable; in which file is about to be said.
    Acknowledged,
    /// In this file.
    Durable(u32),
}

impl Round {
    /// The smallest epoch.
    pub(super) fn epoch(&self) -> Option<Offset> {
        let decided = self.decided.iter().filter(|decided| decided.slot.is_some());
        decided.map(|decided| decided.verdict.epoch).min()
    }

    /// Makes a frame for each tenant.
    pub(super) fn encode(
        &mut self,
        limits: CacheLimits,
        names: &crate::verdict::names::PolicyNames,
        tenant: impl Fn(u32) -> TenantId,
    ) {
        let mut batches: BTreeMap<u32, VerdictBatch> = BTreeMap::new();
        for decided in &self.decided {
            let batch = batches.entry(decided.tenant).or_insert_with(|| VerdictBatch { limits, verdicts: Vec::new() });
            batch.verdicts.push(decided.verdict.clone());
        }
        for (number, batch) in batches {
            self.frames.push(RoundFrame {
                tenant: tenant(number),
                payload: batch.encode(names).into(),
                verdicts: batch.verdicts.len() as u32,
                journal_time_ns: batch.verdicts.last().map_or(0, |verdict| verdict.journal_time_ns),
                state: FrameState::Refused,
            });
        }
    }

    /// Gives the journal what it does not have. Errors other than want of space are for good.
    pub(super) fn submit(&mut self, journal: &Journal<u32>) -> Result<(), JournalAppendError> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.retry_at = None;
        for (number, frame) in self.frames.iter_mut().enumerate() {
            if !matches!(frame.state, FrameState::Refused) {
                continue;
            }
            let header = FrameHeader {
                tenant: frame.tenant.clone(),
                received_at_ns: frame.journal_time_ns,
                items: frame.verdicts,
                rejected: Vec::new(),
                generation: 0,
                cursor: Bytes::new(),
                head_dropped: 0,
            };
            match journal.submit(Entry { header, payload: frame.payload.clone(), attachment: number as u32 }) {
                Ok(acked) => frame.state = FrameState::Submitted(acked),
                // The rest follows when there is room in the queue.
                Err(JournalAppendError::QueueFull) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The journal says that a frame is durable, in `file`.
    pub(super) fn settle(&mut self, number: u32, file: u32) {
        if let Some(frame) = self.frames.get_mut(number as usize) {
            frame.state = FrameState::Durable(file);
        }
    }

    /// Looks for frames that the journal refused. Errors other than want of space are for good.
    pub(super) fn look_for_refusals(&mut self) -> Result<(), JournalAppendError> {
        for frame in &mut self.frames {
            let FrameState::Submitted(acked) = &mut frame.state else { continue };
            match acked.try_recv() {
                Ok(Ok(())) => frame.state = FrameState::Acknowledged,
                Err(oneshot::error::TryRecvError::Empty) => {}
                Ok(Err(JournalAppendError::DiskFull)) => {
                    frame.state = FrameState::Refused;
                    self.retry_at = Some(Instant::now() + RETRY);
                }
                Ok(Err(error)) => return Err(error),
                Err(oneshot::error::TryRecvError::Closed) => return Err(JournalAppendError::Stopped),
            }
        }
        Ok(())
    }

    /// Whether it waits for space.
    pub(super) fn is_refused(&self) -> bool {
        self.retry_at.is_some()
    }

    /// The first file that has a part of it, once all of it is durable.
    pub(super) fn durable_in(&self) -> Option<u32> {
        let files = self.frames.iter().map(|frame| match frame.state {
            FrameState::Durable(file) => Some(file),
            _ => None,
        });
        files.min_by_key(|file| file.unwrap_or(0)).flatten()
    }
}
