//! Makes segments that were uploaded files of their table, and takes those that are too old out of it: each in one commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    delta::{
        Change, ColumnKind, ColumnStatistics, DataFile, FileStatistics, Rearranged, Statistic, Table, TableColumn,
        TableOptions, TableSchema, Transaction,
    },
    found::overlaps,
    layout::{Keys, parse_name, table},
};
use crate::{
    catalog::ArchivedSegment,
    segment::{
        Segment, SegmentError, SegmentId,
        archived::{ColumnType, TABLE_VERSION, table_columns},
    },
};

/// Under which name a signal's journal counts in its table's transactions. Their version is the last journal file.
pub(crate) fn app_id(signal: Signal) -> String {
    format!("weir/{}", signal.name())
}

/// The columns of a signal's table.
fn schema(signal: Signal) -> TableSchema {
    let columns = table_columns(signal).into_iter().map(|column| TableColumn {
        name: column.name.to_owned(),
        kind: match column.kind {
            ColumnType::Text => ColumnKind::Text,
            ColumnType::Int => ColumnKind::Integer,
            ColumnType::Long => ColumnKind::Long,
            ColumnType::Double => ColumnKind::Double,
            ColumnType::Boolean => ColumnKind::Boolean,
            ColumnType::Timestamp => ColumnKind::Timestamp,
            ColumnType::Map => ColumnKind::TextMap,
        },
        nullable: true,
        comment: String::new(),
    });
    TableSchema { columns: columns.collect() }
}

/// The names of a signal's columns of time: as a timestamp, and in Unix ns.
fn time_columns(signal: Signal) -> [&'static str; 2] {
    match signal {
        Signal::Logs => ["time", "time_unix_nano"],
        _ => ["start_time", "start_unix_nano"],
    }
}

/// What the log says of a file's rows.
fn statistics(segment: &Segment) -> FileStatistics {
    let bounds = segment.row_bounds();
    let mut columns = Vec::new();
    let mut add = |name: &str, min, max| {
        let bounds = ColumnStatistics { min: Some(min), max: Some(max), nulls: Some(0) };
        columns.push((name.to_owned(), bounds));
    };
    if let Some((min, max)) = bounds.time_ns
        && let (Ok(min), Ok(max)) = (i64::try_from(min), i64::try_from(max))
    {
        let [time, nanos] = time_columns(segment.id().signal);
        add(time, Statistic::TimestampMicros(min / 1000), Statistic::TimestampMicros(max / 1000));
        add(nanos, Statistic::Long(min), Statistic::Long(max));
    }
    if let Some((min, max)) = bounds.services {
        add("service", Statistic::Text(min), Statistic::Text(max));
    }
    FileStatistics { rows: segment.rows(), columns }
}

impl Archive {
    /// Opens a table, or makes it.
    pub(crate) async fn open_table(&self, signal: Signal, tenant: TenantId) -> Result<Table, ArchiveError> {
        let (bucket, clock) = (self.bucket.clone(), self.clock().clone());
        let options = TableOptions {
            description: format!("{}, as Weir archives them; table version {TABLE_VERSION}", signal.name()),
            log_retention: self.options.grace,
            removed_retention: self.options.grace,
            ..TableOptions::default()
        };
        let opened = self.run(async move {
            Table::open_or_make(bucket, &table(signal, &tenant), schema(signal), options, clock).await
        });
        Ok(opened.await?)
    }

    /// What a table's log is to say of a segment's file.
    pub(crate) fn file_of(&self, archived: &ArchivedSegment) -> Result<DataFile, ArchiveError> {
        self.mended(archived, || self.describe(archived))
    }

