//! Plans a scan over a snapshot, and reads its parts.

use std::{
    cmp::Reverse,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::RecordBatch;
use weir_proto::{Signal, TenantId};

use super::{HeadPart, LinesPart, head, lines};
use crate::{
    ask::{
        counted::{CountedRows, CutTime},
        pruned::{Pruned, ReadCounts},
        request::{ReadBounds, ScanColumn, ScanRequest},
    },
    segment::{NarrowedRows, SegmentError, SegmentPart, is_countable},
    snapshot::{asked::Snapshot, kind::SegmentKind, stored::StoredSegment, unread::Unread},
};

/// A planned scan. What it reads lives as long as it does.
#[derive(Debug, Clone)]
pub struct Scan {
    signal: Signal,
    request: ScanRequest,
    parts: Arc<[ScanPart]>,
    pruned: Pruned,
    counts: Arc<ReadCounts>,
    missing: Unread,
    /// Whether rows may be counted instead of read: until a part says that they cannot.
    counts_rows: Arc<AtomicBool>,
}

/// Rows that are read in one piece: a row group, or some frames of the head.
#[derive(Debug, Clone)]
pub struct ScanPart {
    start_ns: (u64, u64),
    rows_max: u64,
    /// Its number in the order of arrival, and that of the piece that it is of it.
    arrival: (u32, u32),
    source: PartSource,
}

#[derive(Debug, Clone)]
enum PartSource {
    Segment(Arc<StoredSegment>, SegmentPart),
    Head(HeadPart),
    HeadLines(LinesPart),
}

/// Rows of a part, to be read.
#[derive(Debug, Clone)]
pub struct ScanPiece {
    time_ns: (u64, u64),
    source: Rows,
}

#[derive(Debug, Clone)]
enum Rows {
    Narrowed(Arc<StoredSegment>, NarrowedRows),
    Unread(ScanPart, ReadBounds),
}

impl ScanPiece {
    /// No row lies before or after these in time, Unix ns.
    pub fn time_ns(&self) -> (u64, u64) {
        self.time_ns
    }
}

impl ScanPart {
    /// No row lies before or after these in time, Unix ns.
    pub fn start_ns(&self) -> (u64, u64) {
        self.start_ns
    }

    /// Rows at most.
    pub fn rows_max(&self) -> u64 {
        self.rows_max
    }

    /// Rows of a part with a smaller one arrived before: of segments in the order of the journal, then of the head.
    pub fn arrival(&self) -> u64 {
        u64::from(self.arrival.0) << 32 | u64::from(self.arrival.1)
    }

    /// Whether it lies in the head.
    pub fn is_head(&self) -> bool {
        matches!(self.source, PartSource::Head(_) | PartSource::HeadLines(_))
    }
}

impl Snapshot {
    /// Decides what of the tenant's spans has to be read: parts with the newest start first. Reads trace indexes at most; call it where blocking
    /// is allowed.
    pub fn scan(&self, tenant: &TenantId, request: ScanRequest) -> Scan {
        self.scan_unless(Signal::Traces, tenant, request, &|| false).expect("nothing gives up")
    }

    /// As [`Self::scan`], of any signal; `None` once `gives_up` says so, which is asked before every file and between some traces.
    pub fn scan_unless(
        &self,
        signal: Signal,
        tenant: &TenantId,
        request: ScanRequest,
        gives_up: &dyn Fn() -> bool,
    ) -> Option<Scan> {
        let mut pruned = Pruned::default();
        let counts = Arc::new(ReadCounts::default());
        let of_head = self.head_parts(signal, tenant, &request, &mut pruned, gives_up)?;
        let mut parts = Vec::new();
        for segment in self.segments_of(signal, tenant) {
            if gives_up() {
                return None;
            }
            match segment.parts(&request.filter, &mut pruned, gives_up) {
                Ok(found) => parts.extend(found.into_iter().map(|part| ScanPart {
                    start_ns: part.start_ns,
                    rows_max: part.rows_max(),
                    arrival: (0, 0),
                    source: PartSource::Segment(segment.clone(), part),
                })),
                // A broken segment hurts only itself.
                Err(error) => {
                    self.missed(segment, &error);
                    pruned.segments_damaged += 1;
                    ReadCounts::add(&counts.damaged, 1);
                }
            }
        }
        if gives_up() {
            return None;
        }
        // Segments hold what arrived before the head's rows.
        parts.extend(of_head);
        (0..).zip(&mut parts).for_each(|(number, part)| part.arrival.0 = number);
        parts.sort_by_key(|part| Reverse(part.start_ns.1));
        let counts_rows = Arc::new(AtomicBool::new(is_countable(&request)));
        Some(Scan { signal, request, parts: parts.into(), pruned, counts, missing: self.1.clone(), counts_rows })
    }

    /// What of a signal's head has to be read.
    fn head_parts(
        &self,
        signal: Signal,
        tenant: &TenantId,
        request: &ScanRequest,
        pruned: &mut Pruned,
        gives_up: &dyn Fn() -> bool,
    ) -> Option<Vec<ScanPart>> {
        let mut parts = Vec::new();
        let of_traces = if signal == Signal::Traces { &self.view().traces.files[..] } else { &[] };
        for file in of_traces {
            if gives_up() {
                return None;
            }
            let found = head::parts(file, tenant, self, &request.filter, pruned);
            parts.extend(found.into_iter().map(|part| ScanPart {
                start_ns: part.start_ns,
                rows_max: part.rows_max,
                arrival: (0, 0),
                source: PartSource::Head(part),
            }));
        }
        let of_logs = if signal == Signal::Logs { &self.view().logs.files[..] } else { &[] };
        for file in of_logs {
            if gives_up() {
                return None;
            }
            let found = lines::parts(file, tenant, self.view().logs.projected, &request.filter, pruned);
            parts.extend(found.into_iter().map(|part| ScanPart {
                start_ns: part.time_ns,
                rows_max: part.rows_max,
                arrival: (0, 0),
                source: PartSource::HeadLines(part),
            }));
        }
        Some(parts)
    }
}

impl Scan {
    /// These lines of the head, in this order.
    pub(crate) fn of_lines(request: ScanRequest, lines: Vec<LinesPart>) -> Self {
        let part = |(number, lines): (u32, LinesPart)| ScanPart {
            start_ns: lines.time_ns,
            rows_max: lines.rows_max,
            arrival: (number, 0),
            source: PartSource::HeadLines(lines),
        };
        let parts = (0..).zip(lines).map(part).collect();
        let (counts, missing) = Default::default();
        let counts_rows = Arc::default();
        Self { signal: Signal::Logs, request, parts, pruned: Pruned::default(), counts, missing, counts_rows }
    }

    /// Scans of one process with one filter and the same of these read the same rows in the same order. No two others have it but by a
    /// chance of 2⁻⁶⁴.
    pub fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for part in self.parts.iter() {
            match &part.source {
                PartSource::Segment(segment, part) => {
                    segment.segment_id().hash(&mut hasher);
                    part.hash(&mut hasher);
                }
                PartSource::Head(part) => part.identify(&mut hasher),
                PartSource::HeadLines(part) => part.identify(&mut hasher),
            }
        }
        hasher.finish()
    }

    /// The same rows with other columns; what is counted is counted together.
    pub fn with_columns(&self, columns: Vec<ScanColumn>) -> Self {
        let request = ScanRequest { columns, filter: self.request.filter.clone() };
        let counts_rows = Arc::new(AtomicBool::new(is_countable(&request)));
        Self { request, counts_rows, ..self.clone() }
    }

    /// The same rows in parts of some `rows_max` rows, for columns that take much memory.
    pub fn split(&self, rows_max: u32) -> Self {
        let split = |part: &ScanPart| -> Vec<ScanPart> {
            let with = |(number, source), rows_max| {
                let arrival = (part.arrival.0, number);
                ScanPart { start_ns: part.start_ns, rows_max, arrival, source }
            };
            match &part.source {
                PartSource::Segment(segment, rows) => {
                    let pieces = (0..).zip(rows.split(rows_max));
                    let source = |piece: &SegmentPart| PartSource::Segment(segment.clone(), piece.clone());
                    pieces.map(|(number, piece)| with((number, source(&piece)), piece.rows_max())).collect()
                }
                PartSource::Head(rows) => {
                    let pieces = newest_last(rows.split(rows_max));
                    pieces
                        .map(|(number, piece)| with((number, PartSource::Head(piece.clone())), piece.rows_max))
                        .collect()
                }
                PartSource::HeadLines(rows) => {
                    let pieces = newest_last(rows.split(rows_max));
                    let source = |piece: &LinesPart| PartSource::HeadLines(piece.clone());
                    pieces.map(|(number, piece)| with((number, source(&piece)), piece.rows_max)).collect()
                }
            }
        };
        Self { parts: self.parts.iter().flat_map(split).collect(), ..self.clone() }
    }

    /// The rows of a part that fulfil the filter, in pieces of at most some `rows_max`, in the order of arrival: the part is narrowed now, columns are read
    /// piece by piece. A part that cannot be read is reported, counted and empty.
    pub fn pieces(&self, part: &ScanPart, bounds: &ReadBounds, rows_max: u32) -> Vec<ScanPiece> {
        match &part.source {
            PartSource::Segment(segment, rows) => {
                match segment.narrow_part(rows, &self.request, bounds, (rows_max, &self.counts)) {
                    Ok(pieces) => pieces
                        .into_iter()
                        .map(|rows| ScanPiece { time_ns: rows.time_ns, source: Rows::Narrowed(segment.clone(), rows) })
                        .collect(),
                    Err(error) => {
                        self.missed(segment, &error);
                        Vec::new()
                    }
                }
            }
            PartSource::Head(_) => {
                vec![ScanPiece { time_ns: part.start_ns, source: Rows::Unread(part.clone(), *bounds) }]
            }
            PartSource::HeadLines(rows) => {
                let pieces = rows.split(rows_max).into_iter().rev();
                let piece = |rows: LinesPart| {
                    let time_ns = rows.time_ns;
                    let source = PartSource::HeadLines(rows);
                    ScanPiece { time_ns, source: Rows::Unread(ScanPart { source, ..part.clone() }, *bounds) }
                };
                pieces.map(piece).collect()
            }
        }
    }

    /// The rows of a part that fulfil the filter, counted by what they have in the columns, times aside, and by pieces of time; `None` where they
    /// have to be read. A part that cannot be read is reported, counted and empty.
    pub fn count(&self, part: &ScanPart, bounds: &ReadBounds, cut: CutTime<'_>) -> Option<CountedRows> {
        let PartSource::Segment(segment, rows) = &part.source else { return None };
        if !self.counts_rows.load(Ordering::Relaxed) {
            return None;
        }
        let counted = segment.count_part(rows, &self.request, bounds, cut, &self.counts).unwrap_or_else(|error| {
            self.missed(segment, &error);
            let classes = RecordBatch::new_empty(self.request.schema(self.signal));
            Some(CountedRows { classes, rows: Vec::new() })
        });
        if counted.is_none() {
            // The next ones are mostly like it, and would be narrowed twice.
            self.counts_rows.store(false, Ordering::Relaxed);
        }
        counted
    }

    /// The rows of a piece.
    pub fn read_piece(&self, piece: &ScanPiece) -> RecordBatch {
        match &piece.source {
            Rows::Unread(part, bounds) => self.read_within(part, bounds),
            Rows::Narrowed(segment, rows) => segment.read_narrowed(rows, &self.request).unwrap_or_else(|error| {
                self.missed(segment, &error);
                RecordBatch::new_empty(self.request.schema(self.signal))
            }),
        }
    }

    /// The objects of the archive that are read, each once.
    pub fn objects(&self) -> Vec<&str> {
        let mut objects: Vec<&str> = Vec::new();
        for part in self.parts.iter() {
            if let PartSource::Segment(segment, _) = &part.source {
                objects.extend(segment.object());
            }
        }
        objects.sort_unstable();
        objects.dedup();
        objects
    }

    /// Whose rows they are.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// What it was asked for.
    pub fn request(&self) -> &ScanRequest {
        &self.request
    }

    /// What is left to read, newest first by the largest start.
    pub fn parts(&self) -> &[ScanPart] {
        &self.parts
    }

    /// What planning left out.
    pub fn pruned(&self) -> &Pruned {
        &self.pruned
    }

    /// What reading found so far.
    pub fn counts(&self) -> &ReadCounts {
        &self.counts
    }

    /// Whether something could not be read so far: the rows are not all there.
    pub fn is_partial(&self) -> bool {
        self.counts.damaged() > 0
    }

    fn missed(&self, segment: &StoredSegment, error: &SegmentError) {
        segment.report(error);
        self.missing.add(segment, error);
        ReadCounts::add(&self.counts.damaged, 1);
    }

    /// The rows of a part that fulfil the filter, in no order that matters. A part that cannot be read is reported, counted and empty.
    pub fn read(&self, part: &ScanPart) -> RecordBatch {
        self.read_within(part, &ReadBounds::default())
    }

    /// As [`Self::read`], without rows that are not needed.
    pub fn read_within(&self, part: &ScanPart, bounds: &ReadBounds) -> RecordBatch {
        let read = match &part.source {
            PartSource::Segment(segment, rows) => {
                let read = segment.read_part(rows, &self.request, bounds, &self.counts);
                read.map_err(|error| self.missed(segment, &error))
            }
            PartSource::Head(rows) => rows.read(&self.request, bounds, &self.counts).map_err(|error| {
                tracing::error!(%error, "spans of the head cannot be read; the rest is");
                ReadCounts::add(&self.counts.damaged, 1);
            }),
            PartSource::HeadLines(rows) => rows.read(&self.request, bounds, &self.counts).map_err(|error| {
                tracing::error!(%error, "lines of the head cannot be read; the rest is");
                ReadCounts::add(&self.counts.damaged, 1);
            }),
        };
        read.unwrap_or_else(|()| RecordBatch::new_empty(self.request.schema(self.signal)))
    }
}

/// Pieces of the head come newest first: numbers that say so.
fn newest_last<T>(pieces: Vec<T>) -> impl Iterator<Item = (u32, T)> {
    let count = pieces.len() as u32;
    pieces.into_iter().enumerate().map(move |(number, piece)| (count - number as u32, piece))
}
