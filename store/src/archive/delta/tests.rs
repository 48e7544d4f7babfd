//! Tests of a table against a model: whatever fails, the active set is the model's, and each transaction is there once.

mod readers;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{ObjectStoreExt, path::Path};
use serde_json::{Value, json};
use weir_proto::time::Clock;

use super::*;
use crate::archive::bucket::{
    Bucket, BucketOptions, Surroundings,
    faulty::{Faulty, Plan},
};

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;
const START_NS: u64 = 1_795_000_000 * SECOND_NS;

/// A bucket whose requests fail by a plan.
struct Place {
    bucket: Bucket,
    store: Arc<Faulty>,
    clock: Clock,
}

fn place(seed: u64) -> Place {
    let clock = Clock::fixed(START_NS);
    let store = Arc::new(Faulty::new(clock.clone(), seed));
    let mut options = BucketOptions::new("s3://test");
    options.retry.attempts_max = 5;
    options.breaker.failures_max = u32::MAX;
    let bucket = Bucket::over(store.clone(), Path::default(), true, options, Surroundings::simulated(clock.clone()));
    Place { bucket, store, clock }
}

fn column(name: &str, kind: ColumnKind) -> TableColumn {
    TableColumn { name: name.to_owned(), kind, nullable: true, comment: format!("what {name} is") }
}

fn schema() -> TableSchema {
    TableSchema { columns: vec![column("id", ColumnKind::Long), column("attributes", ColumnKind::TextMap)] }
}

fn options() -> TableOptions {
    TableOptions { checkpoint_every: 5, ..TableOptions::default() }
}

impl Place {
    async fn table(&self) -> Result<Table, TableError> {
        Table::open_or_make(self.bucket.clone(), "default/spans", schema(), options(), self.clock.clone()).await
    }

    async fn write(&self, key: &str, content: &str) {
        self.bucket.put(key, Bytes::from(content.to_owned())).await.expect("written");
    }

    async fn read(&self, key: &str) -> String {
        String::from_utf8(self.bucket.get(key).await.expect("there").to_vec()).expect("text")
    }

    async fn foreign(&self, version: u64, lines: &[Value]) {
        let info = json!({"commitInfo": {"timestamp": 1, "engineInfo": "Spark/4"}});
        let lines: Vec<String> = [&info].into_iter().chain(lines).map(Value::to_string).collect();
        self.write(&format!("default/spans/_delta_log/{version:020}.json"), &lines.join("\n")).await;
    }
}

fn file(path: &str) -> DataFile {
    let statistics = FileStatistics { rows: 3, columns: Vec::new() };
    DataFile {
        path: path.to_owned(),
        bytes: 100,
        modified_ms: 5,
        stats: Some(statistics.to_json()),
        tags: BTreeMap::from([("weir.segment".to_owned(), path.to_owned())]),
    }
}

fn change(version: i64, added: &[&str], removed: &[&str]) -> Change {
    Change {
        transaction: Some(Transaction { app_id: "weir.journal".to_owned(), version }),
        added: added.iter().map(|path| file(path)).collect(),
        removed: removed.iter().map(|path| (*path).to_owned()).collect(),
        data_change: removed.is_empty(),
        operation: "WRITE",
    }
}

