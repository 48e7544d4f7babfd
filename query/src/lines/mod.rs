//! The store's log records as LogQL sees them: streams with labels, lines, and what came beside them.
//!
//! [`resources`] makes streams of resources, [`wanted`] says what is read, [`rows`] makes lines of a scan's batches, [`tail`] follows those that arrive.

mod classes;
mod resources;
mod rows;
mod tail;
mod wanted;

use std::{sync::Arc, time::Instant};

use arrow_array::RecordBatch;
use parking_lot::Mutex;
use weir_proto::{Signal, TenantId};
use weir_store::{
    FieldTest, ReadBounds, ResourceTest, Scan, ScanColumn, ScanFilter, ScanPart, ScanRequest, Snapshot, TimePiece,
};

pub(crate) use self::tail::LineTail;
use self::{resources::Resources, wanted::Wanted};
use crate::logql::{
    LogqlError,
    ast::{Matcher, Unit},
    engine::{Bounds, Lines, Parts, Piece, Selection, Takes},
    labels::StreamLabels,
    pipeline::{Filter, Needles, Record, TextTest, number_fits, selects},
};

/// Labels that a line may have from elsewhere than its body, whatever its attributes are, and the store does not look for.
const ALWAYS_BESIDE: [&str; 10] = [
    "service_name",
    "detected_level",
    "severity_number",
    "severity_text",
    "scope_name",
    "scope_version",
    "event_name",
    "observed_timestamp",
    "__error__",
    "__error_details__",
];

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
    let mut body_contains = needles.all.clone();
    body_contains.retain(|needle| !needle.is_empty());
    body_contains.dedup();
    let filter = ScanFilter {
        start_ns: *start_ns..=end_ns.saturating_sub(1),
        body_contains,
        body_any: needles.any.clone(),
        body_any_case: needles.any_case.clone(),
        body_lacks: needles.none.clone(),
        resources: Some(resource_test(matchers, resources)?),
        fields: selection.conditions.iter().filter_map(field_test).collect(),
        beside: selection.beside.iter().filter_map(field_test).collect(),
        ..ScanFilter::default()
    };
    Ok(ScanRequest { columns, filter })
}

/// Leaves out lines by a condition on a label that a JSON parser finds.
fn field_test(condition: &Filter) -> Option<FieldTest> {
    let name = condition.label()?;
    if ALWAYS_BESIDE.contains(&name) || name.ends_with("_extracted") {
        return None;
    }
    Some(match condition.clone() {
        Filter::Text(test) => {
            let only = test.only_text().map(str::to_owned);
            let fits = FieldTest::new(name, move |text| test.fits(text.unwrap_or_default()));
            match only {
                Some(text) => fits.with_text(&text),
                None => fits,
            }
        }
        Filter::Number { op, unit, value, .. } => {
            // What is no number is an error, and stays.
            let fits =
                move |text: Option<&str>| text.is_some_and(|text| number_fits(text, op, unit, value).unwrap_or(true));
            let test = FieldTest::new(name, fits);
            if unit == Unit::Number { test.with_numbers(move |number| op.holds(number, value)) } else { test }
        }
        _ => return None,
    })
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
        let wanted = Wanted::of(selection, self.detects_levels);
        let scan = self.scan(wanted.columns(), selection)?;
        Ok(Box::new(SnapshotParts { lines: self, scan, wanted }))
    }

    fn tests_needles(&self) -> bool {
        true
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
        let wanted = Wanted::streams();
        let selection = Selection {
            matchers,
            needles: Needles::default(),
            conditions: Vec::new(),
            beside: Vec::new(),
            start_ns,
            end_ns,
            needs_text: false,
            labels: Some(Vec::new()),
            fields: None,
        };
        let scan = self.scan(wanted.columns(), &selection)?;
        for part in scan.parts() {
            if Instant::now() >= self.deadline {
                return Err(LogqlError::TimedOut);
            }
            let batch = scan.read(part);
            for resource in wanted.resources(&batch, &self.resources) {
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
    wanted: Wanted,
}

impl SnapshotParts<'_> {
    fn part(&self, part: usize) -> &ScanPart {
        &self.scan.parts()[part]
    }

    /// Reads the batches of a part, each with the number of its first line.
    fn batches(
        &self,
        part: usize,
        bounds: &Bounds<'_>,
        mut read: impl FnMut((&RecordBatch, u64)) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        let of_part = ReadBounds { start_min_ns: bounds.time_min_ns, ..ReadBounds::default() };
        let pieces = self.scan.pieces(self.part(part), &of_part, self.wanted.rows_max());
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        if bounds.newest_first {
            order.reverse();
        }
        for number in order {
            let piece = &pieces[number];
            if (bounds.is_wanted)(piece.time_ns()) {
                read((&self.scan.read_piece(piece), (number as u64) << 32))?;
            }
        }
        Ok(())
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
        bounds: &Bounds<'_>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        self.batches(part, bounds, |batch| self.wanted.each(batch, &self.lines.resources, each))
    }

    fn read_alike(&self, part: usize, bounds: &Bounds<'_>, takes: &mut dyn Takes) -> Result<(), LogqlError> {
        self.batches(part, bounds, |batch| self.wanted.each_alike(batch, &self.lines.resources, takes))
    }

    fn count(
        &self,
        part: usize,
        time_min_ns: u64,
        cut: &dyn Fn(i64) -> Piece,
        takes: &mut dyn Takes,
    ) -> Result<bool, LogqlError> {
        let bounds = ReadBounds { start_min_ns: time_min_ns, ..ReadBounds::default() };
        let cut = |time_ns| {
            let Piece { number, after_ns, to_ns } = cut(time_ns);
            TimePiece { number, after_ns, to_ns }
        };
        let Some(counted) = self.scan.count(self.part(part), &bounds, &cut) else { return Ok(false) };
        self.wanted.each_counted(&counted, &self.lines.resources, takes)?;
        Ok(true)
    }

    fn is_partial(&self) -> bool {
        self.scan.is_partial()
    }
}

#[cfg(test)]
mod tests;