    fn describe(&self, archived: &ArchivedSegment) -> Result<DataFile, SegmentError> {
        if archived.id.signal != Signal::Metrics {
            return Ok(data_file(archived, &self.open_segment(archived)?));
        }
        let manifest = self.manifest_of(archived)?;
        let (mut columns, mut rows) = (Vec::new(), 0);
        if let Some(bounds) = manifest.series_bounds() {
            let ((min_ms, max_ms), metrics) = (bounds.time_ms, bounds.metrics);
            rows = bounds.rows;
            let micros = |ms: i64| Some(Statistic::TimestampMicros(ms.saturating_mul(1000)));
            let times = ColumnStatistics { min: micros(min_ms), max: micros(max_ms), nulls: Some(0) };
            columns.push(("time".to_owned(), times));
            if let Some((min, max)) = metrics {
                let bounds = (Some(Statistic::Text(min)), Some(Statistic::Text(max)));
                columns.push(("metric".to_owned(), ColumnStatistics { min: bounds.0, max: bounds.1, nulls: Some(0) }));
            }
        }
        let statistics = FileStatistics { rows, columns };
        Ok(described(archived, manifest.bytes().0, &statistics))
    }

    /// Commits what was uploaded of one tenant's signal, with what the table's log is to say of each. Done again, it changes nothing.
    pub(crate) fn publish(
        self: &Arc<Self>,
        signal: Signal,
        tenant: &TenantId,
        segments: &[(ArchivedSegment, DataFile)],
    ) -> Result<(), ArchiveError> {
        let adds: Vec<DataFile> = segments.iter().map(|(_, file)| file.clone()).collect();
        let version = segments.iter().map(|(archived, _)| i64::from(archived.id.last_file)).max().unwrap_or(0);
        let change = Change { added: adds, data_change: true, operation: "WRITE", ..Change::default() };
        self.change(signal, tenant, change, Some(version))
    }

    /// Which of these their table does not name: others took them out of it.
    pub(crate) fn not_in_table(
        self: &Arc<Self>,
        signal: Signal,
        tenant: &TenantId,
        segments: &[ArchivedSegment],
    ) -> Result<Vec<SegmentId>, ArchiveError> {
        let (archive, tenant) = (self.clone(), tenant.clone());
        let table = self.wait_or_stop(async move { archive.open_table(signal, tenant).await })??;
        let is_there =
            |segment: &ArchivedSegment| table.files().contains_key(&Keys::of(&segment.id, &segment.name).path);
        Ok(segments.iter().filter(|segment| !is_there(segment)).map(|segment| segment.id.clone()).collect())
    }

    /// Puts a file into its table for those that it was merged from, in one commit: rows neither come nor go.
    ///
    /// # Errors
    ///
    /// `Foreign` when the table has neither it nor all of those: what others took out of it, or compacted, does not come
    /// back.
    pub(crate) fn replace(
        self: &Arc<Self>,
        merged: &ArchivedSegment,
        inputs: &[ArchivedSegment],
    ) -> Result<(), ArchiveError> {
        let added = vec![self.file_of(merged)?];
        let removed = inputs.iter().map(|input| Keys::of(&input.id, &input.name).path).collect();
        let change = Change { added, removed, data_change: false, operation: "OPTIMIZE", ..Change::default() };
        self.change(merged.id.signal, &merged.id.tenant, change, None)
    }

    /// Takes segments out of their table. Their objects stay.
    pub(crate) fn unpublish(
        self: &Arc<Self>,
        signal: Signal,
        tenant: &TenantId,
        segments: &[ArchivedSegment],
    ) -> Result<(), ArchiveError> {
        let paths = segments.iter().map(|archived| Keys::of(&archived.id, &archived.name).path);
        let change = Change { removed: paths.collect(), data_change: true, operation: "DELETE", ..Change::default() };
        self.change(signal, tenant, change, None)
    }

    /// The files of a table that the catalog knows, whatever stage they are in: their objects are not deleted by the table's log.
    pub(super) fn paths_of(&self, signal: Signal, tenant: &TenantId) -> BTreeSet<String> {
        let known =
            self.all_known().into_iter().filter(|known| known.id.signal == signal && known.id.tenant == *tenant);
        known.map(|known| Keys::of(&known.id, &known.name).path).collect()
    }

