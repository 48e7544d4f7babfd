//! Makes committed frames visible: into the head, to the sampler, then one swap of the view.

use std::sync::Arc;

use parking_lot::Mutex;

use weir_proto::otlp::{
    Checks,
    logs::{self, IdFinder, IdNames},
    traces,
};

use super::lane::Laned;
use crate::{
    head::{BatchSummaries, HeadFile, LineFile, LineRows, LineSummaries, Payload, PayloadBudget, SpanFile, SpanRows},
    journal::{Committed, FrameHeader, JournalFile, Newer, StoredFrame},
    offset::Offset,
    sampling::{FedFrame, Marking, SampledState, Sampling},
    snapshot::view::Views,
    verdict::mark::{SpanMark, SpanMarker},
};

/// What the traces' committer calls after each fsync, before the acknowledgements.
pub(crate) fn traces_publisher(
    views: Arc<Views>,
    sampled: Arc<SampledState>,
    budget: Arc<Mutex<PayloadBudget>>,
) -> impl FnMut(Vec<Committed<BatchSummaries>>) + Send + 'static {
    move |mut committed| {
        let marking = sampled.marking();
        let marks: Vec<_> = committed.iter_mut().map(|frame| marks(frame, &marking)).collect();
        let mut fed = Vec::new();
        let mut marks = marks.into_iter();
        publish::<SpanRows>(&views, &budget, committed, |file, index, in_group| {
            if let Some((marks, marked_by)) = marks.next().flatten() {
                fed.push(FedFrame { file, index, in_group, marks, marked_by });
            }
        });
        // After the view: what the sampler has counted is always in it. Before the next group, which may close the file.
        sampled.feed(fed, marking);
    }
}

/// What the logs' committer calls after each fsync, before the acknowledgements.
pub(crate) fn logs_publisher(
    views: Arc<Views>,
    budget: Arc<Mutex<PayloadBudget>>,
) -> impl FnMut(Vec<Committed<LineSummaries>>) + Send + 'static {
    move |committed| {
        publish::<LineRows>(&views, &budget, committed, |_, _, _| {});
        views.ring_lines();
    }
}

/// Puts a group's frames into the head, and shows them; `published` hears of each: its file, its index there, its number in the
/// group.
fn publish<L: Laned>(
    views: &Views,
    budget: &Mutex<PayloadBudget>,
    committed: Vec<Committed<L::Batch>>,
    mut published: impl FnMut(Arc<HeadFile<L>>, usize, u32),
) {
    let mut files = L::of_view(&views.current()).files.clone();
    let known_files = files.len();
    let mut projected = Offset::default();
    let mut budget = budget.lock();
    for (in_group, frame) in (0..).zip(committed) {
        let file = match files.last() {
            Some(file) if file.number() == frame.file.number() => file.clone(),
            _ => {
                files.push(Arc::new(HeadFile::new(frame.file.clone())));
                files[files.len() - 1].clone()
            }
        };
        let payload = Payload::cached(frame.payload_position, frame.entry.payload.into_bytes());
        let index = file.publish(frame.offset, &frame.entry.header, payload, frame.entry.attachment);
        budget.add(&file, index);
        projected = frame.offset;
        published(file, index, in_group);
    }
    drop(budget);
    let added = &files[known_files..];
    views.change(|view| {
        let view = L::of_view_mut(view);
        view.files.extend_from_slice(added);
        view.projected = view.projected.max(projected);
    });
}

/// The marks of a frame's spans, when something samples them: by the configuration in force, or, when there is none any more, by
/// the one before, which has traces to decide.
fn marks(frame: &mut Committed<BatchSummaries>, marking: &Marking<'_>) -> Option<(Vec<SpanMark>, u32)> {
    let (header, summaries) = (&frame.entry.header, &mut frame.entry.attachment);
    if header.generation == 0 {
        return None;
    }
    let marks = std::mem::take(&mut summaries.marks);
    match &**marking {
        // It was admitted just before a reload.
        Some(sampling) if sampling.generation() != header.generation || marks.len() != summaries.len() => {
            let marks = summarise(&frame.entry.payload, header, Some(sampling.marker())).marks;
            Some((marks, sampling.generation()))
        }
        _ => Some((marks, header.generation)),
    }
}

