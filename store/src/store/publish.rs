//! Makes committed frames visible: into the head, then one swap of the view.

use std::sync::{Arc, Mutex, PoisonError};

use weir_proto::otlp::traces::{Checks, scan};

use super::view::Views;
use crate::{
    Offset, Rejection,
    head::{BatchSummaries, HeadFile, Payload, PayloadBudget},
    journal::{Committed, JournalFile},
};

/// What the committer calls after each fsync, before the acknowledgements.
pub(super) fn publisher(
    views: Arc<Views>,
    budget: Arc<Mutex<PayloadBudget>>,
) -> impl FnMut(Vec<Committed<BatchSummaries>>) + Send + 'static {
    move |committed| {
        let mut files = views.current().files.clone();
        let known_files = files.len();
        let mut projected = Offset::default();
        let mut budget = budget.lock().unwrap_or_else(PoisonError::into_inner);
        for frame in committed {
            let file = match files.last() {
                Some(file) if file.number() == frame.file.number() => file.clone(),
                _ => {
                    files.push(Arc::new(HeadFile::new(frame.file.clone())));
                    files[files.len() - 1].clone()
                }
            };
            let payload = Payload::cached(frame.payload_position, frame.entry.payload);
            let index = file.publish(frame.offset, &frame.entry.header, payload, frame.entry.attachment);
            budget.add(&file, index);
            projected = frame.offset;
        }
        drop(budget);
        let added = &files[known_files..];
        views.change(|view| {
            view.files.extend_from_slice(added);
            view.projected = view.projected.max(projected);
        });
    }
}

/// Reads a recovered journal file into the head.
pub(super) fn replay(journal: Arc<JournalFile>) -> HeadFile {
    let head = HeadFile::new(journal.clone());
    let mut frames = journal.frames();
    for frame in &mut frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(damage) => {
                tracing::error!(file = journal.number(), %damage, "damaged frames in the journal; the rest is read");
                continue;
            }
        };
        let summaries = summarise(&frame.payload, &frame.header.rejected, frame.header.accepted() as usize);
        let payload = Payload::in_journal(frame.payload_position, frame.payload.len() as u32);
        head.publish(frame.offset, &frame.header, payload, summaries);
    }
    head.add_damaged(&frames.damaged());
    head
}

/// The summaries that admission made when the payload arrived: its own rejections apply, nothing is judged again.
fn summarise(payload: &[u8], rejected: &[Rejection], accepted: usize) -> BatchSummaries {
    let mut summaries = BatchSummaries::with_capacity(accepted);
    let mut rejected = rejected.iter().peekable();
    let scanned = scan(payload, Checks::Journalled, |scanned| {
        if rejected.next_if(|rejection| rejection.ordinal == scanned.ordinal).is_none() {
            summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
        }
    });
    if let Err(error) = scanned {
        // The head counts what is missing as damaged.
        tracing::error!(%error, "a journalled payload cannot be read");
    }
    summaries
}
