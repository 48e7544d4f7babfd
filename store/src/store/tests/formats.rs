//! What other versions wrote: older data is read and goes on, newer data stops the start and stays as it is.

use std::{collections::BTreeMap, path::PathBuf};

use arrow_array::{Array, cast::AsArray, types::Float64Type};

use super::{spans::tenant, *};
use crate::{
    ask::{
        filter::ScanFilter,
        request::{ScanColumn, ScanRequest},
    },
    lane::errors::OpenError,
    segment::tests::older::{change_manifest, without_columns},
    upkeep::open,
};

/// Columns that the test's spans have nothing in.
const LATER_COLUMNS: [&str; 8] = [
    "status_code",
    "trace_state",
    "flags",
    "defects",
    "adjusted_count",
    "events",
    "scope_name",
    "resource_dropped_attributes_count",
];

/// A folder with three segments and a journal file that is not sealed.
async fn filled() -> tempfile::TempDir {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    for file in 0..4 {
        store.append(&tenant("default"), file * 30..file * 30 + 30).await;
        if file < 3 {
            store.roll().await;
            assert!(store.seal().await);
        }
    }
    assert_eq!(store.segments(), 3);
    store.close().await;
    folder
}

fn sent() -> Numbers {
    (0..120).collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(folder.join("segments/traces/default"))
        .expect("there")
        .map(|entry| entry.expect("listed").path())
        .collect();
    segments.sort();
    segments
}

/// Each file that a start may not change, with its content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(folder).into_iter().filter(|file| !file.ends_with("LOCK"));
    files.map(|file| (file.clone(), std::fs::read(folder.join(file)).expect("readable"))).collect()
}

async fn is_refused(folder: &Path, naming: &str) {
    let before = contents(folder);
    let refused = open::open(Disk::default(), options(folder), None, clock()).await.expect_err("too new");
    let OpenError::TooNew { path, found, supported } = &refused else { panic!("{refused}") };
    assert!(path.to_string_lossy().contains(naming) && found > supported, "{refused}");
    let said = refused.to_string();
    assert!(said.contains(naming) && said.contains(&format!("{found}, ")) && said.contains("newer weir"), "{said}");
    assert_eq!(contents(folder), before, "{naming}");
}

