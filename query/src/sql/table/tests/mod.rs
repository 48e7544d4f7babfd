//! The table through SQL: the same answers from the head, from segments and from both, and those that plain evaluation gives.

mod answers;
mod plans;
mod traffic;

use datafusion::{
    arrow::{array::RecordBatch, util::pretty::pretty_format_batches},
    prelude::{SessionConfig, SessionContext},
};
use weir_proto::TenantId;
use weir_store::Snapshot;

/// A session with the table.
fn session(snapshot: Snapshot) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    super::register(&context);
    context.register_table("spans", super::spans_table(snapshot, TenantId::default())).expect("a free name");
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
