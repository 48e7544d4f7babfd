//! Flat out, or at a rate, beside the load generator: how much goes through when both share the machine.

use std::time::Duration;

use tokio::time::Instant;

use super::{Row, Settings, stage::Stage};
use crate::load::Plan;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::new(settings, 1000, "").await?;
    let before_s = stage.cpu_s();
    let duration = Some(Duration::from_secs_f64(settings.seconds));
    let report = stage.load(Plan { duration, rate: settings.cpu_rate, ..Plan::new(stage.server.grpc) }).await?;
    let server_s = stage.cpu_s() - before_s;
    let unsealed = stage.query.metrics().await?.get("weir_journal_unsealed_bytes").copied().unwrap_or_default();
    let stopped = Instant::now();
    stage.sealed().await?;
    let drained = stopped.elapsed();
    stage.verified(settings, 0).await?;
    let refused = report.sent - report.acked;
    Ok(vec![
        Row::new(
            format!("sustained {:.0} s beside the load generator, ledger exact", settings.seconds),
            format!("{:.0} spans/s, {refused} refused", report.spans_per_s()),
            "350k spans/s, 0 refused",
            "500k",
        ),
        Row::reported("CPU meanwhile: server, load generator", format!("{server_s:.1} s, {:.1} s", report.cpu_s)),
        Row::reported(
            "not sealed yet at the end, and sealed after",
            format!("{:.0} MB, {:.1} s", unsealed / 1e6, drained.as_secs_f64()),
        ),
    ])
}
