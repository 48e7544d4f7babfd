//! Files: numbered lines through rotation, kills and sealing, each there once; a container's lines with their pod.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use weir_benches::{query::Query, rng::Rng};

use crate::fixture::{SMALL, Weir};

/// Kills while lines are written and files rotated.
const ROUNDS: u64 = 20;

async fn rows(query: &Query, sql: &str) -> Vec<Value> {
    let answer = query.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:#}"));
    answer["rows"].as_array().expect("rows").clone()
}

/// A count: numbers of 64 bits may stand in quotes.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value} is no number"))
}

/// Waits until so many lines are there; answers how many are.
pub(crate) async fn lines_come(query: &Query, lines: u64) -> u64 {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut found = 0;
    for _ in 0..300 {
        ticks.tick().await;
        found = number(&rows(query, "SELECT count(*) AS n FROM logs").await[0]["n"]);
        if found >= lines {
            break;
        }
    }
    found
}

fn append(path: &Path, text: &str) {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    file.expect("opened").write_all(text.as_bytes()).expect("written");
}

/// A writer with rotation of every kind.
pub(crate) struct Writer {
    folder: PathBuf,
    pub(crate) written: u64,
    rotations: u64,
}

impl Writer {
    /// One that writes into a new folder, and what tells Weir to read it.
    pub(crate) fn new(weir: &mut Weir) -> Self {
        let folder = weir.folder().join("logs");
        fs::create_dir(&folder).expect("made");
        weir.options.receivers = format!(
            "  filelog:\n    include: [{}/*.log]\n    start_at: beginning\n    poll_interval: 20ms\n    \
             operators:\n      - type: json_parser\n        severity: {{parse_from: attributes.level}}\n",
            folder.display()
        );
        Self { folder, written: 0, rotations: 0 }
    }

    /// The next lines.
    fn text(&mut self, lines: u64) -> String {
        let line = |n| format!("{{\"n\":{n},\"msg\":\"line {n}\",\"level\":\"info\"}}\n");
        let text = (self.written..self.written + lines).map(line).collect();
        self.written += lines;
        text
    }

    pub(crate) fn write(&mut self, lines: u64) {
        let text = self.text(lines);
        append(&self.folder.join("app.log"), &text);
    }

    fn path(&self, n: u64, end: &str) -> PathBuf {
        self.folder.join(if n == 0 { "app.log".into() } else { format!("app.log.{n}{end}") })
    }

    /// Some lines, and now and then a rotation between them.
    pub(crate) fn go_on(&mut self, rng: &mut Rng) {
        self.write(1 + rng.below(400));
        if rng.below(3) == 0 {
            self.rotate(rng.below(3));
            self.write(1 + rng.below(50));
        }
    }

    fn rotate(&mut self, kind: u64) {
        for n in (1..=self.rotations).rev() {
            for end in ["", ".gz"] {
                if self.path(n, end).exists() {
                    fs::rename(self.path(n, end), self.path(n + 1, end)).expect("renamed");
                }
            }
        }
        self.rotations += 1;
        match kind {
            0 => fs::rename(self.path(0, ""), self.path(1, "")).expect("renamed"),
            1 => {
                fs::copy(self.path(0, ""), self.path(1, "")).expect("copied");
                fs::OpenOptions::new().write(true).open(self.path(0, "")).expect("opened").set_len(0).expect("cut");
            }
            _ => {
                fs::rename(self.path(0, ""), self.path(1, "")).expect("renamed");
                let gzip = Command::new("gzip").arg(self.path(1, "")).status();
                assert!(gzip.is_ok_and(|status| status.success()), "gzip is there");
            }
        }
    }
}

#[tokio::test]
async fn each_line_once_through_kills_and_rotation() {
    let mut weir = Weir::new(91, SMALL);
    let mut writer = Writer::new(&mut weir);
    let mut rng = Rng::new(91);
    writer.write(10);
    let mut server = weir.start().await;
    lines_come(&Query::new(server.query), 10).await;
    for _ in 0..ROUNDS {
        for _ in 0..3 + rng.below(5) {
            writer.go_on(&mut rng);
            tokio::task::yield_now().await;
        }
        // Somewhere between the first and the last of them.
        lines_come(&Query::new(server.query), rng.below(writer.written)).await;
        server.kill().await.expect("killed");
        writer.write(1 + rng.below(100));
        server = weir.start().await;
    }
    let query = Query::new(server.query);
    each_is_there_once(&query, writer.written, || weir.options.log()).await;
    let parsed = rows(&query, "SELECT count(*) AS n FROM logs WHERE severity_number = 9").await;
    assert_eq!(number(&parsed[0]["n"]), writer.written);
}

