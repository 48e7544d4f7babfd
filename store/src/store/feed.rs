//! Follows a tenant's lines as they become durable: what arrived since the last look, each line once.

use std::sync::Arc;

use tokio::sync::watch;
use weir_proto::TenantId;

use super::Store;
use crate::{
    ask::request::ScanRequest,
    head::LineFile,
    offset::Offset,
    scan::{LinesPart, Scan},
    snapshot::{asked::Snapshot, view::Views},
};

/// What follows the lines of a tenant. It costs those that append nothing: whoever follows reads for himself, as late as he likes.
#[derive(Debug)]
pub struct LineFeed {
    views: Arc<Views>,
    tenant: TenantId,
    /// The last frame that was looked at.
    after: Offset,
    /// The file that it is in: there until all of it was read, sealed or not.
    file: Option<Arc<LineFile>>,
    /// Frames of it that were looked at.
    frames: usize,
    rings: watch::Receiver<u64>,
}

/// Payload that is looked at at once, but for the last frame.
const ARRIVED_BYTES_MAX: u64 = 16 << 20;

/// Lines that arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Reads them: parts in the order of arrival, and the lines of each as well.
    pub scan: Scan,
    /// Whether lines before them were sealed unseen: the follower was too slow.
    pub has_gap: bool,
    /// Whether there are more already.
    pub has_more: bool,
}

impl Store {
    /// Follows a tenant's lines from now on. The snapshot holds all that arrived before.
    pub fn follow_lines(&self, tenant: TenantId) -> (Snapshot, LineFeed) {
        let views = self.0.shared.views.clone();
        let mut rings = views.lines_rung();
        rings.mark_unchanged();
        let snapshot = self.snapshot();
        let (after, file) = (snapshot.0.logs.projected, snapshot.0.logs.files.last().cloned());
        let frames = file.as_ref().map_or(0, |file| file.frames(after).count());
        (snapshot, LineFeed { views, tenant, after, file, frames, rings })
    }
}

impl LineFeed {
    /// Completes once lines arrived since the last look, whoever's; false when no more will.
    pub async fn rung(&mut self) -> bool {
        self.rings.changed().await.is_ok()
    }

    /// What arrived since the last look, of some `rows_max` lines at most. Reads no file yet: the scan does.
    pub fn arrived(&mut self, request: ScanRequest, rows_max: u64) -> Arrived {
        self.rings.mark_unchanged();
        let view = self.views.current();
        let mut parts = Vec::new();
        let (mut rows, mut bytes, mut has_gap) = (0, 0, false);
        let projected = view.logs.projected;
        loop {
            if let Some(file) = &self.file {
                let mut part = LinesPart::empty(file.clone());
                while let Some(frame) = file.frame(self.frames).filter(|frame| frame.offset <= projected) {
                    if rows >= rows_max || bytes >= ARRIVED_BYTES_MAX {
                        parts.extend(part.unless_empty());
                        return Arrived { scan: Scan::of_lines(request, parts), has_gap, has_more: true };
                    }
                    if frame.tenant == self.tenant && !frame.lines.is_empty() {
                        part.push(self.frames as u32, frame);
                        rows += frame.lines.len() as u64;
                        bytes += frame.payload.len();
                    }
                    self.after = frame.offset;
                    self.frames += 1;
                }
                parts.extend(part.unless_empty());
            }
            let number = self.file.as_ref().map_or(self.after.file(), |file| file.number());
            let next = view.logs.files.iter().find(|file| file.number() > number);
            let Some(next) = next else { break };
            // Numbers go up by one. Before the first frame nobody knows where they begin.
            has_gap |= self.after > Offset::default() && next.number() > number + 1;
            self.file = Some(next.clone());
            self.frames = 0;
        }
        Arrived { scan: Scan::of_lines(request, parts), has_gap, has_more: false }
    }
}