fn paths(table: &Table) -> Vec<&str> {
    table.files().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_table_is_made_changed_and_read_again() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    assert_eq!(table.version(), 0);
    assert_eq!(table.commit(&change(1, &["a b/1.parquet", "2.parquet"], &[])).await.expect("1"), Committed::At(1));
    assert_eq!(table.commit(&change(1, &["again"], &[])).await.expect("1"), Committed::AlreadyCommitted);
    assert_eq!(table.commit(&change(2, &["3"], &["a b/1.parquet"])).await.expect("2"), Committed::At(2));
    let gone = table.commit(&change(3, &[], &["a b/1.parquet"])).await.expect_err("not there any more");
    assert_eq!(gone.to_string(), "table default/spans: a b/1.parquet is not in it");

    let again = place.table().await.expect("opened");
    assert_eq!(paths(&again), ["2.parquet", "3"]);
    assert_eq!(again.files(), table.files());
    assert_eq!(again.removed(), table.removed());
    assert_eq!((again.version(), again.transaction("weir.journal")), (2, Some(2)));
    assert_eq!(again.files()["3"].rows(), Some(3));
    let commit = place.read("default/spans/_delta_log/00000000000000000001.json").await;
    assert!(commit.contains(r#""path":"a%20b/1.parquet""#), "{commit}");
}

#[tokio::test]
async fn reading_begins_at_a_checkpoint() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    for version in 1..=12 {
        let path = format!("{version}");
        let removed = format!("{}", version - 1);
        let removed: &[&str] = if version > 1 { &[&removed] } else { &[] };
        table.commit(&change(version, &[&path], removed)).await.expect("committed");
        table.checkpoint_if_due().await.expect("written");
    }
    let last: Value =
        serde_json::from_str(&place.read("default/spans/_delta_log/_last_checkpoint").await).expect("JSON");
    assert_eq!((&last["version"], &last["numOfAddFiles"]), (&json!(10), &json!(1)));
    // The commits before it are not needed.
    for version in 0..=9 {
        place.bucket.delete(&table.commit_key(version)).await.expect("deleted");
    }
    let again = place.table().await.expect("opened");
    assert_eq!((again.files(), again.removed(), again.version()), (table.files(), table.removed(), 12));
    assert_eq!(again.state.metadata, table.state.metadata);
    assert_eq!(again.state.transactions, table.state.transactions);

    // Without the hint, and with a newest checkpoint that is damaged while the commits to an older one are gone.
    place.bucket.delete("default/spans/_delta_log/_last_checkpoint").await.expect("deleted");
    let again = place.table().await.expect("opened");
    assert_eq!(again.files(), table.files());
    place.write(&table.log_key("00000000000000000010.checkpoint.parquet"), "PAR1 nonsense").await;
    let lost = place.table().await.expect_err("commits 6 to 9 are gone");
    assert!(lost.to_string().contains("00000000000000000006.json is damaged: it is missing"), "{lost}");
}

#[tokio::test]
async fn a_commit_that_is_missing_or_damaged_is_named() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    for version in 1..=3 {
        table.commit(&change(version, &[&version.to_string()], &[])).await.expect("committed");
    }
    let text = place.read(&table.commit_key(2)).await;
    place.write(&table.commit_key(2), &text.replace("\"size\":100", "\"size\":101")).await;
    let damaged = place.table().await.expect_err("damaged");
    assert!(
        damaged.to_string().contains("00000000000000000002.json is damaged: its lines have the CRC32C"),
        "{damaged}"
    );
    place.bucket.delete(&table.commit_key(2)).await.expect("deleted");
    let missing = place.table().await.expect_err("missing");
    assert!(missing.to_string().contains("00000000000000000002.json is damaged: it is missing"), "{missing}");
}

#[tokio::test]
async fn foreign_commits_that_go_together_are_stepped_over() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    table.commit(&change(1, &["ours"], &[])).await.expect("committed");
    let add = json!({"add": {"path": "their%20s", "partitionValues": {}, "size": 1, "modificationTime": 1, "dataChange": true}});
    place.foreign(2, &[add]).await;
    assert_eq!(table.commit(&change(2, &["more"], &[])).await.expect("committed"), Committed::At(3));
    assert_eq!(paths(&table), ["more", "ours", "their s"]);
    assert_eq!(paths(&place.table().await.expect("opened")), ["more", "ours", "their s"]);
}

#[tokio::test]
async fn foreign_commits_that_do_not_are_said_in_words() {
    let remove = json!({"remove": {"path": "ours", "dataChange": true, "deletionTimestamp": 1}});
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7}});
    let fields = json!([{"name": "id", "type": "string", "nullable": true, "metadata": {}}]);
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    let metadata = json!({"metaData": {"id": "x", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema, "partitionColumns": [], "configuration": {}}});
    let cases = [
        (remove, "took ours out of the table"),
        (protocol, "needs readers of version 3 and writers of version 7"),
        (metadata, "has the column `id` as \"string\", not as \"long\""),
    ];
    for (line, words) in cases {
        let place = place(1);
        let mut table = place.table().await.expect("made");
        table.commit(&change(1, &["ours"], &[])).await.expect("committed");
        place.foreign(2, &[line]).await;
        let error = table.commit(&change(2, &["more"], &[])).await.expect_err("does not go together");
        let expected = format!("table default/spans: version 2 was written by somebody else (Spark/4) and {words}");
        assert_eq!(error.to_string(), expected);
        assert_eq!(table.version(), 1, "nothing was taken in");
    }
}

