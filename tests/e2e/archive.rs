//! The archive through the binary: what was uploaded answers when everything here is gone, from a folder and from an S3 server, as
//! it did before; and others' readers of the tables say the same.

use std::{
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use weir_benches::{query::Query, server::Server, shop::Traffic};

use crate::{
    fixture::Weir,
    sql::{EXAMPLE_TRACE, alike, documented, duckdb_queries, rows},
};

const LARGEST: &str = "SELECT trace_id FROM spans GROUP BY trace_id ORDER BY count(*) DESC, trace_id LIMIT 1";

/// Everything goes out as soon as it is sealed, and leaves the disk when it is safe.
fn storage(archive: &str) -> String {
    format!(
        "  free_min: 1MiB
  retention: {{traces: 1s}}
  journal: {{file_age_max: 300ms}}
  seal: {{age_max: 600ms}}
  archive: {{{archive}, segment_age_max: 100ms, commit_interval: 100ms}}
"
    )
}

/// Waits until all that was sent is in its table and has left the disk.
async fn until_archived(server: &Server, spans: f64) {
    let query = Query::new(server.query);
    let all = query.until("archived", Duration::from_secs(60), |metrics| {
        let of = |name: &str| metrics.get(name).copied().unwrap_or(0.0);
        of("weir_archive_committed_items_total") >= spans && of("weir_segment_bytes") == 0.0
    });
    all.await.expect("it is archived");
}

async fn all_questions(server: &Server, trace: &str) -> Vec<(String, Vec<Vec<Value>>)> {
    let mut answers = Vec::new();
    for (heading, text) in documented() {
        let found = rows(server.query, &text.replace(EXAMPLE_TRACE, trace)).await;
        assert!(!found.is_empty(), "{heading}: no rows");
        answers.push((heading, found));
    }
    answers
}

fn same(one: &[(String, Vec<Vec<Value>>)], other: &[Vec<Vec<Value>>], who: &str) {
    assert_eq!(one.len(), other.len());
    for ((heading, ours), theirs) in one.iter().zip(other) {
        assert_eq!(ours.len(), theirs.len(), "{who}: {heading}: rows\n{ours:?}\n{theirs:?}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            let is_same = ours.len() == theirs.len() && ours.iter().zip(theirs).all(alike);
            assert!(is_same, "{who}: {heading}: {ours:?} or {theirs:?}");
        }
    }
}

/// Uploads, loses the machine, starts anew from the bucket; every answer is what it was.
async fn upload_wipe_restore(weir: &Weir) {
    let server = weir.start().await;
    weir.send(&server, 6_000).await;
    let trace = rows(server.query, LARGEST).await[0][0].as_str().expect("an id").to_owned();
    let before = all_questions(&server, &trace).await;
    until_archived(&server, 6_000.0).await;
    weir.verify(&server, Some(50)).await;
    let archived = all_questions(&server, &trace).await;
    let plain =
        |answers: &[(String, Vec<Vec<Value>>)]| answers.iter().map(|(_, rows)| rows.clone()).collect::<Vec<_>>();
    same(&before, &plain(&archived), "archived");
    let plan = rows(server.query, "EXPLAIN SELECT count(DISTINCT name) FROM spans").await;
    let plan: String = plan.iter().flatten().filter_map(Value::as_str).collect();
    assert!(plan.contains("default/spans/"), "EXPLAIN says which objects it opens: {plan}");
    server.stop(Duration::from_secs(30)).await.expect("stops");
    std::fs::remove_dir_all(&weir.options.data).expect("wiped");
    let server = weir.start().await;
    weir.verify(&server, None).await;
    same(&before, &plain(&all_questions(&server, &trace).await), "from the bucket alone");
    server.stop(Duration::from_secs(30)).await.expect("stops");
}

#[tokio::test]
async fn a_lost_machine_comes_back_from_a_folder_and_others_agree() {
    let mut weir = Weir::new(81, "");
    weir.traffic = Arc::new(Traffic::new(81, 200, 128));
    let bucket = weir.folder().join("bucket");
    weir.options.storage = storage(&format!("url: \"file://{}\"", bucket.display()));
    upload_wipe_restore(&weir).await;
    let server = weir.start().await;
    let trace = rows(server.query, LARGEST).await[0][0].as_str().expect("an id").to_owned();
    let ours = all_questions(&server, &trace).await;
    let table = bucket.join("default/spans");
    server.stop(Duration::from_secs(30)).await.expect("stops");
    let Some(python) = python() else {
        println!("not compared: `make test` installs DuckDB, Polars and deltalake (tests/requirements-tables.txt)");
        return;
    };
    let queries = duckdb_queries(&trace);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/table_asks.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&table).arg(&trace).stdin(Stdio::piped()).stdout(Stdio::piped());
    let asking = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("python runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(serde_json::to_string(&queries).expect("JSON").as_bytes()).expect("python reads");
        drop(stdin);
        child.wait_with_output().expect("python ends")
    });
    let output = asking.await.expect("joins");
    assert!(output.status.success(), "the readers failed");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for reader in ["duckdb", "polars"] {
        let theirs: Vec<Vec<Vec<Value>>> =
            serde_json::from_value(found[reader].clone()).expect("rows of each question");
        same(&ours, &theirs, reader);
    }
}