/// How many spans each kept span stands for, as a scan tells it.
fn adjusted_counts(store: &StillStore) -> Vec<f64> {
    let request = ScanRequest { columns: vec![ScanColumn::AdjustedCount], filter: ScanFilter::default() };
    let scan = store.snapshot().scan(&tenant("default"), request);
    let mut counts = Vec::new();
    for part in scan.parts() {
        let batch = scan.read(part);
        assert_eq!(batch.column(0).null_count(), 0);
        counts.extend_from_slice(batch.column(0).as_primitive::<Float64Type>().values());
    }
    assert!(!scan.is_partial());
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_segments_answer_and_are_merged_to_the_form_of_today() {
    let folder = filled().await;
    let older = segments(folder.path());
    without_columns(&older[0], &LATER_COLUMNS);
    without_columns(&older[1], &LATER_COLUMNS[3..6]);
    change_manifest(&older[1], |fields| {
        for field in ["index", "blooms", "operations", "operations_cut", "ledger_after", "attributes_other"] {
            fields.remove(field);
        }
        fields.insert("format".into(), 0.into());
    });
    std::fs::remove_file(older[1].join("traces.idx")).expect("there");
    let store = StillStore::open(folder.path()).await;
    store.shows_all(&tenant("default"), &sent());
    assert_eq!(adjusted_counts(&store), [1.0; 120]);
    store.append(&tenant("default"), 120..150).await;
    store.roll().await;
    store.settle().await;
    let all: Numbers = (0..150).collect();
    store.shows_all(&tenant("default"), &all);
    assert_eq!(adjusted_counts(&store), [1.0; 150]);
    assert!(!older[0].exists() && !older[1].exists(), "merged");
    store.close().await;
    let merged = &segments(folder.path())[0];
    let manifest = std::fs::read_to_string(merged.join("manifest.json")).expect("there");
    assert!(manifest.starts_with("{\"format\":1,") && manifest.contains("\"index\":{"), "{manifest}");
    // Without the catalog, too.
    std::fs::remove_file(folder.path().join("catalog.sqlite")).expect("removed");
    let store = StillStore::open(folder.path()).await;
    store.shows_all(&tenant("default"), &all);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_segment_stops_the_start_and_nothing_changes() {
    let folder = filled().await;
    let (first, last) = (&segments(folder.path())[0], &segments(folder.path())[2]);
    // Damage elsewhere, and what a start would remove, do not change that.
    std::fs::write(first.join("spans.parquet"), "no rows").expect("written");
    std::fs::create_dir(folder.path().join("segments/traces/default/0000000009-0000000009-0.tmp")).expect("made");
    change_manifest(last, |fields| drop(fields.insert("format".into(), 4.into())));
    is_refused(folder.path(), "0000000003-0000000003-0").await;
    std::fs::remove_file(folder.path().join("catalog.sqlite")).expect("removed");
    is_refused(folder.path(), "0000000003-0000000003-0").await;
    // A number that no checksum vouches for is damage, and no reason not to start.
    let path = last.join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("there").replacen("\"format\":4", "\"format\":5", 1);
    std::fs::write(&path, text).expect("written");
    StillStore::open(folder.path()).await.close().await;
    assert!(folder.path().join("quarantine/default-0000000003-0000000003-0").exists());
}

/// Raises the number at `at` (four bytes, or one), and makes the checksum over everything up to `crc_at` right.
fn raise(path: &Path, from: usize, at: usize, crc_at: usize) {
    let mut bytes = std::fs::read(path).expect("there");
    bytes[from + at] += 1;
    let crc = crc32c::crc32c(&bytes[from..from + crc_at]);
    bytes[from + crc_at..from + crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_journal_stops_the_start_and_nothing_changes() {
    let base = filled().await;
    let fresh = || {
        let folder = temp_folder();
        copy(base.path(), folder.path());
        folder
    };
    let journal = "journal/traces/0000000004.journal";
    let folder = fresh();
    // Version 2 is known, and says that other group headers may be there.
    raise(&folder.path().join(journal), 0, 8, 60);
    raise(&folder.path().join(journal), 0, 8, 60);
    is_refused(folder.path(), "0000000004.journal").await;

    // A record: its checksum covers where it lies.
    let folder = fresh();
    let path = folder.path().join(journal);
    let mut bytes = std::fs::read(&path).expect("there");
    let details = u32::from_le_bytes(bytes[76..80].try_into().expect("four")) as usize;
    bytes[64 + 9] += 1;
    let site = [&bytes[16..24], &4u32.to_le_bytes(), &64u32.to_le_bytes()].concat();
    let covered = [&bytes[64..64 + 28], &bytes[64 + 32..64 + 32 + details], &site].concat();
    bytes[64 + 28..64 + 32].copy_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    std::fs::write(&path, bytes).expect("written");
    is_refused(folder.path(), "0000000004.journal").await;

    for slot in [0, 256 << 10] {
        let folder = fresh();
        let path = folder.path().join("journal/traces/MARK");
        let bytes = std::fs::read(&path).expect("there");
        let len = u32::from_le_bytes(bytes[slot + 12..slot + 16].try_into().expect("four")) as usize;
        raise(&path, slot, 8, len - 4);
        raise(&path, slot, 8, len - 4);
        is_refused(folder.path(), "MARK").await;
    }

    let folder = fresh();
    let judge = folder.path().join("journal/verdicts/JUDGE");
    std::fs::create_dir_all(judge.parent().expect("a folder")).expect("made");
    let mut bytes = [b"WEIRJUDG".as_slice(), &1u32.to_le_bytes(), &[0; 28]].concat();
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    std::fs::write(&judge, &bytes).expect("written");
    raise(&judge, 0, 8, bytes.len() - 4);
    is_refused(folder.path(), "JUDGE").await;

    let folder = fresh();
    std::fs::write(folder.path().join("FORMAT"), "2\n").expect("written");
    is_refused(folder.path(), folder.path().to_str().expect("a name")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_catalog_stops_the_start() {
    use sqlx::{ConnectOptions, Connection};
    let folder = filled().await;
    let catalog = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("catalog.sqlite"));
    let mut connection = catalog.connect().await.expect("opens");
    let change = "UPDATE catalog SET value = 99 WHERE key = 'version'; DROP TABLE journal_runs";
    sqlx::raw_sql(change).execute(&mut connection).await.expect("changed");
    connection.close().await.expect("closed");
    is_refused(folder.path(), "catalog.sqlite").await;
}
