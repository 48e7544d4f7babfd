//! Asks LogQL what `grep` and `jq` are asked of the same lines in a file, and compares.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use weir_proto::time::Clock;

use super::{BATCH, SEED, questions::escaped, start};
use crate::{client::Http1, lines::Lines, query::Query};

/// Lines of a push.
const PUSHED: usize = 5000;

/// Longest wait until everything is sealed.
const SEALED_MAX: Duration = Duration::from_secs(600);

/// Where real logs lie, from the project's root.
const CORPORA: &str = "../shared/corpora/logs";

/// What is looked for as a text: LogQL's `|=` and `grep -F`.
const TEXTS: [&str; 18] = [
    "error",
    "timeout of the upstream",
    "\"path\":\"/healthz\"",
    "4f5",
    "INFO",
    "Failed password",
    "blk_-",
    "e",
    "nothing like it",
    "upstream service\",\"trace_id",
    "from 173.234.31.186 port",
    "servers/detail HTTP/1.1\" status: 200",
    "BLOCK* NameSystem",
    "sshd[",
    "-a",
    "2",
    " ",
    "ession",
];

/// What is looked for as a regular expression, in the syntax that both have.
const REGEXES: [&str; 12] = [
    "time(out|d)",
    "\"status\":50[0-3]",
    "user.*refreshed",
    "[0-9]{7,}",
    "^2008|^[0-9]+ ",
    "(error|warn)\",",
    "size [0-9]+ from",
    "(GET|POST) /[a-z/0-9]*servers",
    "user[ =:]+[a-z]+ from",
    "[0-9a-f]{8}-[0-9a-f]{4}-",
    "(blk_|sshd|nova).*[05]$",
    "x+y",
];

/// The same in any case: `(?i)` and `grep -i`.
const IN_ANY_CASE: [&str; 5] = ["ERROR", "Timeout", "failed PASSWORD", "info|warn", "possible break-in [a-z]+"];

/// What is asked of JSON: in LogQL behind `| json |`, and in jq.
const FIELDS: [(&str, &str); 20] = [
    ("ms > 50", ".ms > 50"),
    ("ms >= 12.5 and ms <= 12.75", ".ms >= 12.5 and .ms <= 12.75"),
    ("ms < 1", ".ms < 1"),
    ("level=`error`", ".level == \"error\""),
    ("level!=`info`", ".level != \"info\""),
    ("level=~`e.*|w.*`", ".level | test(\"^(e.*|w.*)$\")"),
    ("level!~`info|debug`", ".level | test(\"^(info|debug)$\") | not"),
    (
        "http_status >= 500 and user_plan=~`pro|team`",
        ".http.status >= 500 and (.user.plan == \"pro\" or .user.plan == \"team\")",
    ),
    ("http_status == 204", ".http.status == 204"),
    ("http_status != 200", ".http.status != 200"),
    ("http_path!=`/healthz` and bytes < 1000", ".http.path != \"/healthz\" and .bytes < 1000"),
    (
        "http_path=`/healthz` or http_path=`/api/v1/search`",
        ".http.path == \"/healthz\" or .http.path == \"/api/v1/search\"",
    ),
    ("user_id=`77` or user_id=`78`", ".user.id == 77 or .user.id == 78"),
    ("user_id > 49990", ".user.id > 49990"),
    ("user_id=~`4.2`", ".user.id | tostring | test(\"^4.2$\")"),
    ("user_plan=`team` and level=`error` and ms > 20", ".user.plan == \"team\" and .level == \"error\" and .ms > 20"),
    ("msg=~`.*timeout.*` and ms > 100", "(.msg | contains(\"timeout\")) and .ms > 100"),
    ("logger=`app.db.Pool`", ".logger == \"app.db.Pool\""),
    ("nothing=``", ".nothing == null"),
    ("nothing=`x`", ".nothing == \"x\""),
];

/// Pushes lines, and the corpora where they are there, and compares every answer.
///
/// # Errors
///
/// When an answer differs, `grep` or `jq` is missing, or the server does not work.
pub async fn truth(weir: &Path, folder: &Path, lines: u64) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("weir-truth-").tempdir_in(folder)?;
    let server = start(weir, folder.path()).await?;
    let http = Http1::new(server.query);
    let files = files(folder.path(), lines)?;
    for (number, file) in files.iter().enumerate() {
        push(&http, number, file).await.with_context(|| format!("{}", file.display()))?;
    }
    let asked = ask_all(&http, &files).await?;
    println!("{asked} answers over {lines} lines and {} other files: what grep and jq give", files.len() - 1);
    Query::new(server.query).until("everything sealed", SEALED_MAX, is_sealed).await?;
    let asked = ask_all(&http, &files).await?;
    println!("{asked} answers once more, everything sealed: the same");
    server.stop(Duration::from_secs(60)).await?;
    Ok(())
}