/// How many of the numbered lines there are, of how many; each must be there once.
pub(crate) async fn each_is_there_once(query: &Query, written: u64, log: impl Fn() -> String) {
    let found = lines_come(query, written).await;
    let counted = rows(query, "SELECT body, count(*) AS n FROM logs GROUP BY body").await;
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for row in counted {
        let body: Value = serde_json::from_str(row["body"].as_str().expect("a body")).expect("JSON");
        *counts.entry(body["n"].as_u64().expect("a number")).or_default() += number(&row["n"]);
    }
    let missing: Vec<u64> = (0..written).filter(|n| !counts.contains_key(n)).collect();
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    let is_exact = missing.is_empty() && doubled.is_empty() && found == written;
    assert!(is_exact, "{found} of {written}: missing {missing:?}, doubled {doubled:?}\n{}", log());
}

/// Debian's logrotate, where it is there.
fn logrotate() -> Option<&'static str> {
    let found = ["/usr/sbin/logrotate", "/usr/bin/logrotate"].into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        println!("skipped: logrotate is not installed");
    }
    found
}

/// Rotates as told for some rounds, while lines are written and Weir is killed; writers go on with their file where `is_held`.
async fn through_logrotate(seed: u64, kind: &str, is_held: bool) {
    let Some(logrotate) = logrotate() else { return };
    let mut weir = Weir::new(seed, SMALL);
    let mut writer = Writer::new(&mut weir);
    let mut rng = Rng::new(seed);
    let (state, config) = (weir.folder().join("state"), weir.folder().join("logrotate.conf"));
    let rotated = format!("{}/app.log {{\n  rotate 50\n  {kind}\n}}\n", writer.folder.display());
    fs::write(&config, rotated).expect("written");
    writer.write(10);
    let mut server = weir.start().await;
    for round in 0..9 {
        // A writer goes on with the file that it has open until it is told.
        let mut held = fs::OpenOptions::new().append(true).open(writer.path(0, "")).expect("opened");
        let mut process = Command::new(logrotate).arg("-f").arg("-s").arg(&state).arg(&config).spawn().expect("starts");
        for _ in 0..if is_held { 20 } else { 0 } {
            let text = writer.text(1 + rng.below(40));
            held.write_all(text.as_bytes()).expect("written");
        }
        assert!(process.wait().expect("it ends").success(), "{kind}");
        writer.write(1 + rng.below(300));
        match round % 3 {
            0 => drop(lines_come(&Query::new(server.query), rng.below(writer.written)).await),
            1 => {
                server.kill().await.expect("killed");
                writer.write(1 + rng.below(100));
                server = weir.start().await;
            }
            _ => {}
        }
    }
    each_is_there_once(&Query::new(server.query), writer.written, || weir.options.log()).await;
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn logrotate_with_create() {
    through_logrotate(97, "create", true).await;
}

// What comes behind what gzip has read is lost to all, and what comes between a copy and the cut.
#[tokio::test]
async fn logrotate_with_create_and_compress() {
    through_logrotate(98, "create\n  compress", false).await;
}

#[tokio::test]
async fn logrotate_with_delaycompress() {
    through_logrotate(99, "create\n  compress\n  delaycompress", true).await;
}

#[tokio::test]
async fn logrotate_with_copytruncate() {
    through_logrotate(100, "copytruncate", false).await;
}

#[tokio::test]
async fn logrotate_with_copytruncate_and_compress() {
    through_logrotate(101, "copytruncate\n  compress", false).await;
}

#[tokio::test]
async fn a_container_s_lines_have_their_pod() {
    let mut weir = Weir::new(92, SMALL);
    let folder = weir.folder().join("pods/shop_cart-7d_1a2b-3c/app");
    fs::create_dir_all(&folder).expect("made");
    weir.options.receivers = format!(
        "  filelog:\n    include: [{}/pods/*/*/*.log]\n    start_at: beginning\n    operators: [{{type: container}}, {{type: json_parser}}]\n",
        weir.folder().display()
    );
    let now = "2026-01-01T00:00:01.5Z";
    append(&folder.join("0.log"), &format!("{now} stdout P {{\"level\":\"warn\",\n{now} stdout F \"ms\":12.5}}\n"));
    let server = weir.start().await;
    let query = Query::new(server.query);
    assert_eq!(lines_come(&query, 1).await, 1, "{}", weir.options.log());
    let columns = "body, attributes['ms'] AS ms, attributes['log.iostream'] AS stream, resource['k8s.pod.name'] AS pod";
    let row = &rows(&query, &format!("SELECT {columns} FROM logs")).await[0];
    assert_eq!(row["body"], "{\"level\":\"warn\",\"ms\":12.5}");
    assert_eq!((&row["ms"], &row["stream"], &row["pod"]), (&"12.5".into(), &"stdout".into(), &"cart-7d".into()));
}