/// Reads a recovered journal file of traces into the head; answers also its sampled frames.
pub(crate) fn replay_traces(
    journal: &Arc<JournalFile>,
    sampling: Option<&dyn Sampling>,
) -> Result<(Arc<SpanFile>, Vec<FedFrame>), Newer> {
    let mut fed = Vec::new();
    let marked_by = sampling.map_or(0, Sampling::generation);
    let (mut group, mut in_group) = (0, 0);
    let mut marks = Vec::new();
    let summarise = |frame: &StoredFrame| {
        let marker = sampling.filter(|_| frame.header.generation != 0).map(|sampling| sampling.marker());
        let mut summaries = summarise(&frame.payload, &frame.header, marker);
        marks.push(std::mem::take(&mut summaries.marks));
        summaries
    };
    let mut read = Vec::new();
    let head = replay::<SpanRows>(journal, summarise, |frame, index| {
        in_group = if frame.group == group { in_group + 1 } else { 0 };
        group = frame.group;
        read.push((index, in_group, frame.header.generation));
    })?;
    for ((index, in_group, generation), marks) in read.into_iter().zip(marks) {
        if generation != 0 {
            fed.push(FedFrame { file: head.clone(), index, in_group, marks, marked_by });
        }
    }
    Ok((head, fed))
}

/// Reads a recovered journal file of logs into the head.
pub(crate) fn replay_logs(journal: &Arc<JournalFile>, names: &IdNames) -> Result<Arc<LineFile>, Newer> {
    replay::<LineRows>(journal, |frame| summarise_lines(&frame.payload, &frame.header, names), |_, _| {})
}

/// Reads a recovered journal file into the head; `published` hears of each frame and its index there.
fn replay<L: Laned>(
    journal: &Arc<JournalFile>,
    mut summarise: impl FnMut(&StoredFrame) -> L::Batch,
    mut published: impl FnMut(&StoredFrame, usize),
) -> Result<Arc<HeadFile<L>>, Newer> {
    let head = Arc::new(HeadFile::new(journal.clone()));
    let mut frames = journal.frames();
    for frame in &mut frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(damage) => {
                Newer::of_damage(journal, &damage)?;
                tracing::error!(file = journal.number(), %damage, "damaged frames in the journal; the rest is read");
                continue;
            }
        };
        let summaries = summarise(&frame);
        let payload = Payload::in_journal(frame.payload_position, frame.payload.len() as u32);
        let index = head.publish(frame.offset, &frame.header, payload, summaries);
        published(&frame, index);
    }
    head.add_damaged(&frames.damaged());
    Ok(head)
}

/// The summaries that admission made when the payload arrived: its own rejections apply, nothing is judged again.
fn summarise(payload: &[u8], header: &FrameHeader, mut marker: Option<Box<dyn SpanMarker + '_>>) -> BatchSummaries {
    let mut summaries = BatchSummaries::with_capacity(header.accepted() as usize);
    let mut rejected = header.rejected.iter().peekable();
    let scanned = traces::scan(payload, Checks::Journalled, |scanned| {
        if rejected.next_if(|rejection| rejection.ordinal == scanned.ordinal).is_none() {
            summaries.push(scanned.ordinal, scanned.resource_ordinal, &scanned.resource, &scanned.span);
            if let Some(marker) = &mut marker {
                summaries.mark(&mut **marker, scanned);
            }
        }
    });
    if let Err(error) = scanned {
        // The head counts what is missing as damaged.
        tracing::error!(%error, "a journalled payload cannot be read");
    }
    summaries
}

/// The same of lines.
fn summarise_lines(payload: &[u8], header: &FrameHeader, names: &IdNames) -> LineSummaries {
    let mut summaries = LineSummaries::with_capacity(header.accepted() as usize);
    let mut rejected = header.rejected.iter().peekable();
    let mut ids = IdFinder::new(names);
    let scanned = logs::scan(payload, Checks::Journalled, |scanned| {
        if rejected.next_if(|rejection| rejection.ordinal == scanned.ordinal).is_none() {
            summaries.push_of(scanned.ordinal, header.received_at_ns, &scanned.line, ids.ids(&scanned.line));
        }
    });
    if let Err(error) = scanned {
        // The head counts what is missing as damaged.
        tracing::error!(%error, "a journalled payload cannot be read");
    }
    summaries
}
