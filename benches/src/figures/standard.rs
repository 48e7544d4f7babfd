//! Weir and the standard way one after the other, with the same traffic on the same machine in the same minute.

use std::{process::Stdio, sync::Arc};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{Row, Settings, cpu};
use crate::{
    load::{Load, Plan, Record},
    shop::Traffic,
};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let (standard_s, bytes) = standard_way(settings).await?;
    // Both as they start.
    let cold = Settings { warm_up_spans: 0, ..settings.clone() };
    let weir_s = cpu::per_million(&cold, cpu::Variant::Plain).await?.sealed;
    let ratio = standard_s / weir_s;
    Ok(vec![
        Row::reported("the standard way, CPU per million spans", format!("{standard_s:.2} s, {bytes:.1} B a span")),
        Row::new(
            "beside the standard way in the same run",
            format!("{ratio:.2}× less ({weir_s:.2} s)"),
            "1.4× less",
            "2.5× less",
        ),
    ])
}

/// CPU seconds per million spans, and bytes per span.
async fn standard_way(settings: &Settings) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::Builder::new().prefix("weir-figures-").tempdir_in(&settings.folder)?;
    let mut child = Command::new(&settings.standard_way)
        .arg("--out")
        .arg(folder.path().join("spans.parquet"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", settings.standard_way.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    let line = lines.next_line().await?.context("it ended")?;
    let address = line.strip_prefix("listening ").context("it says where it listens")?.parse()?;
    let traffic = Arc::new(Traffic::new(1, 1000, 64));
    let plan = Plan { spans: Some(settings.spans), ..Plan::new(address) };
    let report = Load::run(plan, traffic, Arc::new(Record::new(0)), 0).await?;
    eprintln!("  {report}");
    ensure!(report.all_acked(), "the standard way refused: {report}");
    let pid = child.id().context("it runs")?.to_string();
    Command::new("kill").arg("-TERM").arg(pid).status().await?;
    let line = lines.next_line().await?.context("it ended without a result")?;
    let result: serde_json::Value = serde_json::from_str(&line)?;
    let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name} in {line}"));
    ensure!(number("spans")? as u64 == report.acked, "it wrote other than it acknowledged: {line}");
    Ok((number("cpu_s")? / number("spans")? * 1e6, number("bytes")? / number("spans")?))
}