#[tokio::test]
async fn a_table_gets_columns_that_it_lacks() {
    let place = place(1);
    drop(place.table().await.expect("made"));
    let mut wider = schema();
    wider.columns.insert(1, column("service", ColumnKind::Text));
    let opened =
        Table::open_or_make(place.bucket.clone(), "default/spans", wider.clone(), options(), place.clock.clone());
    let opened = opened.await.expect("opened");
    assert_eq!(opened.version(), 1);
    assert_eq!(opened.state.metadata.as_ref().map(|metadata| &metadata.schema_string), Some(&wider.schema_string()));
    let narrower = place.table().await.expect_err("a newer one made it");
    assert!(narrower.to_string().contains("has a column `service` that is not known here"), "{narrower}");
}

#[tokio::test]
async fn objects_of_removed_files_go_after_the_grace_and_a_jump_of_the_clock_is_no_grace() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    for path in ["old", "new", "unknown"] {
        place.write(&format!("default/spans/{path}"), "rows").await;
    }
    table.commit(&change(1, &["old"], &[])).await.expect("committed");
    table.commit(&change(2, &["new"], &["old"])).await.expect("committed");
    // Three years at once, as a clock does that is set wrongly, with a commit after it.
    place.clock.set(START_NS + 1000 * DAY_NS);
    table.commit(&change(3, &["newer"], &[])).await.expect("committed");
    assert!(table.vacuumable().is_empty());
    for day in 1..=5 {
        place.clock.set(START_NS + (1000 + day) * DAY_NS);
        table.commit(&change(3 + day as i64, &[&format!("day{day}")], &[])).await.expect("committed");
        table = place.table().await.expect("a restart changes nothing");
    }
    assert_eq!(table.vacuum(&|_| true).await.expect("nothing to do"), 0);
    table.write_checkpoint().await.expect("written");
    table = place.table().await.expect("nor does a checkpoint");
    place.clock.set(START_NS + 1006 * DAY_NS + DAY_NS / 2);
    assert_eq!(table.vacuumable(), ["old"]);
    assert_eq!(table.vacuum(&|_| true).await.expect("vacuumed"), 1);
    assert!(place.bucket.get("default/spans/old").await.expect_err("gone").is_not_found());
    for kept in ["new", "unknown"] {
        assert_eq!(place.read(&format!("default/spans/{kept}")).await, "rows");
    }
}

#[tokio::test]
async fn the_log_is_cleaned_behind_a_checkpoint() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    for version in 1..=11 {
        table.commit(&change(version, &[&version.to_string()], &[])).await.expect("committed");
        table.checkpoint_if_due().await.expect("written");
    }
    // The store's clock is the system's here: everything in the log is younger than the retention.
    assert_eq!(table.clean_log().await.expect("cleaned"), 0);
    table.options.log_retention = Duration::ZERO;
    place.clock.set(u64::MAX / 2);
    // What is not older than the newest file stays.
    place.write("default/spans/_delta_log/_last", "x").await;
    let cleaned = table.clean_log().await.expect("cleaned");
    assert!(cleaned <= 12, "{cleaned}");
    let again = place.table().await.expect("opened");
    assert_eq!(again.files(), table.files());
}