    fn change(
        self: &Arc<Self>,
        signal: Signal,
        tenant: &TenantId,
        mut change: Change,
        version: Option<i64>,
    ) -> Result<(), ArchiveError> {
        // Its table is somebody else's by now.
        if let Some(lost) = self.taken() {
            return Err(lost);
        }
        let (archive, tenant) = (self.clone(), tenant.clone());
        let work = async move {
            let mut table = archive.open_table(signal, tenant.clone()).await?;
            archive.take_back(&mut table, signal, &tenant).await?;
            let has = |path: &String| table.files().contains_key(path);
            if !change.data_change && !change.added.iter().all(|add| has(&add.path)) && !change.removed.iter().all(has)
            {
                return Err(ArchiveError::Foreign("the commit that took what was merged out of its table".to_owned()));
            }
            // What an attempt that was cut off has done already stays done.
            change.added.retain(|add| !table.files().contains_key(&add.path));
            change.removed.retain(|path| table.files().contains_key(path) || table.is_rearranged(path));
            if change.data_change {
                change.removed.extend(covered(&table, (signal, &tenant), &change.added)?);
            }
            // What others made of nothing else goes with it.
            for Rearranged { before, after } in table.rearranged() {
                if before.keys().all(|path| change.removed.contains(path)) {
                    change.removed.extend(after.iter().filter(|path| table.files().contains_key(*path)).cloned());
                }
            }
            if change.added.is_empty() && change.removed.is_empty() {
                return Ok(());
            }
            let before = table.transaction(&app_id(signal)).unwrap_or(-1);
            // Files that were found in the bucket later than those behind them still count once.
            let version = version.map(|version| version.max(before + 1));
            change.transaction = version.map(|version| Transaction { app_id: app_id(signal), version });
            table.commit(&change).await?;
            // A transaction that was there already may have been somebody else's.
            if let Some(add) = change.added.iter().find(|add| !table.files().contains_key(&add.path)) {
                return Err(ArchiveError::Foreign(format!("the commit that kept {} out of its table", add.path)));
            }
            let kept = archive.paths_of(signal, &tenant);
            // Of a tenant on hold nothing is deleted.
            let may_vacuum = |path: &str| !archive.is_held(&tenant) && !kept.contains(path);
            table.maintain(&may_vacuum).await?;
            Ok(())
        };
        // The last commit has a bound of its own.
        if self.is_stopped() { self.wait(work) } else { self.wait_or_stop(work)? }
    }
}

/// The files of a table that have rows of those that come in and of no others: a start that could not read the log took one of two that
/// have the same rows, and it is not the one that the log names.
fn covered(
    table: &Table,
    (signal, tenant): (Signal, &TenantId),
    added: &[DataFile],
) -> Result<Vec<String>, ArchiveError> {
    let id_of = |path: &str| parse_name(signal, tenant, path.strip_suffix(".parquet")?).map(|(id, _)| id);
    let mut paths = Vec::new();
    for id in added.iter().filter_map(|file| id_of(&file.path)) {
        for (other, path) in table.files().keys().filter_map(|path| Some((id_of(path)?, path))) {
            if !overlaps(&id, &other) {
                continue;
            }
            if other.first_file < id.first_file || id.last_file < other.last_file {
                return Err(ArchiveError::Foreign(format!(
                    "{path}, which has rows of segment {id} and is not known here,"
                )));
            }
            paths.push(path.clone());
        }
    }
    Ok(paths)
}

fn data_file(archived: &ArchivedSegment, segment: &Segment) -> DataFile {
    described(archived, segment.rows_bytes(), &statistics(segment))
}

fn described(archived: &ArchivedSegment, bytes: u64, statistics: &FileStatistics) -> DataFile {
    DataFile {
        path: Keys::of(&archived.id, &archived.name).path,
        bytes,
        modified_ms: (archived.since_ns / 1_000_000) as i64,
        stats: Some(statistics.to_json()),
        tags: BTreeMap::new(),
    }
}
