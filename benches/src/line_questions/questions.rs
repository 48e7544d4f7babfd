//! The questions of the table, as each server is asked them.

use anyhow::Context;
use serde_json::Value;
use weir_proto::time::SECOND_NS;

use super::{BATCH, SEED, victoria_logs};
use crate::lines::Lines;

/// A question.
pub(super) struct Question {
    pub(super) name: &'static str,
    /// Path and query.
    pub(super) weir: String,
    /// The same of VictoriaLogs, where it has such a question.
    pub(super) victoria_logs: Option<String>,
}

/// All of the questions, about lines of this time.
pub(super) fn questions(base_ns: u64, batches: u64) -> anyhow::Result<Vec<Question>> {
    let all = r#"{service_name=~".+"}"#;
    // A line in the middle tells which ids are there.
    let mut line = String::new();
    let batch = batches / 2;
    Lines::new(SEED).write(batch * BATCH + 7, batch, base_ns + batch * SECOND_NS, &mut line);
    let line: Value = serde_json::from_str(&line)?;
    let field = |name: &str| line[name].as_str().map(str::to_owned).context("a text");
    let (request_id, trace_id) = (field("request_id")?, field("trace_id")?);
    let user = line["user"]["id"].to_string();
    let span = (base_ns, base_ns + batches * SECOND_NS);
    let newest = |query: &str| path(&format!("{all} {query}"), span, "");
    let by_minute = |query: &str| path(&query.replace("ALL", all), span, "&step=60");
    let theirs = |query: &str| Some(victoria_logs::path(query, Some(span), ""));
    let theirs_newest = |query: &str| Some(victoria_logs::path(query, Some(span), "&limit=100"));
    let row = |name, weir, victoria_logs| Question { name, weir, victoria_logs };
    Ok(vec![
        row(
            "rare token, one hit",
            newest(&format!("|= `{request_id}`")),
            theirs_newest(&format!("request_id:\"{request_id}\"")),
        ),
        row(
            "rare token, none",
            newest("|= `0badf00d-0bad-4bad-abad-0badf00d0bad`"),
            theirs_newest("request_id:\"0badf00d-0bad-4bad-abad-0badf00d0bad\""),
        ),
        row(
            "trace id, no time range",
            format!("/api/v1/trace/{trace_id}"),
            Some(victoria_logs::path(&format!("trace_id:=\"{trace_id}\""), None, "")),
        ),
        row(
            "attribute = value, newest 100",
            newest(&format!("| json | user_id=`{user}`")),
            theirs_newest(&format!("\"user.id\":=\"{user}\"")),
        ),
        row(
            "attribute = value, counted",
            by_minute(&format!("sum(count_over_time(ALL | json | user_id=`{user}` [1m]))")),
            theirs(&format!("\"user.id\":=\"{user}\" | stats by (_time:1m) count() n")),
        ),
        row("frequent word, newest 100", newest("|= `error`"), theirs_newest("level:error")),
        row(
            "frequent word, by minute",
            by_minute("sum(count_over_time(ALL |= `error` [1m]))"),
            theirs("level:error | stats by (_time:1m) count() n"),
        ),
        row(
            "phrase, newest 100",
            newest("|= `payment authorised by the provider`"),
            theirs_newest("\"payment authorised by the provider\""),
        ),
        row("phrase of frequent words, none", newest("|= `session upstream`"), theirs_newest("\"session upstream\"")),
        row("two words over a field's end, newest 100", newest("|= `upstream service\",\"trace_id`"), None),
        row(
            "lines by level and minute",
            by_minute("sum by (level) (count_over_time(ALL | json [1m]))"),
            theirs("* | stats by (_time:1m, level) count() n"),
        ),
        row(
            "lines by detected level and minute",
            by_minute("sum by (detected_level) (count_over_time(ALL [1m]))"),
            None,
        ),
        row(
            "lines by minute",
            by_minute("sum(count_over_time(ALL [1m]))"),
            theirs("* | stats by (_time:1m) count() n"),
        ),
        row(
            "unbounded substring, by minute",
            by_minute("sum(count_over_time(ALL |= `imeou` [1m]))"),
            theirs("_msg:~\"imeou\" | stats by (_time:1m) count() n"),
        ),
        row(
            "regex, by minute",
            by_minute("sum(count_over_time(ALL |~ `time(out|d)` [1m]))"),
            theirs("_msg:~\"time(out|d)\" | stats by (_time:1m) count() n"),
        ),
        row(
            "| json | ms > 500, counted",
            by_minute("sum(count_over_time(ALL | json | ms > 500 [1m]))"),
            theirs("ms:>500 | stats by (_time:1m) count() n"),
        ),
    ])
}

fn path(query: &str, (start_ns, end_ns): (u64, u64), more: &str) -> String {
    let query = escaped(query);
    format!("/loki/api/v1/query_range?query={query}&start={start_ns}&end={end_ns}&limit=100{more}")
}

/// As a parameter has it.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