/// Draws as the store's faults are drawn: the same numbers for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Opens until it succeeds: what is away comes back.
async fn open(place: &Place) -> Table {
    for _ in 0..50 {
        match place.table().await {
            Ok(table) => return table,
            Err(error) if error.is_away() => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never opened");
}

/// The publisher's life: changes by transaction, tried until they are in, with crashes at any request.
#[tokio::test]
async fn whatever_fails_each_change_is_made_once() {
    for seed in 0..30 {
        let place = place(seed);
        let faults = Plan { unavailable: 150, conflict: 100, lost_reply: 150, truncated: 50, ..Plan::default() };
        let mut draw = Draw(seed);
        let mut model: BTreeMap<String, ()> = BTreeMap::new();
        place.store.plan(faults.clone());
        let mut table = open(&place).await;
        for version in 1..=40 {
            place.clock.set(place.clock.now_ns() + 300 * SECOND_NS);
            let added: Vec<String> = (0..=draw.below(3)).map(|at| format!("{version}-{at}")).collect();
            let removed: Vec<String> = model.keys().filter(|_| draw.below(4) == 0).take(3).cloned().collect();
            let change = Change {
                transaction: Some(Transaction { app_id: "weir.journal".to_owned(), version }),
                added: added.iter().map(|path| file(path)).collect(),
                removed: removed.clone(),
                data_change: true,
                operation: "WRITE",
            };
            for attempt in 0.. {
                assert!(attempt < 100, "never committed");
                if draw.below(3) == 0 {
                    // The process ends somewhere in the next requests, and starts anew.
                    place.store.plan(Plan { dead_after: Some(draw.below(12)), ..faults.clone() });
                    let committed = table.commit(&change).await;
                    let checkpointed = table.checkpoint_if_due().await;
                    drop((committed, checkpointed));
                    place.store.plan(faults.clone());
                    table = open(&place).await;
                }
                match table.commit(&change).await {
                    Ok(_) => break,
                    Err(error) => assert!(error.is_away(), "{error}"),
                }
            }
            for path in &removed {
                model.remove(path);
            }
            model.extend(added.into_iter().map(|path| (path, ())));
            drop(table.checkpoint_if_due().await);
            assert!(table.files().keys().eq(model.keys()), "seed {seed}, version {version}");
            assert_eq!(table.transaction("weir.journal"), Some(version));
        }
        place.store.plan(Plan { listing_behind: 3, ..Plan::default() });
        let again = open(&place).await;
        assert!(again.files().keys().eq(model.keys()), "seed {seed}");
        assert_eq!(again.removed(), table.removed());
        // Each transaction is in the log once.
        let mut seen = 0;
        for version in 0..=again.version() {
            let commit = place.read(&again.commit_key(version)).await;
            seen += commit.matches(r#""appId":"weir.journal""#).count();
        }
        assert_eq!(seen, 40, "seed {seed}");
    }
}

/// Two writers that do not know of each other: both changes are there, in some order.
#[tokio::test]
async fn two_writers_take_turns() {
    let place = place(1);
    let (mut one, mut other) = (place.table().await.expect("made"), place.table().await.expect("opened"));
    for version in 1..=10 {
        let mut ours = change(version, &[&format!("one{version}")], &[]);
        one.commit(&ours).await.expect("committed");
        ours.transaction = Some(Transaction { app_id: "other".to_owned(), version });
        ours.added = vec![file(&format!("other{version}"))];
        other.commit(&ours).await.expect("committed");
    }
    one.refresh().await.expect("read");
    assert_eq!(one.files(), other.files());
    assert_eq!((one.files().len(), one.version()), (20, 20));
}

#[test]
fn the_schema_is_written_as_the_protocol_says() {
    let schema = schema().schema_string();
    let expected = json!({"type": "struct", "fields": [
        {"name": "id", "type": "long", "nullable": true, "metadata": {"comment": "what id is"}},
        {"name": "attributes", "nullable": true, "metadata": {"comment": "what attributes is"},
            "type": {"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true}},
    ]});
    assert_eq!(serde_json::from_str::<Value>(&schema).expect("JSON"), expected);
}

/// The bucket's own objects are seen through the store's library too.
#[tokio::test]
async fn nothing_but_the_log_is_written() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    table.commit(&change(1, &["a"], &[])).await.expect("committed");
    assert!(place.store.inner().head(&Path::from("default/spans/a")).await.is_err());
}

/// A checkpoint that says something else than its commits is told, and a start goes by them.
#[tokio::test]
async fn a_wrong_checkpoint_is_told_and_not_begun_at() {
    let place = place(1);
    let mut table = place.table().await.expect("made");
    for version in 1..=7 {
        table.commit(&change(version, &[&version.to_string()], &[])).await.expect("committed");
        table.checkpoint_if_due().await.expect("written");
    }
    assert_eq!(table.check_checkpoints().await.expect("read"), Vec::new());
    let key = table.log_key("00000000000000000005.checkpoint.parquet");
    let whole = place.bucket.get(&key).await.expect("there");
    // Somebody writes one that lacks a file, without a sum, as others do.
    let read = checkpoint::read(whole.clone()).expect("ours");
    assert!(read.is_signed);
    let mut actions = read.actions;
    actions.retain(|action| action.add.as_ref().is_none_or(|add| add.path != "3"));
    for (is_signed, content) in [(true, checkpoint::write(&actions)), (false, checkpoint::write_unsigned(&actions))] {
        place.bucket.put(&key, Bytes::from(content.expect("written"))).await.expect("put");
        let findings = table.check_checkpoints().await.expect("read");
        assert_eq!(findings, [(key.clone(), "does not name 3, which its commits do".to_owned())]);
        if !is_signed {
            assert_eq!(place.table().await.expect("opened").files(), table.files());
        }
    }
    // One whose bytes were changed.
    let mut flipped = whole.to_vec();
    for at in (4..flipped.len()).step_by(7) {
        flipped[at] ^= 1;
        place.bucket.put(&key, Bytes::from(flipped.clone())).await.expect("put");
        assert_eq!(place.table().await.expect("opened").files(), table.files(), "{at}");
        flipped[at] ^= 1;
    }
}
