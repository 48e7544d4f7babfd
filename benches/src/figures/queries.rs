//! Questions over 10 million sealed spans, and over 5 million in the head; the same ones to other engines on the same Parquet files.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use http::StatusCode;
use serde_json::Value;
use tokio::{process::Command, time::Instant};

use super::{Row, Settings, stage::Stage};
use crate::load::Plan;

/// Small segments that stay so: 10 million spans make some 30.
const SEGMENTS: &str = "  accept: any\n  retention: {traces: forever}\n  seal: {size_max: 128MiB, age_max: 20s}\n  merge: {segment_rows_max: 600000}\n";
/// Nothing is sealed.
const HEAD: &str =
    "  accept: any\n  journal: {file_age_max: 1h, unsealed_size_max: 64GiB}\n  seal: {size_max: 1TiB, age_max: 1h}\n";
/// Times that each question is asked; the first one only warms.
const ROUNDS: usize = 8;
/// Traces that are looked up.
const TRACES: usize = 300;
/// The service that is asked for.
const SERVICE: &str = "checkout";

const BY_SERVICE: &str = "SELECT service, p99(duration_ns) AS p99 FROM spans GROUP BY service ORDER BY service";

/// The newest spans of a service with an attribute.
fn search(value: &str) -> String {
    format!(
        "SELECT trace_id, span_id, name, start_time, duration_ns FROM spans \
         WHERE service = '{SERVICE}' AND attributes['app.lane'] = '{value}' ORDER BY start_time DESC LIMIT 20"
    )
}

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let mut rows = sealed(settings).await?;
    rows.extend(head(settings).await?);
    Ok(rows)
}

async fn sealed(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::with_lanes(settings, SEGMENTS).await?;
    let spans = settings.spans.max(100_000) / 6 * 10;
    stage.load(Plan { spans: Some(spans), ..Plan::new(stage.server.grpc) }).await?;
    stage.sealed().await?;
    stage.merged().await?;
    let files = stage.options.data.join("segments/traces/default");
    let segments = std::fs::read_dir(&files)?.count();
    let over = format!("{:.0}M spans in {segments} segments", spans as f64 / 1e6);
    let mut rows = Vec::new();

    let ids: Vec<String> = (0..TRACES as u64)
        .filter_map(|n| stage.traffic.traces(n * 31 % (spans / 1000)).first().map(ToString::to_string))
        .collect();
    let took = look_up(&stage, &ids).await?;
    rows.push(Row::new(format!("trace by id without time range, {over}, p99"), took, "20 ms", "3 ms"));

    let a_user = user(&stage).await?;
    let mut worst = Duration::ZERO;
    let mut each = Vec::new();
    for (what, value) in [("many match", "north"), ("few match", a_user.as_str()), ("none", "nowhere")] {
        let took = ask(&stage, &search(value)).await?;
        worst = worst.max(took);
        each.push(format!("{what} {}", ms(took)));
    }
    rows.push(Row::new(
        format!("search by service and an attribute without its own column, newest 20, {over}"),
        format!("{} ({})", ms(worst), each.join(", ")),
        "400 ms",
        "100 ms",
    ));
    rows.extend(traces_found(&stage, &a_user, &over).await?);
    let p99 = ask(&stage, BY_SERVICE).await?;
    rows.push(Row::new(format!("P99 of duration by service, {over}"), ms(p99), "300 ms", "100 ms"));
    rows.extend(others(settings, &files, &ids[0], &a_user).await?);
    Ok(rows)
}

