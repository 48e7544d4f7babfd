//! Questions about stored lines, asked through HTTP of a server that has them: how long each takes, and its CPU time.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, ensure};
use http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;
use weir_proto::time::{Clock, SECOND_NS};

use crate::{
    client::Http1,
    lines::{LineForm, Lines},
    process,
    query::Query,
    server::{Server, ServerOptions},
};

/// Lines of a batch; each is of one second.
const BATCH: u64 = 1000;
const SEED: u64 = 7;

/// Starts a server on the folder, which is filled unless it was before, and asks it.
///
/// # Errors
///
/// When the server cannot be started or filled, or does not answer.
pub async fn ask(binary: &Path, folder: &Path, lines: u64, rounds: u64) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut options = ServerOptions::new(binary, folder);
    options.storage = "  retention: {logs: forever}\n  accept: any\n".into();
    options.query = "  timeout: 120s\n".into();
    let server = Server::start(&options).await?;
    let batches = lines / BATCH;
    let base_ns = filled(&server, folder, batches).await?;
    let asked =
        Asked { server: &server, http: Http1::new(server.query), base_ns, end_ns: base_ns + batches * SECOND_NS };
    for (name, request) in asked.questions(batches).await? {
        asked.measure(name, &request, rounds).await?;
    }
    server.stop(Duration::from_secs(60)).await?;
    Ok(())
}

/// When the first batch was; sends them all unless they are there.
async fn filled(server: &Server, folder: &Path, batches: u64) -> anyhow::Result<u64> {
    let note = folder.join("filled");
    if let Ok(text) = fs::read_to_string(&note) {
        let mut numbers = text.split_whitespace().map(str::parse);
        let (Some(Ok(base_ns)), Some(Ok(known))) = (numbers.next(), numbers.next()) else {
            anyhow::bail!("{} says nothing", note.display());
        };
        ensure!(known == batches, "{} has {known} batches", folder.display());
        return Ok(base_ns);
    }
    let base_ns = Clock::system().now_ns() - (batches + 60) * SECOND_NS;
    let http = Http1::new(server.http);
    for batch in 0..batches {
        let (body, _) = Lines::new(SEED).batch(batch, BATCH, base_ns + batch * SECOND_NS, LineForm::Otlp);
        loop {
            let request = http::Request::post("/v1/logs").header("content-type", "application/x-protobuf");
            let (status, _) = http.send(request.body(body.clone().into())?).await?;
            match status {
                StatusCode::OK => break,
                StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(Duration::from_millis(200)).await,
                status => anyhow::bail!("batch {batch}: {status}"),
            }
        }
    }
    let settled = |metrics: &std::collections::HashMap<String, f64>| {
        let is_none = |name: &str| metrics.get(name).is_none_or(|value| *value == 0.0);
        is_none("weir_merge_debt_bytes")
    };
    Query::new(server.query).until("everything merged", Duration::from_secs(600), settled).await?;
    fs::write(note, format!("{base_ns} {batches}"))?;
    Ok(base_ns)
}

struct Asked<'s> {
    server: &'s Server,
    http: Http1,
    base_ns: u64,
    end_ns: u64,
}

impl Asked<'_> {
    /// The questions of the table, each with its path.
    async fn questions(&self, batches: u64) -> anyhow::Result<Vec<(&'static str, String)>> {
        let all = r#"{service_name=~".+"}"#;
        // A line in the middle tells which ids are there.
        let mut line = String::new();
        let batch = batches / 2;
        Lines::new(SEED).write(batch * BATCH + 7, batch, self.base_ns + batch * SECOND_NS, &mut line);
        let line: Value = serde_json::from_str(&line)?;
        let field = |name: &str| line[name].as_str().map(str::to_owned).context("a text");
        let (request_id, trace_id) = (field("request_id")?, field("trace_id")?);
        let user = line["user"]["id"].to_string();
        let newest = |query: &str| self.path(&format!("{all} {query}"), "");
        let by_minute = |query: &str| self.path(query, "&step=60");
        Ok(vec![
            ("rare token, one hit", newest(&format!("|= `{request_id}`"))),
            ("rare token, none", newest("|= `0badf00d-0bad-4bad-abad-0badf00d0bad`")),
            ("trace id, no time range", format!("/api/v1/trace/{trace_id}")),
            ("attribute = value, newest 100", newest(&format!("| json | user_id=`{user}`"))),
            (
                "attribute = value, counted",
                by_minute(&format!("sum(count_over_time({all} | json | user_id=`{user}` [1m]))")),
            ),
            ("frequent word, newest 100", newest("|= `error`")),
            ("frequent word, by minute", by_minute(&format!("sum(count_over_time({all} |= `error` [1m]))"))),
            ("two words over a field's end, newest 100", newest("|= `upstream service\",\"trace_id`")),
            ("lines by level and minute", by_minute(&format!("sum by (level) (count_over_time({all} | json [1m]))"))),
            (
                "lines by detected level and minute",
                by_minute(&format!("sum by (detected_level) (count_over_time({all} [1m]))")),
            ),
            ("lines by minute", by_minute(&format!("sum(count_over_time({all} [1m]))"))),
            ("unbounded substring, by minute", by_minute(&format!("sum(count_over_time({all} |= `imeou` [1m]))"))),
            ("regex, by minute", by_minute(&format!("sum(count_over_time({all} |~ `time(out|d)` [1m]))"))),
            ("| json | ms > 500, counted", by_minute(&format!("sum(count_over_time({all} | json | ms > 500 [1m]))"))),
        ])
    }

    fn path(&self, query: &str, more: &str) -> String {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (start, end) = (self.base_ns, self.end_ns);
        format!("/loki/api/v1/query_range?query={encoded}&start={start}&end={end}&limit=100{more}")
    }

    /// The first time apart: the others find the files in memory.
    async fn measure(&self, name: &str, path: &str, rounds: u64) -> anyhow::Result<()> {
        let cpu = || process::cpu_s(self.server.pid()).unwrap_or_default();
        let mut times_ms: Vec<f64> = Vec::new();
        let (mut first_ms, mut cpu_s) = (0.0, 0.0);
        let mut bytes = 0;
        for round in 0..=rounds {
            let (begun, before_s) = (Instant::now(), cpu());
            let (status, answer) = self.http.get(path).await?;
            ensure!(status == StatusCode::OK, "{name}: {status} {}", String::from_utf8_lossy(&answer));
            bytes = answer.len();
            let ms = begun.elapsed().as_secs_f64() * 1e3;
            if round == 0 {
                first_ms = ms;
            } else {
                times_ms.push(ms);
                cpu_s += cpu() - before_s;
            }
        }
        times_ms.sort_by(f64::total_cmp);
        let (middle, last) = (times_ms[times_ms.len() / 2], times_ms[times_ms.len() - 1]);
        let cpu_ms = cpu_s / rounds as f64 * 1e3;
        println!("{name}: {middle:.0} ms (first {first_ms:.0}, longest {last:.0}), CPU {cpu_ms:.0} ms, {bytes} B");
        Ok(())
    }
}