/// Asks every question of every file, and how many these are.
async fn ask_all(http: &Http1, files: &[PathBuf]) -> anyhow::Result<usize> {
    let mut compared = 0;
    for (number, file) in files.iter().enumerate() {
        let stream = format!("{{file=\"{number}\"}}");
        for text in TEXTS {
            compare(http, &format!("{stream} |= `{text}`"), grep("-F", text, file)?).await?;
            compare(http, &format!("{stream} != `{text}`"), grep("-vF", text, file)?).await?;
        }
        for regex in REGEXES {
            compare(http, &format!("{stream} |~ `{regex}`"), grep("-E", regex, file)?).await?;
        }
        for regex in IN_ANY_CASE {
            compare(http, &format!("{stream} |~ `(?i){regex}`"), grep("-iE", regex, file)?).await?;
        }
        compared += 2 * TEXTS.len() + REGEXES.len() + IN_ANY_CASE.len();
    }
    for (logql, jq) in FIELDS {
        compare(http, &format!("{{file=\"0\"}} | json | {logql}"), by_jq(jq, &files[0])?).await?;
    }
    compared += FIELDS.len();
    Ok(compared)
}

fn is_sealed(metrics: &HashMap<String, f64>) -> bool {
    metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_merge_debt_bytes") == Some(&0.0)
}

/// The generated lines in a file, and the corpora's files.
fn files(folder: &Path, lines: u64) -> anyhow::Result<Vec<PathBuf>> {
    let generated = folder.join("lines.json");
    let mut out = BufWriter::new(File::create(&generated)?);
    let base_ns = Clock::system().now_ns();
    for number in 0..lines {
        let mut line = String::new();
        Lines::new(SEED).write(number, number / BATCH, base_ns + number * 1000, &mut line);
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    let mut files = vec![generated];
    match fs::read_dir(CORPORA) {
        Ok(entries) => files.extend(
            entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "log")),
        ),
        Err(_) => println!("{CORPORA} is not here; the generated lines are"),
    }
    Ok(files)
}

/// Pushes a file's lines as a stream, as to Loki.
async fn push(http: &Http1, number: usize, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    // As grep tells them: what stands before a line's end is part of it, also \r.
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(&text).split('\n').collect();
    let base_ns = Clock::system().now_ns() - lines.len() as u64 * 1000;
    for (batch, lines) in lines.chunks(PUSHED).enumerate() {
        let value =
            |(at, line): (usize, &&str)| json!([(base_ns + (batch * PUSHED + at) as u64 * 1000).to_string(), line]);
        let values: Vec<Value> = lines.iter().enumerate().map(value).collect();
        let body = json!({"streams": [{"stream": {"file": number.to_string()}, "values": values}]}).to_string();
        let request = http::Request::post("/loki/api/v1/push").header("content-type", "application/json");
        let (status, answer) = http.send(request.body(body.into_bytes().into())?).await?;
        ensure!(status == 204, "{status} {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

async fn compare(http: &Http1, query: &str, expected: u64) -> anyhow::Result<()> {
    let mut path = String::from("/loki/api/v1/query?query=");
    write!(path, "{}", escaped(&format!("sum(count_over_time({query}[1d]))")))?;
    let (status, answer) = http.get(&path).await?;
    ensure!(status == 200, "{query}: {status} {}", String::from_utf8_lossy(&answer));
    let answer: Value = serde_json::from_slice(&answer)?;
    let found = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
    ensure!(found == expected.to_string(), "{query}: {found} lines, and not {expected}");
    Ok(())
}

/// How many lines `grep` finds.
fn grep(how: &str, text: &str, file: &Path) -> anyhow::Result<u64> {
    let mut command = Command::new("grep");
    command.env("LC_ALL", "C").args(["-ac", how, "-e", text]).arg(file);
    let output = command.output().context("cannot start grep")?;
    // 1 is that there is none.
    ensure!(output.status.code().is_some_and(|code| code < 2), "grep: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// How many objects fulfil it, by `jq`.
fn by_jq(condition: &str, file: &Path) -> anyhow::Result<u64> {
    let program = format!("reduce inputs as $line (0; if ($line | {condition}) then . + 1 else . end)");
    let output = Command::new("jq").args(["-n", &program]).arg(file).output().context("cannot start jq")?;
    ensure!(output.status.success(), "jq: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