/// Jaeger's search with the whole of the newest 20 traces: by an event's attribute, and by a span's.
async fn traces_found(stage: &Stage, a_user: &str, over: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, (key, value), must, goal) in [
        ("an event's attribute, many match", ("app.cache.shard", "3"), "400 ms", "100 ms"),
        ("an event's attribute, few match", ("exception.type", "ValidationError"), "400 ms", "100 ms"),
        ("an event's attribute, none", ("exception.type", "NowhereException"), "400 ms", "100 ms"),
        ("a frequent attribute", ("app.lane", "north"), "20 ms", "8 ms"),
        ("a rarer attribute", ("app.lane", a_user), "20 ms", "8 ms"),
        ("an absent attribute", ("app.lane", "nowhere"), "5 ms", "2 ms"),
    ] {
        let path = format!("/jaeger/api/traces?service={SERVICE}&limit=20&tag={key}:{value}");
        let took = found(stage, &path).await?;
        rows.push(Row::new(format!("newest 20 whole traces by service and {what}, {over}"), ms(took), must, goal));
    }
    Ok(rows)
}

/// The median time of a search, until the whole answer has come: what it says is looked at afterwards.
pub(super) async fn found(stage: &Stage, path: &str) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let started = Instant::now();
        let (status, answer) = stage.query.text(path).await?;
        let took = started.elapsed();
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        // Jaeger's answers have null there, a trace's columns the rows of spans that failed.
        let errors = &answer["errors"];
        ensure!(status == StatusCode::OK && errors[0]["msg"].is_null(), "{path}: {status}: {errors}");
        if round > 0 {
            times.push(took);
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// Looks each trace up twice; p99 and p50 of the second time.
pub(super) async fn look_up(stage: &Stage, ids: &[String]) -> anyhow::Result<String> {
    let mut times = Vec::new();
    for round in 0..2 {
        for id in ids {
            let started = Instant::now();
            let (status, _) = stage.query.text(&format!("/api/v1/trace/{id}")).await?;
            ensure!(status == StatusCode::OK, "trace {id}: {status}");
            if round == 1 {
                times.push(started.elapsed());
            }
        }
    }
    times.sort();
    let p99 = times.get(times.len() * 99 / 100).context("there are traces to look for")?;
    Ok(format!("{} (p50 {})", ms(*p99), ms(times[times.len() / 2])))
}

async fn head(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::with_lanes(settings, HEAD).await?;
    let spans = settings.spans.max(100_000) / 6 * 5;
    stage.load(Plan { spans: Some(spans), ..Plan::new(stage.server.grpc) }).await?;
    let took = ask(&stage, &search("nowhere")).await?;
    let what = format!("attribute search over {:.0}M spans in the head, no match", spans as f64 / 1e6);
    Ok(vec![Row::new(what, ms(took), "2 s", "1 s")])
}

/// A value of the attribute that few spans have.
async fn user(stage: &Stage) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT attributes['app.lane'] AS lane FROM spans WHERE service = '{SERVICE}' AND attributes['app.lane'] LIKE 'u-%' LIMIT 1"
    );
    let answer = stage.query.sql(&sql).await?;
    let lane = answer["rows"][0]["lane"].as_str().context("no span has the attribute")?;
    Ok(lane.to_owned())
}

/// The median time of an answer.
async fn ask(stage: &Stage, sql: &str) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let started = Instant::now();
        stage.query.sql(sql).await?;
        if round > 0 {
            times.push(started.elapsed());
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// The same questions to what `benches/other_engines.py` finds; a plain message when it finds nothing.
async fn others(settings: &Settings, files: &Path, trace: &str, user: &str) -> anyhow::Result<Vec<Row>> {
    let python = settings.python.as_deref().unwrap_or(Path::new("python3"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("other_engines.py");
    let output = Command::new(python).arg(&script).arg(files).arg(SERVICE).arg(trace).arg(user).output().await;
    let output = match output {
        Ok(output) => output,
        Err(error) => return Ok(vec![Row::reported("other engines", format!("not measured: {error}"))]),
    };
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("{}: {}", script.display(), output.status);
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(lines.lines().filter_map(|line| line.split_once('\t')).map(|(what, took)| Row::reported(what, took)).collect())
}

pub(super) fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
