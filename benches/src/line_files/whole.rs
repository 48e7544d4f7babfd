//! What it costs to read one file: CPU per million lines, until everything is in merged segments.

use std::{collections::HashMap, path::Path, time::Duration};

use super::{JSON_PARSER, Reader, STORAGE, Tailing, logs, temporary, writer};
use crate::{line_questions::at_rest, query::Query};

/// Longest wait until everything is sealed and merged.
const SETTLED_MAX: Duration = Duration::from_secs(600);

pub(super) async fn measure(tailing: Tailing<'_>) -> anyhow::Result<()> {
    let folder = temporary(tailing)?;
    let lines = tailing.count;
    let bytes = writer::write_all(&logs(folder.path())?.join("app.log"), lines)?;
    let per_million = |cpu_s: f64| cpu_s / lines as f64 * 1e6;
    let (read_s, settled_s) = cpu_s(tailing, folder.path(), JSON_PARSER).await?;
    println!(
        "a file of {lines} lines ({:.0} B each), json_parser: Weir {:.2} s of CPU per million until they are in merged segments, {:.2} s of these \
         until they are durable",
        bytes as f64 / lines as f64,
        per_million(settled_s),
        per_million(read_s)
    );
    if let Some(binary) = tailing.otelcol {
        let reader = Reader::otelcol(binary, folder.path()).await?;
        reader.until_read(lines).await?;
        println!("    the Collector, which keeps nothing: {:.2} s", per_million(reader.cpu_s()?));
        reader.stop().await?;
    }
    Ok(())
}

/// CPU of a server that reads a folder's files with these operators: until all lines are durable, and until they are in merged segments.
pub(super) async fn cpu_s(tailing: Tailing<'_>, folder: &Path, operators: &str) -> anyhow::Result<(f64, f64)> {
    let reader = Reader::weir_with(tailing, folder, STORAGE, operators).await?;
    reader.until_read(tailing.count).await?;
    let read_s = reader.cpu_s()?;
    if let Reader::Weir(server) = &reader {
        let settled = |metrics: &HashMap<String, f64>| {
            metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_merge_debt_bytes") == Some(&0.0)
        };
        Query::new(server.query).until("everything sealed and merged", SETTLED_MAX, settled).await?;
        at_rest(server.pid()).await?;
    }
    let settled_s = reader.cpu_s()?;
    reader.stop().await?;
    Ok((read_s, settled_s))
}
