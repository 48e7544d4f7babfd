//! The table through SQL: the same answers from the head, from segments and from both, and those that plain evaluation gives.

mod answers;
mod damaged;
mod numbers;
mod plans;
mod sampled;
mod times;
pub(crate) mod traffic;

use std::time::{Duration, Instant};

use datafusion::{
    arrow::{array::RecordBatch, util::pretty::pretty_format_batches},
    prelude::{SessionConfig, SessionContext},
};
use weir_proto::TenantId;
use weir_store::Snapshot;

use crate::sql::{
    config::SqlConfig,
    encoding::{Encoding, Json},
    engine::{Engine, Query},
    error::SqlError,
    stop::Stop,
};

/// A session with the table.
fn session(snapshot: Snapshot) -> SessionContext {
    session_until(snapshot, Instant::now() + Duration::from_secs(600))
}

fn session_until(snapshot: Snapshot, deadline: Instant) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    super::register(&context);
    for (name, table) in super::tables(&snapshot, &TenantId::default(), None, &Stop::at(deadline)) {
        context.register_table(name, table).expect("a free name");
    }
    context
}

async fn run(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    let frame = context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The rows as lines, sorted unless the query orders them.
async fn lines(context: &SessionContext, sql: &str) -> Vec<String> {
    let table = pretty_format_batches(&run(context, sql).await).expect("shown").to_string();
    let mut lines: Vec<String> = table.lines().skip(3).filter(|line| line.starts_with('|')).map(squeeze).collect();
    if !sql.contains("ORDER BY") {
        lines.sort();
    }
    lines
}

/// Without the padding of a table.
fn squeeze(line: &str) -> String {
    line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")
}

async fn explain(context: &SessionContext, sql: &str) -> String {
    let table = pretty_format_batches(&run(context, &format!("EXPLAIN {sql}")).await).expect("shown").to_string();
    table.lines().map(squeeze).collect::<Vec<_>>().join("\n")
}

/// The answer as the engine gives it, or why there is none. Blocks.
fn ask(
    snapshot: &Snapshot,
    text: &str,
    limits: SqlConfig,
    encoding: Box<dyn Encoding>,
) -> Result<serde_json::Value, SqlError> {
    let spill = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::start(limits, spill.path()).expect("threads");
    let snapshot = snapshot.clone();
    let tables = Box::new(move |stop: &_| super::tables(&snapshot, &TenantId::default(), None, stop));
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut answer = engine.ask(Query { text: text.into(), tables, now_ns: None, deadline, encoding }, ());
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunks.blocking_recv() {
        bytes.extend(chunk?.bytes);
    }
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}