#[tokio::test]
async fn a_lost_machine_comes_back_from_an_s3_server() {
    let Some(gateway) = gateway().await else {
        println!("not run: `make test` installs versitygw where Go is (tests/needs.sh)");
        return;
    };
    let mut weir = Weir::new(82, "");
    weir.traffic = Arc::new(Traffic::new(82, 200, 128));
    weir.options.storage = storage(&format!(
        "url: \"s3://weir/some/prefix\", endpoint: \"http://{}\", path_style: true, allow_http: true, \
         access_key_id: testkey, secret_access_key: testsecret",
        gateway.address
    ));
    upload_wipe_restore(&weir).await;
}

#[tokio::test]
async fn what_is_missing_is_told_by_every_api() {
    let mut weir = Weir::new(83, "");
    let bucket = weir.folder().join("bucket");
    weir.options.storage = storage(&format!("url: \"file://{}\"", bucket.display()));
    let server = weir.start().await;
    weir.send(&server, 500).await;
    let trace = rows(server.query, LARGEST).await[0][0].as_str().expect("an id").to_owned();
    until_archived(&server, 500.0).await;
    server.stop(Duration::from_secs(30)).await.expect("stops");
    std::fs::rename(bucket.join("default/spans"), bucket.join("default/elsewhere")).expect("moved");
    // Nothing is cached at a start.
    let server = weir.start().await;
    let query = Query::new(server.query);
    let (status, answer) = crate::sql::ask(server.query, "SELECT count(DISTINCT name) FROM spans").await;
    let said = answer["error"].to_string();
    assert!(said.contains("could not be read") && said.contains("default/spans/"), "{status}: {answer}");
    for path in [
        "/api/v1/search?limit=5",
        "/jaeger/api/traces?service=frontend&limit=5",
        &format!("/jaeger/api/traces/{trace}"),
    ] {
        let (status, answer) = query.json(path).await.expect("an answer");
        assert!(answer.to_string().contains("default/spans/"), "{path}: {status}: {answer}");
    }
    // Indexes, which are kept here too, are put there again meanwhile.
    while let Err(error) = std::fs::rename(bucket.join("default/elsewhere"), bucket.join("default/spans")) {
        assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty, "{error}");
        std::fs::remove_dir_all(bucket.join("default/spans")).expect("they go again");
    }
    weir.verify(&server, None).await;
}

/// What has deltalake, Polars and DuckDB's extension for Delta.
fn python() -> Option<String> {
    let target = std::env::current_exe().ok()?.ancestors().nth(3)?.to_owned();
    let installed = target.join("test-venv-tables/bin/python3").display().to_string();
    let candidates = [std::env::var("WEIR_TABLES_PYTHON").ok(), Some(installed), Some("python3".to_owned())];
    candidates.into_iter().flatten().find(|python| {
        let import = Command::new(python).args(["-c", "import deltalake, duckdb_extension_delta, polars"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

/// A real S3 server with a bucket, which ends with the test.
struct Gateway {
    address: std::net::SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn gateway() -> Option<Gateway> {
    let test = std::env::current_exe().ok()?;
    let installed = test.ancestors().map(|folder| folder.join("test-bin/versitygw")).find(|path| path.exists());
    let program = installed.or_else(|| std::env::var_os("WEIR_VERSITYGW").map(PathBuf::from))?;
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("weir")).expect("made");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = free.local_addr().expect("bound");
        drop(free);
        let process = Command::new(&program)
            .args(["--quiet", "--access", "testkey", "--secret", "testsecret", "--port", &address.to_string(), "posix"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("versitygw runs");
        let mut gateway = Gateway { address, process, _folder: folder };
        let begin = Instant::now();
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        // Somebody else may have been quicker to take the port, and answer there.
        while gateway.process.try_wait().expect("its state").is_none() {
            let is_open = std::net::TcpStream::connect(address).is_ok();
            if is_open && gateway.process.try_wait().expect("its state").is_none() {
                return Some(gateway);
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "versitygw does not listen");
            interval.tick().await;
        }
    }
    panic!("versitygw did not start");
}
