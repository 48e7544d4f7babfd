//! Memory per span in the head beyond the payload budget: the difference between two fillings.

use super::{Row, Settings, stage::Stage};
use crate::load::Plan;

/// Spans before the first look: the payload budget is full by then.
const WARM_SPANS: u64 = 500_000;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let storage =
        "  journal: {file_age_max: 1h}\n  seal: {size_max: 1TiB, age_max: 1h}\n  head: {payload_size_max: 64MiB}\n";
    let stage = Stage::new(settings, 1000, storage).await?;
    stage.load(Plan { spans: Some(WARM_SPANS), ..Plan::new(stage.server.grpc) }).await?;
    let before = stage.memory_bytes();
    let report = stage.load(Plan { spans: Some(settings.spans), ..Plan::new(stage.server.grpc) }).await?;
    let after = stage.memory_bytes();
    stage.verified(settings, 0).await?;
    let per_span = after.saturating_sub(before) as f64 / report.acked as f64;
    let what = format!("process memory per span in the head beyond the payload budget, {} spans", report.acked);
    Ok(vec![Row::new(what, format!("{per_span:.0} B"), "200 B", "120 B")])
}
