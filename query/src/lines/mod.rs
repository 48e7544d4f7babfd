//! The store's log records as LogQL sees them: streams with labels, lines, and what came beside them.
//!
//! [`resources`] makes streams of resources, [`rows`] lines of a scan's batches, [`tail`] follows those that arrive.

mod resources;
mod rows;
mod tail;

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;

use weir_proto::{Signal, TenantId};
use weir_store::{ReadBounds, ResourceTest, Scan, ScanColumn, ScanFilter, ScanPart, ScanRequest, Snapshot};

pub(crate) use self::tail::LineTail;
use self::{
    resources::Resources,
    rows::{Rows, columns},
};
use crate::logql::{
    LogqlError,
    ast::Matcher,
    engine::{Bounds, Lines, Parts, Selection},
    labels::StreamLabels,
    pipeline::{Record, TextTest, selects},
};

/// Rows that are read at a time: lines are long.
const PIECE_ROWS_MAX: u32 = if cfg!(test) { 100 } else { 16_384 };

/// A tenant's lines, as of a moment.
#[derive(Debug)]
pub(crate) struct SnapshotLines {
    snapshot: Snapshot,
    tenant: TenantId,
    deadline: Instant,
    detects_levels: bool,
    resources: Arc<Mutex<Resources>>,
}

impl SnapshotLines {
    /// Of a snapshot; planning gives up at the deadline.
    pub(crate) fn new(snapshot: Snapshot, tenant: TenantId, deadline: Instant, detects_levels: bool) -> Self {
        Self { snapshot, tenant, deadline, detects_levels, resources: Arc::default() }
    }

    fn scan(&self, columns: Vec<ScanColumn>, selection: &Selection<'_>) -> Result<Scan, LogqlError> {
        let request = request(columns, selection, &self.resources)?;
        let gives_up = || Instant::now() >= self.deadline;
        let scan = self.snapshot.scan_unless(Signal::Logs, &self.tenant, request, &gives_up);
        scan.ok_or(LogqlError::TimedOut)
    }
}

/// What a selection asks of a scan.
fn request(
    columns: Vec<ScanColumn>,
    selection: &Selection<'_>,
    resources: &Arc<Mutex<Resources>>,
) -> Result<ScanRequest, LogqlError> {
    let Selection { matchers, needles, start_ns, end_ns, .. } = selection;
    let mut needles = needles.clone();
    needles.retain(|needle| !needle.is_empty());
    needles.dedup();
    let filter = ScanFilter {
        start_ns: *start_ns..=end_ns.saturating_sub(1),
        body_contains: needles,
        resources: Some(resource_test(matchers, resources)?),
        ..ScanFilter::default()
    };
    Ok(ScanRequest { columns, filter })
}

/// Leaves out the streams that have a label which does not fit. What a stream does not have may lie beside a line.
fn resource_test(matchers: &[Matcher], resources: &Arc<Mutex<Resources>>) -> Result<ResourceTest, LogqlError> {
    let tests = matchers.iter().map(TextTest::new).collect::<Result<Vec<_>, _>>()?;
    let resources = Arc::clone(resources);
    Ok(ResourceTest::new(move |json, scope| {
        let resource = resources.lock().of(json, scope);
        tests.iter().all(|test| resource.stream.get(test.name()).is_none_or(|value| test.fits(value)))
    }))
}

impl Lines for SnapshotLines {
    fn parts<'a>(&'a self, selection: &Selection<'_>) -> Result<Box<dyn Parts + 'a>, LogqlError> {
        let rows = Rows::wanted(selection, self.detects_levels);
        let scan = self.scan(columns(&rows), selection)?;
        let scan = if rows.needs_text || rows.needs_beside { scan.split(PIECE_ROWS_MAX) } else { scan };
        Ok(Box::new(SnapshotParts { lines: self, scan, rows }))
    }
}

impl SnapshotLines {
    /// Calls `found` with the labels of every stream that fits the matchers and has a line in this time; streams may come several times.
    pub(crate) fn streams(
        &self,
        matchers: &[Matcher],
        (start_ns, end_ns): (u64, u64),
        found: &mut dyn FnMut(&StreamLabels) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        if start_ns >= end_ns {
            return Ok(());
        }
        let fits = selects(matchers)?;
        let rows = Rows { needs_text: false, needs_beside: false, detects_levels: false };
        let selection =
            Selection { matchers, needles: Vec::new(), start_ns, end_ns, needs_text: false, labels: Some(Vec::new()) };
        let scan = self.scan(columns(&rows), &selection)?;
        for part in scan.parts() {
            if Instant::now() >= self.deadline {
                return Err(LogqlError::TimedOut);
            }
            let batch = scan.read(part);
            for resource in rows.resources(&batch, &self.resources)? {
                if fits(&resource.stream) {
                    found(&resource.stream)?;
                }
            }
        }
        Ok(())
    }
}

struct SnapshotParts<'a> {
    lines: &'a SnapshotLines,
    scan: Scan,
    rows: Rows,
}

impl SnapshotParts<'_> {
    fn part(&self, part: usize) -> &ScanPart {
        &self.scan.parts()[part]
    }
}

impl Parts for SnapshotParts<'_> {
    fn len(&self) -> usize {
        self.scan.parts().len()
    }

    fn time_ns(&self, part: usize) -> (u64, u64) {
        self.part(part).start_ns()
    }

    fn arrival(&self, part: usize) -> u64 {
        self.part(part).arrival()
    }

    fn read(
        &self,
        part: usize,
        bounds: Bounds,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        let bounds = ReadBounds { start_min_ns: bounds.time_min_ns, ..ReadBounds::default() };
        let batch = self.scan.read_within(self.part(part), &bounds);
        self.rows.each(&batch, &self.lines.resources, each)
    }

    fn is_partial(&self) -> bool {
        self.scan.is_partial()
    }
}
