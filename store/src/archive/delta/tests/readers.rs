//! Others read a table that was written here: deltalake, DuckDB and Polars, with commits alone and with a checkpoint.

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::Arc};

use arrow_array::{ArrayRef, Int64Array, MapArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use weir_proto::time::Clock;

use super::{super::*, START_NS};
use crate::archive::bucket::{Bucket, BucketOptions, Surroundings};

const FILE_ROWS: i64 = 1000;
const START_US: i64 = (START_NS / 1000) as i64;

/// The Python of `tests/needs.sh`, in the target folder from which the test runs.
fn python() -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test has a file");
    let venv = |folder: &std::path::Path| folder.join("test-venv-tables/bin/python3");
    let installed = test.ancestors().map(venv).find(|path| path.exists());
    installed.or_else(|| std::env::var_os("WEIR_TABLES_PYTHON").map(PathBuf::from))
}

fn columns() -> TableSchema {
    let column = |name: &str, kind| TableColumn {
        name: name.to_owned(),
        kind,
        nullable: true,
        comment: format!("the {name} of a row"),
    };
    let columns = vec![
        column("id", ColumnKind::Long),
        column("service", ColumnKind::Text),
        column("time", ColumnKind::Timestamp),
        column("attributes", ColumnKind::TextMap),
    ];
    TableSchema { columns }
}

/// Rows of the file `number`: every fourth has no service.
fn batch(number: i64) -> RecordBatch {
    let ids: Vec<i64> = (number * FILE_ROWS..(number + 1) * FILE_ROWS).collect();
    let services = ids.iter().map(|id| (id % 4 != 3).then(|| format!("service-{}", id % 3)));
    let times = ids.iter().map(|id| START_US + id * 1001);
    let keys = StringArray::from_iter_values(ids.iter().map(|_| "k"));
    let values = StringArray::from_iter_values(ids.iter().map(|id| format!("v{id}")));
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    let entries = StructArray::new(entry.clone(), vec![Arc::new(keys) as ArrayRef, Arc::new(values)], None);
    let entries_field = Arc::new(Field::new("key_value", DataType::Struct(entry), false));
    let offsets = OffsetBuffer::from_lengths(ids.iter().map(|_| 1));
    let map = MapArray::new(entries_field.clone(), offsets, entries, None, false);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("service", DataType::Utf8, true),
        Field::new("time", utc, true),
        Field::new("attributes", DataType::Map(entries_field, false), true),
    ]);
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(ids.clone())),
        Arc::new(StringArray::from_iter(services)),
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(map),
    ];
    RecordBatch::try_new(Arc::new(schema), arrays).expect("as the schema says")
}

fn statistics(number: i64) -> FileStatistics {
    let (first, last) = (number * FILE_ROWS, (number + 1) * FILE_ROWS - 1);
    let both = |min, max, nulls| ColumnStatistics { min: Some(min), max: Some(max), nulls: Some(nulls) };
    let time = |id: i64| Statistic::TimestampMicros(START_US + id * 1001);
    FileStatistics {
        rows: FILE_ROWS as u64,
        columns: vec![
            ("id".to_owned(), both(Statistic::Long(first), Statistic::Long(last), 0)),
            ("service".to_owned(), both(Statistic::Text("service-0".into()), Statistic::Text("service-2".into()), 250)),
            ("time".to_owned(), both(time(first), time(last), 0)),
        ],
    }
}

async fn put(bucket: &Bucket, table: &str, number: i64) -> DataFile {
    let batch = batch(number);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    let content = writer.into_inner().expect("closed");
    let path = format!("day=1/a b-{number}.parquet");
    let bytes = content.len() as u64;
    bucket.put_new(&format!("{table}/{path}"), content.into()).await.expect("written");
    let stats = Some(statistics(number).to_json());
    let tags = BTreeMap::from([("weir.segment".to_owned(), number.to_string())]);
    DataFile { path, bytes, modified_ms: (START_NS / 1_000_000) as i64, stats, tags }
}

/// What each reader must find of the files `numbers`.
fn expected(numbers: &[i64]) -> Value {
    let ids: Vec<i64> = numbers.iter().flat_map(|number| number * FILE_ROWS..(number + 1) * FILE_ROWS).collect();
    let first = ids.iter().min().expect("rows");
    json!({
        "rows": ids.len(),
        "sum": ids.iter().sum::<i64>(),
        "times": ids.iter().map(|id| i128::from(START_US + id * 1001)).sum::<i128>() as i64,
        "first": {"service": format!("service-{}", first % 3), "attributes": {"k": format!("v{first}")}},
        "without_service": ids.iter().filter(|id| *id % 4 == 3).count(),
        "pruned": ids.iter().filter(|id| **id >= 3000).count(),
    })
}

fn ask(python: &PathBuf, table: &std::path::Path) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/e2e/delta_readers.py");
    let script = std::env::var("WEIR_DELTA_READERS").unwrap_or_else(|_| script.to_owned());
    let output = Command::new(python).arg(script).arg(table).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test]
async fn others_read_what_is_written_here() {
    let Some(python) = python() else {
        println!("not run: `make test` installs deltalake, DuckDB and Polars (tests/requirements-tables.txt)");
        return;
    };
    let root = tempfile::tempdir().expect("temp folder");
    let clock = Clock::fixed(START_NS);
    let options = BucketOptions::new(&format!("file://{}", root.path().display()));
    let bucket = Bucket::open(options, Surroundings::simulated(clock.clone())).expect("opened");
    let options = TableOptions { description: "rows of a test".to_owned(), ..TableOptions::default() };
    let folder = "default/spans";
    let table = Table::open_or_make(bucket.clone(), folder, columns(), options, clock.clone());
    let mut table = table.await.expect("made");
    let transaction = |version| Some(Transaction { app_id: "weir.test".to_owned(), version });
    for number in 0..4 {
        let added = vec![put(&bucket, folder, number).await];
        let change = Change {
            transaction: transaction(number),
            added,
            data_change: true,
            operation: "WRITE",
            ..Change::default()
        };
        table.commit(&change).await.expect("committed");
    }
    let path = root.path().join(folder);
    let check = |found: Value, numbers: &[i64], version: u64, transaction: i64| {
        for (reader, mut found) in found.as_object().expect("by reader").clone() {
            let about = found.as_object_mut().expect("what it found").remove("about");
            assert_eq!(found, expected(numbers), "{reader}");
            let Some(about) = about else { continue };
            let expected = json!({"version": version, "transaction": transaction, "files": numbers.len(),
                "description": "rows of a test", "comment": "the id of a row"});
            assert_eq!(about, expected);
        }
    };
    check(ask(&python, &path), &[0, 1, 2, 3], 4, 3);

    // Two out, one in; then a checkpoint, and the commits before it gone.
    let added = vec![put(&bucket, folder, 5).await];
    let removed = vec!["day=1/a b-0.parquet".to_owned(), "day=1/a b-1.parquet".to_owned()];
    let change = Change { transaction: transaction(9), added, removed, data_change: false, operation: "OPTIMIZE" };
    table.commit(&change).await.expect("committed");
    check(ask(&python, &path), &[2, 3, 5], 5, 9);
    table.write_checkpoint().await.expect("written");
    for version in 0..=5 {
        bucket.delete(&table.commit_key(version)).await.expect("deleted");
    }
    let added = vec![put(&bucket, folder, 6).await];
    let change =
        Change { transaction: transaction(10), added, data_change: true, operation: "WRITE", ..Change::default() };
    table.commit(&change).await.expect("committed");
    check(ask(&python, &path), &[2, 3, 5, 6], 6, 10);
}
