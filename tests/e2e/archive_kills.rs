//! `kill -9` at each step of uploading, committing, merging and deleting: afterwards no row is lost or doubled here, in the archive or in
//! its table, and the ledger is exact.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::Value;
use weir_benches::{query::Query, server::Server};

use crate::fixture::Weir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Spans of a life.
const SPANS: u64 = 300;

const COMING: &[&str] =
    &["merged", "merge noted", "written", "rows uploaded", "index uploaded", "uploaded", "noted", "committed"];

const GOING: &[&str] = &["removed from the table", "removal noted", "object deleted"];

/// Merging in the archive; what comes before is as on the way there.
const MERGING: &[&str] = &["merged from the archive", "merged file noted", "merged file committed"];

/// Small files, and the archive with these keys.
fn storage(bucket: &Path, keys: &str) -> String {
    let url = bucket.display();
    format!(
        "  free_min: 1MiB
  retention: {{traces: 1s}}
  journal: {{file_age_max: 300ms}}
  seal: {{age_max: 600ms}}
  archive: {{url: \"file://{url}\", commit_interval: 100ms, {keys}}}
"
    )
}

const NEVER: &str = "segment_age_max: 10d";
const AT_ONCE: &str = "segment_age_max: 100ms";
const FORGETFUL: &str = "segment_age_max: 100ms, retention: {traces: 1s}, grace: 1s";

/// Starts it to die at a step, and waits until it did.
async fn dies_at(weir: &mut Weir, step: &str) {
    weir.options.env = vec![("WEIR_FAULT_KILL_AT".to_owned(), step.to_owned())];
    // It may do so before it is ready.
    if let Ok(server) = Server::start(&weir.options).await {
        let status = server.exited(PATIENCE).await.expect("it dies");
        assert!(!status.success());
    }
    let log = weir.options.log();
    assert!(log.contains(&format!("killed at the step `{step}`")), "{step}: {log}");
    weir.options.env.clear();
}

/// What `/api/v1/archive` says of spans: segments that wait, are uploaded, committed, and removed; and rows that are committed.
async fn shares(server: &Server) -> ([u64; 4], u64) {
    let (_, status) = Query::new(server.query).json("/api/v1/archive").await.expect("an answer");
    let of_spans = status["signals"].as_array().and_then(|all| all.iter().find(|of| of["signal"] == "traces"));
    let of_spans = of_spans.expect("spans are told").clone();
    let segments = ["waiting", "uploaded", "committed", "removed"].map(|stage| of_spans[stage]["segments"].as_u64());
    (segments.map(|count| count.expect("told")), of_spans["committed"]["rows"].as_u64().expect("told"))
}

/// Waits until the archive's segments are where they should be.
async fn until_shares(server: &Server, what: &str, done: impl Fn([u64; 4], u64) -> bool) {
    let last = std::cell::RefCell::new(String::new());
    let waiting = async {
        loop {
            let (segments, rows) = shares(server).await;
            let metrics = Query::new(server.query).metrics().await.expect("metrics");
            *last.borrow_mut() = format!("{segments:?}, {rows} rows");
            if metrics.get("weir_head_spans") == Some(&0.0) && done(segments, rows) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: not in time: {}", last.borrow()));
}

/// Spans that ever came: whole batches, some more than were asked for.
async fn accepted(server: &Server) -> u64 {
    let ledger = Query::new(server.query).ledger().await.expect("a ledger");
    assert!(ledger.balances() && ledger.accepted > 0, "{ledger:?}");
    assert_eq!((ledger.kept, ledger.damaged), (ledger.accepted, 0));
    ledger.accepted
}

/// Waits until all is in the table, and nothing on local disk.
async fn until_away(server: &Server) {
    let rows = accepted(server).await;
    until_shares(server, "committed", |[waiting, uploaded, ..], of_table| {
        waiting == 0 && uploaded == 0 && of_table == rows
    })
    .await;
    let query = Query::new(server.query);
    let away = query.until("away", PATIENCE, |metrics| metrics.get("weir_segment_bytes") == Some(&0.0));
    away.await.expect("everything leaves the disk");
}

/// What the table's log comes to: rows by file.
fn table(bucket: &Path) -> BTreeMap<String, u64> {
    let mut commits: Vec<_> =
        std::fs::read_dir(bucket.join("default/spans/_delta_log")).expect("a log").flatten().collect();
    commits.sort_by_key(std::fs::DirEntry::file_name);
    let mut files = BTreeMap::new();
    for commit in
        commits.iter().map(std::fs::DirEntry::path).filter(|path| path.extension().is_some_and(|e| e == "json"))
    {
        for line in std::fs::read_to_string(commit).expect("a commit").lines() {
            let action: Value = serde_json::from_str(line).expect("JSON");
            if let Some(path) = action["add"]["path"].as_str() {
                let stats: Value = serde_json::from_str(action["add"]["stats"].as_str().expect("told")).expect("JSON");
                files.insert(path.to_owned(), stats["numRecords"].as_u64().expect("told"));
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                files.remove(path);
            }
        }
    }
    files
}

/// Whether bucket, table and catalog say the same, to the last byte.
async fn is_whole(server: &Server) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["archive", "verify", "--deep", "--url", &format!("http://{}", server.query)]);
    let verified = command.output().await.expect("runs");
    let said = String::from_utf8_lossy(&verified.stdout).into_owned() + &String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
}

async fn stop(server: Server) {
    assert!(server.stop(PATIENCE).await.expect("stops").success());
}

/// Two segments, or more, that are on local disk only.
async fn two_segments(weir: &mut Weir, bucket: &Path) {
    weir.options.storage = storage(bucket, NEVER);
    for life in 1..=2 {
        let server = weir.start().await;
        weir.send(&server, SPANS / 2).await;
        until_shares(&server, "sealed", |[waiting, ..], _| waiting >= life).await;
        stop(server).await;
    }
}

#[tokio::test]
async fn killed_on_the_way_to_the_archive() {
    for step in COMING {
        let mut weir = Weir::new(91, "");
        let bucket = weir.folder().join("bucket");
        two_segments(&mut weir, &bucket).await;
        weir.options.storage = storage(&bucket, AT_ONCE);
        dies_at(&mut weir, step).await;
        let server = weir.start().await;
        weir.verify(&server, None).await;
        until_away(&server).await;
        weir.verify(&server, None).await;
        assert_eq!(table(&bucket).values().sum::<u64>(), accepted(&server).await, "{step}");
        is_whole(&server).await;
        stop(server).await;
        std::fs::remove_dir_all(&weir.options.data).expect("wiped");
        let server = weir.start().await;
        weir.verify(&server, None).await;
        stop(server).await;
    }
}

#[tokio::test]
async fn killed_while_it_merges_in_the_archive() {
    for step in MERGING {
        let mut weir = Weir::new(93, "");
        let bucket = weir.folder().join("bucket");
        for _ in 0..3 {
            weir.options.storage = storage(&bucket, AT_ONCE);
            let server = weir.start().await;
            weir.send(&server, SPANS / 2).await;
            until_away(&server).await;
            stop(server).await;
        }
        // The fourth makes them worth a merge.
        weir.options.storage = storage(&bucket, NEVER);
        let server = weir.start().await;
        weir.send(&server, SPANS / 2).await;
        until_shares(&server, "sealed", |[waiting, ..], _| waiting >= 1).await;
        stop(server).await;
        weir.options.storage = storage(&bucket, AT_ONCE);
        dies_at(&mut weir, step).await;
        let server = weir.start().await;
        weir.verify(&server, None).await;
        until_shares(&server, step, |[waiting, uploaded, committed, _], _| {
            waiting == 0 && uploaded == 0 && committed == 1
        })
        .await;
        weir.verify(&server, None).await;
        let files = table(&bucket);
        assert_eq!((files.len(), files.values().sum::<u64>()), (1, accepted(&server).await), "{step}");
        is_whole(&server).await;
        stop(server).await;
        std::fs::remove_dir_all(&weir.options.data).expect("wiped");
        let server = weir.start().await;
        weir.verify(&server, None).await;
        stop(server).await;
    }
}

#[tokio::test]
async fn killed_while_the_archive_forgets() {
    for step in GOING {
        let mut weir = Weir::new(92, "");
        let bucket = weir.folder().join("bucket");
        two_segments(&mut weir, &bucket).await;
        weir.options.storage = storage(&bucket, AT_ONCE);
        let server = weir.start().await;
        until_away(&server).await;
        stop(server).await;
        weir.options.storage = storage(&bucket, FORGETFUL);
        dies_at(&mut weir, step).await;
        if *step != GOING[0] {
            // It has changed its mind: what has not left the table stays. (What the log has let go of goes on by itself.)
            weir.options.storage = storage(&bucket, AT_ONCE);
            let server = weir.start().await;
            until_shares(&server, step, |[waiting, uploaded, ..], rows| {
                waiting == 0 && uploaded == 0 && rows == table(&bucket).values().sum::<u64>()
            })
            .await;
            is_exact(&server, &bucket, step).await;
            is_whole(&server).await;
            stop(server).await;
        }
        weir.options.storage = storage(&bucket, FORGETFUL);
        let server = weir.start().await;
        until_shares(&server, step, |segments, _| segments == [0; 4]).await;
        is_exact(&server, &bucket, step).await;
        assert!(table(&bucket).is_empty(), "{step}");
        let left = crate::fixture::files(&bucket);
        let left: Vec<_> = left.iter().filter(|path| path.to_string_lossy().contains("-0-")).collect();
        assert!(left.is_empty(), "{step}: {left:?}");
        stop(server).await;
    }
}

/// Answers have the rows of the table, and the ledger has all that ever came.
async fn is_exact(server: &Server, bucket: &Path, step: &str) {
    let rows = crate::sql::rows(server.query, "SELECT count(*) AS n FROM spans").await[0][0].as_u64();
    assert_eq!(rows, Some(table(bucket).values().sum::<u64>()), "{step}");
    accepted(server).await;
}
